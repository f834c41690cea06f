import { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { connect, createServer, type Socket } from "node:net"
import { inspect } from "node:util"
import type * as Entry from "../src/Entry.js"
import * as Ledger from "../src/Ledger.js"
import * as PostgresLedger from "../src/PostgresLedger.js"
import * as Run from "../src/Run.js"
import { freshUrl, server } from "./databases.js"
import { worker } from "./workers.js"
import { at, enrolled, good, input, newRun, rejected, streak } from "./rows.js"

const postgres = server()

const open = (url: Redacted.Redacted, options: Partial<PostgresLedger.Options> = {}) =>
  Effect.map(PostgresLedger.make({ url, maxConnections: 4, ...options }), (services) => Context.get(services, Ledger.Ledger))

const rowsOf = (count: number): ReadonlyArray<Entry.ImportRow> => Array.from({ length: count }, (_, index) => good(index + 1, streak(index + 1)))

/** A run that is ready. */
const imported = (ledger: Ledger.Service, id: string, count: number, lanes = 1) =>
  Effect.gen(function*() {
    yield* ledger.begin(newRun(id, lanes))
    yield* ledger.append(id, rowsOf(count), at(count + 2))
    yield* ledger.finishImport(id, input)
  })

/** The counters of a run and what is there, which are to be the same. */
const recounted = (ledger: Ledger.Service, id: string) =>
  Effect.gen(function*() {
    const counts = { ...Run.noCounts }
    yield* Stream.runForEach(ledger.results(id), ({ entries }) =>
      Effect.sync(() => {
        for (const { isClaimed, outcome } of entries) counts[outcome?.outcome ?? (isClaimed ? "claimed" : "pending")] += 1
      }))
    const run = yield* ledger.run(id)
    assert.deepStrictEqual(run.counts, counts)
    return run
  })

/** Tries again for as long as the database is away. */
const patiently = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.retry(effect, { while: ({ _tag }) => _tag === "LedgerUnwritable", schedule: Schedule.spaced("20 millis") })

/** Claims and settles what is in these lanes, until nothing is left. */
const worked = (ledger: Ledger.Service, id: string, epoch: number, lanes: ReadonlyArray<number>, limit: number, group = limit) =>
  Effect.gen(function*() {
    while (true) {
      let found = 0
      for (const lane of lanes) {
        const claimed = yield* patiently(ledger.claim(id, { epoch, lane, limit }))
        found += claimed.length
        for (let from = 0; from < claimed.length; from += group) {
          yield* patiently(ledger.settle(id, claimed.slice(from, from + group).map(({ seq }) => ({ seq, outcome: enrolled })), epoch))
        }
      }
      const left = yield* patiently(ledger.pendingLanes(id))
      if (found === 0 && !left.some((lane) => lanes.includes(lane))) return
    }
  })

type Execute = Connection["execute"]

/** Stands before every statement of a connection. */
const before = (meet: (sql: string) => Effect.Effect<void, SqlError>, after: (sql: string) => Effect.Effect<void, SqlError> = () => Effect.void) => (connection: Connection): Connection => {
  const around = <A extends ReadonlyArray<unknown>, B>(act: (sql: string, ...rest: A) => Effect.Effect<B, SqlError>) => (sql: string, ...rest: A) =>
    meet(sql).pipe(Effect.zipRight(act(sql, ...rest)), Effect.tap(() => after(sql)))
  return {
    execute: around<Parameters<Execute> extends [string, ...infer R] ? R : never, ReadonlyArray<unknown>>((...args) => connection.execute(...args)) as Execute,
    executeRaw: around((...args) => connection.executeRaw(...args)),
    executeValues: around((...args) => connection.executeValues(...args)),
    executeUnprepared: around<Parameters<Execute> extends [string, ...infer R] ? R : never, ReadonlyArray<unknown>>((...args) => connection.executeUnprepared(...args)) as Execute,
    executeStream: (...args) => connection.executeStream(...args)
  }
}

describe("PostgresLedger and its database", () => {
  it.scopedLive("processes that open an empty database at the same time make its tables once", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      const moves = yield* Effect.all(Array.from({ length: 6 }, () => PostgresLedger.migrate({ url })), { concurrency: "unbounded" })
      assert.deepStrictEqual(moves.map(({ from, to }) => `${from}-${to}`).sort(), ["0-1", "1-1", "1-1", "1-1", "1-1", "1-1"])
      const other = yield* freshUrl(postgres)
      const ledgers = yield* Effect.all(Array.from({ length: 6 }, () => open(other)), { concurrency: "unbounded" })
      for (const [index, ledger] of ledgers.entries()) yield* ledger.begin(newRun(`r${index}`))
      assert.strictEqual((yield* ledgers[0]?.list ?? Effect.succeed([])).length, 6)
    }))

  it.scopedLive("a database of a newer version is refused, and one that is behind waits to be migrated where that was said", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      const behind = yield* Effect.flip(Effect.scoped(open(url, { migrate: false })))
      assert.match(behind.message, /^127\.0\.0\.1:\d+\/milepost_\w+: cannot be written: its tables have version 0, this program needs 1: migrate it first$/)
      assert.deepStrictEqual(yield* PostgresLedger.migrate({ url }), { from: 0, to: 1 })
      yield* Effect.scoped(open(url, { migrate: false }))
      const services = yield* PostgresLedger.make({ url })
      yield* Context.get(services, SqlClient)`INSERT INTO ledger_migrations (migration_id, name) VALUES (99, 'later')`
      for (const migrate of [true, false]) {
        assert.deepInclude(yield* Effect.flip(Effect.scoped(open(url, { migrate }))), { _tag: "LedgerTooNew", found: 99, known: 1 })
      }
      assert.strictEqual((yield* Effect.flip(PostgresLedger.migrate({ url })))._tag, "LedgerTooNew")
    }))

  it.scopedLive("what stands in the way is said in words, and never with a user or a password", () =>
    Effect.gen(function*() {
      const url = new URL(Redacted.value(yield* freshUrl(postgres)))
      const opened = (change: (url: URL) => void) => {
        const changed = new URL(url)
        changed.password = "secret"
        change(changed)
        return Effect.map(Effect.flip(Effect.scoped(open(Redacted.make(changed.href), { patienceMillis: 0 }))), (error) => {
          for (const text of [error.message, JSON.stringify(error), inspect(error, { depth: 10 })]) assert.notMatch(text, /secret|nobody/)
          assert.strictEqual(error._tag, "LedgerUnwritable")
          return error.message.replace(/^[^ ]+: /, "")
        })
      }
      assert.strictEqual(yield* opened((url) => void (url.username = "nobody")), "cannot be written: access is denied (28000)")
      assert.strictEqual(yield* opened((url) => void (url.pathname = "/none")), "cannot be written: there is no such database (3D000)")
      assert.strictEqual(yield* opened((url) => void (url.port = "1")), "cannot be written: the database cannot be reached (ECONNREFUSED)")
      assert.strictEqual(yield* opened((url) => void (url.hostname = "none.invalid")), "cannot be written: the database cannot be reached (ENOTFOUND)")
    }))

  it.scopedLive("a run costs at most 0.06 statements a record, BEGIN and COMMIT counted", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      let statements = 0
      const ledger = yield* open(url, { around: before(() => Effect.sync(() => void statements++)) })
      yield* imported(ledger, "a", 8_000, 4)
      const { epoch } = yield* ledger.start("a")
      statements = 0
      yield* worked(ledger, "a", epoch, [0, 1, 2, 3], 500, 256)
      assert.strictEqual((yield* ledger.finishIfDone("a")).state, "finished")
      assert.isAbove(statements, 80)
      assert.isAtMost(statements / 8_000, 0.06)
    }))

  it.scopedLive("two processes claim and settle in lanes of their own at the same time, and the counters add up", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      const [one, two] = [yield* open(url), yield* open(url)]
      yield* imported(one, "a", 3_000, 8)
      const { epoch } = yield* one.start("a")
      const joined = yield* two.join("a")
      yield* Effect.all([
        ...[0, 2, 4, 6].map((lane) => worked(one, "a", epoch, [lane], 40, 25)),
        ...[1, 3, 5, 7].map((lane) => worked(two, "a", joined.epoch, [lane], 40, 25))
      ], { concurrency: "unbounded" })
      assert.strictEqual((yield* two.finishIfDone("a")).state, "finished")
      assert.strictEqual((yield* one.finishIfDone("a")).state, "finished")
      assert.deepInclude((yield* recounted(one, "a")).counts, { enrolled: 3_000 })
    }))

  it.scopedLive("two that claim in one lane at the same time never get the same record", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      const ledgers = [yield* open(url), yield* open(url)]
      yield* imported(ledgers[0] as Ledger.Service, "a", 600)
      const { epoch } = yield* (ledgers[0] as Ledger.Service).start("a")
      const claimed = yield* Effect.all(
        ledgers.flatMap((ledger) => Array.from({ length: 15 }, () => ledger.claim("a", { epoch, lane: 0, limit: 20 }))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(claimed.flat().map(({ seq }) => seq)).size, 600)
      assert.strictEqual(claimed.flat().length, 600)
    }))

  it.scopedLive("two that settle the same records and refusals in opposite orders do not stop each other", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      const [one, two] = [yield* open(url), yield* open(url)]
      yield* imported(one, "a", 400)
      const { epoch } = yield* one.start("a")
      for (let round = 0; round < 10; round++) {
        const claimed = yield* one.claim("a", { epoch, lane: 0, limit: 40 })
        const settlements = claimed.map(({ seq }, index) => ({ seq, outcome: { ...rejected, code: 310_000 + index % 7 } }))
        const found = yield* Effect.all([one.settle("a", settlements), two.settle("a", settlements.toReversed())], { concurrency: "unbounded" })
        assert.strictEqual(found.reduce((sum, { settled }) => sum + settled, 0), 40)
      }
      assert.deepInclude((yield* recounted(one, "a")).counts, { rejected: 400 })
      assert.strictEqual((yield* one.refusals("a")).reduce((sum, { records }) => sum + records, 0), 400)
    }))

  it.scopedLive("a claim whose connection was lost at its COMMIT is given back before the next one, without a mark", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      let isCutting = false
      const lost = (sql: string) => {
        if (!isCutting || sql !== "COMMIT") return Effect.void
        isCutting = false
        return Effect.fail(new SqlError({ cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }), message: "" }))
      }
      const ledger = yield* open(url, { around: before(() => Effect.void, lost) })
      yield* imported(ledger, "a", 10)
      const { epoch } = yield* ledger.start("a")
      for (const next of ["claim", "lanes", "finish"] as const) {
        isCutting = true
        assert.strictEqual((yield* Effect.flip(ledger.claim("a", { epoch, lane: 0, limit: 10 })))._tag, "LedgerUnwritable")
        if (next === "lanes") assert.deepStrictEqual(yield* ledger.pendingLanes("a"), [0])
        if (next === "finish") assert.deepInclude((yield* ledger.finishIfDone("a")).counts, { pending: 10, claimed: 0 })
        const claimed = yield* ledger.claim("a", { epoch, lane: 0, limit: 10 })
        assert.strictEqual(claimed.length, 10)
        assert.isTrue(claimed.every(({ lostAttempts }) => lostAttempts === 0))
        yield* ledger.release("a", claimed.map(({ seq }) => seq), epoch)
      }
    }))

  it.scopedLive("a process that stands still within a transaction loses it, and the others go on", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      const stands = yield* Deferred.make<void>()
      const wakesUp = yield* Deferred.make<void>()
      let isFrozen = false
      const frozen = yield* open(url, {
        idleMillis: 200,
        around: before((sql) => isFrozen && sql === "COMMIT" ? Deferred.succeed(stands, undefined).pipe(Effect.zipRight(Deferred.await(wakesUp))) : Effect.void)
      })
      const other = yield* open(url)
      yield* imported(other, "a", 10)
      const { epoch } = yield* other.start("a")
      const joined = yield* other.join("a")
      isFrozen = true
      const fiber = yield* Effect.fork(Effect.flip(frozen.claim("a", { epoch, lane: 0, limit: 10 })))
      yield* Deferred.await(stands)
      assert.strictEqual((yield* other.claim("a", { epoch: joined.epoch, lane: 0, limit: 10 })).length, 10)
      isFrozen = false
      yield* Deferred.succeed(wakesUp, undefined)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "LedgerUnwritable")
      assert.strictEqual(yield* other.reclaim("a", epoch, 0), 10)
    }), 20_000)

  it.scopedLive("nobody waits for ever for a database that does not answer any more", () =>
    Effect.gen(function*() {
      const url = new URL(Redacted.value(yield* freshUrl(postgres)))
      const port = Number(url.port)
      let isHole = false
      const sockets = new Set<Socket>()
      const relay = createServer((socket) => {
        const behind = connect(port, "127.0.0.1")
        for (const one of [socket, behind]) {
          sockets.add(one)
          one.on("error", () => undefined)
        }
        socket.on("data", (chunk) => void (isHole || behind.write(chunk)))
        behind.on("data", (chunk) => void (isHole || socket.write(chunk)))
        behind.on("close", () => void (isHole || socket.destroy()))
        socket.on("close", () => void behind.destroy())
      })
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void relay.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => {
          for (const socket of sockets) socket.destroy()
          relay.close()
        })
      )
      url.port = String((relay.address() as { readonly port: number }).port)
      const ledger = yield* open(Redacted.make(url.href), { statementMillis: 300, connectMillis: 300 })
      yield* imported(ledger, "a", 10)
      const { epoch } = yield* ledger.start("a")
      isHole = true
      assert.strictEqual((yield* Effect.flip(ledger.claim("a", { epoch, lane: 0, limit: 10 })))._tag, "LedgerUnwritable")
      assert.strictEqual((yield* Effect.flip(ledger.run("a")))._tag, "LedgerUnwritable")
      isHole = false
      assert.strictEqual((yield* patiently(ledger.claim("a", { epoch, lane: 0, limit: 10 }))).length, 10)
    }), 20_000)
})

