/** The calls that the conformance cases are made of, with the ids of `World.conformance`. */
import * as Enroll from "@milepost/core/Enroll"
import type * as Enrollment from "@milepost/core/Enrollment"
import type * as Ids from "@milepost/core/Ids"
import type * as TargetGroups from "@milepost/core/TargetGroups"
import type * as Transport from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Effect from "effect/Effect"
import { expectListed, expectSaid, type Listed, type Said } from "./conformanceSteps.js"

/** What a case does. */
export type Steps = ReturnType<typeof expectSaid>

/** @see {@link customer} */
export const group = (id: number) => id as Ids.TargetGroupId
/** @see {@link customer} */
export const target = (id: number) => id as Ids.TargetId
/** An id of a world: known to be one, so that the cases stay data. */
export const customer = (id: number) => id as Ids.CustomerId

/** The parent organisation's till. */
export const parent = { credential: "parent.till" }
/** The till of its child. */
export const child = { credential: "child.till" }

/** Enrols into a cycle of a milestone. */
export const milestone = (
  customerId: number,
  periodName: string,
  initialBalance?: Enrollment.InitialBalance,
  where: { readonly group?: number; readonly target?: number } = {}
): Transport.Request =>
  Enroll.request({
    _tag: "Milestone",
    targetGroupId: group(where.group ?? 2154),
    targetId: target(where.target ?? 2309),
    customerId: customer(customerId),
    periodName,
    initialBalance
  })

/** Enrols into the streak. */
export const streak = (customerId: number, resetStreakStatus?: boolean): Transport.Request =>
  Enroll.request({
    _tag: "Streak",
    targetGroupId: group(40),
    targetId: target(41),
    customerId: customer(customerId),
    resetStreakStatus
  })

/** Un-enrols. */
export const leaving = (customerId: number, targetGroupId = 2154, targetId = 2309): Transport.Request =>
  Unenroll.request({
    _tag: "Unenrollment",
    targetGroupId: group(targetGroupId),
    targetId: target(targetId),
    customerId: customer(customerId)
  })

/** An enrolment, and what is answered. */
export const enrols = (request: Transport.Request, expected: Said = "accepted"): Steps => expectSaid("enrol", request, expected)
/** An un-enrolment, and what is answered. */
export const unenrols = (request: Transport.Request, expected: Said = "accepted"): Steps =>
  expectSaid("un-enrol", request, expected)

/** A look-up of a customer. */
export const query = (customerId: number, more: Partial<TargetGroups.Query> = {}): TargetGroups.Query => ({
  customerId: customer(customerId),
  ...more
})

/** A look-up, and what it lists. */
export const lists = (customerId: number, expected: Listed, more: Partial<TargetGroups.Query> = {}): Steps =>
  expectListed("look up", query(customerId, more), expected)

/** One after another. */
export const steps = (...all: ReadonlyArray<Steps>): Steps => Effect.all(all, { discard: true })

/** An enrolment with a body of one's own. */
export const bodyOf = (body: string, customerId = 1001): Transport.Request => ({ ...milestone(customerId, "Cycle_3"), body })

/** Also what has ended. */
export const ended = { includeInactiveTargets: true }
/** The streak's levels in a look-up. */
export const levels = (achieved: number): Listed =>
  ["Bronze", "Silver", "Gold", "Platinum"].map((name, level) => `${name}:${level < achieved ? "ACHIEVED" : "NOT_STARTED"}`)
/** The streak's periods from one on, and its levels, in a look-up. */
export const streakFrom = (first: number, achieved: number): Listed => [
  ...Array.from({ length: 31 - first }, (_, index) => `Streak_${first + index}=0`),
  ...levels(achieved)
]
