/** Enrolments and un-enrolments to test with, and arbitrary ones. */
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Enrollment from "../src/Enrollment.js"
import * as Unenrollment from "../src/Unenrollment.js"

export const identity = { targetGroupId: 2154, targetId: 2309, customerId: 564332013 }

export const milestone = (fields: Partial<Parameters<typeof Enrollment.milestone>[0]> = {}): Enrollment.Milestone =>
  Either.getOrThrow(Enrollment.milestone({ ...identity, periodName: "Cycle_1", ...fields }))

export const streak = (fields: Partial<Parameters<typeof Enrollment.streak>[0]> = {}): Enrollment.Streak =>
  Either.getOrThrow(Enrollment.streak({ ...identity, targetGroupId: 40, targetId: 41, ...fields }))

export const unenrollment: Unenrollment.Unenrollment = Either.getOrThrow(Unenrollment.make(identity))

/** The left side of an `Either`; throws where it is a right. */
export const leftOf = <A, E>(either: Either.Either<A, E>): E => Either.getOrThrow(Either.flip(either))

export const arbitraryId: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1, max: 2_000_000_000 }),
  fc.maxSafeInteger().map((n) => Math.max(1, Math.abs(n))),
  fc.constantFrom(1, Number.MAX_SAFE_INTEGER)
)

export const arbitraryIdentity = fc.record({
  targetGroupId: arbitraryId,
  targetId: arbitraryId,
  customerId: arbitraryId
})

/** A number, zero and negative ones included, `null` or absent, each as likely. */
export const arbitraryBalance: fc.Arbitrary<Enrollment.InitialBalance> = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 300),
  fc.constant(null),
  fc.constant(undefined)
)

export const arbitraryPeriodName: fc.Arbitrary<string> = fc.string({ unit: "binary", minLength: 1, maxLength: 60 })
  .filter((name) => Either.isRight(Enrollment.periodName(name)))

export const arbitraryEnrollment: fc.Arbitrary<Enrollment.Enrollment> = fc.oneof(
  fc.tuple(arbitraryIdentity, arbitraryPeriodName, arbitraryBalance).map(([ids, periodName, initialBalance]) =>
    Either.getOrThrow(Enrollment.milestone({ ...ids, periodName, initialBalance }))
  ),
  fc.tuple(arbitraryIdentity, fc.constantFrom(true, false, undefined)).map(([ids, resetStreakStatus]) =>
    Either.getOrThrow(Enrollment.streak({ ...ids, resetStreakStatus }))
  )
)
