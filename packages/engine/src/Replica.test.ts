import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type { Connection } from "@effect/sql/SqlConnection"
import { MemoryLedger } from "@milepost/ledger"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Replica from "./Replica.js"

/** A database, and a client of it for each process; a process can be cut off from it. */
const shared = Effect.gen(function*() {
  const memory = yield* MemoryLedger.memory
  const process = Effect.gen(function*() {
    let isCut = false
    let statements = 0
    const cut = new SqlError({ cause: { code: "ECONNREFUSED" }, message: "cut off" })
    const through = <A>(effect: Effect.Effect<A, SqlError>) =>
      Effect.suspend(() => {
        statements += 1
        return isCut ? Effect.fail(cut) : effect
      })
    const around = (connection: Connection): Connection => ({
      execute: (sql, params, transform) => through(connection.execute(sql, params, transform)),
      executeRaw: (sql, params) => through(connection.executeRaw(sql, params)),
      executeStream: (sql, params, transform) => isCut ? Stream.fail(cut) : connection.executeStream(sql, params, transform),
      executeValues: (sql, params) => through(connection.executeValues(sql, params)),
      executeUnprepared: (sql, params, transform) => through(connection.executeUnprepared(sql, params, transform))
    })
    const sql = Context.get(yield* MemoryLedger.make(memory, { around }), SqlClient)
    return {
      sql,
      cut: (cut: boolean) => {
        isCut = cut
      },
      statements: () => statements
    }
  })
  yield* Effect.provideService(Replica.create, SqlClient, (yield* process).sql)
  return process
})

const options: Replica.Options = { cluster: "test", address: "http://127.0.0.1:1" }

const replica = (sql: SqlClient, changed: Partial<Replica.Options> = {}) =>
  Effect.provideService(Replica.make({ ...options, ...changed }), SqlClient, sql)

/** Statements in memory take turns of the event loop, and no time. */
const seconds = (count: number) =>
  Effect.forEach(Array.from({ length: count * 2 }), () => TestClock.adjust(500), { discard: true })

const all = Array.from({ length: 64 }, (_, lane) => lane)

describe("a replica by itself", () => {
  it.scoped("holds every lane at once, and keeps it", () =>
    Effect.gen(function*() {
      const process = yield* yield* shared
      const one = yield* replica(process.sql)
      assert.deepStrictEqual(one.held(), all)
      yield* seconds(60)
      assert.deepStrictEqual(one.held(), all)
      assert.strictEqual(one.generation(7), 1)
      assert.strictEqual(one.ownerOf(7), "self")
      assert.deepStrictEqual(one.members(), [{ id: one.id, address: one.address }])
      assert.isNull(one.trouble())
    }))

  it.scoped("asks the database for three statements every three seconds at most", () =>
    Effect.gen(function*() {
      const process = yield* yield* shared
      yield* replica(process.sql)
      const before = process.statements()
      yield* seconds(60)
      // In PostgreSQL two: there, refreshing members and lanes is one.
      assert.isAtMost(process.statements() - before, 60)
    }))

  it.scoped("sends no more once its leases were not refreshed for ten seconds, and goes on when they are, if nobody took them", () =>
    Effect.gen(function*() {
      const process = yield* yield* shared
      const one = yield* replica(process.sql)
      yield* seconds(3)
      process.cut(true)
      yield* TestClock.adjust("9900 millis")
      assert.isTrue(one.holds(7))
      assert.match(one.trouble() ?? "", /refreshed .* s ago: ECONNREFUSED/)
      yield* TestClock.adjust("100 millis")
      assert.isFalse(one.holds(7))
      assert.isNull(one.enter(7))
      assert.deepStrictEqual(one.held(), [])
      yield* seconds(60)
      process.cut(false)
      yield* seconds(2)
      assert.deepStrictEqual(one.held(), all)
      assert.strictEqual(one.generation(7), 1)
      assert.isNull(one.trouble())
    }))

  it.scoped("is refused where another cluster or other lanes were first", () =>
    Effect.gen(function*() {
      const processes = yield* shared
      yield* replica((yield* processes).sql)
      const other = yield* Effect.flip(Effect.scoped(replica((yield* processes).sql, { cluster: "staging" })))
      assert.strictEqual(other._tag, "ClusterMismatch")
      assert.strictEqual(other.message, "the database belongs to the cluster test, not to staging")
      const lanes = yield* Effect.flip(Effect.scoped(replica((yield* processes).sql, { lanes: 32 })))
      assert.strictEqual(lanes.message, "the database deals its customers to 64 lanes, not to 32")
    }))

  it.scoped("a wall clock that jumps ahead stops it at once, one that is set back does not keep it going", () =>
    Effect.gen(function*() {
      const process = yield* yield* shared
      const clock = yield* Effect.clock
      let ahead = 0
      const wall: typeof clock = Object.assign(Object.create(clock), {
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + ahead,
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos()
      })
      const one = yield* Effect.withClock(replica(process.sql), wall)
      ahead = 10_000
      assert.isFalse(one.holds(0))
      ahead = -3_600_000
      assert.isTrue(one.holds(0))
      process.cut(true)
      yield* TestClock.adjust("10 seconds")
      assert.isFalse(one.holds(0))
      process.cut(false)
    }))
})

