import { assert, describe, it } from "@effect/vitest"
import type * as Transport from "@milepost/core/Transport"
import { NoAnswer, NotSent } from "@milepost/core/TransportError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { accepted, answer } from "../test/upstream.js"
import { progress } from "../test/jobs.js"
import * as Concurrency from "./Concurrency.js"
import * as Gate from "./Gate.js"
import * as Outage from "./Outage.js"
import * as Pace from "./Pace.js"

const request: Transport.Request =
  { operation: "enroll", method: "POST", path: "/x", body: "{}", customerId: 7 as Transport.Request["customerId"] }

interface Options {
  readonly places?: number
  readonly callsPerSecond?: number
  readonly answers?: (call: number) => ReturnType<Transport.Service["send"]>
}

/** A gate before calls of ten milliseconds. */
const gate = ({ answers = () => Effect.succeed(accepted(7)), callsPerSecond, places = 1 }: Options = {}) =>
  Effect.gen(function*() {
    const concurrency = Concurrency.make(places)
    const pace = Pace.make({ nowMillis: 0, callsPerSecond: callsPerSecond ?? null })
    const asked = yield* Deferred.make<void>()
    const stops: Array<string> = []
    const outage = Outage.make({ isArmed: true })
    const sent: Array<number> = []
    let isAsked = false
    const clock = yield* Effect.clock
    const transport = Gate.transport({
      concurrency,
      outage,
      pace,
      stop: ({ reason }) => {
        stops.push(reason)
      },
      progress: progress(),
      transport: {
        send: () =>
          Effect.suspend(() => {
            const call = sent.push(clock.unsafeCurrentTimeMillis())
            return Effect.zipRight(Effect.sleep(10), answers(call))
          })
      }
    }, { isAsked: () => isAsked, asked: Deferred.await(asked) }, clock)
    const abandon = Effect.suspend(() => {
      isAsked = true
      return Deferred.succeed(asked, undefined)
    })
    const sendFor = (customer: number) =>
      Effect.fork(Effect.exit(transport.send({ ...request, customerId: customer as Transport.Request["customerId"] })))
    return { abandon, concurrency, outage, pace, sent, sendFor, stops, send: sendFor(7) }
  })

describe("a gate", () => {
  it.effect("lets as many out as there are places, and the next when one is back", () =>
    Effect.gen(function*() {
      const { concurrency, send, sent } = yield* gate({ places: 2 })
      for (let call = 0; call < 3; call++) yield* send
      yield* TestClock.adjust(9)
      assert.deepStrictEqual(sent, [0, 0])
      assert.strictEqual(concurrency.inFlight(), 2)
      yield* TestClock.adjust(11)
      assert.deepStrictEqual(sent, [0, 0, 10])
      assert.strictEqual(concurrency.inFlight(), 0)
    }))

  it.effect("keeps the pace, and holds everybody for as long as a 429 asks", () =>
    Effect.gen(function*() {
      const { send, sent } = yield* gate({
        places: 8,
        answers: (call) => Effect.succeed(call === 1 ? answer(429, {}, { "retry-after": "2" }) : accepted(7))
      })
      yield* send
      yield* TestClock.adjust(10)
      yield* send
      yield* TestClock.adjust(1999)
      assert.deepStrictEqual(sent, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(sent, [0, 2010])
      yield* TestClock.adjust(10)
    }))

  it.effect("gives the place back when a call has no answer", () =>
    Effect.gen(function*() {
      const lost = new NoAnswer({ reason: "Reset", message: "reset", requestId: null })
      const { concurrency, send } = yield* gate({ answers: () => Effect.fail(lost) })
      const call = yield* send
      yield* TestClock.adjust(10)
      assert.strictEqual((yield* Fiber.join(call))._tag, "Failure")
      assert.strictEqual(concurrency.inFlight(), 0)
    }))

  it.effect("who waits for a place when the run stops was not sent", () =>
    Effect.gen(function*() {
      const { abandon, concurrency, send, sent } = yield* gate()
      const first = yield* send
      const second = yield* send
      yield* TestClock.adjust(5)
      yield* abandon
      yield* TestClock.adjust(5)
      assert.strictEqual((yield* Fiber.join(first))._tag, "Success")
      const exit = yield* Fiber.join(second)
      assert.isTrue(exit._tag === "Failure" && exit.cause._tag === "Fail" && exit.cause.error._tag === "NotSent")
      assert.strictEqual(sent.length, 1)
      assert.strictEqual(concurrency.inFlight(), 0)
    }))

  it.effect("who waits for a turn when the run stops was not sent, and gives the place back", () =>
    Effect.gen(function*() {
      const { abandon, concurrency, pace, send, sent } = yield* gate()
      pace.pause(60_000, "429")
      const waiting = yield* send
      yield* TestClock.adjust(100)
      assert.strictEqual(concurrency.inFlight(), 1)
      yield* abandon
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "Failure")
      assert.deepStrictEqual(sent, [])
      assert.strictEqual(concurrency.inFlight(), 0)
    }))

  it.effect("who is interrupted while he waits gives the place back; a call that has left gets its answer first", () =>
    Effect.gen(function*() {
      const { concurrency, pace, send, sent } = yield* gate()
      const flying = yield* send
      yield* TestClock.adjust(5)
      const interrupting = yield* Effect.fork(Fiber.interrupt(flying))
      yield* TestClock.adjust(4)
      assert.strictEqual(concurrency.inFlight(), 1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(interrupting)
      assert.strictEqual(concurrency.inFlight(), 0)
      pace.pause(60_000, "429")
      const waiting = yield* send
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(concurrency.inFlight(), 0)
      assert.strictEqual(sent.length, 1)
    }))

  it.effect("lets one call a second out while the upstream is down, and everybody once it is back", () =>
    Effect.gen(function*() {
      let isDown = false
      const { outage, sendFor, sent } = yield* gate({
        places: 64,
        answers: () => Effect.succeed(isDown ? answer(502, {}) : accepted(7))
      })
      yield* sendFor(1)
      yield* TestClock.adjust(10)
      isDown = true
      for (let customer = 1; customer <= 20; customer++) yield* sendFor(customer)
      yield* TestClock.adjust(10)
      assert.isTrue(outage.isOn())
      sent.length = 0
      for (let customer = 1; customer <= 30; customer++) yield* sendFor(customer)
      yield* TestClock.adjust(3_000)
      assert.isAtMost(sent.length, 4)
      isDown = false
      yield* TestClock.adjust(7_000)
      assert.isFalse(outage.isOn())
      assert.strictEqual(sent.length, 30)
    }))

  it.effect("stops the run soon when nobody has ever been reached", () =>
    Effect.gen(function*() {
      const { send, stops } = yield* gate({
        places: 8,
        answers: () => new NotSent({ reason: "Refused", message: "No connection" })
      })
      for (let call = 0; call < 3; call++) yield* send
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(stops, [])
      yield* send
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(stops, ["unreachable"])
    }))
})
