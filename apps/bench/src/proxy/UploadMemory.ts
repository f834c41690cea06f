/** An upload of a large file: how fast it is stored, and what the proxy's process holds of it, then and while it is sent. */
import { createReadStream, mkdtempSync, rmSync, statSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Customers from "../Customers.js"
import * as Results from "../Results.js"
import * as Upstream from "../Upstream.js"
import * as Work from "../Work.js"
import * as Proxies from "./Proxies.js"

/** What is promised is promised of this many rows. */
const promised = 1_000_000

/** So long it is watched while the rows are sent. */
const sendingMillis = 20_000

/** What the upload promises. */
export const thresholdsOf = (rows: ReadonlyArray<Results.UploadRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ rows }) => rows >= promised).flatMap(({ peakMegabytes, rows, rowsPerSecond }) => {
    const what = `milepost-proxy, upload of ${rows.toLocaleString("en")} rows`
    return [
      Results.atMost(`${what}, peak MB`, 350, peakMegabytes),
      Results.atLeast(`${what}, rows/s stored`, 20_000, rowsPerSecond)
    ]
  })

/** A job, as the service tells it. */
export interface Job {
  readonly id: string
  readonly rows: number
  readonly badRows: number
  readonly duplicates: number
  readonly counts: Readonly<Record<string, number>>
}

/** Uploads a file; completes when the service has said that all of it is stored. */
export const upload = ({ authorization, origin }: Pick<Proxies.Proxy, "authorization" | "origin">, file: string): Promise<Job> =>
  new Promise((resolve, reject) => {
    const url = `${origin}/v1/jobs?group=${Work.targetGroupId}&target=${Work.targetId}&period=Cycle_1`
    const headers = { authorization, "content-type": "text/csv", "content-length": statSync(file).size }
    const req = request(url, { method: "POST", headers }, (res) => {
      let text = ""
      res.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk
      }).on("end", () => {
        if (res.statusCode === 202) resolve(JSON.parse(text) as Job)
        else reject(new Error(`the upload was answered ${res.statusCode}: ${text.slice(0, 300)}`))
      })
    })
    req.on("error", reject)
    createReadStream(file).pipe(req)
  })

const one = async (rows: number, file: string, upstream: Upstream.Running): Promise<Results.UploadRow> => {
  const proxy = await Proxies.start("milepost", upstream.origin)
  try {
    const idle = proxy.memory().residentMegabytes
    const cpuBefore = proxy.cpuSeconds()
    const before = performance.now()
    const job = await upload(proxy, file)
    const seconds = (performance.now() - before) / 1000
    const cpuSeconds = proxy.cpuSeconds() - cpuBefore
    if (job.rows !== rows || job.badRows !== 0 || job.duplicates !== 0) throw new Error(`${JSON.stringify(job)} is not an upload of ${rows} rows`)
    const storedMegabytes = proxy.memory().peakMegabytes
    await sleep(sendingMillis)
    const answer = await fetch(`${proxy.origin}/v1/jobs/${job.id}`, { headers: { authorization: proxy.authorization } })
    const { counts } = (await answer.json()) as Job
    const sent = counts["enrolled"] ?? 0
    if (sent === 0) throw new Error(`nothing of the job was sent within ${sendingMillis} ms: ${JSON.stringify(counts)}`)
    return {
      rows,
      seconds,
      rowsPerSecond: rows / seconds,
      cpuMicrosPerRow: cpuSeconds * 1e6 / rows,
      idleMegabytes: idle,
      storedMegabytes,
      peakMegabytes: proxy.memory().peakMegabytes,
      sentPerSecond: sent * 1000 / sendingMillis
    }
  } finally {
    await proxy.stop()
  }
}

/** Measures uploads of so many rows each. */
export const run = async (sizes: ReadonlyArray<number>, say: (line: string) => void): Promise<ReadonlyArray<Results.UploadRow>> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  const upstream = await Upstream.start()
  try {
    const rows: Array<Results.UploadRow> = []
    for (const size of sizes) {
      say(`proxy, upload of ${size} rows`)
      const file = join(folder, `${size}.csv`)
      await Customers.write(file, size)
      rows.push(await one(size, file, upstream))
      rmSync(file)
    }
    return rows
  } finally {
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
