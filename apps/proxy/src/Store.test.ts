import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import * as Store from "./Store.js"

/** A file's tables, in memory. */
const inMemory = <A, E>(use: Effect.Effect<A, E, SqlClient>) =>
  Effect.gen(function*() {
    return yield* Effect.provide(use, yield* MemoryLedger.make(yield* MemoryLedger.memory))
  })

describe("Store", () => {
  it.effect("tables are made once, and a second time there is nothing to do", () =>
    inMemory(Effect.gen(function*() {
      assert.deepStrictEqual(yield* Store.migrate, { from: 0, to: Store.known })
      assert.deepStrictEqual(yield* Store.migrate, { from: Store.known, to: Store.known })
    })))

  it.effect("a file from before there were versions is brought up to date with what it holds", () =>
    inMemory(Effect.gen(function*() {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE proxy_first_answers (
        key_id TEXT NOT NULL, idempotency_key TEXT NOT NULL, fingerprint TEXT NOT NULL, created_at INTEGER NOT NULL,
        content TEXT, status INTEGER, headers TEXT, body TEXT, PRIMARY KEY (key_id, idempotency_key)
      ) WITHOUT ROWID`
      yield* sql`INSERT INTO proxy_first_answers (key_id, idempotency_key, fingerprint, created_at, status) VALUES ('a', 'b', 'c', 7, 200)`
      assert.deepStrictEqual(yield* Store.migrate, { from: 0, to: Store.known })
      assert.deepStrictEqual(yield* sql`SELECT key_id, status, taker FROM proxy_first_answers`, [{ key_id: "a", status: 200, taker: null }])
    })))

  it.effect("tables of a newer program are refused and left alone", () =>
    inMemory(Effect.gen(function*() {
      const sql = yield* SqlClient
      yield* Store.migrate
      yield* sql`INSERT INTO proxy_migrations (version, created_at) VALUES (99, 0)`
      const refused = yield* Effect.flip(Store.migrate)
      assert.deepInclude(refused, { _tag: "StoreTooNew", found: 99 })
      assert.strictEqual(refused.message, `the proxy's tables have version 99, this program knows up to ${Store.known}; use a newer one`)
      assert.deepStrictEqual(yield* sql`SELECT MAX(version) AS version FROM proxy_migrations`, [{ version: 99 }])
    })))

  it.effect("a migration that fails leaves nothing behind", () =>
    inMemory(Effect.gen(function*() {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE proxy_secrets (other TEXT)`
      assert.strictEqual((yield* Effect.flip(Store.migrate))._tag, "StoreFailed")
      assert.deepStrictEqual(yield* sql`SELECT name FROM sqlite_master WHERE name = 'proxy_keys'`, [])
      yield* sql`DROP TABLE proxy_secrets`
      assert.deepStrictEqual(yield* Store.migrate, { from: 0, to: Store.known })
    })))

  it.effect("the replicas' secret is made once, has 256 bits and is not shown", () =>
    inMemory(Effect.gen(function*() {
      yield* Store.migrate
      const secret = yield* Store.clusterSecret
      assert.strictEqual(Buffer.from(Redacted.value(secret), "base64url").length, 32)
      assert.strictEqual(Redacted.value(yield* Store.clusterSecret), Redacted.value(secret))
      assert.notInclude(inspect(secret), Redacted.value(secret))
    })))

  it.effect("what failed says where to look, and nothing of what the database said", () =>
    Effect.gen(function*() {
      const canary = "canary of a client"
      const failing = (cause: unknown) => Effect.flip(Store.attempt("written", Effect.fail(new SqlError({ cause, message: canary }))))
      const file = yield* failing(Object.assign(new Error(canary), { code: "SQLITE_FULL" }))
      assert.strictEqual(file.message, "the data cannot be written just now: look at the disk")
      const database = yield* failing(Object.assign(new Error(canary), { code: "ECONNREFUSED" }))
      assert.strictEqual(database.message, "the data cannot be written just now: the database cannot be reached, or refuses it")
      for (const error of [file, database]) assert.notInclude(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error), canary)
    }))
})
