import { assert, describe, it } from "@effect/vitest"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as driver from "./driver.js"

const sqlite = Layer.scoped(SqlClient.SqlClient, Effect.flatMap(driver.open(":memory:"), driver.client)).pipe(
  Layer.provide(Reactivity.layer)
)

const exactly = Effect.provideService(SqlClient.SafeIntegers, true)

describe("the driver", () => {
  it.effect("whole numbers are numbers, and exact beyond 2^53 for who asks by SafeIntegers", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (number BIGINT)`
      const beyond = 2n ** 58n + 1n
      yield* sql`INSERT INTO t VALUES (${beyond}), (${Number.MAX_SAFE_INTEGER}), (${-Number.MAX_SAFE_INTEGER}), (${7n})`
      const found = sql<{ readonly number: number | bigint }>`SELECT number FROM t ORDER BY rowid`
      assert.deepStrictEqual((yield* exactly(found)).map(({ number }) => number), [beyond, 2n ** 53n - 1n, 1n - 2n ** 53n, 7n])
      // The same statement, prepared once: what one asked for does not stay for the next.
      assert.deepStrictEqual((yield* found).slice(1).map(({ number }) => number), [2 ** 53 - 1, 1 - 2 ** 53, 7])
      assert.deepStrictEqual(yield* exactly(sql`SELECT number FROM t WHERE number = ${beyond}`), [{ number: beyond }])
    }).pipe(Effect.provide(sqlite)))

  it.effect("tells how many rows a statement has changed", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (number INTEGER UNIQUE)`
      assert.deepStrictEqual(yield* sql`INSERT INTO t VALUES (1), (2), (3)`.raw, { changes: 3 })
      assert.deepStrictEqual(yield* sql`INSERT INTO t VALUES (3), (4) ON CONFLICT DO NOTHING`.raw, { changes: 1 })
      assert.deepStrictEqual(yield* exactly(sql`UPDATE t SET number = -number WHERE number > 9`.raw), { changes: 0 })
    }).pipe(Effect.provide(sqlite)))

  it.live("a statement does not hold the event loop, and who is interrupted waits for its end", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (number INTEGER)`
      const slow = sql`INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT i FROM n`
      const writing = yield* Effect.fork(slow)
      let turns = 0
      const counting = yield* Effect.fork(Effect.forever(Effect.zipRight(Effect.sleep(1), Effect.sync(() => turns++))))
      yield* Effect.sleep(5)
      yield* Fiber.interrupt(writing)
      assert.isAbove(turns, 5)
      yield* Fiber.interrupt(counting)
      assert.deepStrictEqual(yield* sql`SELECT count(*) AS number FROM t`, [{ number: 400000 }])
    }).pipe(Effect.provide(sqlite)))

  it.effect("what fails is rolled back, and the connection goes on", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (number INTEGER UNIQUE)`
      const twice = sql.withTransaction(Effect.zipRight(sql`INSERT INTO t VALUES (1)`, sql`INSERT INTO t VALUES (1)`))
      assert.strictEqual((yield* Effect.flip(twice))._tag, "SqlError")
      assert.strictEqual((yield* Effect.flip(sql`SELECT nonsense FROM nowhere`))._tag, "SqlError")
      assert.deepStrictEqual(yield* sql`SELECT * FROM t`, [])
    }).pipe(Effect.provide(sqlite)))

  it.effect("closing waits for the statement that runs, and whoever comes later is refused", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const connection = yield* Scope.extend(driver.open(":memory:"), scope)
      const slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT max(i) AS most FROM n"
      const running = yield* Effect.fork(connection.execute(slow, []))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* Fiber.join(running), [{ most: 200000 }])
      assert.strictEqual((yield* Effect.flip(connection.execute("SELECT 1", [])))._tag, "SqlError")
      assert.strictEqual((yield* Effect.flip(connection.executeUnprepared("ROLLBACK", [])))._tag, "SqlError")
    }))
})
