import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LedgerSuite } from "../test/LedgerSuite.js"
import { newRun } from "../test/rows.js"
import { Ledger } from "./Ledger.js"
import * as MemoryLedger from "./MemoryLedger.js"

LedgerSuite("MemoryLedger", Layer.fresh(MemoryLedger.layer))

describe("a database in memory", () => {
  it.effect("outlives who works with it, without what was not committed", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryLedger.memory
      const first = Context.get(yield* MemoryLedger.make(memory), Ledger)
      yield* first.begin(newRun("a", 1))
      yield* memory.connection.executeUnprepared("BEGIN", [], undefined)
      yield* memory.connection.execute("UPDATE runs SET id = 'b'", [], undefined)
      yield* memory.crash
      const second = Context.get(yield* MemoryLedger.make(memory), Ledger)
      assert.deepStrictEqual((yield* second.list).map(({ id }) => id), ["a"])
    }))
})
