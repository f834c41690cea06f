// Kills the proxy with SIGKILL at random moments of its jobs until each has ended, then holds what it tells against the upstream.
//
//   node scripts/kills-proxy.mjs [--kills 50] [--records 50000] [--per-job 10] [--stops 10] [--seed 1]
//
// The upstream is the simulator, in a process of its own; it loses the answer of one call in a hundred after executing it.
// The first kill of every job strikes in the middle of its upload, of which nothing may be left. What must hold of every
// job: each record ends once, as the upstream has it; the upstream has executed each once; no customer ever has two calls
// in flight; sent twice is only what lost its answer, or was claimed when the process was killed. Then the same with
// SIGTERM, and no answer lost: nothing at all is sent twice.
import { execFileSync, spawn } from "node:child_process"
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { request } from "node:http"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as witness from "./witness.mjs"
import { first, place, sleep } from "./witness.mjs"

const bin = fileURLToPath(new URL("../apps/proxy/dist/bin.cjs", import.meta.url))

/** A proxy's process, once it listens. */
const started = (environment) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin], { env: environment, stdio: ["ignore", "pipe", "pipe"] })
    let out = ""
    let err = ""
    const ended = new Promise((end) => child.once("close", (code, signal) => end({ code, signal })))
    child.stderr.on("data", (chunk) => (err = (err + chunk).slice(-2_000)))
    child.stdout.on("data", (chunk) => {
      out += chunk
      const url = /listens at (.*)\n/.exec(out)?.[1]
      if (url !== undefined) resolve({ child, ended, url })
    })
    child.once("error", reject)
    void ended.then(() => reject(new Error(`the proxy ended: ${err}`)))
  })

const killed = async ({ child, ended }, signal) => {
  child.kill(signal)
  return ended
}

/** Customers whose records are claimed, which may be sent again; seen in a copy, so that nothing is touched. */
const claimed = (data, copies) => {
  const Database = createRequire(new URL("../apps/proxy/package.json", import.meta.url))("libsql")
  const copy = mkdtempSync(join(copies, "copy-"))
  for (const name of readdirSync(data)) {
    if (name.startsWith("proxy.db")) copyFileSync(join(data, name), join(copy, name))
  }
  const database = new Database(join(copy, "proxy.db"))
  try {
    return database.prepare("SELECT customer_id FROM records WHERE state = 1").all().map((row) => row.customer_id)
  } finally {
    database.close()
    rmSync(copy, { recursive: true, force: true })
  }
}

