import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Match from "effect/Match"
import * as TestClock from "effect/TestClock"
import { inspect } from "node:util"
import { codes, type EveryCallError, statuses } from "../test/EveryError.js"
import * as Fixture from "../test/Fixture.js"
import * as JumpingClock from "../test/JumpingClock.js"
import { milestone, streak } from "../test/Sample.js"
import * as Scripted from "../test/ScriptedTransport.js"
import type * as ApiError from "./ApiError.js"
import type * as Decode from "./Decode.js"
import * as Enroll from "./Enroll.js"
import type * as Outcome from "./Outcome.js"
import * as RetryPolicy from "./RetryPolicy.js"
import type * as Transport from "./Transport.js"

const seedMilestone = milestone({ customerId: 345651201, periodName: "PERIOD_G_29463_1", initialBalance: 100 })

const jumping = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.withClock(effect, JumpingClock.make()))

describe("the call of an enrolment", () => {
  it("is the POST of the seed", () => {
    expect(Enroll.request(seedMilestone, 1500)).toStrictEqual({
      operation: "enroll",
      method: "POST",
      path: "/targetGroups/2154/targets/2309/enroll",
      body: `[{"customerId":345651201,"periodName":"PERIOD_G_29463_1","initialBalance":100}]`,
      customerId: 345651201,
      timeoutMillis: 1500
    })
  })

  it("is the same for a streak, without a period", () => {
    expect(Enroll.request(streak({ resetStreakStatus: true }))).toMatchObject({
      method: "POST",
      path: "/targetGroups/40/targets/41/enroll",
      body: `[{"customerId":564332013,"resetStreakStatus":true}]`
    })
  })

  it("writes the greatest ids exactly", () => {
    const greatest = 9007199254740991
    expect(Enroll.request(streak({ targetGroupId: greatest, targetId: greatest, customerId: greatest }))).toMatchObject({
      path: "/targetGroups/9007199254740991/targets/9007199254740991/enroll",
      body: `[{"customerId":9007199254740991}]`
    })
  })

  it.effect("is made once by `call`, whatever comes of it", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.gateway(503)])
      const error = yield* Effect.flip(Enroll.call(seedMilestone)).pipe(Effect.provide(upstream.layer))
      expect(error._tag).toBe("Overloaded")
      expect(upstream.calls.map(({ request }) => request)).toEqual([Enroll.request(seedMilestone)])
    }))
})

describe("enrolling", () => {
  it.effect("succeeds with the upstream's yes", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.text(200, Fixture.text("enroll-success"))])
      const accepted = yield* Enroll.run(seedMilestone).pipe(Effect.provide(upstream.layer))
      expect(accepted).toStrictEqual({ customerId: 345651201, warnings: [], requestId: "req-1" })
      expect(upstream.calls.map(({ request }) => request)).toEqual([
        Enroll.request(seedMilestone, RetryPolicy.make().deadlineMillis)
      ])
    }))

  it.effect.each(codes)("fails with $tag where the upstream says $code, at once", ({ code, tag }) =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.text(200, Fixture.text(`error-${code}`))])
      const error = yield* Effect.flip(Enroll.run(seedMilestone)).pipe(Effect.provide(upstream.layer))
      expect(error._tag).toBe(tag)
      expect(upstream.calls).toHaveLength(1)
    }))

  it.effect.each(statuses)("answered $status, then a yes, ends as $disposition says", ({ disposition, status, tag }) =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.gateway(status), Scripted.accepted(345651201)])
      const ended = yield* Effect.either(jumping(Enroll.run(seedMilestone))).pipe(Effect.provide(upstream.layer))
      expect(upstream.calls).toHaveLength(disposition === "rejected" ? 1 : 2)
      expect(ended).toMatchObject(disposition === "rejected" ? { left: { _tag: tag } } : { right: { customerId: 345651201 } })
    }))

  it.effect("sends the same record at every attempt, with less time each", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([
        Scripted.noAnswer(),
        Scripted.gateway(429, { "retry-after": "30" }),
        Scripted.notSent("Refused"),
        Scripted.accepted(345651201)
      ])
      yield* jumping(Enroll.run(seedMilestone)).pipe(Effect.provide(upstream.layer))
      const [first, ...later] = upstream.calls.map(({ request }) => ({ ...request, timeoutMillis: 0 }))
      expect(later).toEqual([first, first, first])
      expect(upstream.calls[2]!.atMillis - upstream.calls[1]!.atMillis).toBeGreaterThanOrEqual(30_000)
      const left = upstream.calls.map(({ request }) => request.timeoutMillis ?? 0)
      expect(left).toEqual(upstream.calls.map(({ atMillis }) => 120_000 - atMillis))
    }))

  it.effect("lets its caller match an error by its tag", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.refused(310119), Scripted.refused(310017)])
      const program = Enroll.run(seedMilestone).pipe(
        Effect.as("in"),
        Effect.catchTags({
          AlreadyEnrolled: (error) => Effect.succeed(`already: ${error.code}`),
          TargetGroupNotFound: (error) => Effect.succeed(`no group: ${error.code}`)
        }),
        Effect.provide(upstream.layer)
      )
      expect([yield* program, yield* program]).toEqual(["already: 310119", "no group: 310017"])
    }))

  it.effect("stops when it is interrupted between attempts", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.gateway(429, { "retry-after": "60" })])
      const fiber = yield* Effect.fork(Enroll.outcome(seedMilestone).pipe(Effect.provide(upstream.layer)))
      yield* TestClock.adjust("59 seconds")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      expect(upstream.calls).toHaveLength(1)
    }))
})

