import * as Enroll from "@milepost/core/Enroll"
import * as Transport from "@milepost/core/Transport"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { enrolling, into, isEnrolled, simulating, struckBy, tagOf } from "../test/calls.js"
import type { Fault } from "./Faults.js"
import * as Simulator from "./Simulator.js"

describe("faults in memory", () => {
  const cases: ReadonlyArray<readonly [what: string, effect: Fault["effect"], tag: string, executed: boolean]> = [
    ["a status", { kind: "status", status: 500 }, "InternalServerError", false],
    ["a status after execution", { kind: "status", status: 504, executed: true }, "GatewayTimeout", true],
    ["an application error", { kind: "apiError", code: 310017 }, "TargetGroupNotFound", false],
    ["an undocumented error", { kind: "apiError", code: 4711, message: "?" }, "UndocumentedApiError", false],
    ["a malformed body", { kind: "body", body: "malformed" }, "MalformedAnswer NotJson", true],
    ["a truncated body", { kind: "body", body: "truncated" }, "MalformedAnswer NotJson", true],
    ["a page of HTML", { kind: "body", body: "html" }, "MalformedAnswer NotJson", true],
    ["an empty body", { kind: "body", body: "empty" }, "MalformedAnswer Empty", true],
    ["a huge body", { kind: "body", body: "huge" }, "MalformedAnswer TooLarge", true],
    ["half an answer", { kind: "halfWritten" }, "NoAnswer Reset", true],
    ["an executed 429", { kind: "status", status: 429, executed: true }, "RateLimited", true],
    ["a reset before execution", { kind: "reset", when: "before" }, "NoAnswer Reset", false],
    ["a reset after execution", { kind: "reset", when: "after" }, "NoAnswer Reset", true],
    ["a rate limit", { kind: "rateLimited", retryAfterSeconds: 7 }, "RateLimited", false],
    ["a busy customer", { kind: "customerBusy" }, "CustomerBusy", false]
  ]
  for (const [what, effect, tag, executed] of cases) {
    it.effect(`${what}: ${tag}, ${executed ? "executed" : "not executed"}`, () =>
      Effect.gen(function*() {
        const { journal } = yield* Simulator.Simulator
        expect(yield* enrolling(564332013)).toBe(tag)
        expect(yield* isEnrolled(564332013)).toBe(executed)
        expect(yield* journal.entries).toMatchObject([{ executed, fault: effect.kind, customerId: 564332013 }])
        expect(yield* enrolling(564332013)).toBe(executed ? "AlreadyEnrolled" : "accepted")
      }).pipe(Effect.provide(struckBy({ nth: 1, effect }))))
  }

  it.effect("slow bytes count against the caller's patience as a whole", () =>
    Effect.gen(function*() {
      const call = yield* Effect.fork(enrolling(564332013))
      yield* TestClock.adjust("4799 millis")
      expect(call.unsafePoll()).toBe(null)
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(call)).toBe("accepted")
      const transport = yield* Transport.Transport
      const late = yield* Effect.fork(tagOf(transport.send(Enroll.request(into(564332014), 4000))))
      yield* TestClock.adjust("4000 millis")
      expect(yield* Fiber.join(late)).toBe("NoAnswer Timeout")
    }).pipe(Effect.provide(struckBy({ effect: { kind: "slowBytes", millisPerByte: 100 } }))))

  it.effect("Retry-After comes with 429", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Enroll.call(into(564332013)))
      expect(error).toMatchObject({ retryAfterMillis: 7000 })
    }).pipe(Effect.provide(struckBy({ effect: { kind: "rateLimited", retryAfterSeconds: 7 } }))))

  for (const when of ["before", "after"] as const) {
    it.effect(`silence ${when} execution ends when the caller's patience does`, () =>
      Effect.gen(function*() {
        const transport = yield* Transport.Transport
        const call = yield* Effect.fork(tagOf(transport.send(Enroll.request(into(564332013), 2000))))
        yield* TestClock.adjust("1999 millis")
        expect(call.unsafePoll()).toBe(null)
        yield* TestClock.adjust("1 millis")
        expect(yield* Fiber.join(call)).toBe("NoAnswer Timeout")
        expect(yield* isEnrolled(564332013)).toBe(when === "after")
      }).pipe(Effect.provide(struckBy({ effect: { kind: "hang", when } }))))
  }

  it.effect("latency delays the answer, not the execution, and occupies the customer", () =>
    Effect.gen(function*() {
      const { journal } = yield* Simulator.Simulator
      const first = yield* Effect.fork(enrolling(564332013))
      yield* TestClock.adjust("50 millis")
      expect(yield* isEnrolled(564332013)).toBe(true)
      expect(yield* enrolling(564332013)).toBe("CustomerBusy")
      expect(yield* tagOf(Effect.zipRight(Effect.yieldNow(), Enroll.call(into(5))))).toBe("InvalidCustomer")
      yield* TestClock.adjust("50 millis")
      expect(yield* Fiber.join(first)).toBe("accepted")
      expect(yield* journal.counts).toMatchObject({ received: 3, executed: 1, overlaps: 1 })
    }).pipe(Effect.provide(struckBy({ customerId: 564332013, effect: { kind: "latency", millis: 100 } }))))

  it.effect("an interrupted call frees its customer", () =>
    Effect.gen(function*() {
      const call = yield* Effect.fork(Enroll.call(into(564332013)))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(call)
      expect(yield* enrolling(564332013)).toBe("AlreadyEnrolled")
    }).pipe(Effect.provide(struckBy({ nth: 1, effect: { kind: "hang", when: "after" } }))))
})

describe("one call a customer", () => {
  it.effect("a call that is interrupted at any moment leaves nobody occupied", () =>
    Effect.gen(function*() {
      const customers = Array.from({ length: 50 }, (_, index) => 564333000 + index)
      for (const [turns, customerId] of customers.entries()) {
        const call = yield* Effect.fork(enrolling(customerId))
        for (let turn = 0; turn < turns % 5; turn++) yield* Effect.yieldNow()
        yield* Fiber.interrupt(call)
      }
      expect(yield* Effect.forEach(customers, (customerId) => enrolling(customerId))).not.toContain("CustomerBusy")
    }).pipe(Effect.provide(simulating())))

  it.effect("two at once: the second is answered 521 and not executed", () =>
    Effect.gen(function*() {
      const { journal } = yield* Simulator.Simulator
      const tags = yield* Effect.all([enrolling(564332013), enrolling(564332013, "Cycle_2")], {
        concurrency: 2
      })
      expect(tags).toEqual(["accepted", "CustomerBusy"])
      expect(yield* journal.counts).toMatchObject({ overlaps: 1, executed: 1, byStatus: { "200": 1, "521": 1 } })
    }).pipe(Effect.provide(simulating())))

  it.effect("a thousand customers at once do not overlap", () =>
    Effect.gen(function*() {
      const { journal } = yield* Simulator.Simulator
      yield* Effect.forEach(Array.from({ length: 1000 }, (_, index) => into(564333000 + index)), Enroll.call, {
        concurrency: "unbounded"
      })
      expect(yield* journal.counts).toMatchObject({ received: 1000, executed: 1000, overlaps: 0 })
    }).pipe(Effect.provide(simulating())))
})
