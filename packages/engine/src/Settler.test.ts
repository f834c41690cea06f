import { assert, describe, it } from "@effect/vitest"
import type { Settlement } from "@milepost/ledger/Entry"
import * as LedgerError from "@milepost/ledger/LedgerError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Settler from "./Settler.js"

const full = new LedgerError.LedgerUnwritable({ path: "ledger.db", reason: "the disk is full" })
const damaged = new LedgerError.LedgerDamaged({ path: "ledger.db", reason: "it is cut off" })

const settlement = (seq: number): Settlement =>
  ({ seq, outcome: { outcome: "enrolled", warnings: [], attempts: 1, requestId: null } })

const seqs = (settlements: ReadonlyArray<Settlement>): ReadonlyArray<number> => settlements.map(({ seq }) => seq)

/** A settler that runs, what it has written group by group, and how its ledger fails. */
const running = Effect.gen(function*() {
  const groups: Array<ReadonlyArray<number>> = []
  const reported: Array<number> = []
  let failure: LedgerError.StorageError | null = null
  const settler = Settler.make({
    ledger: {
      settle: (_, settlements) =>
        Effect.suspend(() => {
          if (failure !== null) return Effect.fail(failure)
          groups.push(seqs(settlements))
          return Effect.succeed({ settled: settlements.length, ignored: [] })
        })
    },
    run: "a",
    patience: Duration.seconds(10),
    groupSize: 3,
    delayMillis: 100,
    onSettled: (settlements) => reported.push(...seqs(settlements))
  })
  const fiber = yield* Effect.fork(settler.run)
  const failWith = (error: LedgerError.StorageError | null): void => {
    failure = error
  }
  return { fiber, groups, reported, settler, failWith }
})

describe("a settler", () => {
  it.effect("writes a group once it is full, and a smaller one after its delay", () =>
    Effect.gen(function*() {
      const { groups, reported, settler } = yield* running
      for (const seq of [1, 2, 3]) settler.offer(settlement(seq))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(groups, [[1, 2, 3]])
      settler.offer(settlement(4))
      yield* TestClock.adjust(99)
      assert.strictEqual(groups.length, 1)
      settler.offer(settlement(5))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(groups, [[1, 2, 3], [4, 5]])
      assert.deepStrictEqual(reported, [1, 2, 3, 4, 5])
    }))

  it.effect("who waits for what he offered does not wait for company", () =>
    Effect.gen(function*() {
      const { groups, settler } = yield* running
      yield* settler.flushed
      settler.offer(settlement(1))
      const waiting = yield* Effect.fork(settler.flushed)
      yield* TestClock.adjust(0)
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(groups, [[1]])
    }))

  it.effect("waits for a ledger that cannot be written, reports nothing before, and says why", () =>
    Effect.gen(function*() {
      const { failWith, groups, reported, settler } = yield* running
      failWith(full)
      settler.offer(settlement(1))
      const waiting = yield* Effect.fork(settler.flushed)
      yield* TestClock.adjust(1000)
      assert.strictEqual(settler.trouble(), full.message)
      assert.deepStrictEqual(reported, [])
      const ready = yield* Effect.fork(settler.untilReady)
      yield* TestClock.adjust(0)
      failWith(null)
      yield* TestClock.adjust(3000)
      yield* Fiber.join(waiting)
      yield* Fiber.join(ready)
      assert.isNull(settler.trouble())
      assert.deepStrictEqual(groups, [[1]])
    }))

  it.effect("ends with what does not pass, and lets everybody go who waits", () =>
    Effect.gen(function*() {
      const { failWith, fiber, reported, settler } = yield* running
      failWith(damaged)
      settler.offer(settlement(1))
      yield* settler.flushed
      assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), damaged)
      yield* settler.untilReady
      yield* settler.flushed
      assert.deepStrictEqual(reported, [])
    }))

  it.effect("does not wait longer than it is patient", () =>
    Effect.gen(function*() {
      const { failWith, fiber, settler } = yield* running
      failWith(full)
      settler.offer(settlement(1))
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* Effect.flip(Fiber.join(fiber)), full)
    }))
})
