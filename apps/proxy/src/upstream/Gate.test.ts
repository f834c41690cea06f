import { assert, describe, it } from "@effect/vitest"
import * as Ids from "@milepost/core/Ids"
import * as Transport from "@milepost/core/Transport"
import { NoAnswer } from "@milepost/core/TransportError"
import * as Pace from "@milepost/engine/Pace"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Gate from "./Gate.js"

const request = (customer: number, timeoutMillis?: number): Transport.Request => ({
  operation: "enroll",
  method: "POST",
  path: "/x",
  body: "[]",
  customerId: Either.getOrThrow(Ids.customerId(customer)),
  timeoutMillis
})

const answer = (status: number, headers: Transport.Response["headers"] = {}): Transport.Response => ({ status, headers, body: "", requestId: null })

/** A transport whose calls are answered by the test, in the order in which they left. */
const scripted = () => {
  const left: Array<{ readonly customer: number; readonly timeoutMillis: number | undefined; readonly reply: Deferred.Deferred<Transport.Response, NoAnswer> }> = []
  const transport = Transport.make(({ customerId, timeoutMillis }) =>
    Effect.flatMap(Deferred.make<Transport.Response, NoAnswer>(), (reply) => {
      left.push({ customer: customerId, timeoutMillis, reply })
      return Deferred.await(reply)
    }))
  return {
    transport,
    customers: () => left.map(({ customer }) => customer),
    timeouts: () => left.map(({ timeoutMillis }) => timeoutMillis),
    reply: (index: number, response = answer(200)) => Deferred.succeed(left[index]!.reply, response)
  }
}

const made = (inner: Transport.Service, limits: Gate.Limits) => Gate.make({ inner, limits, watch: () => undefined })

/** A gate whose pace another process moves as well. */
const sharing = (inner: Transport.Service, limits: Gate.Limits, around: (pace: Pace.Pace) => Pace.Pace = (pace) => pace) =>
  Effect.gen(function*() {
    let made: { readonly pace: Pace.Pace; readonly asked: Parameters<Gate.MakePace>[0] } | null = null
    const gate = yield* Gate.make({
      inner,
      limits,
      watch: () => undefined,
      pace: (asked) => {
        const pace = around(Pace.make(asked))
        made = { pace, asked }
        return pace
      }
    })
    const elsewhere = (move: (pace: Pace.Pace) => void): void => {
      if (made !== null) {
        move(made.pace)
        made.asked.onMoved()
      }
    }
    return { gate, elsewhere, waiting: () => made?.asked.waiting() }
  })

const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow(), { discard: true })

