/** `npm run bench -- [names] [options]`: runs the benchmarks, prints their tables, keeps their results. */
import { parseArgs } from "node:util"
import * as BulkSpeed from "./BulkSpeed.js"
import * as Capacity from "./Capacity.js"
import * as ColdStart from "./ColdStart.js"
import * as EnrollSpeed from "./EnrollSpeed.js"
import * as Memory from "./Memory.js"
import * as ProxySpeed from "./ProxySpeed.js"
import * as ReplicasSpeed from "./ReplicasSpeed.js"
import * as Report from "./Report.js"
import * as Results from "./Results.js"
import * as ResultsFile from "./ResultsFile.js"
import * as SimulatorSpeed from "./SimulatorSpeed.js"

/** Records that two replicas send. */
const pairRecords = 20_000

/** Records of a simulated run, at least. */
const sampleRecords = 10_000

const usage = `npm run bench -- [enroll] [start] [bulk] [memory] [simulator] [proxy] [replicas] [capacity] [options]
(all eight without a name)

  --check            exit 1 when a promise is not kept
  --rounds <n>       rounds of enroll, bulk, simulator, proxy and replicas, each in fresh processes (default 3)
  --turns <n>        turns of each contender in a round of enroll, simulator, proxy and replicas (default 5)
  --spawns <n>       rounds of start (default 31)
  --records <n>      rows of the file of bulk (default ${BulkSpeed.defaults.map(({ records, waitMillis }) =>
  `${records} at a wait of ${waitMillis} ms`).join(", ")}), that two
                     replicas send (default ${pairRecords}), or of a run of capacity, at least (default ${sampleRecords})
  --rows <n>         a size for memory; repeat it (default 10000, 100000, 1000000)
  --customers <n>    a crowd for simulator; repeat it (default 100000, 1000000)
  --runs <n>         simulated runs of simulator (default 1000)
  --upload <n>       rows of an upload to proxy; repeat it (default 1000000); of the large job of replicas
  --minutes <n>      how long proxy has twice as many calls as its upstream bears (default 0.5), and how long a limit over
                     replicas is watched (default 3)
  --part <name>      of replicas only this part; repeat it: ${ReplicasSpeed.parts.join(", ")}
  --dry              keep no results
`

/** Slow clients need as long until the compiler is done with them. */
const warmUpMillis = 2_000

/** How long the turns of the simulator are: everybody there is quick, and has made tens of thousands of calls by the first. */
const quickly = { warmUpMillis: 1_000, turnMillis: 300 }

/** Records of the batches of proxy, and of the file that the bulk engine sends beside them. */
const batchRecords = 60_000

const resultsFile = new URL("../results.json", import.meta.url)

const progress = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\u001B[2K\r${line}`)
}

const done = (): void => progress("")

const positive = (text: string, flag: string): number => {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${flag}: ${JSON.stringify(text)} is not a number above 0`)
  return value
}

/** Runs what the command line asks for; returns the exit code. */
export const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      check: { type: "boolean", default: false },
      dry: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      turns: { type: "string", default: "5" },
      spawns: { type: "string", default: "31" },
      records: { type: "string" },
      rows: { type: "string", multiple: true, default: ["10000", "100000", "1000000"] },
      customers: { type: "string", multiple: true, default: ["100000", "1000000"] },
      runs: { type: "string", default: "1000" },
      upload: { type: "string", multiple: true, default: ["1000000"] },
      minutes: { type: "string" },
      part: { type: "string", multiple: true, default: [...ReplicasSpeed.parts] }
    }
  })
  const unknown = positionals.find((word) => !Results.benchmarks.some((name) => name === word))
  if (values.help || unknown !== undefined) {
    console.log(unknown === undefined ? usage : `There is no benchmark ${JSON.stringify(unknown)}.\n\n${usage}`)
    return unknown === undefined ? 0 : 2
  }
  const strange = values.part.find((word) => !ReplicasSpeed.parts.some((part) => part === word))
  if (strange !== undefined) {
    console.log(`There is no part ${JSON.stringify(strange)}.\n\n${usage}`)
    return 2
  }
  const asked = (name: Results.Benchmark): boolean => positionals.length === 0 || positionals.includes(name)

  let isKept = true
  const report = (section: { readonly thresholds: ReadonlyArray<Results.Threshold> }, table: string): void => {
    done()
    console.log(`${table}\n\n${Report.promises(section.thresholds)}\n`)
    isKept &&= section.thresholds.every(({ kept }) => kept)
  }
  const keep = (sections: Results.Results): void => {
    if (!values.dry) ResultsFile.keep(resultsFile, sections)
  }

  if (asked("enroll")) {
    const section = await EnrollSpeed.run({
      rounds: positive(values.rounds, "rounds"),
      warmUpMillis,
      turns: positive(values.turns, "turns"),
      turnMillis: 500
    }, progress)
    report(section, Report.enroll(section))
    keep({ enroll: section })
  }
  if (asked("start")) {
    const section = await ColdStart.run(positive(values.spawns, "spawns"), progress)
    report(section, Report.start(section))
    keep({ start: section })
  }
  if (asked("bulk")) {
    const records = values.records === undefined ? undefined : positive(values.records, "records")
    const section = await BulkSpeed.run(
      BulkSpeed.defaults.map((one) => ({ ...one, records: records ?? one.records })),
      positive(values.rounds, "rounds"),
      progress
    )
    report(section, Report.bulk(section))
    keep({ bulk: section })
  }
  if (asked("memory")) {
    const section = await Memory.run(values.rows.map((rows) => positive(rows, "rows")), warmUpMillis, progress)
    report(section, Report.memory(section))
    keep({ memory: section })
  }
  if (asked("simulator")) {
    const section = await SimulatorSpeed.run(
      { ...quickly, rounds: positive(values.rounds, "rounds"), turns: positive(values.turns, "turns") },
      values.customers.map((customers) => positive(customers, "customers")),
      positive(values.runs, "runs"),
      progress
    )
    report(section, Report.simulator(section))
    keep({ simulator: section })
  }
  if (asked("proxy")) {
    const section = await ProxySpeed.run(
      { warmUpMillis, turnMillis: 500, rounds: positive(values.rounds, "rounds"), turns: positive(values.turns, "turns") },
      {
        records: batchRecords,
        uploads: values.upload.map((rows) => positive(rows, "upload")),
        minutes: positive(values.minutes ?? "0.5", "minutes")
      },
      progress
    )
    report(section, Report.proxy(section))
    keep({ proxy: section })
  }
  if (asked("replicas")) {
    const section = await ReplicasSpeed.run(
      ReplicasSpeed.parts.filter((part) => values.part.includes(part)),
      { warmUpMillis, turnMillis: 500, rounds: positive(values.rounds, "rounds"), turns: positive(values.turns, "turns") },
      {
        records: positive(values.records ?? String(pairRecords), "records"),
        stored: positive(values.upload[0] ?? "1000000", "upload"),
        minutes: positive(values.minutes ?? "3", "minutes")
      },
      ResultsFile.read(resultsFile).replicas,
      progress
    )
    report(section, Report.replicas(section))
    keep({ replicas: section })
  }
  if (asked("capacity")) {
    const records = positive(values.records ?? String(sampleRecords), "records")
    const section = await Capacity.run(records, ResultsFile.read(resultsFile).replicas, progress)
    report(section, Report.capacity(section))
    keep({ capacity: section })
  }
  return values.check && !isKept ? 1 : 0
}
