/**
 * The fourth benchmark: what `milepost bulk enroll` holds in memory and on the disk, how fast it is, and how soon it goes on
 * after a kill, by the size of its file.
 *
 * The CLI runs as its users run it, with every default.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Client from "./Client.js"
import * as Customers from "./Customers.js"
import * as Milepost from "./Milepost.js"
import * as Results from "./Results.js"
import * as Resume from "./Resume.js"
import * as Rounds from "./Rounds.js"
import * as Upstream from "./Upstream.js"
import * as Usage from "./Usage.js"

/** From how many rows on a file is a large one: what is promised of large files is promised of these. */
const large = 1_000_000

/** "Not growing" leaves room for a collector that runs when it likes; holding ten times the rows would be far beyond. */
const mostGrowth = 1.25

/** What a bulk run promises by the size of its file. */
export const thresholdsOf = (rows: ReadonlyArray<Results.MemoryRow>): ReadonlyArray<Results.Threshold> => {
  const before = rows.find(({ rows }) => rows === 100_000)
  return rows.filter(({ rows }) => rows >= large).flatMap((row) => {
    const what = `bulk enroll of ${row.rows.toLocaleString("en")} rows`
    return [
      Results.atMost(`${what}, peak MB`, 300, row.peakMegabytes),
      ...(before === undefined ? [] : [
        Results.atMost(`${what}, peak beside that of 100,000`, mostGrowth, row.peakMegabytes / before.peakMegabytes)
      ]),
      Results.atMost(`${what}, bytes of the ledger a record, beside its row`, 400, row.ledgerBytesPerRecord),
      ...(row.rows === large && row.resumeSeconds !== null
        ? [Results.atMost(`bulk resume of ${row.rows.toLocaleString("en")} rows, seconds until the first call`, 3, row.resumeSeconds)]
        : [])
    ]
  })
}

/** The bytes that a ledger takes on the disk, with what it has not yet merged. */
const ledgerBytes = (folder: string): number =>
  ["ledger.db", "ledger.db-wal"]
    .map((name) => join(folder, name))
    .reduce((bytes, path) => bytes + (existsSync(path) ? statSync(path).size : 0), 0)

/** The calls a second of `Enroll.outcome` over the same upstream, without a file, a plan, a journal. */
const speedAlone = async (upstream: Upstream.Running, warmUpMillis: number): Promise<number> => {
  const client = await Client.start("milepost-outcome", upstream, warmUpMillis)
  const { calls, seconds } = await client.turn(2_000)
  await client.stop()
  return calls / seconds
}

type Bulk = Omit<Results.MemoryRow, "peakToSmallest" | "resumeSeconds" | "speedToEnroll">

const bulk = async (file: string, rows: number, folder: string, origin: string): Promise<Bulk> => {
  const runs = join(folder, "runs")
  const ran = await Usage.run(Milepost.bulkEnroll(file, runs), { cwd: folder, env: Milepost.environment(origin) })
  const told = Milepost.told(ran, rows, `bulk enroll of ${rows} rows`)
  const bytes = ledgerBytes(join(runs, told.run)) - (statSync(file).size - Customers.header.length)
  // The results of a large run are larger than its input.
  rmSync(runs, { recursive: true, force: true })
  const { peakMegabytes, residentMegabytes, seconds } = ran
  return {
    rows,
    seconds,
    rowsPerSecond: rows / seconds,
    peakMegabytes,
    residentMegabytes,
    ledgerBytesPerRecord: bytes / rows
  }
}

const resume = async (file: string, folder: string, upstream: Upstream.Running): Promise<number> => {
  const runs = join(folder, "killed")
  const seconds = await Resume.seconds(file, folder, runs, upstream, 3)
  rmSync(runs, { recursive: true, force: true })
  return Rounds.median(seconds)
}

/** Runs it over files of so many rows each, smallest first. */
export const run = async (
  sizes: ReadonlyArray<number>,
  warmUpMillis: number,
  say: (line: string) => void
): Promise<Results.MemorySection> => {
  const upstream = await Upstream.start()
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  try {
    const rows: Array<Results.MemoryRow> = []
    for (const size of sizes.toSorted((left, right) => left - right)) {
      const file = join(folder, `${size}.csv`)
      await Customers.write(file, size)
      const alone = await speedAlone(upstream, warmUpMillis)
      const ran = await bulk(file, size, folder, upstream.origin)
      say(`${size} rows: ${Math.round(ran.peakMegabytes)} MB, ${Math.round(ran.rowsPerSecond)} rows/s`)
      rows.push({
        ...ran,
        speedToEnroll: ran.rowsPerSecond / alone,
        peakToSmallest: ran.peakMegabytes / (rows[0]?.peakMegabytes ?? ran.peakMegabytes),
        resumeSeconds: size >= large ? await resume(file, folder, upstream) : null
      })
      rmSync(file)
    }
    return { ...Results.section(), rows, thresholds: thresholdsOf(rows) }
  } finally {
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
