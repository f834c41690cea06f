import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Duplicates from "./Duplicates.js"

/** What a person would write: a map of everything. */
const naive = (rows: ReadonlyArray<readonly [customer: number, combination: string]>): ReadonlyMap<number, number> => {
  const seen = new Map<string, number>()
  const repeated = new Map<number, number>()
  rows.forEach(([customer, combination], index) => {
    const first = seen.get(`${customer} ${combination}`)
    if (first === undefined) seen.set(`${customer} ${combination}`, index + 2)
    else repeated.set(index + 2, first)
  })
  return repeated
}

const found = (rows: ReadonlyArray<readonly [customer: number, combination: string]>, batch: number) =>
  Effect.scoped(Effect.gen(function*() {
    const finder = yield* Duplicates.make
    for (const [index, [customer, combination]] of rows.entries()) {
      finder.add(index + 2, customer, combination)
      if (index % batch === 0) yield* finder.overflow
    }
    const duplicates = yield* finder.finish
    const repeated = new Map<number, number>()
    for (let line = 2; line < rows.length + 2; line++) {
      const first = duplicates.firstOf(line)
      if (first !== undefined) repeated.set(line, first)
    }
    return { duplicates, repeated }
  })).pipe(Effect.provide(NodeFileSystem.layer))

describe("Duplicates", () => {
  it.effect.prop(
    "finds exactly what a map of everything finds",
    [FastCheck.array(FastCheck.tuple(FastCheck.integer({ min: 1, max: 20 }), FastCheck.constantFrom("a", "b")), { maxLength: 200 })],
    ([rows]) =>
      Effect.gen(function*() {
        const { duplicates, repeated } = yield* found(rows, 10)
        assert.deepStrictEqual(repeated, naive(rows))
        assert.strictEqual(duplicates.countOf("a") + duplicates.countOf("b"), duplicates.count)
      }),
    { fastCheck: { numRuns: 40 } }
  )

  it.effect("finds them across what has overflowed to disk", () =>
    Effect.gen(function*() {
      // 30,000 rows of one partition: seven times what is held in memory. Customers beyond 32 bits stay exact.
      const big = 2 ** 46
      const rows = Array.from({ length: 30_000 }, (_, index) => [big + 64 * (index % 10_000), index < 15_000 ? "a" : "b"] as const)
      const { repeated } = yield* found(rows, 1000)
      assert.deepStrictEqual(repeated, naive(rows))
      assert.strictEqual(repeated.get(10_002), 2)
    }))
})
