import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { Pause } from "./Pace.js"
import * as Progress from "./Progress.js"

const none = { enrolled: 0, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0 }

const make = (limit: number | null = null, waiting: Pause | null = null) =>
  Progress.make({
    total: 100,
    outcomes: none,
    limitPerSecond: () => limit,
    inFlight: () => 3,
    concurrency: () => 8,
    waiting: () => waiting
  }, 0)

describe("a histogram", () => {
  it("knows every quantile within a tenth, in whatever order values come", () => {
    const histogram = Progress.histogram()
    for (let index = 0; index < 1000; index++) histogram.add((index * 617) % 1000 + 1)
    for (const share of [0.5, 0.95, 0.99]) {
      const value = histogram.quantile(share) ?? 0
      assert.isAtLeast(value, share * 1000 * 0.99)
      assert.isAtMost(value, share * 1000 * 1.11)
    }
  })

  it("holds a time of nothing and one of days", () => {
    const histogram = Progress.histogram()
    assert.isNull(histogram.quantile(0.5))
    histogram.add(0)
    histogram.add(1e9)
    assert.strictEqual(histogram.quantile(0.5), 0.5)
    assert.isAbove(histogram.quantile(1) ?? 0, 3_600_000)
  })
})

describe("progress", () => {
  it("tells the speed of the last ten seconds, and how long the rest takes at it", () => {
    const progress = make()
    for (let call = 0; call < 40; call++) {
      progress.called(5, call * 250)
      progress.settled("enrolled")
    }
    const { callsPerSecond, done, etaSeconds } = progress.snapshot(10_000)
    assert.strictEqual(done, 40)
    assert.closeTo(callsPerSecond, 4, 0.5)
    assert.closeTo(etaSeconds ?? 0, 15, 2)
    assert.strictEqual(progress.snapshot(60_000).callsPerSecond, 0)
    assert.isNull(progress.snapshot(60_000).etaSeconds)
  })

  it("goes by the limit where there is one, behind the pause that is on", () => {
    const progress = make(10, { untilMillis: 12_000, why: "429" })
    const snapshot = progress.snapshot(0)
    assert.strictEqual(snapshot.etaSeconds, 22)
    assert.strictEqual(Progress.waitingLine(snapshot), "paused 12 s: 429")
    assert.isNull(Progress.waitingLine(make().snapshot(0)))
  })

  it("counts outcomes by word", () => {
    const progress = make()
    progress.settled("skipped", 30)
    progress.settled("rejected")
    assert.deepStrictEqual(progress.snapshot(0).outcomes, { ...none, skipped: 30, rejected: 1 })
    assert.strictEqual(progress.snapshot(0).done, 31)
  })

  it.effect("comes as a stream of pictures", () =>
    Effect.gen(function*() {
      const progress = make()
      const watching = yield* Effect.fork(Stream.runCollect(Stream.take(Progress.changes(progress, "5 seconds"), 2)))
      yield* TestClock.adjust("5 seconds")
      progress.settled("enrolled")
      yield* TestClock.adjust("5 seconds")
      const pictures = Chunk.toReadonlyArray(yield* Fiber.join(watching))
      assert.deepStrictEqual(pictures.map(({ atMillis, done }) => [atMillis, done]), [[5_000, 0], [10_000, 1]])
    }))
})
