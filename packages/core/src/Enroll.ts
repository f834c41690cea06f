/**
 * Enrols or re-enrols one customer: `POST …/targetGroups/{targetGroupId}/targets/{targetId}/enroll` (seed).
 *
 * Three ways to run it, from bare to complete: {@link call} makes one attempt, {@link run} retries and fails with the
 * typed error, {@link outcome} never fails and tells how it ended.
 */
import * as Effect from "effect/Effect"
import type * as ApiError from "./ApiError.js"
import * as Attempts from "./Attempts.js"
import type * as Decode from "./Decode.js"
import type { Enrollment } from "./Enrollment.js"
import type * as GatewayError from "./GatewayError.js"
import { submit } from "./internal/submit.js"
import * as Outcome from "./Outcome.js"
import * as Transport from "./Transport.js"
import type { TransportError } from "./TransportError.js"
import * as Wire from "./Wire.js"

/** Exactly what an enrolment can fail with: every documented code, every gateway answer, every fate of a call. */
export type Error =
  | ApiError.ApiError
  | ApiError.UndocumentedApiError
  | GatewayError.GatewayError
  | TransportError

/** The call of an enrolment, before it knows where it goes. */
export const request = (enrollment: Enrollment, timeoutMillis?: number): Transport.Request => ({
  operation: "enroll",
  method: "POST",
  path: `/targetGroups/${enrollment.targetGroupId}/targets/${enrollment.targetId}/enroll`,
  body: Wire.enrollBody(enrollment),
  customerId: enrollment.customerId,
  timeoutMillis
})

/** One attempt, without retry; fails with {@link Error}. */
export const call = (enrollment: Enrollment): Effect.Effect<Decode.Accepted, Error, Transport.Transport> =>
  Effect.flatMap(Transport.Transport, (transport) => submit(transport, request(enrollment)))

const attempted = (
  enrollment: Enrollment
): Effect.Effect<Attempts.Attempted<Decode.Accepted, Error>, never, Transport.Transport> =>
  Attempts.run((transport, timeoutMillis) => submit(transport, request(enrollment, timeoutMillis)))

/**
 * Enrols, retrying by disposition under the `RetryPolicy`; fails with {@link Error}, `AlreadyEnrolled` included.
 *
 * @example
 * ```ts
 * import { Enroll, Enrollment } from "@milepost/core"
 * import { Effect } from "effect"
 *
 * const program = Enrollment.streak({ targetGroupId: 40, targetId: 41, customerId: 564332013 }).pipe(
 *   Effect.flatMap(Enroll.run),
 *   Effect.catchTag("AlreadyEnrolled", () => Effect.log("was in before")),
 *   Effect.catchTag("TargetGroupNotFound", (error) => Effect.logError(error.message))
 * )
 * ```
 */
export const run = (enrollment: Enrollment): Effect.Effect<Decode.Accepted, Error, Transport.Transport> =>
  Attempts.unwrap(attempted(enrollment))

/**
 * Enrols and tells how it ended; never fails.
 *
 * @example
 * ```ts
 * import { Enroll, Enrollment, Outcome } from "@milepost/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const enrollment = yield* Enrollment.milestone({
 *     targetGroupId: 2154,
 *     targetId: 2309,
 *     customerId: 564332013,
 *     periodName: "Cycle_1"
 *   })
 *   const outcome = yield* Enroll.outcome(enrollment)
 *   return Outcome.isDone(outcome)
 * })
 * ```
 */
export const outcome = (enrollment: Enrollment): Effect.Effect<Outcome.Outcome, never, Transport.Transport> =>
  Effect.map(attempted(enrollment), (ended) => Outcome.fromAttempted("enrolled", ended))
