// Kills, freezes and restarts replicas of the proxy over one PostgreSQL, and the PostgreSQL under them, in the middle of jobs; then
// holds what they tell against the upstream.
//
//   node scripts/kills-replicas.mjs [--replicas 3] [--records 50000] [--kills 100] [--per-job 10] [--stops 20] [--freezes 1] [--freeze 60]
//                                   [--restarts 5] [--outages 1] [--outage 60] [--lease 15s] [--seed 1] [--together]
//
// The upstream is the simulator, in a process of its own; where replicas are killed it loses the answer of one call in a hundred after
// executing it. Callers enrol the same customers elsewhere all the while, at replicas drawn by lot: nobody's calls may meet. What
// must hold of every job: each record ends once, as the upstream has it; the upstream has executed each once; no customer ever has two
// calls in flight; sent twice is only what lost its answer, or was claimed when somebody was killed or frozen, or the database went away.
// With --together one job meets everything but the SIGTERMs, which always have jobs of their own.
// After a SIGTERM nothing at all is sent twice. Lanes of a replica that is killed have a new owner within 30 seconds.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Port from "../packages/testing/dist/Port.js"
import * as PostgresServer from "../packages/testing/dist/PostgresServer.js"
import * as witness from "./witness.mjs"
import { first, otherPlace, place, sleep } from "./witness.mjs"

const { Client } = createRequire(new URL("../packages/testing/package.json", import.meta.url))("pg")
const bin = fileURLToPath(new URL("../apps/proxy/dist/bin.cjs", import.meta.url))

/** No lane may stand still for longer. */
const longestTakeoverSeconds = 30

/** Runs a command of the proxy to its end and tells what it printed. */
const run = (environment, ...args) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], { env: environment, stdio: ["ignore", "pipe", "inherit"] })
    let out = ""
    child.stdout.on("data", (chunk) => (out += chunk))
    child.once("close", (code) => code === 0 ? resolve(out) : reject(new Error(`milepost-proxy ${args.join(" ")} ended with ${code}`)))
  })

/** One replica over all its lives, at one address. */
const replica = (name, environment, port) => {
  const url = `http://127.0.0.1:${port}`
  let child = null
  let ended = null
  let said = ""
  const start = () =>
    new Promise((resolve, reject) => {
      const env = { ...environment, MILEPOST_PROXY_PORT: String(port), MILEPOST_PROXY_ADVERTISE: url }
      const started = spawn(process.execPath, [bin], { env, stdio: ["ignore", "pipe", "pipe"] })
      child = started
      let err = ""
      ended = new Promise((end) => started.once("close", (code, signal) => end({ code, signal })))
      started.stderr.on("data", (chunk) => {
        err = (err + chunk).slice(-4_000)
        for (const line of String(chunk).split("\n")) if (/"level":"error"/.test(line)) said = `${said}${line}\n`.slice(-4_000)
      })
      started.stdout.on("data", (chunk) => /listens at/.test(chunk) && resolve())
      started.once("error", reject)
      void ended.then(() => reject(new Error(`replica ${name} ended: ${err}`)))
    })
  return {
    name,
    url,
    start,
    errors: () => said,
    signal: (signal) => child.kill(signal),
    end: (signal) => {
      child.kill(signal)
      return ended
    }
  }
}