const main = async ({ kills, perJob, records, seed, stops }) => {
  const random = witness.generator(seed)
  const work = mkdtempSync(join(tmpdir(), "milepost-kills-proxy-"))
  const data = join(work, "data")
  const upstream = await witness.upstream(records, seed)
  const environment = {
    PATH: process.env.PATH,
    HOME: work,
    MILEPOST_PROXY_PORT: "0",
    MILEPOST_PROXY_DATA: data,
    MILEPOST_PROXY_ORG: "brand",
    MILEPOST_CONCURRENCY: "64",
    ...upstream.env
  }
  const made = execFileSync(process.execPath, [bin, "keys", "create", "--name", "kills", "--org", "brand", "--json"], { env: environment })
  const headers = { authorization: `Bearer ${JSON.parse(String(made)).secret}` }
  const jobsPath = `/v1/jobs?group=${place.group}&target=${place.target}&period=${place.period}`
  const body = `customerId\n${Array.from({ length: records }, (_, index) => first + index).join("\n")}\n`
  const json = async (url, init = {}) => (await fetch(url, { ...init, headers: { ...headers, ...init.headers } })).json()

  const found = witness.problems()
  const problem = found.add
  const table = []
  let proxy = await started(environment)

  /** Half an upload, and then no proxy any more. */
  const uploadInterrupted = async () => {
    const { port } = new URL(proxy.url)
    const sending = request({ port, host: "127.0.0.1", path: jobsPath, method: "POST", headers: { ...headers, "content-type": "text/csv", "content-length": body.length } })
    sending.on("error", () => undefined)
    sending.write(body.slice(0, Math.floor(body.length / 2)))
    await sleep(50 + random() * 200)
    await killed(proxy, "SIGKILL")
    sending.destroy()
    proxy = await started(environment)
    const { jobs } = await json(`${proxy.url}/v1/jobs`)
    if (jobs.length > 0) problem("contradictions", `a job is there of an upload that broke off: ${JSON.stringify(jobs)}`)
    const received = await upstream.ask("count")
    if (received > 0) problem("contradictions", `${received} calls for an upload that broke off`)
  }

  /** One job through all its restarts, and what came of it. */
  const job = async (signal, atMost) => {
    const isKill = signal === "SIGKILL"
    await upstream.ask("forget", { isLossy: isKill })
    const beganMillis = performance.now()
    let strikes = 0
    if (isKill) {
      await uploadInterrupted()
      strikes += 1
    }
    const { id } = await json(proxy.url + jobsPath, { method: "POST", body, headers: { "content-type": "text/csv" } })
    const resendable = new Set()
    const standing = () => json(`${proxy.url}/v1/jobs/${id}`)
    while (strikes < atMost) {
      // At any moment: while it starts, while it sends, while it ends.
      await sleep(20 + random() * Math.max(150, records / 40))
      if ((await standing()).state === "finished") break
      const { code } = await killed(proxy, signal)
      if (!isKill && code !== 0) problem("lost", `SIGTERM ended with ${code}`)
      strikes += 1
      for (const customer of claimed(data, work)) {
        resendable.add(customer)
        if (!isKill) problem("unexplained", `${customer} is claimed after SIGTERM`)
      }
      proxy = await started(environment)
    }
    let last
    const patienceMillis = performance.now() + 60_000 + records * 10
    do {
      await sleep(100)
      last = await standing()
    } while (!["finished", "stopped", "cancelled"].includes(last.state) && performance.now() < patienceMillis)
    if (last.state !== "finished") problem("lost", `the job is ${last.state}: ${JSON.stringify(last)}`)

    const seen = await upstream.ask("record")
    const results = await (await fetch(`${proxy.url}/v1/jobs/${id}/results`, { headers })).text()
    const { ambiguous, twice } = witness.judge({ found, mayRepeat: (customer) => resendable.has(customer), records, results, job: { last, upstream: seen } })
    table.push({ signal, strikes, records, calls: seen.received, enrolled: last.counts.enrolled, ambiguous, twice, seconds: Math.round((performance.now() - beganMillis) / 1000) })
    await fetch(`${proxy.url}/v1/jobs/${id}`, { method: "DELETE", headers })
    process.stderr.write(`${signal}: a job of ${records} records, ${strikes} strikes, ${seen.received} calls\n`)
    return strikes
  }

  let killsDone = 0
  while (killsDone < kills) killsDone += await job("SIGKILL", Math.min(perJob, kills - killsDone))
  let stopsDone = 0
  while (stopsDone < stops) {
    const done = await job("SIGTERM", Math.min(perJob, stops - stopsDone))
    if (done === 0) break
    stopsDone += done
  }
  const twiceAfterStops = table.filter(({ signal }) => signal === "SIGTERM").reduce((sum, { twice }) => sum + twice, 0)
  if (twiceAfterStops > 0) problem("unexplained", `${twiceAfterStops} sent twice after SIGTERM`)

  await killed(proxy, "SIGTERM")
  upstream.stop()
  rmSync(work, { recursive: true, force: true })
  console.log("| signal | restarts | records | calls | enrolled | 310119 after an attempt without an answer | sent twice | seconds |")
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |")
  for (const row of table) console.log(`| ${Object.values(row).join(" | ")} |`)
  console.log(
    `${killsDone} SIGKILLs and ${stopsDone} SIGTERMs over ${table.length} jobs of ${records} records: ${found.total.lost} without a final outcome, ` +
      `${found.total.contradictions} contradictions with the upstream's journal and standings, ${found.total.overlaps} overlaps, ` +
      `${found.total.unexplained} sent twice that were neither claimed when killed nor unanswered; ${twiceAfterStops} sent twice after SIGTERM. Seed ${seed}.`
  )
  for (const line of found.lines) console.log(`  ${line}`)
  process.exitCode = Object.values(found.total).every((count) => count === 0) && killsDone >= kills && stopsDone >= stops ? 0 : 1
}

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    records: { type: "string", default: "50000" },
    "per-job": { type: "string", default: "10" },
    stops: { type: "string", default: "10" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) }
  }
})
await main({
  kills: Number(values.kills),
  records: Number(values.records),
  perJob: Number(values["per-job"]),
  stops: Number(values.stops),
  seed: Number(values.seed)
})
