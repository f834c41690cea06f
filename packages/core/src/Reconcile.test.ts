import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { EveryCallError } from "../test/EveryError.js"
import * as Fixture from "../test/Fixture.js"
import * as JumpingClock from "../test/JumpingClock.js"
import { milestone, streak, unenrollment } from "../test/Sample.js"
import * as Scripted from "../test/ScriptedTransport.js"
import * as Outcome from "./Outcome.js"
import * as Reconcile from "./Reconcile.js"
import * as TargetGroups from "./TargetGroups.js"
import type * as Transport from "./Transport.js"

const enrolledOn = new Date("2024-06-30T09:21:43.741Z")

const status = (fields: Partial<TargetGroups.TargetStatus> = {}): TargetGroups.TargetStatus => ({
  targetRuleId: 2309,
  targetName: null,
  periodRefCode: "Cycle_1",
  periodStart: null,
  periodEnd: null,
  currentPeriod: true,
  targetValue: null,
  targetAchievedValue: null,
  enrolledOn,
  achievedOn: null,
  ...fields
})

const group = (
  id: number,
  ...targets: ReadonlyArray<TargetGroups.TargetStatus>
): TargetGroups.TargetGroupStatus => ({ id, name: null, orgId: null, trackingType: null, targets, streaks: [] })

const now = Date.parse("2026-03-15T12:00:00Z")

const applied: Reconcile.Reconciliation = { _tag: "Applied", enrolledOn }
const notApplied: Reconcile.Reconciliation = { _tag: "NotApplied" }

describe("a look-up for a milestone", () => {
  it.each<[string, ReadonlyArray<TargetGroups.TargetGroupStatus>, Reconcile.Reconciliation]>([
    ["nothing at all", [], notApplied],
    ["the period", [group(2154, status())], applied],
    ["the period among others", [group(1, status()), group(2154, status({ periodRefCode: "Cycle_0" }), status())], applied],
    ["the period, which is not the current one", [group(2154, status({ currentPeriod: false }))], applied],
    ["another period", [group(2154, status({ periodRefCode: "Cycle_2" }))], notApplied],
    ["a period without a name", [group(2154, status({ periodRefCode: null }))], notApplied],
    ["another target of the group", [group(2154, status({ targetRuleId: 2310 }))], notApplied],
    ["a target without an id", [group(2154, status({ targetRuleId: null }))], notApplied],
    ["the same target in another group", [group(2155, status())], notApplied],
    ["the period without an enrolment", [group(2154, status({ enrolledOn: null }))], notApplied]
  ])("that shows %s", (_, groups, expected) => {
    expect(Reconcile.decide(groups, milestone(), now)).toStrictEqual(expected)
  })
})

describe("a look-up for a streak", () => {
  const week = status({ targetRuleId: 41, periodRefCode: "Week_1" })

  it.each<[string, ReadonlyArray<TargetGroups.TargetGroupStatus>, Reconcile.Reconciliation]>([
    ["nothing at all", [], notApplied],
    ["any period of it", [group(40, week)], applied],
    ["no enrolment", [group(40, { ...week, enrolledOn: null })], notApplied],
    ["another target", [group(40, { ...week, targetRuleId: 42 })], notApplied],
    ["another group", [group(41, week)], notApplied]
  ])("that shows %s", (_, groups, expected) => {
    expect(Reconcile.decide(groups, streak(), now)).toStrictEqual(expected)
  })
})

describe("a look-up for an un-enrolment", () => {
  const out: Reconcile.Reconciliation = { _tag: "Applied", enrolledOn: null }

  it.each<[string, ReadonlyArray<TargetGroups.TargetGroupStatus>, Reconcile.Reconciliation]>([
    ["nothing at all", [], out],
    ["the current period", [group(2154, status())], notApplied],
    ["a period that may be the current one", [group(2154, status({ currentPeriod: null }))], notApplied],
    ["earlier periods alone, which keep what they earned", [group(2154, status({ currentPeriod: false }))], out],
    ["a period that has ended", [group(2154, status({ currentPeriod: null, periodEnd: new Date(now) }))], out],
    ["a later period", [group(2154, status({ currentPeriod: false, periodEnd: new Date(now + 1) }))], notApplied],
    ["the current period without an enrolment", [group(2154, status({ enrolledOn: null }))], out],
    ["the current period of another target", [group(2154, status({ targetRuleId: 2310 }))], out],
    ["the current period of another group", [group(2155, status())], out]
  ])("that shows %s", (_, groups, expected) => {
    expect(Reconcile.decide(groups, unenrollment, now)).toStrictEqual(expected)
  })
})