const main = async (given) => {
  const { freeze, freezes, kills, lease, outage, outages, perJob, records, replicas: many, restarts, seed, stops, together } = given
  const random = witness.generator(seed)
  const work = mkdtempSync(join(tmpdir(), "milepost-kills-replicas-"))
  const server = await PostgresServer.start()
  const databaseUrl = await server.database()
  const upstream = await witness.upstream(records, seed)
  const environment = {
    PATH: process.env.PATH,
    HOME: work,
    MILEPOST_DATABASE_URL: databaseUrl,
    MILEPOST_PROXY_LEASE: lease,
    MILEPOST_PROXY_DATA: join(work, "data"),
    MILEPOST_PROXY_ORG: "brand",
    MILEPOST_CONCURRENCY: "32",
    ...upstream.env
  }
  await run(environment, "migrate")
  const { secret } = JSON.parse(await run(environment, "keys", "create", "--name", "kills", "--org", "brand", "--json"))
  const headers = { authorization: `Bearer ${secret}` }
  const replicas = await Promise.all(Array.from({ length: many }, async (_, index) => replica(`${index + 1}`, environment, await Port.free())))
  await Promise.all(replicas.map(({ start }) => start()))
  const draw = (list) => list[Math.floor(random() * list.length)]
  const alive = new Set(replicas)

  /** Asks the database; `null` while that is away. */
  const query = async (text, values = []) => {
    const client = new Client({ connectionString: databaseUrl })
    client.on("error", () => undefined)
    try {
      await client.connect()
      return (await client.query(text, values)).rows
    } catch {
      return null
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  /** Any replica's answer: whoever is there. */
  const json = async (path, init = {}) => {
    for (let attempt = 0; attempt < 600; attempt++) {
      try {
        const answer = await fetch(draw([...alive]).url + path, { ...init, headers: { ...headers, ...init.headers } })
        if (answer.status < 500) return await answer.json()
      } catch {
        // It was just killed, or the database is away.
      }
      await sleep(200)
    }
    throw new Error(`nobody answers ${path}`)
  }

  const found = witness.problems()
  const table = []
  const answers = new Map()
  const calls = { goOn: true }
  /** Callers who enrol the job's customers elsewhere, wherever it may be. */
  const calling = (async () => {
    while (calls.goOn) {
      const customerId = first + Math.floor(random() * records)
      void fetch(`${draw(replicas).url}/v1/enrollments`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify({ customerId, ...otherPlace }),
        signal: AbortSignal.timeout(90_000)
      }).then(({ status }) => status, () => "none").then((status) => answers.set(status, (answers.get(status) ?? 0) + 1))
      await sleep(25)
    }
  })()

  const takeovers = []
  const lanesOf = async (url) => {
    const rows = await query("SELECT l.lane, l.owner FROM lane_leases l JOIN replicas r ON r.id = l.owner WHERE r.address = $1", [url])
    return { lanes: rows?.map(({ lane }) => lane) ?? [], owners: new Set(rows?.map(({ owner }) => owner) ?? []) }
  }
  /** Until everything that a dead replica had has another owner. */
  const watchTakeover = async ({ lanes, owners }) => {
    const began = performance.now()
    for (;;) {
      const rows = await query("SELECT lane, owner FROM lane_leases WHERE lane = ANY($1)", [lanes])
      const seconds = (performance.now() - began) / 1000
      if (rows !== null && rows.length === lanes.length && rows.every(({ owner }) => !owners.has(owner))) {
        takeovers.push(seconds)
        if (seconds > longestTakeoverSeconds) found.add("lost", `a takeover took ${seconds.toFixed(1)} s`)
        return
      }
      if (seconds > 120) return found.add("lost", "nobody took over")
      await sleep(250)
    }
  }

  const strikes = {
    kill: async (one) => {
      const had = await lanesOf(one.url)
      alive.delete(one)
      await one.end("SIGKILL")
      const taken = had.lanes.length === 0 ? null : watchTakeover(had)
      await sleep(random() * 3_000)
      await one.start()
      alive.add(one)
      return taken
    },
    stop: async (one) => {
      alive.delete(one)
      const { code } = await one.end("SIGTERM")
      if (code !== 0) found.add("lost", `SIGTERM ended with ${code}`)
      await one.start()
      alive.add(one)
    },
    freeze: async (one) => {
      alive.delete(one)
      const had = await lanesOf(one.url)
      one.signal("SIGSTOP")
      const taken = had.lanes.length === 0 ? null : watchTakeover(had)
      await sleep(freeze * 1000)
      one.signal("SIGCONT")
      alive.add(one)
      return taken
    },
    restart: async () => {
      await server.stop(random() < 0.5 ? "fast" : "immediate")
      await server.start()
    },
    outage: async () => {
      await server.stop("immediate")
      await sleep(outage * 1000)
      await server.start()
    }
  }

  /** One job through all its strikes, which come in the order of their kinds, and what came of it. */
  const job = async (kind, kinds) => {
    const atMost = kinds.length
    const isOrderly = kind === "stop"
    await upstream.ask("forget", { isLossy: kinds.includes("kill"), millis: 3 })
    const beganMillis = performance.now()
    const path = `/v1/jobs?group=${place.group}&target=${place.target}&period=${place.period}`
    const body = `customerId\n${Array.from({ length: records }, (_, index) => first + index).join("\n")}\n`
    const { id } = await json(path, { method: "POST", body, headers: { "content-type": "text/csv", "idempotency-key": `${kind}-${Math.floor(random() * 1e9)}` } })
    const resendable = new Set()
    let struck = 0
    const pending = []
    const standing = () => json(`/v1/jobs/${id}`)
    while (struck < atMost) {
      await sleep(300 + random() * Math.max(500, records / 25))
      if ((await standing()).state === "finished") break
      struck += 1
      const one = isOrderly ? replicas[struck % many] : draw(replicas)
      const before = isOrderly ? [] : await query("SELECT customer_id FROM records WHERE state = 1")
      const taken = await strikes[kinds[struck - 1]](one)
      if (taken !== undefined && taken !== null) pending.push(taken)
      // What was in anybody's hand around the strike.
      const after = isOrderly ? [] : await query("SELECT customer_id FROM records WHERE state = 1 OR lost_attempts > 0")
      for (const { customer_id: customer } of [...before ?? [], ...after ?? []]) resendable.add(Number(customer))
    }
    let last
    const patienceMillis = performance.now() + 120_000 + records * 10
    do {
      await sleep(200)
      last = await standing()
    } while (!["finished", "stopped", "cancelled"].includes(last.state) && performance.now() < patienceMillis)
    if (last.state !== "finished") found.add("lost", `the job is ${last.state}: ${JSON.stringify(last)}`)
    await Promise.all(pending)
    const lost = await query("SELECT customer_id FROM records WHERE lost_attempts > 0")
    for (const { customer_id: customer } of lost ?? []) resendable.add(Number(customer))
    const results = await (await fetch(`${draw([...alive]).url}/v1/jobs/${id}/results`, { headers })).text()
    const seen = await upstream.ask("record")
    const { ambiguous, answeredTwice, twice } = witness.judge({
      found,
      mayRepeat: (customer) => !isOrderly && resendable.has(customer),
      records,
      results,
      job: { last, upstream: seen }
    })
    table.push({
      kind, strikes: struck, records, enrolled: last.counts.enrolled, ambiguous, twice,
      "twice a strike": struck === 0 ? 0 : Math.round(answeredTwice / struck), seconds: Math.round((performance.now() - beganMillis) / 1000)
    })
    await json(`/v1/jobs/${id}`, { method: "DELETE" }).catch(() => undefined)
    process.stderr.write(`${kind}: a job of ${records} records, ${struck} strikes, ${seen.received} calls\n`)
    return struck
  }

  const wanted = { kill: kills, stop: stops, freeze: freezes, restart: restarts, outage: outages }
  const done = { kill: 0, stop: 0, freeze: 0, restart: 0, outage: 0 }
  const left = (kind) => Array.from({ length: wanted[kind] - done[kind] }, () => kind)
  for (const group of together ? [["kill", "freeze", "restart", "outage"], ["stop"]] : Object.keys(wanted).map((kind) => [kind])) {
    for (let idle = 0; idle < 5;) {
      const kinds = group.flatMap(left).slice(0, together ? undefined : perJob)
      if (kinds.length === 0) break
      const struck = await job(group.length === 1 ? group[0] : "all", kinds)
      for (const kind of kinds.slice(0, struck)) done[kind] += 1
      idle = struck === 0 ? idle + 1 : 0
    }
  }

  calls.goOn = false
  await calling
  for (const one of replicas) {
    const { code } = await one.end("SIGTERM")
    if (code !== 0) found.add("lost", `SIGTERM ended with ${code}`)
  }
  upstream.stop()
  await server.close()
  rmSync(work, { recursive: true, force: true })
  const [head = {}] = table
  console.log(`| ${Object.keys(head).join(" | ")} |`)
  console.log(`| ${Object.keys(head).map(() => "---").join(" | ")} |`)
  for (const row of table) console.log(`| ${Object.values(row).join(" | ")} |`)
  takeovers.sort((one, other) => one - other)
  console.log(`takeovers: ${takeovers.length}, median ${(takeovers[takeovers.length >> 1] ?? 0).toFixed(1)} s, longest ${(takeovers.at(-1) ?? 0).toFixed(1)} s`)
  console.log(`answers to other callers: ${[...answers].map(([status, count]) => `${status}: ${count}`).join(", ")}`)
  const { contradictions, lost, overlaps, unexplained } = found.total
  console.log(
    `${many} replicas, ${done.kill} SIGKILLs, ${done.stop} SIGTERMs, ${done.freeze} freezes of ${freeze} s, ${done.restart} restarts of PostgreSQL, ${done.outage} outages of ${outage} s ` +
      `over ${table.length} jobs of ${records} records: ${lost} without a final outcome, ${contradictions} contradictions with the upstream's journal and standings, ` +
      `${overlaps} overlaps, ${unexplained} sent twice that were neither claimed at a strike nor unanswered. Seed ${seed}.`
  )
  for (const line of found.lines) console.log(`  ${line}`)
  for (const { errors, name } of replicas) if (errors() !== "") console.log(`replica ${name} logged errors:\n${errors().slice(-1_500)}`)
  const isWhole = Object.entries(wanted).every(([kind, count]) => done[kind] >= count)
  if (!isWhole) console.log("jobs ended before all strikes: take more records")
  process.exitCode = Object.values(found.total).every((count) => count === 0) && isWhole ? 0 : 1
}

const { values } = parseArgs({
  options: {
    replicas: { type: "string", default: "3" },
    records: { type: "string", default: "50000" },
    kills: { type: "string", default: "100" },
    "per-job": { type: "string", default: "10" },
    stops: { type: "string", default: "20" },
    freezes: { type: "string", default: "1" },
    freeze: { type: "string", default: "60" },
    restarts: { type: "string", default: "5" },
    outages: { type: "string", default: "1" },
    outage: { type: "string", default: "60" },
    lease: { type: "string", default: "15s" },
    together: { type: "boolean", default: false },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) }
  }
})
const { lease, "per-job": perJob, together, ...numbers } = values
await main({ ...Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)])), perJob: Number(perJob), lease, together })
