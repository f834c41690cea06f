import { assert, describe, it } from "@effect/vitest"
import type { Outcome } from "@milepost/core"
import type { Claimed } from "@milepost/ledger/Entry"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import type { Ledger } from "@milepost/ledger"
import { full, job, records, type Records } from "../test/jobs.js"
import { milestone } from "../test/rows.js"
import { answer, make, refused } from "../test/upstream.js"
import { afterLostAttempts, type Hold, runChunk } from "./LaneRunner.js"

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

/** A lane that can be lost, and what was told of it. */
const leased = () => {
  const told = { leftClaimed: 0, exits: 0 }
  const listeners = new Set<() => void>()
  let isHeld = true
  const hold: Hold = {
    epoch: 7,
    isShared: true,
    isHeld: () => isHeld,
    onLeave: (callback) => {
      listeners.add(callback)
      return () => {
        listeners.delete(callback)
      }
    },
    leftClaimed: () => {
      told.leftClaimed += 1
    },
    exit: () => {
      told.exits += 1
    }
  }
  return {
    told,
    listeners,
    enter: () => isHeld ? hold : null,
    /** Nobody tells: its time is over. */
    expire: () => {
      isHeld = false
    },
    leave: () => {
      isHeld = false
      for (const listener of listeners) listener()
    }
  }
}

/** A ledger that notes under which epoch outcomes were written and records given back. */
const noting = (records: Records) => {
  const epochs: Array<number | undefined> = []
  const { release, settle } = records.ledger
  const ledger: Ledger.Service = {
    ...records.ledger,
    settle: (run, settlements, epoch) => {
      epochs.push(epoch)
      return settle(run, settlements)
    },
    release: (run, seqs, epoch) => {
      epochs.push(epoch)
      return release(run, seqs)
    }
  }
  return { ledger, epochs }
}

describe("a chunk of a lane that others may take over", () => {
  it.scoped("starts nothing once the lane is not held, though nobody has told it; what was in flight is written under its epoch", () =>
    Effect.gen(function*() {
      const found = records(ten)
      const { epochs, ledger } = noting(found)
      const lane = leased()
      const upstream = make({ latencyMillis: 10 })
      const work = yield* job(ledger, upstream.transport)
      const running = yield* Effect.fork(runChunk(work, 0, lane.enter))
      yield* TestClock.adjust(5)
      lane.expire()
      yield* TestClock.adjust(5)
      assert.isFalse(yield* Fiber.join(running))
      assert.strictEqual(upstream.order.length, 4)
      assert.deepStrictEqual(ascending(found.settled.keys()), [1, 2, 3, 4])
      assert.deepStrictEqual(found.released, [5, 6, 7, 8, 9, 10])
      assert.isTrue(epochs.length > 0 && epochs.every((epoch) => epoch === 7))
      assert.deepStrictEqual(lane.told, { leftClaimed: 0, exits: 1 })
      assert.strictEqual(lane.listeners.size, 0)
    }))

  it.scoped("a call that waits for its turn does not leave any more", () =>
    Effect.gen(function*() {
      const found = records(ten)
      const lane = leased()
      const upstream = make({ latencyMillis: 10 })
      const work = yield* job(found.ledger, upstream.transport)
      work.pace.pause(1_000, "429")
      const running = yield* Effect.fork(runChunk(work, 0, lane.enter))
      yield* TestClock.adjust(500)
      lane.expire()
      yield* TestClock.adjust(600)
      assert.isFalse(yield* Fiber.join(running))
      assert.strictEqual(upstream.order.length, 0)
      assert.strictEqual(found.released.length, 10)
      assert.strictEqual(work.concurrency.inFlight(), 0)
    }))

  it.scoped("a call is not repeated once the lane is left, and told to be left claimed where it may have been executed", () =>
    Effect.gen(function*() {
      const found = records(ten)
      const lane = leased()
      const upstream = make({ latencyMillis: 10, loses: () => true })
      const work = yield* job(found.ledger, upstream.transport)
      const running = yield* Effect.fork(runChunk(work, 0, lane.enter))
      yield* TestClock.adjust(15)
      const sent = upstream.order.length
      lane.leave()
      yield* TestClock.adjust(60)
      assert.isFalse(yield* Fiber.join(running))
      assert.isAtMost(upstream.order.length, sent)
      assert.strictEqual(found.settled.size, 0)
      assert.strictEqual(found.released.length, 10 - sent)
      assert.strictEqual(lane.told.leftClaimed, sent)
    }))

  it.scoped("a claim whose answer got lost is told, and one for a lane that is lost meanwhile is not waited for", () =>
    Effect.gen(function*() {
      const found = records(ten)
      found.failing.add("claim")
      const lane = leased()
      const work = yield* job(found.ledger, make().transport)
      const running = yield* Effect.fork(runChunk(work, 0, lane.enter))
      yield* TestClock.adjust(100)
      lane.leave()
      yield* TestClock.adjust(2_000)
      assert.isFalse(yield* Fiber.join(running))
      assert.isAbove(lane.told.leftClaimed, 0)
      assert.strictEqual(lane.told.exits, 1)
      assert.isNull(work.stopped())
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