describe("Gate", () => {
  it.effect("tells how many calls the rate lets go at once, and nothing where there is no rate", () =>
    Effect.gen(function*() {
      const { reply, transport } = scripted()
      assert.isNull((yield* made(transport, { callsPerSecond: null, concurrency: 8 })).snapshot().turnsLeft)
      const gate = yield* made(transport, { callsPerSecond: 20, concurrency: 8 })
      assert.strictEqual(gate.snapshot().turnsLeft, 3)
      for (const customer of [1, 2, 3, 4, 5]) yield* Effect.fork(gate.interactive.send(request(customer)))
      yield* settle
      assert.deepInclude(gate.snapshot(), { turnsLeft: 0, inFlight: 3, waitingInteractive: 2 })
      yield* TestClock.adjust("1 second")
      assert.deepInclude(gate.snapshot(), { turnsLeft: 3, inFlight: 5 })
      for (let index = 0; index < 5; index++) yield* reply(index)
    }))

  it.effect("records of a batch go behind people and before jobs, and calls without a fiber are people's", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 1 })
      yield* Effect.fork(gate.interactive.send(request(1)))
      yield* settle
      yield* Effect.fork(gate.job().transport.send(request(31)))
      yield* Effect.fork(gate.batch.send(request(21)))
      yield* settle
      const ended: Array<string> = []
      gate.begin(request(2), ({ _tag }) => ended.push(_tag))
      const takeBack = gate.begin(request(3), ({ _tag }) => ended.push(_tag))
      assert.deepInclude(gate.snapshot(), { waitingInteractive: 3, waitingJobs: 1 })
      assert.isTrue(takeBack())
      assert.isFalse(takeBack())
      for (let index = 0; index < 4; index++) {
        yield* reply(index)
        yield* settle
      }
      assert.deepStrictEqual(customers(), [1, 2, 21, 31])
      assert.deepStrictEqual(ended, ["Success"])
      assert.deepInclude(gate.snapshot(), { inFlight: 0, waitingInteractive: 0, waitingJobs: 0 })
    }))

  it.effect("is overrun when a queue stands for seconds, and not by a burst", () =>
    Effect.gen(function*() {
      const { reply, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 1 })
      const overrun: Array<boolean> = []
      let come = 0
      for (let tenth = 0; tenth < 40; tenth++) {
        for (let each = 0; each < 2; each++) if (!gate.isOverrun()) gate.begin(request(++come), () => undefined)
        yield* settle
        yield* reply(tenth)
        yield* settle
        yield* TestClock.adjust("100 millis")
        overrun.push(gate.isOverrun())
      }
      assert.isFalse(overrun.slice(0, 19).includes(true))
      assert.isTrue(overrun.slice(20).includes(true))
      assert.isAtMost(gate.snapshot().waitingInteractive, 24)
    }))

  it.effect("interactive calls go before those of jobs, and jobs take turns", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 1 })
      const [one, two] = [gate.job(), gate.job()]
      yield* Effect.fork(gate.interactive.send(request(1)))
      for (const id of [11, 12, 13]) yield* Effect.fork(one.transport.send(request(id)))
      for (const id of [21, 22]) yield* Effect.fork(two.transport.send(request(id)))
      yield* Effect.fork(gate.interactive.send(request(2)))
      yield* settle
      for (let index = 0; index < 7; index++) {
        yield* reply(index)
        yield* settle
      }
      assert.deepStrictEqual(customers(), [1, 2, 11, 21, 12, 22, 13])
      assert.deepInclude(gate.snapshot(), { inFlight: 0, waitingInteractive: 0, waitingJobs: 0 })
    }))

  it.effect("a call goes at the pace of the organisation, and its wait is taken off its time", () =>
    Effect.gen(function*() {
      const { customers, timeouts, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: 1, concurrency: 8 })
      yield* TestClock.adjust("1 second")
      for (const id of [1, 2, 3]) yield* Effect.forkDaemon(gate.interactive.send(request(id, 10_000)))
      yield* settle
      const first = customers().length
      yield* TestClock.adjust("3 seconds")
      yield* settle
      assert.isBelow(first, 3)
      assert.deepStrictEqual(customers(), [1, 2, 3])
      assert.isBelow(timeouts()[2] ?? 10_000, 9_500)
    }))

  it.effect("who has no turn in time is told so, and was not sent", () =>
    Effect.gen(function*() {
      const { customers, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 1 })
      yield* Effect.forkDaemon(gate.interactive.send(request(1, 60_000)))
      const waiting = yield* Effect.fork(gate.interactive.send(request(2, 2_000)))
      yield* settle
      yield* TestClock.adjust("4 seconds")
      const error = yield* Effect.flip(Fiber.join(waiting))
      assert.deepInclude(error, { _tag: "NotSent", reason: "Closed" })
      assert.deepStrictEqual(customers(), [1])
    }))

  it.effect("a 429 stops everybody, and a job's call goes again by itself", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 8 })
      const job = yield* Effect.fork(gate.job().transport.send(request(1)))
      yield* settle
      yield* reply(0, answer(429, { "retry-after": "5" }))
      yield* settle
      const person = yield* Effect.fork(gate.interactive.send(request(2, 60_000)))
      yield* settle
      assert.deepStrictEqual(customers(), [1])
      assert.isAtLeast(gate.expectedWaitMillis(), 4_000)
      yield* TestClock.adjust("6 seconds")
      yield* settle
      assert.sameMembers([...customers()], [1, 1, 2])
      yield* reply(1)
      yield* reply(2)
      assert.strictEqual((yield* Fiber.join(job)).status, 200)
      assert.strictEqual((yield* Fiber.join(person)).status, 200)
    }))

  it.effect("an upstream that is down is said to be so, tried again by one call at a time, and found again", () =>
    Effect.gen(function*() {
      let status = 200
      let calls = 0
      const gate = yield* made(
        Transport.make(() =>
          Effect.sync(() => {
            calls += 1
            return answer(status)
          })
        ),
        { callsPerSecond: null, concurrency: 8 }
      )
      yield* gate.interactive.send(request(1))
      status = 502
      for (let id = 2; id < 40 && gate.closed() === null; id++) yield* gate.interactive.send(request(id))
      assert.deepInclude(gate.snapshot().breaker, { why: "502" })
      const before = calls
      assert.isNotNull(gate.closed())
      yield* TestClock.adjust("10 seconds")
      assert.isNull(gate.closed())
      yield* gate.interactive.send(request(50))
      assert.strictEqual(calls, before + 1)
      assert.isNotNull(gate.closed())
      status = 200
      yield* TestClock.adjust("10 seconds")
      yield* gate.interactive.send(request(51))
      assert.isNull(gate.closed())
      assert.isNull(gate.snapshot().breaker)
    }))

  it.effect("a job that stops takes back what waits, and lets go of nothing that has left", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 1 })
      const job = gate.job()
      const inFlight = yield* Effect.fork(job.transport.send(request(1)))
      const waiting = yield* Effect.fork(job.transport.send(request(2)))
      yield* settle
      job.close()
      assert.deepInclude(yield* Effect.flip(Fiber.join(waiting)), { _tag: "NotSent", reason: "Closed" })
      assert.deepInclude(yield* Effect.flip(job.transport.send(request(3))), { _tag: "NotSent", reason: "Closed" })
      yield* reply(0)
      assert.strictEqual((yield* Fiber.join(inFlight)).status, 200)
      assert.deepStrictEqual(customers(), [1])
    }))

  it.effect("who goes away while he waits takes no place with him", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 1 })
      yield* Effect.fork(gate.interactive.send(request(1)))
      const gone = yield* Effect.fork(gate.interactive.send(request(2)))
      yield* Effect.fork(gate.interactive.send(request(3)))
      yield* settle
      yield* Fiber.interrupt(gone)
      yield* reply(0)
      yield* settle
      yield* reply(1)
      yield* settle
      assert.deepStrictEqual(customers(), [1, 3])
      assert.strictEqual(gate.snapshot().inFlight, 0)
    }))

  it.effect("other limits hold from the next call on", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const gate = yield* made(transport, { callsPerSecond: null, concurrency: 1 })
      for (const id of [1, 2, 3]) yield* Effect.fork(gate.interactive.send(request(id)))
      yield* settle
      gate.replace(transport, { callsPerSecond: null, concurrency: 4 })
      yield* settle
      assert.deepStrictEqual(customers(), [1, 2, 3])
      for (const index of [0, 1, 2]) yield* reply(index)
      yield* settle
      assert.deepInclude(gate.snapshot(), { inFlight: 0, places: 4 })
    }))

  it.effect("takes the upstream for down when another process does, tells who waits, and goes on when it is found again anywhere", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const { elsewhere, gate } = yield* sharing(transport, { callsPerSecond: null, concurrency: 1 })
      yield* Effect.fork(gate.interactive.send(request(1)))
      yield* settle
      const waiting = yield* Effect.fork(gate.interactive.send(request(2)))
      yield* Effect.fork(gate.job().transport.send(request(11)))
      yield* settle
      elsewhere((pace) => pace.crawl(1_000, "502"))
      assert.deepInclude(yield* Effect.flip(Fiber.join(waiting)), { _tag: "NotSent", reason: "Closed" })
      assert.deepInclude(gate.snapshot(), { waitingInteractive: 0, waitingJobs: 1 })
      assert.deepInclude(gate.snapshot().breaker, { why: "502" })
      assert.deepInclude(gate.closed(), { why: "502" })
      elsewhere((pace) => pace.crawl(null, ""))
      assert.isNull(gate.closed())
      assert.isNull(gate.snapshot().breaker)
      yield* reply(0)
      yield* settle
      assert.deepStrictEqual(customers(), [1, 11])
      // It does not take one more failure for the outage that was.
      yield* reply(1, answer(502))
      yield* settle
      assert.isNull(gate.snapshot().breaker)
    }))

  it.effect("that found the upstream down needs as many failures again once another process has found it up", () =>
    Effect.gen(function*() {
      let status = 200
      const { elsewhere, gate } = yield* sharing(Transport.make(() => Effect.sync(() => answer(status))), { callsPerSecond: null, concurrency: 8 })
      yield* gate.interactive.send(request(1))
      status = 502
      for (let id = 2; id < 40 && gate.closed() === null; id++) yield* gate.interactive.send(request(id))
      assert.isNotNull(gate.snapshot().breaker)
      elsewhere((pace) => pace.crawl(null, ""))
      assert.isNull(gate.snapshot().breaker)
      yield* gate.interactive.send(request(50))
      assert.isNull(gate.snapshot().breaker)
    }))

  it.effect("waits for the pause of a 429 that another process met", () =>
    Effect.gen(function*() {
      const { customers, transport } = scripted()
      const { elsewhere, gate } = yield* sharing(transport, { callsPerSecond: null, concurrency: 8 })
      elsewhere((pace) => pace.pause(5_000, "429"))
      yield* Effect.forkDaemon(gate.interactive.send(request(1, 20_000)))
      yield* settle
      assert.strictEqual(gate.snapshot().pausedMillis, 5_000)
      yield* TestClock.adjust("4900 millis")
      assert.deepStrictEqual(customers(), [])
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(customers(), [1])
    }))

  it.effect("keeps calls back while nobody knows of a turn, and lets them go when it is told of some", () =>
    Effect.gen(function*() {
      const { customers, transport } = scripted()
      let turns = 0
      const { elsewhere, gate, waiting } = yield* sharing(transport, { callsPerSecond: 10, concurrency: 8 }, (pace) => ({
        ...pace,
        turn: (at) => turns-- > 0 ? at + 50 : Number.POSITIVE_INFINITY
      }))
      yield* Effect.forkDaemon(gate.interactive.send(request(1, 20_000)))
      yield* Effect.forkDaemon(gate.interactive.send(request(2, 20_000)))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(customers(), [])
      assert.strictEqual(waiting(), 2)
      elsewhere(() => {
        turns = 1
      })
      assert.strictEqual(waiting(), 1)
      // At its moment, and not when it would have been looked next.
      yield* TestClock.adjust("49 millis")
      assert.deepStrictEqual(customers(), [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(customers(), [1])
      const late = yield* Effect.fork(gate.interactive.send(request(3, 2_000)))
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(yield* Effect.flip(Fiber.join(late)), { _tag: "NotSent" })
    }))

  it.effect("takes no turn that its pace does not stand by any more", () =>
    Effect.gen(function*() {
      const { customers, reply, transport } = scripted()
      const given: Array<number> = []
      const { gate } = yield* sharing(transport, { callsPerSecond: 10, concurrency: 1 }, (pace) => ({
        ...pace,
        turn: (at) => {
          given.push(at)
          return at
        },
        holds: (turn, at) => at - turn <= 500
      }))
      for (const id of [1, 2]) yield* Effect.forkDaemon(gate.interactive.send(request(id)))
      yield* settle
      assert.strictEqual(given.length, 2)
      yield* TestClock.adjust("10 seconds")
      yield* reply(0)
      yield* settle
      assert.deepStrictEqual(customers(), [1, 2])
      assert.isAtLeast(given.at(-1) ?? 0, 9_000)
    }))
})
