import { assert, describe, it } from "@effect/vitest"
import * as Attempts from "@milepost/core/Attempts"
import * as Decode from "@milepost/core/Decode"
import * as Ids from "@milepost/core/Ids"
import * as Transport from "@milepost/core/Transport"
import { NoAnswer, type TransportError } from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/TestClock"
import type * as Gate from "./Gate.js"
import type { Org } from "./Org.js"
import * as Upstream from "./Upstream.js"

const request = (customer: number): Transport.Request => ({
  operation: "enroll",
  method: "POST",
  path: "/x",
  body: "[]",
  customerId: Either.getOrThrow(Ids.customerId(customer))
})

/** A transport without fibers, whose calls end as the test says. */
const direct = () => {
  const left: Array<{ readonly customer: number; readonly end: (exit: Exit.Exit<Transport.Response, TransportError>) => void }> = []
  const begin: NonNullable<Gate.Inner["begin"]> = ({ customerId }, end) => void left.push({ customer: customerId, end })
  const inner: Gate.Inner = { begin, send: (request) => Effect.async((resume) => begin(request, resume)) }
  return {
    inner,
    customers: () => left.map(({ customer }) => customer),
    accept: (index: number) => {
      const { customer, end } = left[index]!
      end(Exit.succeed({ status: 200, headers: {}, body: `{"data":${customer}}`, requestId: null }))
    },
    lose: (index: number) => left[index]!.end(Exit.fail(new NoAnswer({ reason: "Reset", message: "gone", requestId: null })))
  }
}

const made = (inner: Gate.Inner, concurrency = 8, queue = 100) =>
  Upstream.make({
    org: { id: "brand", limits: { callsPerSecond: null, concurrency } } as unknown as Org,
    inner,
    queue,
    watch: () => undefined
  })

const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow(), { discard: true })

type Ended = Attempts.Attempted<Decode.Accepted, Decode.AnswerError | TransportError>

const attempt = (upstream: Upstream.Upstream, customer: number, ended: Array<Ended>) => {
  const asked = request(customer)
  return upstream.attempt(asked, (response) => Decode.accepted(response, asked.customerId), (attempted) => ended.push(attempted))
}

describe("an attempt without a fiber", () => {
  it.effect("leaves and ends at once where nobody is in its way", () =>
    Effect.gen(function*() {
      const { accept, customers, inner } = direct()
      const upstream = yield* made(inner)
      const ended: Array<Ended> = []
      attempt(upstream, 1, ended)
      attempt(upstream, 2, ended)
      assert.deepStrictEqual(customers(), [1, 2])
      accept(1)
      accept(0)
      assert.deepStrictEqual(ended.map(({ attempts, result }) => [attempts, Either.isRight(result)]), [[1, true], [1, true]])
      assert.strictEqual(upstream.inside(), 0)
    }))

  it.effect("goes behind whoever came before for the same customer, programs and retries included", () =>
    Effect.gen(function*() {
      const { accept, customers, inner, lose } = direct()
      const upstream = yield* made(inner)
      const ended: Array<Ended> = []
      attempt(upstream, 1, ended)
      attempt(upstream, 1, ended)
      yield* Effect.fork(upstream.call(1, Effect.flatMap(Transport.Transport, ({ send }) => Effect.exit(send(request(1))))))
      yield* settle
      assert.deepStrictEqual(customers(), [1])
      lose(0)
      yield* settle
      yield* TestClock.adjust("1 seconds")
      yield* settle
      assert.deepStrictEqual(customers(), [1, 1])
      assert.strictEqual(ended.length, 0)
      for (const index of [1, 2, 3]) {
        accept(index)
        yield* settle
      }
      assert.deepStrictEqual(ended.map(({ afterAmbiguousAttempt, attempts }) => [attempts, afterAmbiguousAttempt]), [[2, true], [1, false]])
      assert.strictEqual(customers().length, 4)
      assert.strictEqual(upstream.inside(), 0)
    }))

  it.effect("is taken back as long as it has not left, and not tried again once it has", () =>
    Effect.gen(function*() {
      const { accept, customers, inner, lose } = direct()
      const upstream = yield* made(inner, 1)
      const ended: Array<Ended> = []
      const first = attempt(upstream, 1, ended)
      const second = attempt(upstream, 2, ended)
      assert.isTrue(typeof first === "function" && typeof second === "function")
      if (typeof first !== "function" || typeof second !== "function") return
      second()
      first()
      assert.strictEqual(upstream.inside(), 1)
      lose(0)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(customers(), [1])
      assert.deepStrictEqual(ended.map(({ attempts }) => attempts), [1])
      assert.strictEqual(upstream.inside(), 0)
      attempt(upstream, 2, ended)
      accept(1)
      assert.strictEqual(ended.length, 2)
    }))

  it.effect("is refused where the queue is full", () =>
    Effect.gen(function*() {
      const { inner } = direct()
      const upstream = yield* made(inner, 1, 1)
      attempt(upstream, 1, [])
      assert.deepInclude(attempt(upstream, 2, []), { _tag: "Busy", reason: "Queue" })
    }))

  it.effect("goes by a fiber where the transport has no other way", () =>
    Effect.gen(function*() {
      const { accept, inner } = direct()
      const upstream = yield* made({ send: inner.send, begin: null })
      const ended: Array<Ended> = []
      attempt(upstream, 1, ended)
      yield* settle
      accept(0)
      yield* settle
      assert.strictEqual(ended.length, 1)
      assert.strictEqual(upstream.inside(), 0)
    }))
})
