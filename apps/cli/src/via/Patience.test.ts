import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Patience from "./Patience.js"
import { NotAnswered, ProxyRefused } from "./ProxyClient.js"

const refused = (status: number, retryAfterMillis: number | null) =>
  new ProxyRefused({ status, type: "busy", detail: "The queue is full.", retryAfterMillis })

const away = new NotAnswered({ reason: "ECONNREFUSED", mayBeDone: false, wasConnected: false })

const waits: Array<number> = []
const options = (patienceMillis: number | null) => ({
  patienceMillis: () => patienceMillis,
  waiting: (_: unknown, millis: number) => Effect.sync(() => void waits.push(millis))
})

describe("Patience", () => {
  it("waits longer each time, and never less than it was asked to", () => {
    assert.deepStrictEqual([0, 1, 2, 5, 100].map((earlier) => Patience.pauseMillis(away, earlier)), [500, 1_000, 2_000, 15_000, 15_000])
    assert.strictEqual(Patience.pauseMillis(refused(429, 40_000), 0), 40_000)
    assert.strictEqual(Patience.pauseMillis(refused(503, 86_400_000), 0), 600_000)
  })

  it.effect("asks again until it is answered, or until that has taken too long", () =>
    Effect.gen(function*() {
      waits.length = 0
      let asked = 0
      const answer = Effect.suspend(() => ++asked < 4 ? Effect.fail(refused(503, 2_000)) : Effect.succeed("yes"))
      const patient = yield* Effect.fork(Patience.patiently(answer, options(60_000)))
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual([yield* Fiber.join(patient), waits], ["yes", [2_000, 2_000, 2_000]])
      const hasty = yield* Effect.fork(Effect.flip(Patience.patiently(Effect.fail(away), options(2_000))))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(hasty), away)
    }))

  it.effect("does not ask again where that is of no use, and leaves other errors alone", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.flip(Patience.patiently(Effect.fail(away), options(null))), away)
      assert.strictEqual(yield* Effect.flip(Patience.patiently(Effect.fail("other" as const), options(60_000))), "other")
    }))
})
