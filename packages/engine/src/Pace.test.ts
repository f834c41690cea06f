import { assert, describe, it } from "@effect/vitest"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Pace from "./Pace.js"

const never = Effect.never

/** Turns taken one after another from this moment on, as moments. */
const turns = (pace: Pace.Pace, count: number, from = 0): ReadonlyArray<number> => {
  let now = from
  return Array.from({ length: count }, () => {
    now = Math.max(now, pace.turn(now))
    return now
  })
}

describe("a pace", () => {
  it("without a limit lets everybody go at once", () => {
    const pace = Pace.make({ nowMillis: 0 })
    assert.deepStrictEqual(turns(pace, 3), [0, 0, 0])
    assert.isNull(pace.rate())
  })

  it("holds a rate, with a tenth of a second saved up", () => {
    const taken = turns(Pace.make({ nowMillis: 0, callsPerSecond: 100 }), 1011)
    assert.strictEqual(taken.filter((moment) => moment === 0).length, 11)
    assert.strictEqual(taken.at(-1), 10_000)
  })

  it("saves up no more than a tenth of a second, however long nobody called", () => {
    const pace = Pace.make({ nowMillis: 0, callsPerSecond: 10 })
    assert.deepStrictEqual(turns(pace, 4, 60_000), [60_000, 60_000, 60_100, 60_200])
  })

  it("tells how many turns could be taken at once", () => {
    assert.isNull(Pace.make({ nowMillis: 0 }).left(0))
    const pace = Pace.make({ nowMillis: 0, callsPerSecond: 100 })
    for (let left = pace.left(0) ?? 0; left > 0; left--) {
      assert.strictEqual(pace.left(0), left)
      assert.isAtMost(pace.turn(0), 0)
    }
    assert.isAbove(pace.turn(0), 0)
    assert.strictEqual(pace.left(1_000), 11)
    pace.pause(5_000, "429")
    assert.strictEqual(pace.left(2_000), 0)
    pace.crawl(1_000, "down")
    assert.strictEqual(pace.left(5_000), 1)
    pace.turn(5_000)
    assert.strictEqual(pace.left(5_000), 0)
  })

  it("stops everybody until a 429's Retry-After is over, and never shortens a pause", () => {
    const pace = Pace.make({ nowMillis: 0 })
    pace.refused(1_000, 900, 12_000)
    pace.refused(1_001, 950, 2_000)
    assert.deepStrictEqual(pace.paused(1_500), { untilMillis: 13_000, why: "429" })
    assert.strictEqual(pace.turn(1_500), 13_000)
    assert.isNull(pace.paused(13_000))
  })

  it("waits ever longer where a 429 says nothing of a wait, and forgets it after a success", () => {
    const pace = Pace.make({ nowMillis: 0 })
    pace.refused(0, 0, null)
    pace.refused(1_000, 1_000, null)
    pace.refused(3_000, 3_000, null)
    assert.strictEqual(pace.paused(3_000)?.untilMillis, 7_000)
    pace.accepted(7_000)
    pace.refused(8_000, 7_500, null)
    assert.strictEqual(pace.paused(8_000)?.untilMillis, 9_000)
  })

  it("learns the rate from what was accepted between two refusals, the pause included", () => {
    const pace = Pace.make({ nowMillis: 0 })
    for (let call = 0; call < 600; call++) pace.accepted(call * 10)
    pace.refused(6_000, 5_990, 54_000)
    assert.strictEqual(pace.learnt(), 10)
    assert.strictEqual(pace.rate(), 10)
  })

  it("counts the refusals of calls that were out together once", () => {
    const pace = Pace.make({ nowMillis: 0 })
    for (let call = 0; call < 100; call++) pace.accepted(call)
    pace.refused(1_000, 900, 9_000)
    const learnt = pace.learnt()
    for (let call = 0; call < 60; call++) pace.refused(1_010 + call, 905 + call, null)
    assert.strictEqual(pace.learnt(), learnt)
    assert.strictEqual(pace.paused(1_100)?.untilMillis, 10_000)
  })

  it("tries a little more when nothing was refused for half a minute, but never more than it was given", () => {
    const pace = Pace.make({ nowMillis: 0, callsPerSecond: 11, learntBefore: 10 })
    pace.accepted(30_000)
    assert.closeTo(pace.rate() ?? 0, 10.5, 1e-9)
    pace.accepted(31_000)
    assert.closeTo(pace.rate() ?? 0, 10.5, 1e-9)
    pace.accepted(60_000)
    assert.strictEqual(pace.rate(), 11)
  })

  it.effect("makes who waits for a turn wait for a pause that begins meanwhile", () =>
    Effect.gen(function*() {
      const pace = Pace.make({ nowMillis: 0 })
      const waiting = yield* Effect.fork(Pace.wait(pace, 500, never))
      yield* TestClock.adjust(200)
      pace.pause(3_000, "429")
      yield* TestClock.adjust(2_799)
      assert.isNull(yield* Fiber.poll(waiting).pipe(Effect.map((exit) => exit._tag === "None" ? null : exit)))
      yield* TestClock.adjust(1)
      assert.isTrue(yield* Fiber.join(waiting))
    }))

  it.effect("lets go of who waits when the run stops", () =>
    Effect.gen(function*() {
      const pace = Pace.make({ nowMillis: 0 })
      pace.pause(3_000, "429")
      const waiting = yield* Effect.fork(Pace.wait(pace, pace.turn(0), Effect.sleep(100)))
      yield* TestClock.adjust(100)
      assert.isFalse(yield* Fiber.join(waiting))
    }))

  it.effect("in an outage lets one go at a time, and everybody at once when it is over", () =>
    Effect.gen(function*() {
      const pace = Pace.make({ nowMillis: 0 })
      pace.crawl(1_000, "502")
      const gone: Array<number> = []
      for (let call = 0; call < 10; call++) {
        yield* Effect.fork(Effect.flatMap(Pace.wait(pace, pace.turn(0), never), () =>
          Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => gone.push(now)))))
      }
      yield* TestClock.adjust(2_500)
      assert.deepStrictEqual(gone, [0, 1_000, 2_000])
      assert.deepInclude(pace.waiting(2_500), { why: "502" })
      pace.crawl(null, "")
      yield* TestClock.adjust(1_000)
      assert.strictEqual(gone.length, 10)
      assert.isNull(pace.waiting(3_500))
    }))

  it.effect("does not stand still because somebody sets the machine's clock back by an hour", () =>
    Effect.gen(function*() {
      const clock = yield* Effect.clock
      const back = Object.assign(Object.create(clock) as Clock.Clock, {
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() - 3_600_000,
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos()
      })
      const pace = Pace.make({ nowMillis: 0, callsPerSecond: 10 })
      const waiting = yield* Effect.fork(Effect.withClock(Pace.wait(pace, 500, never), back))
      yield* TestClock.adjust(500)
      assert.isTrue((yield* Fiber.poll(waiting))._tag === "Some")
    }))

  it("follows a ceiling that moves, and what was learnt stays below it", () => {
    let members = 1
    const pace = Pace.make({ nowMillis: 0, callsPerSecond: () => 100 / members })
    assert.strictEqual(pace.rate(), 100)
    members = 4
    assert.strictEqual(pace.rate(), 25)
    const learning = Pace.make({ nowMillis: 0, callsPerSecond: () => 100 / members, learntBefore: 40 })
    assert.strictEqual(learning.rate(), 25)
    members = 2
    assert.strictEqual(learning.rate(), 40)
  })
})
