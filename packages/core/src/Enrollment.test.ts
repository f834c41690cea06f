import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import { arbitraryIdentity, arbitraryPeriodName, identity, leftOf, milestone, streak } from "../test/Sample.js"
import * as Enrollment from "./Enrollment.js"
import type * as Ids from "./Ids.js"

describe("an enrolment", () => {
  it("into a milestone holds the period and, where none is given, an absent balance", () => {
    expect(Either.getOrThrow(Enrollment.milestone({ ...identity, periodName: "Cycle_1" }))).toStrictEqual({
      _tag: "Milestone",
      ...identity,
      periodName: "Cycle_1",
      initialBalance: undefined
    })
  })

  it("into a streak holds no period and no balance", () => {
    expect(Either.getOrThrow(Enrollment.streak({ ...identity, resetStreakStatus: true }))).toStrictEqual({
      _tag: "Streak",
      ...identity,
      resetStreakStatus: true
    })
  })

  it.each([0, -0, -1, 100, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, null, undefined])(
    "takes %s for a balance as it is",
    (initialBalance) => {
      expect(milestone({ initialBalance }).initialBalance).toBe(initialBalance)
    }
  )

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1, Number.MIN_SAFE_INTEGER - 1])(
    "refuses the balance %d",
    (initialBalance) => {
      const error = leftOf(Enrollment.milestone({ ...identity, periodName: "Cycle_1", initialBalance }))
      expect(error.field).toBe("initialBalance")
      expect(error.message).toBe(
        `initialBalance: ${JSON.stringify(String(initialBalance))} is not a whole number within ±(2^53-1)`
      )
    }
  )

  it.each(["targetGroupId", "targetId", "customerId"] as const)("refuses a %s that is none", (field) => {
    const fields = { ...identity, [field]: 0 }
    expect(leftOf(Enrollment.milestone({ ...fields, periodName: "Cycle_1" })).field).toBe(field)
    expect(leftOf(Enrollment.streak(fields)).field).toBe(field)
    expect(leftOf(Enrollment.identity(fields)).field).toBe(field)
  })
})

describe("a period's name", () => {
  it.each([
    ["", "is blank; a period's refCode is needed"],
    [" \t", "is blank; a period's refCode is needed"],
    ["Cycle\n1", "holds control characters"],
    ["Cycle\u00001", "holds control characters"],
    ["Cycle\u009b1", "holds control characters"],
    ["Cycle\u20281", "holds control characters"],
    ["Cycle\u20291", "holds control characters"],
    ["x".repeat(256), "is longer than 255 characters"]
  ])("%j is refused", (name, problem) => {
    const error = leftOf(Enrollment.periodName(name))
    expect(error.field).toBe("periodName")
    expect(error.problem).toBe(problem)
    expect(error.message).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
    expect(leftOf(Enrollment.milestone({ ...identity, periodName: name })).problem).toBe(problem)
  })

  it.each(["PERIOD_G_29463_1", "Cycle_1", "März 2024", "第一期", "a\"b\\c", "</script>", " Cycle_1 ", "x".repeat(255)])(
    "%j is kept as it is",
    (name) => {
      expect(Enrollment.periodName(name)).toStrictEqual(Either.right(name))
    }
  )
})

describe("an enrolment from loose fields", () => {
  it("is a milestone with a period and a streak without", () => {
    expect(Enrollment.make({ ...identity, periodName: "Cycle_1", initialBalance: null })).toStrictEqual(
      Either.right(milestone({ initialBalance: null }))
    )
    expect(Enrollment.make({ ...identity, resetStreakStatus: false })).toStrictEqual(
      Enrollment.streak({ ...identity, resetStreakStatus: false })
    )
  })

  it.each([0, 100, null])("refuses the balance %s without a period", (initialBalance) => {
    const error = leftOf(Enrollment.make({ ...identity, initialBalance }))
    expect(error.message).toBe(
      `initialBalance: "${initialBalance}" does not apply to a streak; leave it out, or name the period of the milestone`
    )
  })

  it("refuses a reset with a period", () => {
    const error = leftOf(Enrollment.make({ ...identity, periodName: "Cycle_1", resetStreakStatus: true }))
    expect(error.message).toBe(
      `resetStreakStatus: "true" does not apply to a milestone; leave it out, or the period`
    )
  })

  it("takes the example of the seed, whose milestone says resetStreakStatus false", () => {
    expect(
      Enrollment.make({
        ...identity,
        customerId: 345651201,
        periodName: "PERIOD_G_29463_1",
        initialBalance: 100,
        resetStreakStatus: false
      })
    ).toStrictEqual(
      Either.right(milestone({ customerId: 345651201, periodName: "PERIOD_G_29463_1", initialBalance: 100 }))
    )
  })

  it("takes an empty period for a mistake, not for a streak", () => {
    expect(leftOf(Enrollment.make({ ...identity, periodName: "" })).field).toBe("periodName")
  })

  it.prop("never holds a balance in a streak or a reset in a milestone", [
    fc.record({
      periodName: fc.option(arbitraryPeriodName, { nil: undefined }),
      initialBalance: fc.oneof(fc.constantFrom(null, undefined, 0, 1.5), fc.integer()),
      resetStreakStatus: fc.constantFrom(true, false, undefined)
    })
  ], ([fields]) => {
    const made = Enrollment.make({ ...identity, ...fields })
    const contradicts = fields.periodName === undefined
      ? fields.initialBalance !== undefined
      : fields.resetStreakStatus === true
    const fraction = fields.initialBalance === 1.5
    expect(Either.isLeft(made)).toBe(contradicts || fraction)
    if (Either.isRight(made)) {
      expect(Object.keys(made.right).sort()).toEqual(
        made.right._tag === "Streak"
          ? ["_tag", "customerId", "resetStreakStatus", "targetGroupId", "targetId"]
          : ["_tag", "customerId", "initialBalance", "periodName", "targetGroupId", "targetId"]
      )
    }
  })
})

