import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Duplicates from "./Duplicates.js"

type Calls = ReadonlyArray<readonly [customer: number, place: string]>

/** What a person would write: a set of everything. */
const naive = (calls: Calls, place: string): number => {
  const customers = calls.filter((call) => call[1] === place).map(([customer]) => customer)
  return customers.length - new Set(customers).size
}

const found = (calls: Calls, batch: number) =>
  Effect.scoped(Effect.gen(function*() {
    const finder = yield* Duplicates.make
    for (const [index, [customer, place]] of calls.entries()) {
      finder.add(customer, place)
      if (index % batch === 0) yield* finder.overflow
    }
    return yield* finder.finish
  })).pipe(Effect.provide(NodeFileSystem.layer))

describe("Duplicates", () => {
  it.effect.prop(
    "counts exactly what a set of everything counts",
    [FastCheck.array(FastCheck.tuple(FastCheck.integer({ min: 1, max: 20 }), FastCheck.constantFrom("a", "b")), { maxLength: 200 })],
    ([calls]) =>
      Effect.gen(function*() {
        const duplicates = yield* found(calls, 10)
        assert.strictEqual(duplicates.countOf("a"), naive(calls, "a"))
        assert.strictEqual(duplicates.countOf("b"), naive(calls, "b"))
        assert.strictEqual(duplicates.count, naive(calls, "a") + naive(calls, "b"))
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect("counts them across what has overflowed to disk", () =>
    Effect.gen(function*() {
      // 30,000 calls of one partition: seven times what is held in memory. Customers beyond 32 bits stay exact.
      const big = 2 ** 46
      const calls = Array.from({ length: 30_000 }, (_, index) => [big + 64 * (index % 10_000), index < 15_000 ? "a" : "b"] as const)
      const duplicates = yield* found(calls, 1000)
      assert.strictEqual(duplicates.countOf("a"), 5_000)
      assert.strictEqual(duplicates.countOf("b"), 5_000)
    }))
})
