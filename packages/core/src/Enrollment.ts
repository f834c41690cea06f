/**
 * What is asked for: put one customer into one period of a milestone, or into a streak.
 *
 * The wire has one record for both (seed, *Request Body Parameters*); here they are a union, so that a balance on a
 * streak or a reset on a milestone cannot be written down.
 */
import * as Either from "effect/Either"
import * as Ids from "./Ids.js"

/**
 * The achieved value that a milestone starts at. Three meanings that must not be mixed up (seed, `initialBalance`):
 *
 * - a number, 0 included: the achieved value is set to it;
 * - `null`: on re-enrolment, go on from the value held when un-enrolled;
 * - `undefined`: the field is not sent and the upstream decides.
 */
export type InitialBalance = number | null | undefined

/** A customer into one period (cycle) of a milestone: one call (seed, "called 10 times as this is for each cycle"). */
export interface Milestone {
  readonly _tag: "Milestone"
  readonly targetGroupId: Ids.TargetGroupId
  readonly targetId: Ids.TargetId
  readonly customerId: Ids.CustomerId
  /** The `refCode` of the period, e.g. `PERIOD_G_29463_1`. */
  readonly periodName: string
  readonly initialBalance: InitialBalance
}

/** A customer into a streak: one call covers all its periods (seed, "enrolled into all the periods"). */
export interface Streak {
  readonly _tag: "Streak"
  readonly targetGroupId: Ids.TargetGroupId
  readonly targetId: Ids.TargetId
  readonly customerId: Ids.CustomerId
  /** `true` on re-enrolment starts afresh; `false` or `undefined` goes on from before. */
  readonly resetStreakStatus: boolean | undefined
}

/** An enrolment or re-enrolment: the call is the same for both. */
export type Enrollment = Milestone | Streak

/** Where an enrolment goes and whom it is for, as plain numbers. */
export interface Identity {
  readonly targetGroupId: number
  readonly targetId: number
  readonly customerId: number
}

/** The longest `periodName` that is sent, in characters; the upstream documents no limit. */
export const longestPeriodName = 255

const unprintable = /[\p{Cc}\u2028\u2029]/u

/** Checks a period's `refCode`: not blank, no control characters, at most {@link longestPeriodName} characters. */
export const periodName = (value: string): Either.Either<string, Ids.InvalidRecord> => {
  if (value.trim() === "") return Either.left(Ids.invalid("periodName", value, "is blank; a period's refCode is needed"))
  if (unprintable.test(value)) return Either.left(Ids.invalid("periodName", value, "holds control characters"))
  if (value.length > longestPeriodName) {
    return Either.left(Ids.invalid("periodName", value, `is longer than ${longestPeriodName} characters`))
  }
  return Either.right(value)
}

const balance = (value: InitialBalance): Either.Either<InitialBalance, Ids.InvalidRecord> =>
  value === undefined || value === null || Number.isSafeInteger(value)
    ? Either.right(value)
    : Either.left(Ids.invalid("initialBalance", value, "is not a whole number within ±(2^53-1)"))

/** Where and whom, checked. */
export interface CheckedIdentity {
  readonly targetGroupId: Ids.TargetGroupId
  readonly targetId: Ids.TargetId
  readonly customerId: Ids.CustomerId
}

/**
 * Checks where and whom: fails with `InvalidRecord` naming the first id that is not one.
 *
 * Every row of a file comes through here twice, so it and its callers are plain conditions: `Either.gen` and `Either.all`
 * would cost four times the rest.
 */
export const identity = (ids: Identity): Either.Either<CheckedIdentity, Ids.InvalidRecord> => {
  const targetGroupId = Ids.targetGroupId(ids.targetGroupId)
  if (Either.isLeft(targetGroupId)) return Either.left(targetGroupId.left)
  const targetId = Ids.targetId(ids.targetId)
  if (Either.isLeft(targetId)) return Either.left(targetId.left)
  const customerId = Ids.customerId(ids.customerId)
  if (Either.isLeft(customerId)) return Either.left(customerId.left)
  return Either.right({
    targetGroupId: targetGroupId.right,
    targetId: targetId.right,
    customerId: customerId.right
  })
}

/**
 * An enrolment into one period of a milestone; fails with `InvalidRecord` on a bad id, period or balance.
 *
 * @example
 * ```ts
 * import { Enrollment } from "@milepost/core"
 *
 * const resumed = Enrollment.milestone({
 *   targetGroupId: 2154,
 *   targetId: 2309,
 *   customerId: 564332013,
 *   periodName: "Cycle_1",
 *   initialBalance: null
 * })
 * ```
 */
export const milestone = (
  fields: Identity & { readonly periodName: string; readonly initialBalance?: InitialBalance }
): Either.Either<Milestone, Ids.InvalidRecord> => {
  const ids = identity(fields)
  if (Either.isLeft(ids)) return Either.left(ids.left)
  const period = periodName(fields.periodName)
  if (Either.isLeft(period)) return Either.left(period.left)
  const initialBalance = balance(fields.initialBalance)
  if (Either.isLeft(initialBalance)) return Either.left(initialBalance.left)
  const { customerId, targetGroupId, targetId } = ids.right
  return Either.right({
    _tag: "Milestone",
    targetGroupId,
    targetId,
    customerId,
    periodName: period.right,
    initialBalance: initialBalance.right
  })
}

/**
 * An enrolment into a streak; fails with `InvalidRecord` on a bad id.
 *
 * @example
 * ```ts
 * import { Enrollment } from "@milepost/core"
 *
 * const afresh = Enrollment.streak({ targetGroupId: 40, targetId: 41, customerId: 564332013, resetStreakStatus: true })
 * ```
 */
export const streak = (
  fields: Identity & { readonly resetStreakStatus?: boolean | undefined }
): Either.Either<Streak, Ids.InvalidRecord> =>
  Either.map(identity(fields), (ids) => ({ _tag: "Streak", ...ids, resetStreakStatus: fields.resetStreakStatus }))

/**
 * An enrolment from loose fields: with a period it is a milestone, without one a streak.
 *
 * Fails with `InvalidRecord` where the fields contradict each other: a balance without a period, a reset with one.
 * `resetStreakStatus: false` asks for nothing, so a milestone may carry it, as in the seed's example; it is not sent.
 */
export const make = (
  fields: Identity & {
    readonly periodName?: string | undefined
    readonly initialBalance?: InitialBalance
    readonly resetStreakStatus?: boolean | undefined
  }
): Either.Either<Enrollment, Ids.InvalidRecord> => {
  const { initialBalance, periodName: period, resetStreakStatus } = fields
  if (period !== undefined) {
    return resetStreakStatus === true
      ? Either.left(
        Ids.invalid("resetStreakStatus", resetStreakStatus, "does not apply to a milestone; leave it out, or the period")
      )
      : milestone({ ...fields, periodName: period })
  }
  return initialBalance === undefined
    ? streak(fields)
    : Either.left(
      Ids.invalid(
        "initialBalance",
        initialBalance,
        "does not apply to a streak; leave it out, or name the period of the milestone"
      )
    )
}

/** The period of an enrolment, `null` for a streak, which has none. */
export const periodOf = (enrollment: Enrollment): string | null =>
  enrollment._tag === "Milestone" ? enrollment.periodName : null

/** What makes two enrolments the same one: group, target, customer and period. A balance or a reset does not. */
export const key = (enrollment: Enrollment): string =>
  `${enrollment.targetGroupId}/${enrollment.targetId}/${enrollment.customerId}/${periodOf(enrollment) ?? ""}`
