/**
 * Records a second over HTTP, CSV in, outcomes durable: through a ledger, beside core's calls alone and a plain script.
 *
 * `node bench/throughput.mjs [records] [latencyMillis] [rounds]`, after `pnpm build`. The upstream and each contender are
 * processes of their own; the best round of each counts.
 */
import { fork } from "node:child_process"
import { appendFileSync, createReadStream, createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"

const inFlight = 64
const [, file, records = "100000", latency = "0", rounds = "3"] = process.argv
const work = process.env["BENCH_WORK"]

const serve = (latencyMillis) => {
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += chunk))
    request.on("end", () => {
      const text = `{"data":${JSON.parse(body)[0].customerId},"errors":null,"warnings":null}`
      const answer = () => response.writeHead(200, { "content-type": "application/json", "content-length": text.length }).end(text)
      if (latencyMillis === 0) answer()
      else setTimeout(answer, latencyMillis)
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, "127.0.0.1", () => process.send(server.address().port))
}

async function* batches(path, size = 4096) {
  let batch = []
  let row = 0
  for await (const chunk of chunks(path)) {
    for (const line of chunk) {
      const [customerId, periodName, initialBalance] = line.split(",")
      batch.push({ row: ++row, line, customerId: Number(customerId), periodName, initialBalance: Number(initialBalance) })
      if (batch.length === size) { yield batch; batch = [] }
    }
  }
  if (batch.length > 0) yield batch
}
async function* chunks(path) {
  let rest = ""
  let isHeader = true
  for await (const chunk of createReadStream(path, "utf8")) {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop()
    if (isHeader) { lines.shift(); isHeader = false }
    yield lines
  }
  if (rest !== "") yield [rest]
}

const requestOf = ({ customerId, initialBalance, periodName }) =>
  ({ _tag: "Milestone", targetGroupId: 2154, targetId: 2309, customerId, periodName, initialBalance })

const contenders = {
  script: async (path, port, folder) => {
    const out = createWriteStream(join(folder, "results.csv"))
    const rows = []
    for await (const batch of batches(path)) rows.push(...batch)
    let next = 0
    const worker = async () => {
      while (next < rows.length) {
        const row = rows[next++]
        const response = await fetch(`http://127.0.0.1:${port}/targetGroups/2154/targets/2309/enroll`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: "Basic c3RvcmUuc2VydmVyOjEyMzQ=" },
          body: JSON.stringify([{ customerId: row.customerId, periodName: row.periodName, initialBalance: row.initialBalance }])
        })
        const { data } = await response.json()
        out.write(`${row.customerId},${data === row.customerId ? "enrolled" : "failed"}\n`)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    await new Promise((resolve) => out.end(resolve))
  },
  calls: async (path, port) => {
    const { Effect, Enroll, Lane, layer } = await client(port)
    const queues = Array.from({ length: inFlight }, () => [])
    for await (const batch of batches(path)) for (const row of batch) queues[Lane.of(row.customerId, inFlight)].push(row)
    const worker = (queue) => {
      let next = 0
      return Effect.whileLoop({ while: () => next < queue.length, body: () => Enroll.outcome(requestOf(queue[next++])), step: () => undefined })
    }
    await Effect.runPromise(Effect.provide(Effect.all(queues.map(worker), { concurrency: "unbounded", discard: true }), layer))
  },
  ledger: async (path, port, folder) => {
    const { Effect, layer } = await client(port)
    const { Engine, Lanes } = await import("@milepost/engine")
    const { Ledger, LibsqlLedger } = await import("@milepost/ledger")
    const Layer = await import("effect/Layer")
    const lanes = process.env["CLUSTER"] === "1" ? Engine.layerSingle : Lanes.layerInProcess
    const start = performance.now()
    await Effect.runPromise(Effect.gen(function*() {
      const ledger = yield* Ledger.Ledger
      yield* ledger.begin({
        id: "a", operation: "enroll", options: {}, lanes: 64, parent: null,
        input: { name: "bench.csv", format: "csv", header: Buffer.from("customerId,periodName,initialBalance\n"), size: null }
      })
      const source = batches(path)
      while (true) {
        const { done, value } = yield* Effect.promise(() => source.next())
        if (done) break
        yield* ledger.append("a", value.map((row) => ({
          row: row.row, line: row.row + 1, bytes: Buffer.from(`${row.line}\n`), problem: null, calls: [{ request: requestOf(row) }]
        })), { line: value.at(-1).row + 2, bytes: value.at(-1).row, sha256: null })
      }
      yield* ledger.finishImport("a", { size: 1, sha256: "" })
      const imported = performance.now()
      const end = yield* Engine.run("a", { org: "1", concurrency: inFlight })
      const ended = performance.now()
      if (end.run.counts.enrolled !== Number(records)) throw new Error(JSON.stringify(end.run.counts))
      process.send({ import: (imported - start) / 1000, run: (ended - imported) / 1000, latency: end.progress.latency })
    }).pipe(Effect.provide(Layer.mergeAll(lanes.pipe(Layer.provideMerge(LibsqlLedger.layer({ path: join(folder, "ledger.db") }))), layer))))
  }
}

