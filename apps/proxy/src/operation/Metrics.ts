/**
 * What is counted, and how it is told: the text format of Prometheus.
 *
 * Labels are words of the configuration and of the code, never a caller's: their number is bounded.
 */
import type * as Gate from "../upstream/Gate.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"

/** Counts what happens; a count costs a look-up and an addition. */
export interface Metrics {
  /** A request was answered. */
  readonly answered: (route: string, status: number, tookMillis: number) => void
  /** A call to the upstream came back, or not; `status` is a word where there is none. */
  readonly called: (org: string, operation: string, status: string, tookMillis: number) => void
  /** A record ended, or many of a job. */
  readonly ended: (org: string, outcome: string, records?: number) => void
  /** A program was refused at once. */
  readonly refused: (org: string, reason: string) => void
  /** Everything as text, with how the gates and jobs stand now. */
  readonly render: (now: { readonly upstreams: Upstreams; readonly jobs: Readonly<Record<string, number>>; readonly lanes: number }) => string
}

/** Upper bounds of the latencies, in seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

interface Histogram {
  /** Of each bucket alone; those above the last bound are in `count` only. */
  readonly counts: Array<number>
  sum: number
  count: number
}

type Labels = ReadonlyArray<readonly [name: string, value: string | number]>

const escaped = (value: string | number): string => String(value).replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\"", "\\\"")

const line = (name: string, labels: Labels, value: number): string =>
  `${name}${labels.length === 0 ? "" : `{${labels.map(([label, text]) => `${label}="${escaped(text)}"`).join(",")}}`} ${value}\n`

const head = (name: string, type: string, help: string): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`

/** The value of a key, made where there is none. */
const within = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

/** Counters by their labels, of which there are three at most; looked up at every request, so that a known one makes nothing new. */
const family = <A>(names: ReadonlyArray<string>, make: () => A) => {
  const members: Array<{ readonly labels: Labels; readonly value: A }> = []
  const known = new Map<string, Map<string | number, Map<string, A>>>()
  const level = () => new Map()
  return {
    of: (first: string, second: string | number = "", third = ""): A =>
      within(within(within(known, first, level), second, level), third, () => {
        const values = [first, second, third]
        const value = make()
        members.push({ labels: names.map((name, at) => [name, values[at] ?? ""] as const), value })
        return value
      }),
    all: (): ReadonlyArray<{ readonly labels: Labels; readonly value: A }> => members
  }
}

const histogram = (): Histogram => ({ counts: bounds.map(() => 0), sum: 0, count: 0 })

const observe = (into: Histogram, seconds: number): void => {
  into.sum += seconds
  into.count += 1
  const at = bounds.findIndex((bound) => seconds <= bound)
  if (at !== -1) into.counts[at] = (into.counts[at] ?? 0) + 1
}

const histogramLines = (name: string, labels: Labels, { count, counts, sum }: Histogram): string => {
  let upTo = 0
  const buckets = bounds.map((bound, at) => {
    upTo += counts[at] ?? 0
    return line(`${name}_bucket`, [...labels, ["le", bound]], upTo)
  })
  return buckets.join("") + line(`${name}_bucket`, [...labels, ["le", "+Inf"]], count) + line(`${name}_sum`, labels, sum) + line(`${name}_count`, labels, count)
}

const gauges: ReadonlyArray<readonly [name: string, help: string, of: (gate: Gate.Snapshot) => number | null]> = [
  ["milepost_proxy_upstream_in_flight", "Calls in flight.", (gate) => gate.inFlight],
  ["milepost_proxy_upstream_places", "Calls that may be in flight.", (gate) => gate.places],
  ["milepost_proxy_upstream_waiting_interactive", "Interactive calls that wait for a place or a turn.", (gate) => gate.waitingInteractive],
  ["milepost_proxy_upstream_waiting_jobs", "Calls of jobs that wait for a place or a turn.", (gate) => gate.waitingJobs],
  ["milepost_proxy_upstream_rate_limit", "Calls a second that are let go; 0 without a limit.", (gate) => gate.callsPerSecond ?? 0],
  ["milepost_proxy_upstream_turns_left", "Calls that the rate limit lets go at once; none told without a limit.", (gate) => gate.turnsLeft],
  ["milepost_proxy_upstream_paused", "1 while a 429 stops everybody.", (gate) => Number(gate.pausedMillis !== null)],
  ["milepost_proxy_upstream_down", "1 while the upstream is taken for down.", (gate) => Number(gate.breaker !== null)]
]

/** Nothing counted yet. */
export const make = (): Metrics => {
  const counter = () => ({ count: 0 })
  const requests = family(["route", "status"], counter)
  const requestSeconds = family(["route"], histogram)
  const calls = family(["org", "operation", "status"], counter)
  const callSeconds = family(["org", "operation"], histogram)
  const outcomes = family(["org", "outcome"], counter)
  const refusals = family(["org", "reason"], counter)
  const counters = (name: string, help: string, all: ReturnType<typeof family<{ count: number }>>): string =>
    head(name, "counter", help) + all.all().map(({ labels, value }) => line(name, labels, value.count)).join("")
  const histograms = (name: string, help: string, all: ReturnType<typeof family<Histogram>>): string =>
    head(name, "histogram", help) + all.all().map(({ labels, value }) => histogramLines(name, labels, value)).join("")
  return {
    answered: (route, status, took) => {
      requests.of(route, status).count += 1
      observe(requestSeconds.of(route), took / 1000)
    },
    called: (org, operation, status, took) => {
      calls.of(org, operation, status).count += 1
      observe(callSeconds.of(org, operation), took / 1000)
    },
    ended: (org, outcome, records = 1) => {
      if (records > 0) outcomes.of(org, outcome).count += records
    },
    refused: (org, reason) => {
      refusals.of(org, reason).count += 1
    },
    render: ({ jobs, lanes, upstreams }) => {
      const gates = upstreams.all().map((upstream) => [upstream.org().id, upstream.gate.snapshot()] as const)
      return [
        counters("milepost_proxy_requests_total", "Requests by route and status.", requests),
        histograms("milepost_proxy_request_seconds", "How long requests took.", requestSeconds),
        counters("milepost_proxy_upstream_calls_total", "Calls to the upstream, repeated attempts included.", calls),
        histograms("milepost_proxy_upstream_call_seconds", "How long the upstream took.", callSeconds),
        counters("milepost_proxy_outcomes_total", "Records by how they ended.", outcomes),
        counters("milepost_proxy_refused_total", "Programs that were refused at once.", refusals),
        ...gauges.map(([name, help, of]) =>
          head(name, "gauge", help) + gates.map(([org, gate]) => {
            const value = of(gate)
            return value === null ? "" : line(name, [["org", org]], value)
          }).join("")),
        head("milepost_proxy_lanes", "gauge", "Lanes of customers that are sent for here.") + line("milepost_proxy_lanes", [], lanes),
        head("milepost_proxy_jobs", "gauge", "Jobs by state.") +
        Object.entries(jobs).map(([state, count]) => line("milepost_proxy_jobs", [["state", state]], count)).join("")
      ].join("")
    }
  }
}