describe("replicas that share a database", () => {
  it.scoped("divide the lanes: who was there gives back what the other should have, and nobody has what somebody has", () =>
    Effect.gen(function*() {
      const processes = yield* shared
      const one = yield* replica((yield* processes).sql)
      const two = yield* replica((yield* processes).sql, { address: "http://127.0.0.1:2" })
      assert.deepStrictEqual(two.held(), [])
      assert.deepStrictEqual(two.ownerOf(7), { id: one.id, address: one.address })
      yield* seconds(6)
      assert.isAbove(one.held().length, 12)
      assert.isAbove(two.held().length, 12)
      assert.deepStrictEqual([...one.held(), ...two.held()].sort((left, right) => left - right), all)
      for (const lane of two.held()) assert.deepStrictEqual(one.ownerOf(lane), { id: two.id, address: two.address })
    }))

  it.scoped("a lane is given back only when nobody is inside, and nobody enters it meanwhile", () =>
    Effect.gen(function*() {
      const processes = yield* shared
      const one = yield* replica((yield* processes).sql)
      const exits = all.map((lane) => one.enter(lane))
      const leaving: Array<number> = []
      one.onChange(({ lane, what }) => {
        if (what === "leaving") leaving.push(lane)
      })
      const two = yield* replica((yield* processes).sql)
      yield* seconds(30)
      assert.deepStrictEqual(two.held(), [])
      assert.isAbove(leaving.length, 12)
      for (const lane of leaving) {
        assert.isFalse(one.holds(lane))
        assert.isNull(one.enter(lane))
      }
      for (const exit of exits) exit?.()
      yield* seconds(2)
      assert.deepStrictEqual(two.held(), leaving.sort((left, right) => left - right))
    }))

  it.scoped("one that dies keeps its lanes until its leases expire, and never sends when another one may", () =>
    Effect.gen(function*() {
      const processes = yield* shared
      const first = yield* processes
      const one = yield* replica(first.sql)
      yield* seconds(3)
      first.cut(true)
      const two = yield* replica((yield* processes).sql)
      for (let half = 0; half < 60; half++) {
        yield* TestClock.adjust(500)
        for (const lane of all) assert.isFalse(one.holds(lane) && two.holds(lane), `lane ${lane}`)
        if (half < 20) assert.deepStrictEqual(two.held(), [])
      }
      assert.deepStrictEqual(two.held(), all)
      assert.strictEqual(two.generation(7), 2)
      assert.deepStrictEqual(two.members().map(({ id }) => id), [two.id])

      const lost: Array<number> = []
      one.onChange(({ lane, what }) => {
        if (what === "lost") lost.push(lane)
      })
      first.cut(false)
      yield* seconds(1)
      assert.deepStrictEqual(lost, all)
      yield* seconds(6)
      assert.deepStrictEqual([...one.held(), ...two.held()].sort((left, right) => left - right), all)
    }))

  it.scoped("one that goes is followed at once, and waits for what is inside", () =>
    Effect.gen(function*() {
      const processes = yield* shared
      const one = yield* replica((yield* processes).sql)
      const two = yield* replica((yield* processes).sql)
      yield* seconds(6)
      const stayed = two.held()
      const [busy = 0] = one.held()
      const exit = one.enter(busy)
      const leaving = yield* Effect.fork(one.leave)
      yield* seconds(4)
      assert.deepStrictEqual(two.held(), all.filter((lane) => lane !== busy))
      assert.deepStrictEqual(two.ownerOf(busy), { id: one.id, address: one.address })
      assert.deepStrictEqual(two.members().map(({ id }) => id), [two.id])
      assert.isAbove(stayed.length, 12)
      exit?.()
      yield* seconds(4)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(leaving)))
      assert.deepStrictEqual(two.held(), all)
      assert.strictEqual(one.trouble(), "this replica has left")
      assert.isFalse(one.holds(busy))
      yield* one.refreshNow
      yield* one.leave
    }))

  it.scoped("one that goes with work that does not end leaves its lane to expire", () =>
    Effect.gen(function*() {
      const processes = yield* shared
      const scope = yield* Scope.make()
      const one = yield* Scope.extend(replica((yield* processes).sql, { leaveWithin: "20 seconds" }), scope)
      one.enter(5)
      const two = yield* replica((yield* processes).sql)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* seconds(22)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(closing)))
      assert.isFalse(one.holds(5))
      assert.deepStrictEqual(two.held(), all.filter((lane) => lane !== 5))
      yield* seconds(16)
      assert.deepStrictEqual(two.held(), all)
    }))

  it.scoped("whoever found an owner gone looks again at once", () =>
    Effect.gen(function*() {
      const processes = yield* shared
      const one = yield* replica((yield* processes).sql)
      const scope = yield* Scope.make()
      const two = yield* Scope.extend(replica((yield* processes).sql), scope)
      yield* seconds(6)
      const [its = 0] = two.held()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(one.ownerOf(its), { id: two.id, address: two.address })
      yield* one.refreshNow
      assert.strictEqual(one.ownerOf(its), "self")
      assert.isTrue(one.holds(its))
    }))
})
