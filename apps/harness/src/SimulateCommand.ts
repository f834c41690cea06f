/**
 * `milepost-harness simulate`: whole runs over the simulated upstream, one for each seed, and what did not hold in them.
 *
 * Seeds are dealt to as many processes as there are processors. A seed that fails is run again in ever smaller plans, and
 * the smallest one is told event by event; the same seed fails the same way on every machine.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { availableParallelism } from "node:os"
import { promisify } from "node:util"
import { Refused } from "./Refused.js"
import type { Violation } from "./simulation/Invariants.js"
import * as Judgement from "./simulation/Judgement.js"
import * as Plan from "./simulation/Plan.js"
import * as Plants from "./simulation/Plant.js"
import * as Trace from "./simulation/Trace.js"

/** What `simulate` is asked for, as texts of the command line. */
export interface Arguments {
  readonly seeds: string
  readonly records: string
  readonly lanes?: string
  /** `mixed`, or so many in every run; `mixed` where nothing is said, unless a bug is looked for that only replicas have. */
  readonly replicas?: string
  readonly plant?: string
  readonly jobs?: string
  readonly json?: boolean
  /** `--no-trace`: the smallest plan of a seed that fails is not looked for. */
  readonly trace?: boolean
}

/** A seed that failed. */
export interface Failed {
  readonly seed: number
  readonly invariant: string
  readonly message: string
  /** What else did not hold. */
  readonly others: number
  /** The smallest plan that fails so, and what happened in it; `null` where nobody looked for it. */
  readonly shrunk: { readonly message: string; readonly plan: ReadonlyArray<string>; readonly trace: ReadonlyArray<string> } | null
}

/** What `--json` prints. */
export interface Report {
  readonly runs: number
  readonly records: number
  readonly calls: number
  readonly virtualSeconds: number
  readonly failed: ReadonlyArray<Failed>
}

/** What every run of a report has in common. */
interface Task {
  readonly records: number
  readonly lanes: Plan.Plan["owner"] | undefined
  readonly replicas: Plan.Replicas
  readonly plant: string | undefined
}

const planOf = (seed: number, { lanes, records, replicas }: Task): Plan.Plan => Plan.make(seed, records, lanes, replicas)

const refused = (line: string): Refused => new Refused({ lines: [line] })

const whole = (flag: string, text: string): Effect.Effect<number, Refused> =>
  /^[1-9]\d{0,8}$/.test(text) ? Effect.succeed(Number(text)) : refused(`${flag}: ${JSON.stringify(text)} is not a whole number from 1`)

/** `1..1000`, or one number. */
const range = (text: string): Effect.Effect<{ readonly from: number; readonly to: number }, Refused> => {
  const [, first, last = first] = /^([1-9]\d{0,8})(?:\.\.([1-9]\d{0,8}))?$/.exec(text) ?? []
  const [from, to] = [Number(first), Number(last)]
  return from <= to ? Effect.succeed({ from, to }) : refused(`--seeds: ${JSON.stringify(text)} is neither a number nor a range such as 1..1000`)
}

const lanesOf = (text: string | undefined): Effect.Effect<Plan.Plan["owner"] | undefined, Refused> =>
  text === undefined || text === "cluster" || text === "fibers"
    ? Effect.succeed(text)
    : refused(`--lanes: ${JSON.stringify(text)} is none of cluster, fibers`)

const replicasOf = (text: string | undefined, plant: string | undefined): Effect.Effect<Plan.Replicas, Refused> =>
  text === undefined
    ? Effect.succeed(plant !== undefined && Plants.plants[plant]?.isOfReplicas === true ? 3 : "mixed")
    : text === "mixed"
    ? Effect.succeed("mixed")
    : /^[1-4]$/.test(text)
    ? Effect.succeed(Number(text))
    : refused(`--replicas: ${JSON.stringify(text)} is neither mixed nor a number from 1 to 4`)

const plantOf = (name: string | undefined): Effect.Effect<string | undefined, Refused> =>
  name === undefined || Plants.plants[name] !== undefined
    ? Effect.succeed(name)
    : refused(`--plant: ${JSON.stringify(name)} is none of ${Object.keys(Plants.plants).join(", ")}`)

/** Failures whose reason is looked for; behind them, a person has enough to read. */
const mostShrunk = 3
const shrinkMillis = 15_000

/** A trace that a person reads to its end; a longer one is told of the customer alone with whom something went wrong. */
const linesToRead = 60

const told = ({ events, plan, violations }: Judgement.Judgement, { invariant, message }: Violation): Failed["shrunk"] => {
  const said = violations.find((one) => one.invariant === invariant)?.message ?? message
  return {
    message: said,
    plan: Trace.planned(plan),
    trace: Trace.lines(events.length <= linesToRead ? events : Trace.about(events, said))
  }
}

const plantNamed = ({ plant }: Task): Plants.Plant | null => plant === undefined ? null : Plants.plants[plant] ?? null

/** Runs seeds in this process, one after the other. */
const inThisProcess = async (from: number, to: number, task: Task): Promise<Report> => {
  const { records } = task
  const failed: Array<Failed> = []
  let calls = 0
  let virtualMillis = 0
  for (let seed = from; seed <= to; seed++) {
    const judgement = await Judgement.of(planOf(seed, task), plantNamed(task))
    calls += judgement.calls
    virtualMillis += judgement.virtualMillis
    const [first, ...others] = judgement.violations
    if (first !== undefined) failed.push({ seed, ...first, others: others.length, shrunk: null })
  }
  return { runs: to - from + 1, records: (to - from + 1) * records, calls, virtualSeconds: Math.round(virtualMillis / 1000), failed }
}

