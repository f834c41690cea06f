import { assert, describe, it } from "@effect/vitest"
import * as Transport from "@milepost/core/Transport"
import * as TargetGroups from "@milepost/core/TargetGroups"
import * as Ids from "@milepost/core/Ids"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Paced from "./Paced.js"

const request = TargetGroups.request({ customerId: Either.getOrThrow(Ids.customerId(1)) })

/** A paced transport, and when each call was sent. */
const paced = (callsPerSecond: number, abandon: Effect.Effect<void>) => {
  const sentAt: Array<number> = []
  const live = Transport.make(() =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      sentAt.push(now)
      return { status: 200, headers: {}, body: "", requestId: null }
    })
  )
  const transport = Paced.paced(live, callsPerSecond, abandon)
  const send = (calls: number) =>
    Effect.fork(
      Effect.all(Array.from({ length: calls }, () => Effect.either(transport.send(request))), { concurrency: "unbounded" })
    )
  return { sentAt, send }
}

describe("Paced", () => {
  it.effect("calls take turns at even intervals, however many ask at once", () =>
    Effect.gen(function*() {
      const { send, sentAt } = paced(10, Effect.never)
      const fiber = yield* send(25)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(sentAt, Array.from({ length: 25 }, (_, index) => index * 100))
    }))

  it.effect("time that nobody used is not saved up for a burst", () =>
    Effect.gen(function*() {
      const { send, sentAt } = paced(1, Effect.never)
      yield* TestClock.adjust("1 minute")
      const fiber = yield* send(2)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(sentAt, [60_000, 61_000])
    }))

  it.effect("whoever waits for a turn when the person asks to stop is not sent", () =>
    Effect.gen(function*() {
      const stop = yield* Deferred.make<void>()
      const { send, sentAt } = paced(1, Deferred.await(stop))
      const fiber = yield* send(10)
      yield* TestClock.adjust("2500 millis")
      yield* Deferred.succeed(stop, undefined)
      const ended = yield* Fiber.join(fiber)
      assert.deepStrictEqual(sentAt, [0, 1000, 2000])
      assert.deepStrictEqual(ended.map((each) => Either.isLeft(each) ? each.left._tag : "sent").slice(3), Array(7).fill("NotSent"))
    }))
})