const client = async (port) => {
  const [Effect, Redacted, Enroll, Credentials, Lane, { BaseUrl, Connection, UndiciTransport }] = await Promise.all([
    import("effect/Effect"), import("effect/Redacted"), import("@milepost/core/Enroll"), import("@milepost/core/Credentials"),
    import("@milepost/ledger/Lane"), import(new URL("../../http/dist/index.js", import.meta.url))
  ])
  const connection = await Effect.runPromise(Effect.gen(function*() {
    const baseUrl = yield* BaseUrl.fromText(`http://127.0.0.1:${port}`)
    const credentials = Credentials.basic({ username: "store.server", password: Redacted.make("server123") })
    return yield* Connection.make({ baseUrl, credentials, connections: inFlight })
  }))
  return { Effect, Enroll, Lane, layer: UndiciTransport.layer(connection) }
}

const started = (role, args, execArgv = []) =>
  fork(file, args, { env: { ...process.env, BENCH_WORK: role }, execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] })

if (work === "serve") serve(Number(latency))
else if (work !== undefined) {
  const [, , , , , path, port, folder] = process.argv
  const start = performance.now()
  const cpu = process.cpuUsage()
  await contenders[work](path, Number(port), folder)
  const seconds = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpu)
  process.send({ seconds, cpu: (used.user + used.system) / 1e6, rss: process.memoryUsage().rss / 2 ** 20 })
  process.disconnect()
} else {
  const folder = mkdtempSync(join(tmpdir(), "engine-bench-"))
  const input = join(folder, "input.csv")
  writeFileSync(input, "customerId,periodName,initialBalance\n")
  for (let row = 1; row <= Number(records); row += 1000) {
    appendFileSync(input, Array.from({ length: Math.min(1000, Number(records) - row + 1) }, (_, index) =>
      `${((row + index) * 611_953) % 999_999_937 + 1},Cycle_1,100\n`).join(""))
  }
  const upstream = started("serve", [records, latency])
  const port = await new Promise((resolve) => upstream.once("message", resolve))
  const best = {}
  const names = (process.env["ONLY"] ?? "script,calls,ledger").split(",")
  for (let round = 0; round < Number(rounds); round++) {
    for (const name of names) {
      const place = mkdtempSync(join(folder, `${name}-`))
      const child = started(name, [records, latency, rounds, input, port, place], (process.env["EXEC"] ?? "").split(" ").filter(Boolean))
      let found = {}
      child.on("message", (message) => (found = { ...found, ...message }))
      await new Promise((resolve) => child.once("exit", resolve))
      rmSync(place, { recursive: true })
      const rate = Number(records) / found.seconds
      process.stdout.write(`${name.padEnd(8)} ${Math.round(rate).toString().padStart(7)}/s  ${JSON.stringify(found)}\n`)
      best[name] = Math.max(best[name] ?? 0, rate)
    }
  }
  for (const name of names) process.stdout.write(`best ${name.padEnd(8)} ${Math.round(best[name]).toString().padStart(7)}/s  ${(best[name] / best.calls).toFixed(2)} of calls alone\n`)
  upstream.kill()
  rmSync(folder, { recursive: true })
}
