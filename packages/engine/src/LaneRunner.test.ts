import { assert, describe, it } from "@effect/vitest"
import type { Outcome } from "@milepost/core"
import type { Claimed } from "@milepost/ledger/Entry"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { full, job, records } from "../test/jobs.js"
import { milestone } from "../test/rows.js"
import { answer, make, refused } from "../test/upstream.js"
import { afterLostAttempts, runChunk } from "./LaneRunner.js"

const claimed = (customers: ReadonlyArray<number>, lostAttempts = 0): ReadonlyArray<Claimed> =>
  customers.map((customer, index) => ({
    seq: index + 1,
    request: milestone(customer, `P${index}`),
    attempts: 0,
    lostAttempts
  }))

const ten = claimed([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])

const rejected: Outcome.Rejected = {
  outcome: "rejected",
  code: 310018,
  tag: "TargetNotFound",
  message: "no",
  blastRadius: "target",
  afterAmbiguousAttempt: false,
  attempts: 1,
  requestId: null
}

const ascending = (seqs: Iterable<number>): ReadonlyArray<number> => [...seqs].sort((left, right) => left - right)

describe("a lane's chunk", () => {
  it.scoped("is over when its outcomes are on disk, and says when the lane has no more", () =>
    Effect.gen(function*() {
      const { ledger, released, settled } = records(ten)
      const upstream = make({ latencyMillis: 10 })
      const work = yield* job(ledger, upstream.transport)
      const running = yield* Effect.fork(runChunk(work, 0))
      yield* TestClock.adjust(30)
      assert.isTrue(yield* Fiber.join(running))
      assert.strictEqual(upstream.mostInFlight(), 4)
      assert.strictEqual(settled.size, 10)
      assert.deepStrictEqual(released, [])
      assert.isFalse(yield* runChunk(work, 0))
    }))

  it.scoped("sends the records of one customer in their order, one at a time", () =>
    Effect.gen(function*() {
      const { ledger } = records(claimed([1, 2, 1, 1, 2]))
      const upstream = make({ latencyMillis: 10 })
      const running = yield* Effect.fork(runChunk(yield* job(ledger, upstream.transport), 0))
      yield* TestClock.adjust(30)
      yield* Fiber.join(running)
      assert.strictEqual(upstream.overlapped.size, 0)
      assert.deepStrictEqual(
        upstream.order.filter(({ customerId }) => customerId === 1).map(({ body }) => /P\d/.exec(body ?? "")?.[0]),
        ["P0", "P2", "P3"]
      )
    }))

  it.scoped("passes its turn on once nothing of it waits any more, before its last calls are back", () =>
    Effect.gen(function*() {
      const { ledger } = records(ten)
      const upstream = make({ latencyMillis: 10 })
      const work = yield* job(ledger, upstream.transport, { chunkSize: 5 })
      const first = yield* Effect.fork(runChunk(work, 0))
      const second = yield* Effect.fork(runChunk(work, 1))
      yield* TestClock.adjust(10)
      assert.strictEqual(upstream.order.length, 8)
      yield* TestClock.adjust(20)
      yield* Fiber.joinAll([first, second])
      assert.strictEqual(upstream.mostInFlight(), 4)
    }))

  it.scoped("ends whatever its size while the number of places grows under it", () =>
    Effect.gen(function*() {
      for (let size = 1; size <= 40; size++) {
        const { ledger, settled } = records(claimed(Array.from({ length: size }, (_, index) => index + 1)))
        const upstream = make({ latencyMillis: 1 })
        const running = yield* Effect.fork(runChunk(yield* job(ledger, upstream.transport, { places: "auto" }), 0))
        yield* TestClock.adjust(60)
        assert.isTrue((yield* Fiber.poll(running))._tag === "Some", `of ${size} records`)
        assert.strictEqual(settled.size, size)
      }
    }))

  it.scoped("a run that stops starts nothing new, writes down what was in flight and gives the rest back", () =>
    Effect.gen(function*() {
      const { ledger, released, settled } = records(ten)
      const upstream = make({ latencyMillis: 10 })
      const work = yield* job(ledger, upstream.transport)
      const running = yield* Effect.fork(runChunk(work, 0))
      yield* TestClock.adjust(5)
      work.stop({ state: "interrupted", reason: "cancelled", message: "Ctrl-C" })
      yield* TestClock.adjust(5)
      assert.isFalse(yield* Fiber.join(running))
      assert.deepStrictEqual(ascending(settled.keys()), [1, 2, 3, 4])
      assert.deepStrictEqual(released, [5, 6, 7, 8, 9, 10])
    }))

  it.scoped("who interrupts it waits for the calls in flight and their outcomes", () =>
    Effect.gen(function*() {
      const { ledger, released, settled } = records(ten)
      const upstream = make({ latencyMillis: 10 })
      const running = yield* Effect.fork(runChunk(yield* job(ledger, upstream.transport), 0))
      yield* TestClock.adjust(5)
      const interrupting = yield* Effect.fork(Fiber.interrupt(running))
      yield* TestClock.adjust(4)
      assert.strictEqual(released.length, 0)
      yield* TestClock.adjust(1)
      yield* Fiber.join(interrupting)
      assert.strictEqual(settled.size, 4)
      assert.strictEqual(released.length, 6)
      assert.strictEqual(upstream.order.length, 4)
    }))

  it.scoped("a record between two attempts does not hold the others up, and is left claimed when the run stops", () =>
    Effect.gen(function*() {
      const { ledger, released, settled } = records(ten)
      const upstream = make({
        latencyMillis: 10,
        refuses: ({ customerId }) => customerId <= 4 ? answer(500, {}) : null
      })
      const work = yield* job(ledger, upstream.transport)
      const running = yield* Effect.fork(runChunk(work, 0))
      yield* TestClock.adjust(40)
      work.stop({ state: "interrupted", reason: "cancelled", message: "Ctrl-C" })
      yield* TestClock.adjust(10)
      yield* Fiber.join(running)
      assert.deepStrictEqual(ascending(settled.keys()), [5, 6, 7, 8, 9, 10])
      assert.deepStrictEqual(released, [])
    }))

  it.scoped("what was condemned is skipped, unless it may have been executed", () =>
    Effect.gen(function*() {
      const fresh = records(ten)
      const upstream = make({ refuses: () => refused(310018) })
      const work = yield* job(fresh.ledger, upstream.transport, { fuse: true, places: 1 })
      const running = yield* Effect.fork(runChunk(work, 0))
      yield* TestClock.adjust(100)
      yield* Fiber.join(running)
      assert.strictEqual(upstream.order.length, 3)
      const words = [...fresh.settled.values()].map(({ outcome }) => outcome)
      assert.deepStrictEqual(words.filter((word) => word === "skipped").length, 7)

      const lost = records(claimed([1, 2, 3, 4, 5, 6], 1))
      const again = make({ refuses: () => refused(310018) })
      const repeating = yield* Effect.fork(runChunk(yield* job(lost.ledger, again.transport, { fuse: true, places: 1 }), 0))
      yield* TestClock.adjust(100)
      yield* Fiber.join(repeating)
      assert.strictEqual(again.order.length, 6)
    }))

  it.scoped("a ledger that cannot be read ends the job, not the owner of the lane", () =>
    Effect.gen(function*() {
      const { failing, ledger } = records(ten)
      failing.add("claim")
      const work = yield* job(ledger, make().transport)
      const running = yield* Effect.fork(runChunk(work, 0))
      yield* TestClock.adjust("20 seconds")
      assert.isFalse(yield* Fiber.join(running))
      assert.strictEqual(yield* Effect.flip(work.failed), full)
    }))

  it.scoped("a bug under a call comes out, after the answers to the other calls", () =>
    Effect.gen(function*() {
      const { ledger, settled } = records(ten)
      const upstream = make({ latencyMillis: 10 })
      const work = yield* job(ledger, {
        send: (request) => request.customerId === 4 ? Effect.dieMessage("a bug") : upstream.transport.send(request)
      })
      const running = yield* Effect.fork(runChunk(work, 0))
      yield* TestClock.adjust(10)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(running)))
      assert.deepStrictEqual(ascending(settled.keys()), [1, 2, 3])
    }))
})

describe("an outcome after an attempt that got lost", () => {
  it("may be that attempt's: already enrolled, or refused for the record's sake", () => {
    assert.deepStrictEqual(afterLostAttempts(rejected), { ...rejected, afterAmbiguousAttempt: true })
  })

  it("a refusal of the gateway says nothing of it", () => {
    const { outcome } = afterLostAttempts({ ...rejected, code: 403, tag: "Forbidden" })
    assert.strictEqual(outcome, "unknown")
  })
})