describe("the outcome of enrolling", () => {
  const outcomeOf = (...steps: ReadonlyArray<Scripted.Step>) =>
    jumping(Enroll.outcome(seedMilestone)).pipe(Effect.provide(Scripted.make(steps).layer))

  it.effect.each<{ readonly why: string; readonly steps: ReadonlyArray<Scripted.Step>; readonly expected: object }>([
    {
      why: "enrolled where it is accepted",
      steps: [Scripted.accepted(345651201, [{ code: 7, message: "w" }])],
      expected: { outcome: "enrolled", attempts: 1, warnings: [{ code: 7, message: "w" }] }
    },
    {
      why: "enrolled after a lost attempt that had not been executed",
      steps: [Scripted.noAnswer(), Scripted.accepted(345651201)],
      expected: { outcome: "enrolled", attempts: 2 }
    },
    {
      why: "already enrolled by somebody before",
      steps: [Scripted.refused(310119)],
      expected: { outcome: "already_enrolled", code: 310119, afterAmbiguousAttempt: false, attempts: 1 }
    },
    {
      why: "already enrolled, by us or by somebody, after a lost attempt",
      steps: [Scripted.noAnswer("Reset"), Scripted.refused(310119)],
      expected: { outcome: "already_enrolled", afterAmbiguousAttempt: true, attempts: 2 }
    },
    {
      why: "already enrolled by somebody before where the first attempt was only turned away",
      steps: [Scripted.gateway(429), Scripted.refused(310119)],
      expected: { outcome: "already_enrolled", afterAmbiguousAttempt: false, attempts: 2 }
    },
    {
      why: "rejected with the upstream's code",
      steps: [Scripted.refused(310019, "Target period not found")],
      expected: { outcome: "rejected", code: 310019, message: "Target period not found", blastRadius: "period" }
    },
    {
      why: "rejected with 429 where no attempt got through",
      steps: Array.from({ length: 5 }, () => Scripted.gateway(429)),
      expected: { outcome: "rejected", code: 429, tag: "RateLimited", attempts: 5, afterAmbiguousAttempt: false }
    },
    {
      why: "unknown where an attempt was lost and the others were turned away",
      steps: [Scripted.gateway(504), ...Array.from({ length: 4 }, () => Scripted.gateway(429))],
      expected: { outcome: "unknown", code: 429, attempts: 5 }
    },
    {
      why: "unknown where every attempt was lost",
      steps: Array.from({ length: 5 }, () => Scripted.noAnswer()),
      expected: { outcome: "unknown", code: null, tag: "NoAnswer", attempts: 5 }
    },
    {
      why: "unknown where a page stands in for the answer every time",
      steps: Array.from({ length: 5 }, () => Scripted.gateway(200)),
      expected: { outcome: "unknown", code: 200, tag: "MalformedAnswer", attempts: 5 }
    },
    {
      why: "skipped as unreachable where nothing ever left",
      steps: Array.from({ length: 5 }, () => Scripted.notSent("Dns")),
      expected: { outcome: "skipped", reason: "unreachable", message: "upstream.test: Dns" }
    },
    {
      why: "unknown where the first attempt was lost and the rest never left",
      steps: [Scripted.noAnswer(), ...Array.from({ length: 4 }, () => Scripted.notSent("Dns"))],
      expected: { outcome: "unknown", tag: "NotSent", attempts: 5 }
    }
  ])("is $why", ({ expected, steps }) =>
    Effect.gen(function*() {
      expect(yield* outcomeOf(...steps)).toMatchObject(expected)
    }))

  it.effect("is plain data that shows nothing but words", () =>
    Effect.gen(function*() {
      const outcome = yield* outcomeOf(Scripted.refused(310011))
      expect(JSON.parse(JSON.stringify(outcome))).toEqual(outcome)
      expect(inspect(outcome, { depth: 10, showHidden: true })).not.toMatch(/headers|periodName/)
    }))
})

