/** Batches of a thousand through the proxy, beside the bulk engine that sends the same records from a file. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Customers from "../Customers.js"
import * as Milepost from "../Milepost.js"
import * as Results from "../Results.js"
import * as Rounds from "../Rounds.js"
import * as Upstream from "../Upstream.js"
import * as Usage from "../Usage.js"
import * as Work from "../Work.js"
import * as Proxies from "./Proxies.js"

/** How many records a batch has: as many as the service takes. */
export const batchRecords = 1_000

/** Who sends. */
export const names = ["batch", "bulk"] as const

/** The name of a sender. */
export type Name = (typeof names)[number]

const titles: Readonly<Record<Name, string>> = {
  batch: "milepost-proxy, batches of 1,000",
  bulk: "milepost bulk enroll, from start to exit"
}

/** One turn of a sender. */
export interface Turn {
  readonly records: number
  readonly seconds: number
  /** CPU of the proxy, or of the engine. */
  readonly cpuSeconds: number
  readonly upstreamBusy: number
}

/** The rows of the table. */
export const rowsOf = (measured: ReadonlyMap<Name, ReadonlyArray<Turn>>): ReadonlyArray<Results.BatchRow> => {
  const series = (name: Name, of: (turn: Turn) => number): ReadonlyArray<number> => (measured.get(name) ?? []).map(of)
  const speed = (name: Name) => series(name, ({ records, seconds }) => records / seconds)
  return names.map((name) => ({
    name,
    title: titles[name],
    recordsPerSecond: Rounds.summary(speed(name)),
    cpuMicrosPerRecord: Rounds.summary(series(name, ({ cpuSeconds, records }) => (cpuSeconds * 1e6) / records)),
    upstreamBusy: Rounds.summary(series(name, ({ upstreamBusy }) => upstreamBusy)),
    speedToBulk: Rounds.ratios(speed(name), speed("bulk"))
  }))
}

/** What batches promise. */
export const thresholdsOf = (rows: ReadonlyArray<Results.BatchRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ name }) => name === "batch").map(({ speedToBulk, title }) =>
    Results.atLeast(`${title}, calls/s beside the bulk engine`, 0.7, speedToBulk.median))

/** One batch; fails unless every record of it was enrolled and is named in its place. */
export const sendBatch = async (proxy: Pick<Proxies.Proxy, "authorization" | "origin">, calls: ReadonlyArray<Work.Call>): Promise<void> => {
  const answer = await fetch(`${proxy.origin}/v1/enrollments/batch`, {
    method: "POST",
    headers: { authorization: proxy.authorization, "content-type": "application/json" },
    body: JSON.stringify({ records: calls })
  })
  const text = await answer.text()
  const told = JSON.parse(text) as { readonly results?: ReadonlyArray<{ readonly customerId: number; readonly outcome: string }> }
  const isRight = answer.status === 200 && told.results?.length === calls.length &&
    told.results.every(({ customerId, outcome }, at) => outcome === "enrolled" && customerId === calls[at]?.customerId)
  if (!isRight) throw new Error(`a batch did not enrol everybody: ${answer.status} ${text.slice(0, 300)}`)
}

const batches = async (proxy: Proxies.Proxy, records: number): Promise<void> => {
  const run = Work.ofCalls(records)
  for (let sent = 0; sent < records; sent += batchRecords) {
    await sendBatch(proxy, Array.from({ length: Math.min(batchRecords, records - sent) }, run.next))
  }
}

const measured = async (
  records: number,
  upstream: Upstream.Running,
  work: () => Promise<{ readonly seconds: number; readonly cpuSeconds: number }>
): Promise<Turn> => {
  const before = await upstream.cpuSeconds()
  const { cpuSeconds, seconds } = await work()
  return { records, seconds, cpuSeconds, upstreamBusy: (await upstream.cpuSeconds() - before) / seconds }
}

const byBatches = async (records: number, upstream: Upstream.Running): Promise<Turn> => {
  const proxy = await Proxies.start("milepost", upstream.origin)
  try {
    await batches(proxy, records / 4)
    return await measured(records, upstream, async () => {
      const cpuBefore = proxy.cpuSeconds()
      const before = performance.now()
      await batches(proxy, records)
      return { seconds: (performance.now() - before) / 1000, cpuSeconds: proxy.cpuSeconds() - cpuBefore }
    })
  } finally {
    await proxy.stop()
  }
}

const byBulk = async (records: number, upstream: Upstream.Running, file: string): Promise<Turn> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  try {
    return await measured(records, upstream, async () => {
      const args = Milepost.bulkEnroll(file, join(folder, "runs"), "--concurrency", String(Work.inFlight))
      const ran = await Usage.run(args, { cwd: folder, env: Milepost.environment(upstream.origin) })
      Milepost.told(ran, records, titles.bulk)
      return ran
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Measures it. */
export const run = async (records: number, rounds: number, say: (line: string) => void): Promise<ReadonlyArray<Results.BatchRow>> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  const upstream = await Upstream.start()
  try {
    const file = join(folder, "customers.csv")
    await Customers.write(file, records)
    return rowsOf(await Rounds.interleaved(names, rounds, (name, round) => {
      say(`proxy, batches: round ${round + 1} of ${rounds}, ${titles[name]}`)
      return name === "batch" ? byBatches(records, upstream) : byBulk(records, upstream, file)
    }))
  } finally {
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
