// Kills the proxy with SIGKILL at random moments of its jobs until each has ended, then holds what it tells against the upstream.
//
//   node scripts/kills-proxy.mjs [--kills 50] [--records 50000] [--per-job 10] [--stops 10] [--seed 1]
//
// The upstream is the simulator, in a process of its own; it loses the answer of one call in a hundred after executing it.
// The first kill of every job strikes in the middle of its upload, of which nothing may be left. What must hold of every
// job: each record ends once, as the upstream has it; the upstream has executed each once; no customer ever has two calls
// in flight; sent twice is only what lost its answer, or was claimed when the process was killed. Then the same with
// SIGTERM, and no answer lost: nothing at all is sent twice.
import { execFileSync, fork, spawn } from "node:child_process"
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { request } from "node:http"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const self = fileURLToPath(import.meta.url)
const bin = fileURLToPath(new URL("../apps/proxy/dist/bin.cjs", import.meta.url))
const place = { group: 2154, target: 2309, period: "Cycle_3" }
const first = 1_000_001

/** A generator that anybody can start again (mulberry32). */
const generator = (seed) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The upstream's process: serves, and tells what it has seen and what it holds when it is asked. */
const serve = async (records, seed) => {
  const { startSimulator } = await import("../packages/simulator/dist/promise.js")
  const { conformance } = await import("../packages/simulator/dist/World.js")
  const world = { ...conformance, customers: [...conformance.customers, { orgId: 100, from: first, count: records }] }
  // Every call of a job must stay in it: by default it keeps the last 10,000.
  const simulator = await startSimulator({ world, seed, journalCapacity: 4 * records + 10_000 })
  const faults = async (isLossy) => {
    await simulator.clearFaults()
    await simulator.fault({ operation: "enroll", effect: { kind: "latency", millis: 3 } })
    if (isLossy) await simulator.fault({ operation: "enroll", probability: 0.01, effect: { kind: "reset", when: "after" } })
  }
  const answers = {
    count: async () => (await simulator.counts()).received,
    forget: async ({ isLossy }) => {
      await simulator.reset()
      await faults(isLossy)
    },
    record: async () => {
      const counts = await simulator.counts()
      const entries = await simulator.journal()
      const known = new Map()
      for (const { code, customerId, executed, operation, status } of entries) {
        if (operation !== "enroll" || customerId === null) continue
        const seen = known.get(customerId) ?? { calls: 0, enrolled: 0, unanswered: 0 }
        known.set(customerId, seen)
        seen.calls += 1
        if (executed && code === null) seen.enrolled += 1
        if (status === null) seen.unanswered += 1
      }
      const record = []
      for (let customer = first; customer < first + records; customer++) {
        const standing = await simulator.standing(customer, place.group, place.target)
        record.push([customer, { calls: 0, enrolled: 0, unanswered: 0, ...known.get(customer), isIn: standing?.enrolled === true }])
      }
      return { received: counts.received, kept: entries.length, overlaps: counts.overlaps, record }
    }
  }
  process.on("message", async (message) => process.send({ answer: await answers[message.ask](message) }))
  process.on("disconnect", () => process.exit(0))
  process.send({ answer: simulator.env })
}

const ask = async (child, message) => {
  const answered = new Promise((resolve) => child.once("message", resolve))
  if (message !== undefined) child.send(message)
  return (await answered).answer
}

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

const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis))