describe("reconciling", () => {
  const running = <A, E, R>(effect: Effect.Effect<A, E, R>, ...steps: ReadonlyArray<Scripted.Step>) => {
    const upstream = Scripted.make(steps)
    return effect.pipe(
      Effect.either,
      Effect.provide(upstream.layer),
      Effect.withClock(JumpingClock.make()),
      Effect.map((ended) => ({ ended, calls: upstream.calls }))
    )
  }

  const asked = milestone({ customerId: 345651201, periodName: "Cycle_2" })

  it.effect("looks up this target of this customer, inactive groups and targets included", () =>
    Effect.gen(function*() {
      const { calls, ended } = yield* running(Reconcile.run(asked), Scripted.text(200, Fixture.text("look-up-milestone")))
      expect(ended).toStrictEqual(Either.right(applied))
      expect(calls.map(({ request: { body, method, path } }) => [method, path, body])).toEqual([
        ["GET", "/users/345651201/targetGroups?includeInactive=true&includeInactiveTargets=true&targetRuleId=2309", null]
      ])
    }))

  it.effect("finds no enrolment where the capture has none", () =>
    Effect.gen(function*() {
      const later = milestone({ customerId: 345651201, periodName: "Cycle_3" })
      const { ended } = yield* running(Reconcile.run(later), Scripted.text(200, Fixture.text("look-up-milestone")))
      expect(ended).toStrictEqual(Either.right(notApplied))
    }))

  it.effect("finds the streak of the capture", () =>
    Effect.gen(function*() {
      const week = streak({ customerId: 345651201 })
      const { ended } = yield* running(Reconcile.run(week), Scripted.text(200, Fixture.text("look-up-streak")))
      expect(ended).toMatchObject({ right: { _tag: "Applied", enrolledOn: new Date("2024-08-30T09:21:43.741Z") } })
    }))

  it.effect("fails as the look-up does", () =>
    Effect.gen(function*() {
      const { ended } = yield* running(Reconcile.run(asked), Scripted.refused(310011))
      expect(ended).toMatchObject({ left: { _tag: "InvalidCustomer" } })
    }))
})

describe("settling an unknown outcome", () => {
  const unknown: Outcome.Unknown = {
    outcome: "unknown",
    code: 504,
    tag: "GatewayTimeout",
    message: "lost",
    attempts: 5,
    requestId: "req-1"
  }

  const rejected: Outcome.Rejected = {
    outcome: "rejected",
    code: 310120,
    tag: "UndocumentedApiError",
    message: "not enrolled",
    blastRadius: "record",
    afterAmbiguousAttempt: true,
    attempts: 2,
    requestId: "req-2"
  }

  it("makes it already enrolled, by us or by somebody, where the customer is in", () => {
    const settled = Reconcile.settle(milestone(), unknown, applied)
    expect(settled).toStrictEqual({
      outcome: "already_enrolled",
      code: 310119,
      message: "A look-up found the customer enrolled.",
      afterAmbiguousAttempt: true,
      attempts: 5,
      requestId: "req-1"
    })
    expect(Outcome.isDone(settled)).toBe(true)
  })

  it("makes an un-enrolment unenrolled where the customer is out, whether its repeat was lost or refused", () => {
    const done = { outcome: "unenrolled", warnings: [] }
    expect(Reconcile.settle(unenrollment, unknown, applied)).toMatchObject({ ...done, attempts: 5, requestId: "req-1" })
    expect(Reconcile.settle(unenrollment, rejected, applied)).toMatchObject({ ...done, attempts: 2, requestId: "req-2" })
  })

  it("leaves a refusal a refusal where nothing of ours was lost before it", () => {
    const first = { ...rejected, afterAmbiguousAttempt: false }
    expect(Reconcile.settle(unenrollment, first, applied)).toBe(first)
    expect(Reconcile.settle(milestone(), rejected, applied)).toBe(rejected)
  })

  it("leaves it as it was where what was asked for is not so", () => {
    expect(Reconcile.settle(milestone(), unknown, notApplied)).toBe(unknown)
    expect(Reconcile.settle(unenrollment, rejected, notApplied)).toBe(rejected)
  })
})

describe("the types of reconciling", () => {
  it("list every error, one by one, and require a transport alone", () => {
    expectTypeOf<Effect.Effect.Error<ReturnType<typeof Reconcile.run>>>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<Effect.Effect.Context<ReturnType<typeof Reconcile.run>>>().toEqualTypeOf<Transport.Transport>()
    expectTypeOf<Effect.Effect.Success<ReturnType<typeof Reconcile.run>>>().toEqualTypeOf<Reconcile.Reconciliation>()
    // @ts-expect-error no error has this tag
    const program = Effect.catchTags(Reconcile.run(streak()), { NotEnrolled: () => Effect.void })
    expect(Effect.isEffect(program)).toBe(true)
  })
})