/** Looks for the smallest plan of a seed that failed. */
const explained = async (failed: Failed, task: Task): Promise<Failed> => {
  const judgement = await Judgement.of(planOf(failed.seed, task), plantNamed(task))
  const [first] = judgement.violations
  return first === undefined
    ? failed
    : { ...failed, shrunk: told(await Judgement.shrunk(judgement, plantNamed(task), shrinkMillis), first) }
}

/** Seeds that one process takes at a time: many, because its code is only fast after a while, and few enough to end together. */
const seedsAtOnce = (seeds: number, jobs: number): number => Math.max(25, Math.ceil(seeds / jobs / 2))

const inAnother = (program: string, from: number, to: number, { lanes, plant, records, replicas }: Task): Effect.Effect<Report> =>
  Effect.promise(async (signal) => {
    const args = [program, "simulate", "--seeds", `${from}..${to}`, "--records", String(records), "--replicas", String(replicas), "--jobs", "1", "--json", "--no-trace"]
    if (plant !== undefined) args.push("--plant", plant)
    if (lanes !== undefined) args.push("--lanes", lanes)
    // Exit code 1 says that a seed failed; the report is there all the same.
    const out = await promisify(execFile)(process.execPath, args, { signal, maxBuffer: 2 ** 30 }).then(
      ({ stdout }) => stdout,
      (error: { readonly code?: unknown; readonly stdout?: string }) => {
        if (error.code !== 1 || error.stdout === undefined) throw error
        return error.stdout
      }
    )
    return JSON.parse(out) as Report
  })

const added = (reports: ReadonlyArray<Report>): Report => ({
  runs: reports.reduce((sum, { runs }) => sum + runs, 0),
  records: reports.reduce((sum, { records }) => sum + records, 0),
  calls: reports.reduce((sum, { calls }) => sum + calls, 0),
  virtualSeconds: reports.reduce((sum, { virtualSeconds }) => sum + virtualSeconds, 0),
  failed: reports.flatMap(({ failed }) => failed).sort((left, right) => left.seed - right.seed)
})

const replay = ({ seed }: Failed, { lanes, plant, records, replicas }: Task): string =>
  [
    `milepost-harness simulate --seeds ${seed} --records ${records}`,
    ...(lanes === undefined ? [] : [`--lanes ${lanes}`]),
    ...(replicas === "mixed" ? [] : [`--replicas ${replicas}`]),
    ...(plant === undefined ? [] : [`--plant ${plant}`])
  ].join(" ")

const forPeople = (report: Report, task: Task, seconds: number): string =>
  [
    ...report.failed.flatMap((one) => [
      `seed ${one.seed} fails, ${one.invariant}: ${one.message}${one.others === 0 ? "" : ` (and ${one.others} more)`}`,
      ...(one.shrunk === null ? [] : [
        `  smallest: ${one.shrunk.message}`,
        ...one.shrunk.plan.map((line) => `    ${line}`),
        ...one.shrunk.trace.map((line) => `  ${line}`)
      ]),
      `  again: ${replay(one, task)}`
    ]),
    `${report.runs} runs of ${task.records} records, ${report.calls} calls, ${(report.virtualSeconds / 3600).toFixed(1)} hours of their time, in ${seconds.toFixed(1)} s`,
    `${report.runs - report.failed.length} passed, ${report.failed.length} failed`
  ].join("\n")

/** Runs the seeds: exit code 0 where everything held, 1 where a seed failed. `program` is what a further process is started with. */
export const command = (given: Arguments, program: string): Effect.Effect<number, Refused> =>
  Effect.gen(function*() {
    const { from, to } = yield* range(given.seeds)
    const plant = yield* plantOf(given.plant)
    const task: Task = {
      records: yield* whole("--records", given.records),
      lanes: yield* lanesOf(given.lanes),
      replicas: yield* replicasOf(given.replicas, plant),
      plant
    }
    const jobs = given.jobs === undefined ? availableParallelism() : yield* whole("--jobs", given.jobs)
    const startedMillis = yield* Clock.currentTimeMillis
    const atOnce = seedsAtOnce(to - from + 1, jobs)
    const slices = Array.from({ length: Math.ceil((to - from + 1) / atOnce) }, (_, slice) => from + slice * atOnce)
    const ran = jobs === 1 || slices.length === 1
      ? yield* Effect.promise(() => inThisProcess(from, to, task))
      : added(yield* Effect.forEach(slices, (first) => inAnother(program, first, Math.min(to, first + atOnce - 1), task), { concurrency: jobs }))
    const failed = given.trace === false ? ran.failed : yield* Effect.promise(async () => {
      const some: Array<Failed> = []
      for (const one of ran.failed.slice(0, mostShrunk)) some.push(await explained(one, task))
      return [...some, ...ran.failed.slice(mostShrunk)]
    })
    const report: Report = { ...ran, failed }
    const seconds = ((yield* Clock.currentTimeMillis) - startedMillis) / 1000
    yield* Console.log(given.json === true ? JSON.stringify(report) : forPeople(report, task, seconds))
    return report.failed.length === 0 ? 0 : 1
  })
