/** The first benchmark: calls a second and CPU a call, beside what else a user could pick. */
import * as Client from "./Client.js"
import * as Contenders from "./Contenders.js"
import * as Results from "./Results.js"
import * as Rounds from "./Rounds.js"
import * as Upstream from "./Upstream.js"
import * as Work from "./Work.js"

type Measured = ReadonlyMap<Contenders.Name, ReadonlyArray<Client.Turn>>

const series = (measured: Measured, name: Contenders.Name, of: (one: Client.Turn) => number): ReadonlyArray<number> =>
  (measured.get(name) ?? []).map(of)

const speed = ({ calls, seconds }: Client.Turn): number => calls / seconds

const cpuMicros = ({ calls, cpuSeconds }: Client.Turn): number => (cpuSeconds * 1e6) / calls

/** The rows of the table, in the order of the contenders. */
export const rowsOf = (measured: Measured): ReadonlyArray<Results.EnrollRow> => {
  const poolSpeed = series(measured, "undici-pool", speed)
  const fetchSpeed = series(measured, "fetch", speed)
  const poolCpu = series(measured, "undici-pool", cpuMicros)
  return Contenders.names.map((name) => {
    const ownSpeed = series(measured, name, speed)
    const ownCpu = series(measured, name, cpuMicros)
    return {
      name,
      title: Contenders.all[name].title,
      callsPerSecond: Rounds.summary(ownSpeed),
      cpuMicrosPerCall: Rounds.summary(ownCpu),
      upstreamBusy: Rounds.summary(series(measured, name, ({ upstreamBusy }) => upstreamBusy)),
      speedToPool: Rounds.ratios(ownSpeed, poolSpeed),
      speedToFetch: Rounds.ratios(ownSpeed, fetchSpeed),
      cpuToPool: Rounds.ratios(ownCpu, poolCpu)
    }
  })
}

/** What `Enroll` promises. */
export const thresholdsOf = (rows: ReadonlyArray<Results.EnrollRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ name }) => name === "milepost-outcome").flatMap(({ speedToFetch, speedToPool, title }) => [
    Results.atLeast(`${title}, calls/s beside undici Pool.request`, 0.5, speedToPool.median),
    Results.atLeast(`${title}, calls/s beside built-in fetch`, 4, speedToFetch.median)
  ])

/** How long it takes. */
export interface Durations {
  /** How often every contender starts afresh. */
  readonly rounds: number
  readonly warmUpMillis: number
  /** How often everybody has a turn in each round. */
  readonly turns: number
  readonly turnMillis: number
}

const round = async (upstream: Upstream.Running, { turnMillis, turns, warmUpMillis }: Durations): Promise<Measured> => {
  const ready = new Map<Contenders.Name, Client.Ready>()
  try {
    // One after another, so that nobody warms up in another's shadow.
    for (const name of Contenders.names) ready.set(name, await Client.start(name, upstream, warmUpMillis))
    return await Rounds.interleaved([...ready.keys()], turns, (name) => {
      const client = ready.get(name)
      if (client === undefined) throw new Error(`${name} has not been started`)
      return client.turn(turnMillis)
    })
  } finally {
    await Promise.all(Array.from(ready.values(), (client) => client.stop()))
  }
}

/** Runs it. */
export const run = async (durations: Durations, say: (line: string) => void): Promise<Results.EnrollSection> => {
  const upstream = await Upstream.start()
  try {
    const measured: Array<Measured> = []
    for (let index = 0; index < durations.rounds; index++) {
      say(`enroll: round ${index + 1} of ${durations.rounds}`)
      measured.push(await round(upstream, durations))
    }
    const rows = rowsOf(Rounds.joined(measured))
    return {
      measuredAt: new Date().toISOString(),
      machine: Results.machine(),
      inFlight: Work.inFlight,
      rounds: durations.rounds,
      turnsPerRound: durations.turns,
      millisPerTurn: durations.turnMillis,
      rows,
      thresholds: thresholdsOf(rows)
    }
  } finally {
    await upstream.stop()
  }
}
