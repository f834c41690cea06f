import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { enrolling, simulating, struckBy } from "../test/calls.js"
import type { Fault } from "./Faults.js"
import * as Simulator from "./Simulator.js"
import * as World from "./World.js"

describe("time and starting over", () => {
  it.effect("the virtual clock decides which period is current", () =>
    Effect.gen(function*() {
      const { clock, standing } = yield* Simulator.Simulator
      expect(Option.getOrThrow(yield* standing(564339001, 2154, 2309)).enrolled).toBe(true)
      yield* clock.set(DateTime.unsafeMake("2027-01-01T00:00:00Z"))
      expect(Option.getOrThrow(yield* standing(564339001, 2154, 2309)).enrolled).toBe(false)
    }).pipe(Effect.provide(simulating())))

  it.effect("real time does not move it", () =>
    Effect.gen(function*() {
      const { clock } = yield* Simulator.Simulator
      yield* TestClock.adjust("90 days")
      expect(DateTime.formatIso(yield* clock.now)).toBe("2026-01-15T09:00:00.000Z")
      expect(DateTime.formatIso(yield* clock.advance("1 day"))).toBe("2026-01-16T09:00:00.000Z")
    }).pipe(Effect.provide(simulating())))

  it.effect("in a world whose clock runs it goes on from its start as real time does", () =>
    Effect.gen(function*() {
      const simulator = yield* Simulator.make({ ...World.sample, clockRuns: true })
      const now = Effect.map(simulator.clock.now, DateTime.formatIso)
      expect(yield* now).toBe("2026-01-15T09:00:00.000Z")
      yield* TestClock.adjust("90 seconds")
      expect(yield* now).toBe("2026-01-15T09:01:30.000Z")
      yield* simulator.clock.advance("1 day")
      yield* TestClock.adjust("30 seconds")
      expect(yield* now).toBe("2026-01-16T09:02:00.000Z")
      yield* simulator.clock.set(DateTime.unsafeMake("2026-03-01T00:00:00Z"))
      yield* TestClock.adjust("1 second")
      expect(yield* now).toBe("2026-03-01T00:00:01.000Z")
      expect(yield* simulator.clock.runs).toBe(true)
      yield* simulator.reset(World.sample)
      yield* TestClock.adjust("1 day")
      expect(yield* now).toBe("2026-01-15T09:00:00.000Z")
      expect(yield* simulator.clock.runs).toBe(false)
    }))

  const limited = (rateLimit: NonNullable<World.World["orgs"][number]["rateLimit"]>, clockRuns = false) =>
    Effect.map(
      Simulator.make({ ...World.sample, clockRuns, orgs: [{ id: 100, rateLimit }, { id: 101, parentId: 100 }, { id: 900 }] }),
      (simulator) => {
        let customerId = 564332000
        const call = (credential = "store.server") => {
          const body = `[{"customerId":${++customerId},"periodName":"Cycle_1"}]`
          const exchange = simulator.unsafeBeginAs({ credential }, { method: "POST", path: "/targetGroups/2154/targets/2309/enroll", body })
          exchange.release()
          return [exchange.answer.status, exchange.answer.headers["retry-after"]]
        }
        return { simulator, call }
      }
    )

  it.effect("a rate limit counts in minutes of virtual time, per organisation, and Retry-After says the rest of the minute", () =>
    Effect.gen(function*() {
      const { call, simulator } = yield* limited({ perMinute: 2 })
      yield* simulator.clock.advance("20500 millis")
      expect([call(), call(), call(), call()]).toEqual([[200, undefined], [200, undefined], [429, "40"], [429, "40"]])
      expect(call("child.till")[0]).toBe(200)
      yield* TestClock.adjust("1 hour")
      expect(call()).toEqual([429, "40"])
      yield* simulator.clock.advance("39500 millis")
      expect([call(), call(), call()]).toEqual([[200, undefined], [200, undefined], [429, "60"]])
    }))

  it.effect("Retry-After can be left out or fixed, and a running clock opens the next window by itself", () =>
    Effect.gen(function*() {
      const none = yield* limited({ perMinute: 1, retryAfter: "none" })
      expect([none.call(), none.call()]).toEqual([[200, undefined], [429, undefined]])
      const fixed = yield* limited({ perMinute: 1, retryAfter: 7 }, true)
      expect([fixed.call(), fixed.call()]).toEqual([[200, undefined], [429, "7"]])
      yield* TestClock.adjust("1 minute")
      expect(fixed.call()).toEqual([200, undefined])
    }))

  it.effect("reset forgets calls, clock and journal, and brings the faults of the start back", () =>
    Effect.gen(function*() {
      const simulator = yield* Simulator.Simulator
      expect(yield* enrolling(564332013)).toBe("CustomerBusy")
      expect(yield* enrolling(564332013)).toBe("accepted")
      yield* simulator.clock.advance("1 day")
      yield* simulator.reset()
      expect(Option.isNone(yield* simulator.standing(564332013, 2154, 2309))).toBe(true)
      expect(DateTime.formatIso(yield* simulator.clock.now)).toBe("2026-01-15T09:00:00.000Z")
      expect((yield* simulator.journal.counts).received).toBe(0)
      expect(yield* enrolling(564332013)).toBe("CustomerBusy")
      yield* simulator.reset(World.conformance)
      expect(yield* simulator.world).toBe(World.conformance)
    }).pipe(Effect.provide(struckBy({ nth: 1, effect: { kind: "customerBusy" } }))))

  it.effect("what a world says of prior enrolments is there at the start", () =>
    Effect.gen(function*() {
      const { standing } = yield* Simulator.Simulator
      const held = Option.getOrThrow(yield* standing(564339002, 2154, 2309))
      expect([held.enrolled, held.periods[0]?.enrolled, held.periods[0]?.achieved]).toEqual([false, false, 250])
      expect(Option.getOrThrow(yield* standing(564339005, 40, 41))).toMatchObject({ enrolled: false, level: 2 })
      expect(Option.getOrThrow(yield* standing(564339200, 2154, 2309)).enrolled).toBe(true)
      expect(Option.isNone(yield* standing(564339201, 2154, 2309))).toBe(true)
    }).pipe(Effect.provide(simulating())))
})

