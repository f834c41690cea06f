/**
 * Measures the ledger in a real PostgreSQL on this machine: import, claim and settle, statements a record, size on disk.
 *
 * `node bench/postgres.mjs [records] [processes]`, after `pnpm build`. `DATABASE_URL` names a server other than our own.
 * Each process claims chunks of 500 in lanes of its own and settles them in groups of 256, with connections of its own.
 */
import { Ledger } from "@milepost/ledger"
import * as PostgresLedger from "@milepost/ledger/PostgresLedger"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import { SqlClient } from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import process from "node:process"
import { randomUUID } from "node:crypto"
import { print, rawBytes, row, timed } from "./sample.mjs"

const records = Number(process.argv[2] ?? 100_000)
const processes = Number(process.argv[3] ?? 1)
const lanes = 64
const batch = Number(process.env["BATCH"] ?? 4096)
const chunk = Number(process.env["CHUNK"] ?? 500)
const group = 256

const outcome = () => ({ outcome: "enrolled", warnings: [], attempts: 1, requestId: randomUUID() })

let statements = 0
const counted = (connection) => {
  const counting = (name) => (...args) => {
    statements += 1
    return connection[name](...args)
  }
  return {
    execute: counting("execute"),
    executeRaw: counting("executeRaw"),
    executeValues: counting("executeValues"),
    executeUnprepared: counting("executeUnprepared"),
    executeStream: (...args) => connection.executeStream(...args)
  }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
const sizes = (when) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const parts = yield* sql`SELECT c.relname AS name, pg_total_relation_size(c.oid) AS total, pg_relation_size(c.oid) AS heap, pg_indexes_size(c.oid) AS indexes
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 2 DESC`
    const total = parts.reduce((sum, part) => sum + part.total, 0)
    print(`${when}: ${megabytes(total)} for ${records.toLocaleString("en")} records`)
    for (const { heap, indexes, name, total } of parts.slice(0, 3)) print(`  ${name}: ${megabytes(total)}, its heap ${megabytes(heap)}, indexes ${megabytes(indexes)}`)
    const [hot] = yield* sql`SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot, n_dead_tup AS dead, autovacuum_count AS vacuums FROM pg_stat_user_tables WHERE relname = 'records'`
    print(`  updates of records ${hot.updates}, of which within their page ${hot.hot}; dead ${hot.dead}, vacuums ${hot.vacuums}`)
  })

const server = await PostgresServer.start({ shared_buffers: "128MB", ...(process.env["FSYNC"] === "off" ? { fsync: "off" } : {}) })
const url = Redacted.make(await server.database())

const open = PostgresLedger.make({ url, around: counted, applicationName: "bench", maxConnections: 10 })

const work = (services, epoch, own) =>
  Effect.gen(function*() {
    const ledger = Context.get(services, Ledger.Ledger)
    for (const lane of own) {
      while (true) {
        const claimed = yield* ledger.claim("bench", { epoch, lane, limit: chunk })
        if (claimed.length === 0) break
        for (let from = 0; from < claimed.length; from += group) {
          yield* ledger.settle("bench", claimed.slice(from, from + group).map(({ seq }) => ({ seq, outcome: outcome() })), epoch)
        }
      }
    }
  })

const program = Effect.gen(function*() {
  const services = yield* open
  const ledger = Context.get(services, Ledger.Ledger)
  yield* ledger.begin({
    id: "bench", operation: "enroll", options: {}, lanes, parent: null,
    input: { name: "bench.csv", format: "csv", header: Buffer.from("customerId,periodName,initialBalance\n"), size: null }
  })
  yield* timed(`import, batches of ${batch}`, records, Effect.gen(function*() {
    for (let from = 1; from <= records; from += batch) {
      const rows = Array.from({ length: Math.min(batch, records - from + 1) }, (_, index) => row(from + index))
      yield* ledger.append("bench", rows, { line: from + batch, bytes: rawBytes(), sha256: null })
    }
    yield* ledger.finishImport("bench", { size: rawBytes(), sha256: "" })
  }))
  yield* Effect.provide(sizes("after the import"), services)
  const { epoch } = yield* ledger.start("bench")
  const others = yield* Effect.forEach(Array.from({ length: processes - 1 }), () => open)
  const workers = [{ services, epoch }]
  for (const other of others) workers.push({ services: other, epoch: (yield* Context.get(other, Ledger.Ledger).join("bench")).epoch })
  statements = 0
  yield* timed(`claim ${chunk}, settle ${group}, by ${processes}`, records, Effect.forEach(
    workers,
    (worker, index) => work(worker.services, worker.epoch, Array.from({ length: lanes }, (_, lane) => lane).filter((lane) => lane % processes === index)),
    { concurrency: "unbounded" }
  ))
  print(`  ${(statements / records).toFixed(4)} statements a record`)
  const run = yield* ledger.finishIfDone("bench")
  print(`  ${run.state}: ${JSON.stringify(run.counts)}`)
  yield* Effect.provide(sizes("after everything is settled"), services)
  yield* timed("read results", records, Stream.runDrain(ledger.results("bench")))
  yield* timed("skip and re-arm nothing, reclaim", 1, Effect.gen(function*() {
    const { epoch } = yield* ledger.start("bench")
    yield* ledger.reclaim("bench", epoch)
  }))
  yield* timed("remove", records, ledger.remove("bench"))
})

try {
  await Effect.runPromise(Effect.scoped(program))
} finally {
  await server.close()
}
