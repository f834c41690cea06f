import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Patience from "./Patience.js"

const patience = Patience.within({ silenceMillis: 30_000, windowMillis: 15_000, bytesPerSecond: 100 })

/** So many bytes, so far apart. */
const coming = (bytes: number, every: Duration.DurationInput, times: number) =>
  Stream.schedule(Stream.range(1, times), Schedule.spaced(every)).pipe(Stream.map(() => new Uint8Array(bytes)))

const read = (bytes: Stream.Stream<Uint8Array>, after: Duration.DurationInput = 0) =>
  Effect.gen(function*() {
    const sum = patience(bytes, () => "slow" as const).pipe(
      Stream.tap(() => Effect.sleep(after)),
      Stream.runFold(0, (total, { length }) => total + length),
      Effect.either
    )
    const fiber = yield* Effect.fork(sum)
    yield* TestClock.adjust("400 seconds")
    return yield* Fiber.join(fiber)
  })

describe("Patience", () => {
  it.effect("waits for who sends fast enough, and for pauses", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* read(coming(200, "1 seconds", 100)), { right: 20_000 })
      assert.deepInclude(yield* read(coming(10_000, "29 seconds", 4)), { right: 40_000 })
    }))

  it.effect("cuts off who drips, however often", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* read(coming(1, "1 seconds", 400)), { left: "slow" })
      assert.deepInclude(yield* read(coming(1, "29 seconds", 10)), { left: "slow" })
      assert.deepInclude(yield* read(coming(90, "1 seconds", 400)), { left: "slow" })
    }))

  it.effect("cuts off who falls silent", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* read(Stream.concat(coming(1_000_000, "1 seconds", 1), Stream.never)), { left: "slow" })
    }))

  it.effect("does not take its own slowness for the client's", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* read(coming(1, "10 millis", 20), "10 seconds"), { right: 20 })
    }))
})