const main = async ({ kills, perJob, records, seed, stops }) => {
  const random = generator(seed)
  const work = mkdtempSync(join(tmpdir(), "milepost-kills-proxy-"))
  const data = join(work, "data")
  const upstream = fork(self, ["--serve", String(records), String(seed)])
  const environment = {
    PATH: process.env.PATH,
    HOME: work,
    MILEPOST_PROXY_PORT: "0",
    MILEPOST_PROXY_DATA: data,
    MILEPOST_PROXY_ORG: "brand",
    MILEPOST_CONCURRENCY: "64",
    ...(await ask(upstream))
  }
  const made = execFileSync(process.execPath, [bin, "keys", "create", "--name", "kills", "--org", "brand", "--json"], { env: environment })
  const headers = { authorization: `Bearer ${JSON.parse(String(made)).secret}` }
  const jobsPath = `/v1/jobs?group=${place.group}&target=${place.target}&period=${place.period}`
  const body = `customerId\n${Array.from({ length: records }, (_, index) => first + index).join("\n")}\n`
  const json = async (url, init = {}) => (await fetch(url, { ...init, headers: { ...headers, ...init.headers } })).json()

  const total = { lost: 0, contradictions: 0, overlaps: 0, unexplained: 0 }
  const problems = []
  const problem = (kind, text) => {
    total[kind] += 1
    if (problems.length < 20) problems.push(`${kind}: ${text}`)
  }
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
    const received = await ask(upstream, { ask: "count" })
    if (received > 0) problem("contradictions", `${received} calls for an upload that broke off`)
  }

  /** One job through all its restarts, and what came of it. */
  const job = async (signal, atMost) => {
    const isKill = signal === "SIGKILL"
    await ask(upstream, { ask: "forget", isLossy: isKill })
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

    const { kept, overlaps, received, record } = await ask(upstream, { ask: "record" })
    if (kept !== received) problem("contradictions", `the journal forgot ${received - kept} calls: nothing can be said`)
    if (overlaps > 0) problem("overlaps", `${overlaps} moments with two calls for one customer`)
    const known = new Map(record)
    const results = await (await fetch(`${proxy.url}/v1/jobs/${id}/results`, { headers })).text()
    const seen = new Set()
    let ambiguous = 0
    for (const line of results.trimEnd().split("\r\n").slice(1)) {
      const [customer, , , outcome, , message] = line.split(",")
      const theirs = known.get(Number(customer))
      if (seen.has(Number(customer))) problem("contradictions", `${customer} has two outcomes`)
      seen.add(Number(customer))
      const isAmbiguous = message.includes("after an attempt without an answer")
      if (isAmbiguous) ambiguous += 1
      if (outcome !== "enrolled" && outcome !== "already_enrolled") problem("lost", `${customer} is ${outcome}: ${line}`)
      else if (theirs?.isIn !== true) problem("contradictions", `${customer} is ${outcome} and the upstream does not have it`)
      else if (outcome === "already_enrolled" && !isAmbiguous) problem("contradictions", `${customer} is already_enrolled, by nobody else`)
    }
    let twice = 0
    for (const [customer, { calls, enrolled, unanswered }] of known) {
      if (!seen.has(customer)) problem("lost", `${customer} has no outcome`)
      if (enrolled !== 1) problem("contradictions", `${customer} was enrolled ${enrolled} times`)
      if (calls < 2) continue
      twice += 1
      if (unanswered === 0 && !resendable.has(customer)) problem("unexplained", `${customer} was called ${calls} times`)
    }
    const counted = Object.values(last.counts).reduce((sum, count) => sum + count, 0)
    if (counted !== records || last.open !== 0) problem("lost", `the job counts ${counted} outcomes and ${last.open} open`)
    table.push({ signal, strikes, records, calls: received, enrolled: last.counts.enrolled, ambiguous, twice, seconds: Math.round((performance.now() - beganMillis) / 1000) })
    await fetch(`${proxy.url}/v1/jobs/${id}`, { method: "DELETE", headers })
    process.stderr.write(`${signal}: a job of ${records} records, ${strikes} strikes, ${received} calls\n`)
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
  upstream.disconnect()
  rmSync(work, { recursive: true, force: true })
  console.log("| signal | restarts | records | calls | enrolled | 310119 after an attempt without an answer | sent twice | seconds |")
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |")
  for (const row of table) console.log(`| ${Object.values(row).join(" | ")} |`)
  console.log(
    `${killsDone} SIGKILLs and ${stopsDone} SIGTERMs over ${table.length} jobs of ${records} records: ${total.lost} without a final outcome, ` +
      `${total.contradictions} contradictions with the upstream's journal and standings, ${total.overlaps} overlaps, ` +
      `${total.unexplained} sent twice that were neither claimed when killed nor unanswered; ${twiceAfterStops} sent twice after SIGTERM. Seed ${seed}.`
  )
  for (const line of problems) console.log(`  ${line}`)
  process.exitCode = Object.values(total).every((count) => count === 0) && killsDone >= kills && stopsDone >= stops ? 0 : 1
}

if (process.argv[2] === "--serve") await serve(Number(process.argv[3]), Number(process.argv[4]))
else {
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
}
