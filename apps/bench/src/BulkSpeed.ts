/**
 * The third benchmark: records a second of the durable bulk run, beside scripts that keep nothing and Milepost's own calls
 * alone.
 *
 * Everybody has the same file, the same upstream and as many calls in flight, and is a process that is measured from its
 * start to its exit: reading, calling, writing down what became of each row.
 */
import { createReadStream, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Customers from "./Customers.js"
import * as Milepost from "./Milepost.js"
import * as Processes from "./Processes.js"
import * as Results from "./Results.js"
import * as Rounds from "./Rounds.js"
import * as Upstream from "./Upstream.js"
import * as Usage from "./Usage.js"
import * as Work from "./Work.js"

/** Who takes part: the durable run, and the scripts of `bulk/`. */
export const names = ["milepost", "calls", "undici", "fetch"] as const

/** The name of a contender. */
export type Name = (typeof names)[number]

const titles: Readonly<Record<Name, string>> = {
  milepost: "milepost bulk enroll",
  calls: "Enroll.outcome, no ledger",
  undici: "script, undici Pool.request",
  fetch: "script, built-in fetch"
}

/** How one contender did in one round. */
export interface Turn {
  readonly records: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
  /** How much of the time the upstream computed. */
  readonly upstreamBusy: number
}

/** An upstream by how long it takes to answer, and how many rows are sent to it. */
export interface Load {
  readonly waitMillis: number
  readonly records: number
}

/** As many rows as let a start weigh little and everything end within three minutes. */
export const defaults: ReadonlyArray<Load> = [{ waitMillis: 0, records: 60_000 }, { waitMillis: 5, records: 60_000 }]

/** The rows of one table out of the turns of every round. */
export const rowsOf = (measured: ReadonlyMap<Name, ReadonlyArray<Turn>>): ReadonlyArray<Results.BulkRow> => {
  const series = (name: Name, of: (turn: Turn) => number): ReadonlyArray<number> => (measured.get(name) ?? []).map(of)
  const speed = (name: Name) => series(name, ({ records, seconds }) => records / seconds)
  return names.map((name) => ({
    name,
    title: titles[name],
    recordsPerSecond: Rounds.summary(speed(name)),
    cpuMicrosPerRecord: Rounds.summary(series(name, ({ cpuSeconds, records }) => (cpuSeconds * 1e6) / records)),
    peakMegabytes: Rounds.summary(series(name, ({ peakMegabytes }) => peakMegabytes)),
    upstreamBusy: Rounds.summary(series(name, ({ upstreamBusy }) => upstreamBusy)),
    speedToCalls: Rounds.ratios(speed(name), speed("calls")),
    speedToUndici: Rounds.ratios(speed(name), speed("undici")),
    speedToFetch: Rounds.ratios(speed(name), speed("fetch"))
  }))
}

/** What the durable run promises beside calls alone, by how long the upstream takes to answer. */
const leastToCalls: ReadonlyMap<number, number> = new Map([[0, 0.5], [5, 0.9]])

/** Where the machine is all that limits, a run that loses nothing is not slower than the script that loses everything. */
const leastToFetch: ReadonlyMap<number, number> = new Map([[0, 1]])

/** What the durable run promises. */
export const thresholdsOf = (loads: ReadonlyArray<Results.BulkLoad>): ReadonlyArray<Results.Threshold> =>
  loads.flatMap(({ rows, waitMillis }) =>
    rows.filter(({ name }) => name === "milepost").flatMap(({ speedToCalls, speedToFetch, title }) => {
      const toCalls = leastToCalls.get(waitMillis)
      const toFetch = leastToFetch.get(waitMillis)
      const at = `${title} at a wait of ${waitMillis} ms`
      return [
        ...(toCalls === undefined ? [] : [Results.atLeast(`${at}, beside calls alone`, toCalls, speedToCalls.median)]),
        ...(toFetch === undefined ? [] : [Results.atLeast(`${at}, beside a script over fetch`, toFetch, speedToFetch.median)])
      ]
    }))

const linesOf = async (path: string): Promise<number> => {
  let lines = 0
  for await (const chunk of createReadStream(path, "latin1")) lines += String(chunk).split("\n").length - 1
  return lines
}

const turn = async (
  name: Name,
  { records, waitMillis }: Load,
  upstream: Upstream.Running,
  file: string
): Promise<Turn> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  try {
    const results = join(folder, "results.csv")
    const busyBefore = await upstream.cpuSeconds()
    const ran = name === "milepost"
      ? await Usage.run(Milepost.bulkEnroll(file, join(folder, "runs"), "--concurrency", String(Work.inFlight)), {
        cwd: folder,
        env: Milepost.environment(upstream.origin)
      })
      : await Usage.run([Processes.main, "script", name, file, upstream.origin, results], {
        cwd: folder,
        env: Milepost.bareEnvironment
      })
    const busy = (await upstream.cpuSeconds()) - busyBefore
    const told = Milepost.told(ran, records, `${titles[name]} at a wait of ${waitMillis} ms`)
    // A header or none: every row has its line.
    const written = await linesOf(name === "milepost" ? told.results : results)
    if (written < records) throw new Error(`${titles[name]} told what became of ${written} of ${records} rows`)
    const { cpuSeconds, peakMegabytes, seconds } = ran
    return { records, seconds, cpuSeconds, peakMegabytes, upstreamBusy: busy / seconds }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const measure = async (load: Load, rounds: number, say: (line: string) => void): Promise<Results.BulkLoad> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  const upstream = await Upstream.start(load.waitMillis)
  try {
    const file = join(folder, "customers.csv")
    await Customers.write(file, load.records)
    const measured = await Rounds.interleaved(names, rounds, (name, round) => {
      say(`bulk at a wait of ${load.waitMillis} ms: round ${round + 1} of ${rounds}, ${titles[name]}`)
      return turn(name, load, upstream, file)
    })
    return { ...load, rows: rowsOf(measured) }
  } finally {
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs it. */
export const run = async (
  loads: ReadonlyArray<Load>,
  rounds: number,
  say: (line: string) => void
): Promise<Results.BulkSection> => {
  const measured: Array<Results.BulkLoad> = []
  for (const load of loads) measured.push(await measure(load, rounds, say))
  return {
    ...Results.section(),
    inFlight: Work.inFlight,
    rounds,
    loads: measured,
    thresholds: thresholdsOf(measured)
  }
}
