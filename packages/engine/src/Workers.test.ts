import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Workers from "./Workers.js"

/** Pieces that take ten milliseconds each, and how many were at work at once. */
const pieces = (count: number, piece: (index: number) => Effect.Effect<unknown> = () => Effect.sleep(10)) => {
  const seen = { taken: 0, done: 0, atOnce: 0, most: 0 }
  const source: Workers.Source = {
    ready: () => count - seen.taken,
    work: (goesOn) =>
      Effect.whileLoop({
        while: () => seen.taken < count && goesOn(),
        body: () => {
          const index = seen.taken++
          seen.atOnce += 1
          seen.most = Math.max(seen.most, seen.atOnce)
          return piece(index)
        },
        step: () => {
          seen.atOnce -= 1
          seen.done += 1
        }
      })
  }
  return { seen, source }
}

describe("workers", () => {
  it.effect("are as many as there are places, and take one piece after the other", () =>
    Effect.gen(function*() {
      const workers = yield* Workers.make({ limit: () => 3 })
      const { seen, source } = pieces(7)
      workers.add(source)
      yield* TestClock.adjust(10)
      assert.deepInclude(seen, { done: 3, most: 3 })
      yield* TestClock.adjust(20)
      assert.deepInclude(seen, { done: 7, most: 3 })
    }))

  it.effect("go on with what was added behind, before the last pieces of what was first are done", () =>
    Effect.gen(function*() {
      const workers = yield* Workers.make({ limit: () => 2 })
      const first = pieces(1, () => Effect.sleep(1000))
      const second = pieces(4)
      workers.add(first.source)
      workers.add(second.source)
      yield* TestClock.adjust(40)
      assert.strictEqual(first.seen.done, 0)
      assert.strictEqual(second.seen.done, 4)
      assert.strictEqual(second.seen.most, 1)
    }))

  it.effect("a worker that rests leaves its room to another", () =>
    Effect.gen(function*() {
      const workers: Workers.Workers = yield* Workers.make({ limit: () => 1 })
      const { seen, source } = pieces(5, (index) => index === 0 ? workers.resting(Effect.sleep(1000)) : Effect.sleep(10))
      workers.add(source)
      yield* TestClock.adjust(40)
      assert.strictEqual(seen.done, 4)
      yield* TestClock.adjust(960)
      assert.strictEqual(seen.done, 5)
    }))

  it.effect("become more when there are more places, and fewer when there are fewer", () =>
    Effect.gen(function*() {
      let limit = 1
      const workers = yield* Workers.make({ limit: () => limit })
      const { seen, source } = pieces(100)
      workers.add(source)
      yield* TestClock.adjust(10)
      limit = 4
      yield* TestClock.adjust(20)
      assert.strictEqual(seen.atOnce, 4)
      limit = 2
      yield* TestClock.adjust(20)
      assert.strictEqual(seen.atOnce, 2)
    }))
})
