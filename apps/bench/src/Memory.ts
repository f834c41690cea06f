/**
 * The third benchmark: what `milepost bulk enroll` holds in memory, and how fast it is, by the size of its file.
 *
 * The CLI runs as its users run it. The peak is the kernel's own high-water mark, so nothing between two samples is missed
 * but the last moment before the exit.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { finished } from "node:stream/promises"
import * as Client from "./Client.js"
import * as Milepost from "./Milepost.js"
import * as Results from "./Results.js"
import * as Rounds from "./Rounds.js"
import * as Upstream from "./Upstream.js"

const sampleMillis = 50

/** Ids that are all different, in an order that looks like none: a prime step through a prime number of them. */
const customer = (row: number): number => 100_000_000 + ((row * 48_271) % 2_147_483_647)

const writeFile = async (path: string, rows: number): Promise<void> => {
  const file = createWriteStream(path)
  file.write("customerId,initialBalance,segment\n")
  const block = 10_000
  for (let from = 0; from < rows; from += block) {
    let lines = ""
    for (let row = from; row < Math.min(from + block, rows); row++) lines += `${customer(row)},${row % 1000},spring-${row % 7}\n`
    if (!file.write(lines)) await once(file, "drain")
  }
  file.end()
  await finished(file)
}

/** One figure of `/proc/<pid>/status` in megabytes (of a million bytes); `null` once the process is gone. */
const megabytes = (status: string, name: "VmHWM" | "VmRSS"): number | null => {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]
  return kibibytes === undefined ? null : (Number(kibibytes) * 1024) / 1e6
}

const statusOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8")
  } catch {
    return ""
  }
}

interface Ran {
  readonly seconds: number
  readonly peakMegabytes: number
  readonly residentMegabytes: number
}

const bulk = async (file: string, rows: number, folder: string, origin: string): Promise<Ran> => {
  const before = performance.now()
  const args = ["bulk", "enroll", file, "--group", "2154", "--target", "2309", "--period", "Cycle_1"]
  const child = spawn(process.execPath, [Milepost.bin, ...args, "--json", "--run-dir", join(folder, "runs")], {
    cwd: folder,
    env: Milepost.environment(origin),
    stdio: ["ignore", "pipe", "pipe"]
  })
  const ended = once(child, "close")
  let peak = 0
  const resident: Array<number> = []
  const sample = (): void => {
    const status = statusOf(child.pid ?? 0)
    peak = Math.max(peak, megabytes(status, "VmHWM") ?? 0)
    const now = megabytes(status, "VmRSS")
    if (now !== null) resident.push(now)
  }
  const timer = setInterval(sample, sampleMillis)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  clearInterval(timer)
  const seconds = (performance.now() - before) / 1000
  const { counts } = JSON.parse(stdout === "" ? "{}" : stdout) as { readonly counts?: { readonly enrolled: number } }
  if (child.exitCode !== 0 || counts?.enrolled !== rows) {
    throw new Error(`bulk enroll of ${rows} rows exited ${child.exitCode}:\n${stdout}${stderr}`)
  }
  return { seconds, peakMegabytes: peak, residentMegabytes: Rounds.median(resident) }
}

/** What a bulk run promises of its memory. */
export const thresholdsOf = (rows: ReadonlyArray<Results.MemoryRow>): ReadonlyArray<Results.Threshold> => {
  const promised = rows.filter(({ rows }) => rows >= 1_000_000)
  const before = rows.find(({ rows }) => rows === 100_000)
  return promised.flatMap(({ peakMegabytes, rows }) => [
    Results.atMost(`bulk enroll of ${rows.toLocaleString("en")} rows, peak MB`, 250, peakMegabytes),
    ...(before === undefined ? [] : [
      Results.atMost(
        `bulk enroll of ${rows.toLocaleString("en")} rows, peak beside that of 100,000`,
        mostGrowth,
        peakMegabytes / before.peakMegabytes
      )
    ])
  ])
}

/** "Not growing" leaves room for a collector that runs when it likes; holding ten times the rows would be far beyond. */
const mostGrowth = 1.25

/** The calls a second of `Enroll.outcome` over the same upstream, without a file, a plan, a journal. */
const speedAlone = async (upstream: Upstream.Running, warmUpMillis: number): Promise<number> => {
  const client = await Client.start("milepost-outcome", upstream, warmUpMillis)
  const { calls, seconds } = await client.turn(2_000)
  await client.stop()
  return calls / seconds
}

/** Runs it over files of so many rows each, smallest first. */
export const run = async (
  sizes: ReadonlyArray<number>,
  warmUpMillis: number,
  say: (line: string) => void
): Promise<Results.MemorySection> => {
  if (process.platform !== "linux") throw new Error("the memory benchmark reads /proc and needs Linux")
  const upstream = await Upstream.start()
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  try {
    const rows: Array<Results.MemoryRow> = []
    for (const size of sizes.toSorted((left, right) => left - right)) {
      const file = join(folder, `${size}.csv`)
      await writeFile(file, size)
      const alone = await speedAlone(upstream, warmUpMillis)
      const { peakMegabytes, residentMegabytes, seconds } = await bulk(file, size, folder, upstream.origin)
      const rowsPerSecond = size / seconds
      rows.push({
        rows: size,
        seconds,
        rowsPerSecond,
        speedToEnroll: rowsPerSecond / alone,
        peakMegabytes,
        residentMegabytes,
        peakToSmallest: peakMegabytes / (rows[0]?.peakMegabytes ?? peakMegabytes)
      })
      say(`${size} rows: ${Math.round(peakMegabytes)} MB, ${Math.round(rowsPerSecond)} rows/s`)
      // The results of a large run are larger than its input.
      rmSync(join(folder, "runs"), { recursive: true, force: true })
      rmSync(file)
    }
    return { measuredAt: new Date().toISOString(), machine: Results.machine(), rows, thresholds: thresholdsOf(rows) }
  } finally {
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
