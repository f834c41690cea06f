/** Whole runs of engine and ledger over the simulator, under seeds: how long they take, and how soon planted bugs are found. */
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import * as Milepost from "../Milepost.js"
import * as Results from "../Results.js"
import * as Usage from "../Usage.js"

/** The built `milepost-harness` of this repository. */
const harness = fileURLToPath(new URL("../../../harness/dist/bin.js", import.meta.url))

/** Rows of a run, and the number of runs that something is promised of. */
const records = 500
const promisedRuns = 1000

/** The bugs that must be found. */
const plants = ["outcome-before-call", "claim-not-flushed", "retry-on-310011", "two-lanes", "lost-retry-after", "resume-skips-claimed"]

/** How many seeds are tried at a time with a bug. */
const seedsAtOnce = 10

/** What `milepost-harness simulate --json` says. */
interface Told {
  readonly runs: number
  readonly records: number
  readonly calls: number
  readonly virtualSeconds: number
  readonly failed: ReadonlyArray<{ readonly seed: number; readonly invariant: string; readonly message: string }>
}

/** What is promised of whole runs. */
export const thresholdsOf = ({ found, runs, seconds }: Results.SimulatedRuns): ReadonlyArray<Results.Threshold> => [
  Results.atMost(`${promisedRuns.toLocaleString("en")} simulated runs of ${records} records, seconds`, 120, seconds * promisedRuns / runs),
  ...found.map(({ plant, seed }) => Results.atMost(`planted bug ${plant}, seed that finds it`, 1000, seed))
]

const simulate = async (from: number, to: number, ...more: ReadonlyArray<string>): Promise<{ readonly told: Told; readonly ran: Usage.Ran }> => {
  const args = [harness, "simulate", "--seeds", `${from}..${to}`, "--records", String(records), "--replicas", "1", "--no-trace", "--json", ...more]
  const ran = await Usage.run(args, { cwd: tmpdir(), env: Milepost.bareEnvironment })
  if (ran.exitCode !== 0 && ran.exitCode !== 1) throw new Error(`simulate exited ${ran.exitCode}:\n${ran.stderr}`)
  return { told: JSON.parse(ran.stdout) as Told, ran }
}

/** What came of the runs without a bug; fails when one of them did not hold, or made no calls. */
export const runsOf = (told: Told, runs: number): Told => {
  const [first] = told.failed
  if (first !== undefined) throw new Error(`seed ${first.seed} fails, ${first.invariant}: ${first.message}`)
  if (told.runs !== runs || told.records !== runs * records || !(told.calls > told.records / 2)) {
    throw new Error(`${runs} runs were asked for, and ${told.runs} made ${told.calls} calls for ${told.records} records`)
  }
  return told
}

/** Runs so many seeds, then looks for each bug. */
export const run = async (runs: number, say: (line: string) => void): Promise<Results.SimulatedRuns> => {
  say(`simulator, ${runs} simulated runs`)
  const { ran, told } = await simulate(1, runs)
  const { calls, virtualSeconds } = runsOf(told, runs)
  const found: Array<{ plant: string; seed: number }> = []
  for (const plant of plants) {
    say(`simulator, looking for ${plant}`)
    let seed: number | null = null
    for (let from = 1; from <= promisedRuns && seed === null; from += seedsAtOnce) {
      const { told } = await simulate(from, from + seedsAtOnce - 1, "--plant", plant)
      seed = told.failed[0]?.seed ?? null
    }
    found.push({ plant, seed: seed ?? Number.POSITIVE_INFINITY })
  }
  return { runs, records, seconds: ran.seconds, calls, virtualHours: virtualSeconds / 3600, found }
}
