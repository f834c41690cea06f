import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Concurrency from "./Concurrency.js"

/** One round: as many calls as there are places leave, and are answered. */
const round = (limiter: Concurrency.Concurrency, sent: number, took: number, signal: Concurrency.Signal = "good"): void => {
  let taken = 0
  while (limiter.tryTake()) taken += 1
  for (let call = 0; call < taken; call++) limiter.observe(signal, sent, sent + took)
  for (let call = 0; call < taken; call++) limiter.release()
}

describe("concurrency", () => {
  it("of a fixed number stays there, whatever the answers", () => {
    const limiter = Concurrency.make(3)
    round(limiter, 0, 10, "strained")
    assert.strictEqual(limiter.limit(), 3)
    assert.deepStrictEqual([1, 2, 3, 4].map(() => limiter.tryTake()), [true, true, true, false])
  })

  it("grows to its bound while answers are good", () => {
    const limiter = Concurrency.make("auto", { most: 50 })
    for (let index = 0; index < 10; index++) round(limiter, index * 100, 10)
    assert.strictEqual(limiter.limit(), 50)
  })

  it("shrinks once for the calls that were out together, and then grows slowly", () => {
    const limiter = Concurrency.make("auto")
    for (let index = 0; index < 10; index++) round(limiter, index * 100, 10)
    const before = limiter.limit()
    round(limiter, 2_000, 10, "strained")
    assert.strictEqual(limiter.limit(), Math.floor(before * 0.7))
    const shrunk = limiter.limit()
    round(limiter, 3_000, 10)
    assert.isAtMost(limiter.limit(), shrunk + 1)
  })

  it("does not fall below one", () => {
    const limiter = Concurrency.make("auto")
    for (let index = 0; index < 50; index++) round(limiter, index * 100, 10, "strained")
    assert.strictEqual(limiter.limit(), 1)
  })

  it("does not grow while answers take much longer than they once did", () => {
    const limiter = Concurrency.make("auto")
    for (let index = 0; index < 2; index++) round(limiter, index * 100, 10)
    for (let index = 0; index < 5; index++) round(limiter, 1_000 + index * 1_000, 900)
    const before = limiter.limit()
    for (let index = 0; index < 5; index++) round(limiter, 10_000 + index * 1_000, 900)
    assert.strictEqual(limiter.limit(), before)
  })

  it.effect("gives a place to whoever waits longest, and passes on that of one who gave up", () =>
    Effect.gen(function*() {
      const limiter = Concurrency.make(1)
      assert.isTrue(limiter.tryTake())
      const order: Array<number> = []
      const waiting = yield* Effect.forEach([1, 2, 3], (name) =>
        Effect.fork(Effect.map(limiter.take, () => order.push(name))))
      yield* Effect.yieldNow()
      const second = waiting[1]
      if (second !== undefined) yield* Fiber.interrupt(second)
      limiter.release()
      yield* Effect.yieldNow()
      limiter.release()
      yield* Effect.yieldNow()
      assert.deepStrictEqual(order, [1, 3])
      assert.strictEqual(limiter.inFlight(), 1)
    }))
})