describe("killed processes that share a run", () => {
  it.scopedLive("lose nothing that they said was durable, and write over nothing of each other", () =>
    Effect.gen(function*() {
      const url = yield* freshUrl(postgres)
      const ledger = yield* open(url)
      const rows = 1_500
      yield* imported(ledger, "k", rows, 4)
      yield* ledger.start("k")
      const reported = new Map<number, string>()
      const ends: Array<string> = []
      const note = (lines: ReadonlyArray<string>): void => {
        for (const line of lines) {
          const [kind, value, tag = ""] = line.split(" ")
          assert.notStrictEqual(kind, "E", line)
          if (kind === "done") ends.push(line)
          if (kind !== "S") continue
          assert.isFalse(reported.has(Number(value)), `${value} was settled twice`)
          reported.set(Number(value), tag)
        }
      }
      const lanes = ["0,2", "1,3"]
      const start = (own: number, tag: string) => worker(Redacted.value(url), ["share", lanes[own] ?? "", tag])
      const workers = [yield* start(0, "a0"), yield* start(1, "b0")]
      for (let kill = 1; kill <= 5; kill++) {
        const own = kill % 2
        const victim = workers[own]
        if (victim === undefined) continue
        yield* victim.said("S ")
        victim.child.kill("SIGKILL")
        note(yield* victim.ended)
        workers[own] = yield* start(own, `${own === 0 ? "a" : "b"}${kill}`)
      }
      for (const { ended } of workers) note(yield* ended)
      assert.strictEqual(ends.length, 2)
      const run = yield* recounted(ledger, "k")
      assert.deepInclude(run, { state: "finished" })
      assert.deepInclude(run.counts, { enrolled: rows })
      yield* Stream.runForEach(ledger.results("k"), ({ entries }) =>
        Effect.sync(() => {
          for (const { outcome, seq } of entries) {
            const tag = reported.get(seq)
            if (tag !== undefined) assert.deepInclude(outcome, { requestId: tag })
          }
        }))
    }), 120_000)
})

