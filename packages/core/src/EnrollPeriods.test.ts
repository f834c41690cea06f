import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { codes, statuses } from "../test/EveryError.js"
import * as JumpingClock from "../test/JumpingClock.js"
import { identity, leftOf } from "../test/Sample.js"
import * as Scripted from "../test/ScriptedTransport.js"
import type * as Enrollment from "./Enrollment.js"
import * as EnrollPeriods from "./EnrollPeriods.js"
import type { InvalidRecord } from "./Ids.js"
import * as RetryPolicy from "./RetryPolicy.js"
import type * as Transport from "./Transport.js"

const cycles = (count: number) => Array.from({ length: count }, (_, index) => ({ periodName: `Cycle_${index + 1}` }))

const planned = (count: number) => Either.getOrThrow(EnrollPeriods.plan(identity, cycles(count)))

const yes = Scripted.accepted(identity.customerId)

const running = (count: number, steps: ReadonlyArray<Scripted.Step>) => {
  const upstream = Scripted.make(steps)
  return EnrollPeriods.run(planned(count)).pipe(
    Effect.provide(upstream.layer),
    Effect.withClock(JumpingClock.make()),
    Effect.map((ended) => ({ ended, words: ended.map(({ outcome }) => outcome.outcome), calls: upstream.calls }))
  )
}

describe("a plan", () => {
  it("is one enrolment a period, in the order given, each with its own balance", () => {
    const periods = [{ periodName: "b", initialBalance: 0 }, { periodName: "a", initialBalance: null }, { periodName: "c" }]
    expect(
      Either.getOrThrow(EnrollPeriods.plan(identity, periods)).map(({ initialBalance, periodName }) => [
        periodName,
        initialBalance
      ])
    ).toEqual([["b", 0], ["a", null], ["c", undefined]])
  })

  it("is refused as a whole where one period is bad", () => {
    const error = leftOf(EnrollPeriods.plan(identity, [{ periodName: "Cycle_1" }, { periodName: " " }]))
    expect(error.field).toBe("periodName")
    expect(leftOf(EnrollPeriods.plan({ ...identity, customerId: 0 }, cycles(2))).field).toBe("customerId")
  })

  it("of no periods is empty", () => {
    expect(EnrollPeriods.plan(identity, [])).toStrictEqual(Either.right([]))
  })
})

describe("enrolling into ten cycles", () => {
  it.effect("is ten calls, in order, one after another", () =>
    Effect.gen(function*() {
      let inFlight = 0
      const slow = Effect.gen(function*() {
        inFlight += 1
        expect(inFlight).toBe(1)
        yield* Effect.sleep("1 second")
        inFlight -= 1
        return yes
      })
      const { calls, ended, words } = yield* running(10, Array.from({ length: 10 }, () => slow))
      expect(calls.map(({ request }) => request.body)).toEqual(
        cycles(10).map(({ periodName }) => `[{"customerId":564332013,"periodName":"${periodName}"}]`)
      )
      expect(new Set(calls.map(({ request }) => request.path))).toEqual(
        new Set(["/targetGroups/2154/targets/2309/enroll"])
      )
      expect(ended.map(({ periodName }) => periodName)).toEqual(cycles(10).map(({ periodName }) => periodName))
      expect(words).toEqual(Array.from({ length: 10 }, () => "enrolled"))
    }))

  it.effect("goes on where a cycle is already there: the one before has covered it", () =>
    Effect.gen(function*() {
      const { calls, words } = yield* running(10, [yes, ...Array.from({ length: 9 }, () => Scripted.refused(310119))])
      expect(calls).toHaveLength(10)
      expect(words).toEqual(["enrolled", ...Array.from({ length: 9 }, () => "already_enrolled")])
    }))

  it.effect("repeats a cycle before the next one begins", () =>
    Effect.gen(function*() {
      const { calls, words } = yield* running(2, [Scripted.gateway(503), yes, yes])
      expect(calls.map(({ request }) => /Cycle_\d+/.exec(request.body ?? "")?.[0])).toEqual([
        "Cycle_1",
        "Cycle_1",
        "Cycle_2"
      ])
      expect(words).toEqual(["enrolled", "enrolled"])
    }))

  it.effect("of none asks nothing", () =>
    Effect.gen(function*() {
      expect((yield* running(0, [])).ended).toEqual([])
    }))
})

