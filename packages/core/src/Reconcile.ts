/**
 * Settles an unknown outcome by looking the customer up: is what was asked for so?
 *
 * A look-up right after a lost answer can be too early: the call may still be running upstream. Wait at least as long
 * as the call's own timeout before believing {@link NotApplied}.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { AlreadyEnrolled } from "./ApiError.js"
import type { Enrollment } from "./Enrollment.js"
import type * as Outcome from "./Outcome.js"
import * as TargetGroups from "./TargetGroups.js"
import type { Transport } from "./Transport.js"
import type { Unenrollment } from "./Unenrollment.js"

/** What was asked for is so: by the call in question or by somebody else. */
export interface Applied {
  readonly _tag: "Applied"
  /** When the customer was enrolled, where the answer says so. */
  readonly enrolledOn: Date | null
}

/** What was asked for is not so at the time of the look-up: sending it again is right. */
export interface NotApplied {
  readonly _tag: "NotApplied"
}

/** What a look-up says of a call. */
export type Reconciliation = Applied | NotApplied

const statusesOf = (
  groups: ReadonlyArray<TargetGroups.TargetGroupStatus>,
  asked: Enrollment | Unenrollment
): ReadonlyArray<TargetGroups.TargetStatus> =>
  groups
    .filter((group) => group.id === asked.targetGroupId)
    .flatMap((group) => group.targets)
    .filter((status) => status.targetRuleId === asked.targetId && status.enrolledOn !== null)

/** Whether a period is the current or a later one; where neither dates nor flag tell, it may be. */
const isOpen = (status: TargetGroups.TargetStatus, nowMillis: number): boolean =>
  status.periodEnd === null ? status.currentPeriod !== false : status.periodEnd.getTime() > nowMillis

/** Reads the answer of a look-up for one call, at a time in milliseconds since 1970: pure. */
export const decide = (
  groups: ReadonlyArray<TargetGroups.TargetGroupStatus>,
  asked: Enrollment | Unenrollment,
  nowMillis: number
): Reconciliation => {
  const enrolled = statusesOf(groups, asked)
  const applied = (enrolledOn: Date | null): Reconciliation => ({ _tag: "Applied", enrolledOn })
  const first = (statuses: ReadonlyArray<TargetGroups.TargetStatus>): Reconciliation => {
    const status = statuses[0]
    return status === undefined ? { _tag: "NotApplied" } : applied(status.enrolledOn)
  }
  switch (asked._tag) {
    case "Milestone":
      return first(enrolled.filter((status) => status.periodRefCode === asked.periodName))
    case "Streak":
      return first(enrolled)
    case "Unenrollment":
      // Earlier periods keep what they earned; the current one and all later ones are gone.
      return enrolled.some((status) => isOpen(status, nowMillis)) ? { _tag: "NotApplied" } : applied(null)
  }
}

/**
 * Looks the customer up and says whether what was asked for is so; fails as the look-up does.
 *
 * @example
 * ```ts
 * import { Enroll, Enrollment, Reconcile } from "@milepost/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const enrollment = yield* Enrollment.streak({ targetGroupId: 40, targetId: 41, customerId: 564332013 })
 *   const outcome = yield* Enroll.outcome(enrollment)
 *   if (outcome.outcome !== "unknown") return outcome
 *   return Reconcile.settle(enrollment, outcome, yield* Reconcile.run(enrollment))
 * })
 * ```
 */
export const run = (
  asked: Enrollment | Unenrollment
): Effect.Effect<Reconciliation, TargetGroups.Error, Transport> =>
  Effect.gen(function*() {
    const groups = yield* TargetGroups.run({
      customerId: asked.customerId,
      targetRuleId: asked.targetId,
      // An enrolment into a period that has ended meanwhile must be found as well.
      includeInactive: true,
      includeInactiveTargets: true
    })
    return decide(groups, asked, yield* Clock.currentTimeMillis)
  })

/**
 * An unsettled outcome after its look-up: done where what was asked for is so, else as it was before.
 *
 * It settles an un-enrolment that was *rejected* after a lost attempt as well: no code means "not enrolled", so such a
 * repeat ends with an undocumented one.
 */
export const settle = <Unsettled extends Outcome.Unknown | Outcome.Rejected>(
  asked: Enrollment | Unenrollment,
  unsettled: Unsettled,
  reconciliation: Reconciliation
): Unsettled | Outcome.Accomplished | Outcome.AlreadyEnrolled => {
  if (reconciliation._tag === "NotApplied") return unsettled
  const { attempts, requestId } = unsettled
  if (asked._tag === "Unenrollment") {
    const mayBeOurs = unsettled.outcome === "unknown" || unsettled.afterAmbiguousAttempt
    return mayBeOurs ? { outcome: "unenrolled", warnings: [], attempts, requestId } : unsettled
  }
  return unsettled.outcome === "rejected" ? unsettled : {
    outcome: "already_enrolled",
    code: AlreadyEnrolled.row.code,
    message: "A look-up found the customer enrolled.",
    afterAmbiguousAttempt: true,
    attempts,
    requestId
  }
}
