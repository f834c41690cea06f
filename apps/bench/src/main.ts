/**
 * `npm run bench -- [enroll] [start] [memory] [options]`: runs the benchmarks, prints their tables, keeps their results.
 *
 * The same file is also the upstream and the clients that it starts: `upstream` and `client` as the first word.
 */
import { parseArgs } from "node:util"
import * as Client from "./Client.js"
import * as ColdStart from "./ColdStart.js"
import * as EnrollSpeed from "./EnrollSpeed.js"
import * as Memory from "./Memory.js"
import * as Report from "./Report.js"
import * as Results from "./Results.js"
import * as Upstream from "./Upstream.js"

const usage = `npm run bench -- [enroll] [start] [memory] [options]      (all three without a name)

  --check            exit 1 when a promise is not kept
  --rounds <n>       rounds of enroll, each in fresh processes (default 3)
  --turns <n>        turns of each contender in a round, half a second each (default 5)
  --spawns <n>       rounds of start (default 31)
  --rows <n>         a size for memory; repeat it (default 10000, 100000, 1000000)
  --dry              keep no results
`

/** Slow clients need as long until the compiler is done with them. */
const warmUpMillis = 2_000

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

const bench = async (args: ReadonlyArray<string>): Promise<number> => {
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
      rows: { type: "string", multiple: true, default: ["10000", "100000", "1000000"] }
    }
  })
  const unknown = positionals.find((word) => !Results.benchmarks.some((name) => name === word))
  if (values.help || unknown !== undefined) {
    console.log(unknown === undefined ? usage : `There is no benchmark ${JSON.stringify(unknown)}.\n\n${usage}`)
    return unknown === undefined ? 0 : 2
  }
  const asked = (name: Results.Benchmark): boolean => positionals.length === 0 || positionals.includes(name)

  let isKept = true
  const report = (section: { readonly thresholds: ReadonlyArray<Results.Threshold> }, table: string): void => {
    done()
    console.log(`${table}\n\n${Report.promises(section.thresholds)}\n`)
    isKept &&= section.thresholds.every(({ kept }) => kept)
  }
  const keep = (sections: Results.Results): void => {
    if (!values.dry) Results.keep(resultsFile, sections)
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
  if (asked("memory")) {
    const section = await Memory.run(values.rows.map((rows) => positive(rows, "rows")), warmUpMillis, progress)
    report(section, Report.memory(section))
    keep({ memory: section })
  }
  return values.check && !isKept ? 1 : 0
}

const [role, ...rest] = process.argv.slice(2)
if (role === "upstream") await Upstream.main()
else if (role === "client") await Client.main(rest)
else process.exitCode = await bench(process.argv.slice(2))