describe("an answer on the way", () => {
  const stops = ["customer", "target", "group", "org", "everything"]

  it.effect.each(codes)("of $code, which condemns $blastRadius, stops the rest only where it says so of them", (row) =>
    Effect.gen(function*() {
      const stopped = stops.includes(row.blastRadius)
      const { calls, ended, words } = yield* running(4, [yes, Scripted.refused(row.code, "words"), yes, yes])
      const second = row.code === 310119 ? "already_enrolled" : "rejected"
      expect(calls).toHaveLength(stopped ? 2 : 4)
      expect(words).toEqual(
        stopped ? ["enrolled", second, "skipped", "skipped"] : ["enrolled", second, "enrolled", "enrolled"]
      )
      const skipped = { outcome: "skipped", reason: "fuse", message: `an earlier period was answered ${row.code}: words`, notSent: null }
      if (stopped) expect(ended.slice(2).map(({ outcome }) => outcome)).toEqual([skipped, skipped])
    }))

  it.effect.each(statuses.filter(({ disposition }) => disposition === "rejected"))(
    "of $status stops the rest only where it condemns every call",
    ({ blastRadius, status }) =>
      Effect.gen(function*() {
        const { calls, words } = yield* running(2, [Scripted.gateway(status), yes])
        expect(calls).toHaveLength(blastRadius === "everything" ? 1 : 2)
        expect(words).toEqual(["rejected", blastRadius === "everything" ? "skipped" : "enrolled"])
      })
  )

  it.effect("that nobody documents does not stop the rest", () =>
    Effect.gen(function*() {
      expect((yield* running(2, [Scripted.refused(999999), yes])).words).toEqual(["rejected", "enrolled"])
    }))

  it.effect("that is lost for good does not stop the rest", () =>
    Effect.gen(function*() {
      const lost = Array.from({ length: 5 }, () => Scripted.noAnswer())
      expect((yield* running(2, [...lost, Scripted.refused(310119)])).words).toEqual(["unknown", "already_enrolled"])
    }))

  it.effect("that never came, because nothing can be sent, skips the rest as unreachable", () =>
    Effect.gen(function*() {
      const { calls, ended } = yield* running(3, Array.from({ length: 5 }, () => Scripted.notSent("Refused")))
      expect(calls).toHaveLength(5)
      expect(ended.map(({ outcome }) => outcome)).toEqual(
        Array.from({ length: 3 }, () => ({
          outcome: "skipped",
          reason: "unreachable",
          notSent: "Refused",
          message: "upstream.test: Refused"
        }))
      )
    }))

  it.effect("is judged under the policy of the caller", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.gateway(429), yes])
      const ended = yield* EnrollPeriods.run(planned(2)).pipe(
        Effect.provideService(RetryPolicy.RetryPolicy, RetryPolicy.never),
        Effect.provide(upstream.layer)
      )
      expect(ended.map(({ outcome }) => outcome.outcome)).toEqual(["rejected", "enrolled"])
    }))
})

describe("the types of enrolling into periods", () => {
  it("list what can go wrong: a plan may be invalid, a run never fails", () => {
    expectTypeOf<ReturnType<typeof EnrollPeriods.plan>>().toEqualTypeOf<
      Either.Either<ReadonlyArray<Enrollment.Milestone>, InvalidRecord>
    >()
    expectTypeOf<ReturnType<typeof EnrollPeriods.run>>().toEqualTypeOf<
      Effect.Effect<ReadonlyArray<EnrollPeriods.PeriodOutcome>, never, Transport.Transport>
    >()
    // @ts-expect-error a streak has no periods
    const program = EnrollPeriods.run([{ _tag: "Streak" }])
    expect(Effect.isEffect(program)).toBe(true)
  })
})