const aCall = FastCheck.record({
  customer: FastCheck.constantFrom(564332001, 564332002, 564339002, 5),
  operation: FastCheck.constantFrom("enroll", "unEnroll"),
  period: FastCheck.constantFrom("Cycle_1", "Cycle_3", "Cycle_99"),
  balance: FastCheck.constantFrom("", `,"initialBalance":null`, `,"initialBalance":5`)
})

describe("determinism", () => {
  it.effect.prop(
    "same seed, same world, same calls: same answers",
    [FastCheck.array(aCall, { maxLength: 25 }), FastCheck.nat()],
    ([calls, seed]) => {
      const faults: ReadonlyArray<Fault> = [
        { probability: 0.2, effect: { kind: "status", status: 500, executed: true } },
        { probability: 0.2, effect: { kind: "reset", when: "after" } }
      ]
      const answers = Effect.gen(function*() {
        const simulator = yield* Simulator.make(World.sample, { seed, faults })
        return yield* Effect.forEach(calls, ({ balance, customer, operation, period }) =>
          Effect.either(simulator.handle({
            method: "POST",
            path: `/v3.1/targetGroups/2154/targets/2309/${operation}`,
            headers: {
              "content-type": "application/json",
              authorization: "Basic c3RvcmUuc2VydmVyOjhhMTZhNmI3MDUwNWViMWYxZmY3Y2RjMGNkNTU1OWE3"
            },
            body: `[{"customerId":${customer},"periodName":"${period}"${balance}}]`
          })).pipe(Effect.map((answer) => Either.isRight(answer) ? answer.right.body : answer.left.message)))
      })
      return Effect.gen(function*() {
        expect(yield* answers).toEqual(yield* answers)
      })
    },
    { fastCheck: { numRuns: 60 } }
  )
})
