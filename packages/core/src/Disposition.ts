/**
 * What a failure means for the caller: whether to try again, and how much else it condemns.
 *
 * Retry, outcomes, the fuse of a bulk run and the documentation all read these two words; nothing looks at a status or
 * a code a second time.
 */

/**
 * What to make of a failed call.
 *
 * - `rejected`: a definite no; the same call would be refused again.
 * - `alreadyApplied`: what was asked for is already so.
 * - `retryLater`: not executed; the same call may succeed after a wait.
 * - `outcomeUnknown`: it may or may not have been executed; enrolling again is safe, because 310119 tells.
 */
export type Disposition = "rejected" | "alreadyApplied" | "retryLater" | "outcomeUnknown"

/**
 * How many other calls would fail for the same reason: from `none` and this `record`, over every record of this
 * `customer`, `period`, `target`, `group` or `org`, to `everything`.
 */
export type BlastRadius = "none" | "record" | "customer" | "period" | "target" | "group" | "org" | "everything"

/** What every error of a call says of itself. */
export interface Classified {
  readonly _tag: string
  readonly message: string
  readonly disposition: Disposition
  readonly blastRadius: BlastRadius
}

/** Whether a failed call is worth repeating: it was not executed, or nobody knows. */
export const isRetryable = (error: Classified): boolean =>
  error.disposition === "retryLater" || error.disposition === "outcomeUnknown"

/** The wait that an error's answer asks for (`Retry-After`), in milliseconds; `null` where it asks for none. */
export const retryAfterMillis = (error: Classified): number | null =>
  "retryAfterMillis" in error && typeof error.retryAfterMillis === "number" ? error.retryAfterMillis : null

/** Whether somebody answered *not now*: the call was certainly not executed, and the way to the upstream is open. */
export const isPostponed = (error: Classified): boolean => error.disposition === "retryLater" && "status" in error