describe("the types of enrolling", () => {
  it("list every error, one by one", () => {
    expectTypeOf<Effect.Effect.Error<ReturnType<typeof Enroll.run>>>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<Effect.Effect.Error<ReturnType<typeof Enroll.call>>>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<Effect.Effect.Error<ReturnType<typeof Enroll.outcome>>>().toEqualTypeOf<never>()
    expectTypeOf<Enroll.Error>().toEqualTypeOf<EveryCallError>()
    // A missing member would be noticed:
    expectTypeOf<Enroll.Error>().not.toEqualTypeOf<Exclude<EveryCallError, ApiError.TargetNotFound>>()
  })

  it("require a transport and nothing else", () => {
    expectTypeOf<Effect.Effect.Context<ReturnType<typeof Enroll.run>>>().toEqualTypeOf<Transport.Transport>()
    expectTypeOf<Effect.Effect.Context<ReturnType<typeof Enroll.call>>>().toEqualTypeOf<Transport.Transport>()
    expectTypeOf<Effect.Effect.Context<ReturnType<typeof Enroll.outcome>>>().toEqualTypeOf<Transport.Transport>()
    expectTypeOf<Effect.Effect.Success<ReturnType<typeof Enroll.run>>>().toEqualTypeOf<Decode.Accepted>()
    expectTypeOf<Effect.Effect.Success<ReturnType<typeof Enroll.outcome>>>().toEqualTypeOf<Outcome.Outcome>()
  })

  it("know no tag that does not exist", () => {
    const program = Enroll.run(seedMilestone)
    // @ts-expect-error no error has this tag
    const one = Effect.catchTags(program, { TargetRuleNotFound: () => Effect.void })
    // @ts-expect-error no error has this tag
    const two = Effect.catchTag(program, "TargetRuleNotFound", () => Effect.void)
    // @ts-expect-error no error has this tag
    const three = Match.type<Enroll.Error>().pipe(Match.tags({ TargetRuleNotFound: () => 1 }))
    // @ts-expect-error not every tag is handled
    const four = Match.type<ApiError.ApiError>().pipe(Match.tags({ AlreadyEnrolled: () => 1 }), Match.exhaustive)
    expect([one, two, three, four]).toHaveLength(4)
  })

  it("narrow to the literal code", () => {
    const program = Effect.catchTag(Enroll.run(seedMilestone), "TargetGroupNotFound", (error) => {
      expectTypeOf(error.code).toEqualTypeOf<310017>()
      return Effect.void
    })
    expectTypeOf<Effect.Effect.Error<typeof program>>().toEqualTypeOf<
      Exclude<EveryCallError, ApiError.TargetGroupNotFound>
    >()
    expect(Context.isTag(RetryPolicy.RetryPolicy)).toBe(true)
  })
})