describe("the union", () => {
  it("has no place for a balance on a streak or a reset on a milestone", () => {
    expectTypeOf<Enrollment.Streak>().not.toHaveProperty("initialBalance")
    expectTypeOf<Enrollment.Streak>().not.toHaveProperty("periodName")
    expectTypeOf<Enrollment.Milestone>().not.toHaveProperty("resetStreakStatus")
    expectTypeOf<Enrollment.Enrollment["_tag"]>().toEqualTypeOf<"Milestone" | "Streak">()
    expectTypeOf<Enrollment.Milestone["initialBalance"]>().toEqualTypeOf<number | null | undefined>()
    expectTypeOf(Enrollment.make).returns.toEqualTypeOf<Either.Either<Enrollment.Enrollment, Ids.InvalidRecord>>()

    // @ts-expect-error a streak starts at no balance
    const withBalance: Enrollment.Streak = { ...streak(), initialBalance: 100 }
    // @ts-expect-error a milestone has no streak to reset
    const withReset: Enrollment.Milestone = { ...milestone(), resetStreakStatus: true }
    // @ts-expect-error a milestone names its period
    const withoutPeriod: Parameters<typeof Enrollment.milestone>[0] = identity
    // @ts-expect-error a streak's constructor takes no balance
    const streakFields: Parameters<typeof Enrollment.streak>[0] = { ...identity, initialBalance: 100 }
    // @ts-expect-error a milestone's constructor takes no reset
    const fields: Parameters<typeof Enrollment.milestone>[0] = { ...identity, periodName: "p", resetStreakStatus: true }
    expect([withBalance._tag, withReset._tag, withoutPeriod, streakFields, fields]).toHaveLength(5)
  })

  it("is taken apart exhaustively by its tag", () => {
    expect(Enrollment.periodOf(milestone())).toBe("Cycle_1")
    expect(Enrollment.periodOf(streak())).toBeNull()
  })
})

describe("the key of an enrolment", () => {
  it("is group, target, customer and period", () => {
    expect(Enrollment.key(milestone())).toBe("2154/2309/564332013/Cycle_1")
    expect(Enrollment.key(streak())).toBe("40/41/564332013/")
  })

  it("does not depend on a balance or a reset", () => {
    expect(Enrollment.key(milestone({ initialBalance: 5 }))).toBe(Enrollment.key(milestone({ initialBalance: null })))
    expect(Enrollment.key(streak({ resetStreakStatus: true }))).toBe(Enrollment.key(streak()))
  })

  it.prop("tells any two enrolments of different place, customer or period apart", [
    fc.tuple(arbitraryIdentity, arbitraryPeriodName),
    fc.tuple(arbitraryIdentity, arbitraryPeriodName)
  ], ([[one, onePeriod], [two, twoPeriod]]) => {
    const same = JSON.stringify([one, onePeriod]) === JSON.stringify([two, twoPeriod])
    const keyOf = (ids: Enrollment.Identity, periodName: string) => Enrollment.key(milestone({ ...ids, periodName }))
    expect(keyOf(one, onePeriod) === keyOf(two, twoPeriod)).toBe(same)
    expect(keyOf(one, onePeriod)).not.toBe(Enrollment.key(streak(one)))
  })

  it("is not fooled by slashes in a period", () => {
    const one = milestone({ targetId: 1, customerId: 2, periodName: "3/4" })
    const two = milestone({ targetId: 1, customerId: 2, periodName: "3" })
    expect(Enrollment.key(one)).not.toBe(Enrollment.key(two))
  })
})
