/**
 * What is asked for: take one customer out of a milestone or a streak (`docs/upstream.md`, *Operations*).
 *
 * The call names no period: it removes the current period and all later ones.
 */
import * as Either from "effect/Either"
import * as Enrollment from "./Enrollment.js"
import type * as Ids from "./Ids.js"

/** A customer out of a target: everything that the call carries. */
export interface Unenrollment {
  readonly _tag: "Unenrollment"
  readonly targetGroupId: Ids.TargetGroupId
  readonly targetId: Ids.TargetId
  readonly customerId: Ids.CustomerId
}

/** An un-enrolment from plain numbers; fails with `InvalidRecord` on a bad id. */
export const make = (fields: Enrollment.Identity): Either.Either<Unenrollment, Ids.InvalidRecord> =>
  Either.map(Enrollment.identity(fields), (ids) => ({ _tag: "Unenrollment", ...ids }))

/** What makes two un-enrolments the same one: group, target and customer. */
export const key = (unenrollment: Unenrollment): string =>
  `${unenrollment.targetGroupId}/${unenrollment.targetId}/${unenrollment.customerId}`
