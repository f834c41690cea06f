/**
 * Takes one customer out: `POST …/targetGroups/{targetGroupId}/targets/{targetId}/unEnroll`, with a capital E
 * (`docs/upstream.md`, *Operations*).
 *
 * Repeating it after a lost answer may be answered with a code that means "not enrolled". None is documented, so it
 * stays an `UndocumentedApiError`, and a look-up (`Reconcile`) settles it.
 */
import * as Effect from "effect/Effect"
import * as Attempts from "./Attempts.js"
import type * as Decode from "./Decode.js"
import type * as Enroll from "./Enroll.js"
import { submit } from "./internal/submit.js"
import * as Outcome from "./Outcome.js"
import * as Transport from "./Transport.js"
import type { Unenrollment } from "./Unenrollment.js"
import * as Wire from "./Wire.js"

/** Exactly what an un-enrolment can fail with; the family documents one set of codes for both. */
export type Error = Enroll.Error

/** The call of an un-enrolment, before it knows where it goes. */
export const request = (unenrollment: Unenrollment, timeoutMillis?: number): Transport.Request => ({
  operation: "unenroll",
  method: "POST",
  path: `/targetGroups/${unenrollment.targetGroupId}/targets/${unenrollment.targetId}/unEnroll`,
  body: Wire.unenrollBody(unenrollment),
  customerId: unenrollment.customerId,
  timeoutMillis
})

/** One attempt, without retry; fails with {@link Error}. */
export const call = (unenrollment: Unenrollment): Effect.Effect<Decode.Accepted, Error, Transport.Transport> =>
  Effect.flatMap(Transport.Transport, (transport) => submit(transport, request(unenrollment)))

const attempted = (
  unenrollment: Unenrollment
): Effect.Effect<Attempts.Attempted<Decode.Accepted, Error>, never, Transport.Transport> =>
  Attempts.run((transport, timeoutMillis) => submit(transport, request(unenrollment, timeoutMillis)))

/**
 * Un-enrols, retrying by disposition under the `RetryPolicy`; fails with {@link Error}.
 *
 * @example
 * ```ts
 * import { Unenroll, Unenrollment } from "@milepost/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.flatMap(
 *   Unenrollment.make({ targetGroupId: 2154, targetId: 2309, customerId: 564332013 }),
 *   Unenroll.run
 * )
 * ```
 */
export const run = (unenrollment: Unenrollment): Effect.Effect<Decode.Accepted, Error, Transport.Transport> =>
  Attempts.unwrap(attempted(unenrollment))

/** Un-enrols and tells how it ended; never fails. */
export const outcome = (unenrollment: Unenrollment): Effect.Effect<Outcome.Outcome, never, Transport.Transport> =>
  Effect.map(attempted(unenrollment), (ended) => Outcome.fromAttempted("unenrolled", ended))