describe("PostgresLedger and a server that goes away", () => {
  const stopped = server()

  for (const mode of ["fast", "immediate"] as const) {
    it.scopedLive(`goes on after the server was stopped (${mode}) and started, idle or at work`, () =>
      Effect.gen(function*() {
        const url = yield* freshUrl(stopped)
        const ledger = yield* open(url)
        yield* imported(ledger, "a", 2_000, 4)
        const { epoch } = yield* ledger.start("a")
        const halt = Effect.promise(() => stopped.get().stop(mode))
        const begin = Effect.promise(() => stopped.get().start())
        // Idle connections.
        yield* Effect.all([0, 1, 2, 3].map(() => ledger.run("a")), { concurrency: "unbounded" })
        yield* halt
        assert.strictEqual((yield* Effect.flip(ledger.run("a")))._tag, "LedgerUnwritable")
        yield* begin
        yield* patiently(ledger.run("a"))
        // In the middle of statements.
        const fiber = yield* Effect.fork(Effect.all([0, 1, 2, 3].map((lane) => worked(ledger, "a", epoch, [lane], 5)), { concurrency: "unbounded" }))
        for (const part of [400, 1_000]) {
          yield* Effect.repeat(patiently(ledger.run("a")), { until: ({ counts }) => counts.enrolled >= part, schedule: Schedule.spaced("5 millis") })
          yield* halt
          yield* begin
        }
        yield* Fiber.join(fiber)
        assert.deepInclude(yield* ledger.finishIfDone("a"), { state: "finished" })
        assert.deepInclude((yield* recounted(ledger, "a")).counts, { enrolled: 2_000 })
      }), 60_000)
  }
})
