import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Store from "../Store.js"
import * as Keys from "./Keys.js"

const grant = { name: "app", orgs: ["brand"], targetGroups: null, perMinute: null }

describe("Keys", () => {
  it.scoped("a key is found until it is revoked, also by who reads them later", () =>
    Effect.gen(function*() {
      const context = yield* MemoryLedger.make(yield* MemoryLedger.memory)
      yield* Effect.provide(Store.migrate, context)
      const keys = yield* Effect.provide(Keys.make, context)
      const { key, secret } = yield* keys.create(grant)
      assert.deepStrictEqual(keys.find(Redacted.value(secret)), key)
      assert.deepStrictEqual((yield* Effect.provide(Keys.make, context)).find(Redacted.value(secret)), key)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* keys.revoke(key.id))?.revokedMillis, 60_000)
      assert.isNull(keys.find(Redacted.value(secret)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* keys.revoke(key.id))?.revokedMillis, 60_000)
      assert.isNull(yield* keys.revoke("key_none"))
      assert.deepStrictEqual((yield* (yield* Effect.provide(Keys.make, context)).list).map(({ revokedMillis }) => revokedMillis), [60_000])
    }))

  it.scoped("a file that is this process's alone is not asked for a key that is unknown", () =>
    Effect.gen(function*() {
      const context = yield* MemoryLedger.make(yield* MemoryLedger.memory)
      yield* Effect.provide(Store.migrate, context)
      const keys = yield* Effect.provide(Keys.make, context)
      const sql = yield* Effect.provide(SqlClient, context)
      yield* sql`DROP TABLE proxy_keys`
      assert.isNull(yield* keys.seek("mp_unknown"))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* keys.list, [])
    }))
})
