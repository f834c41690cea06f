/**
 * How one record ended, in the same words everywhere: in code, results, JSON and HTTP.
 *
 * Plain data, told apart by `outcome`. Each word counts as done, failed, unknown or not sent.
 */
import * as Either from "effect/Either"
import type * as ApiError from "./ApiError.js"
import type { Attempted } from "./Attempts.js"
import type { Accepted } from "./Decode.js"
import type { BlastRadius } from "./Disposition.js"
import type * as GatewayError from "./GatewayError.js"
import type { InvalidRecord } from "./Ids.js"
import type { NotSentReason, TransportError } from "./TransportError.js"
import type { Notice } from "./Wire.js"

/** The upstream accepted this call. */
export interface Accomplished {
  readonly outcome: "enrolled" | "unenrolled"
  readonly warnings: ReadonlyArray<Notice>
  readonly attempts: number
  readonly requestId: string | null
}

/** 310119: the customer is enrolled, by this call's lost attempt or by somebody before. */
export interface AlreadyEnrolled {
  readonly outcome: "already_enrolled"
  readonly code: number
  readonly message: string
  /** An earlier attempt of ours had no answer: then it was ours or somebody's. */
  readonly afterAmbiguousAttempt: boolean
  readonly attempts: number
  readonly requestId: string | null
}

/** A definite no. */
export interface Rejected {
  readonly outcome: "rejected"
  /** The upstream's code or status, its text where it is no number, or `input` for a record that never left. */
  readonly code: number | string | null
  /** The class of the error, for programs. */
  readonly tag: string
  readonly message: string
  /** What else the same answer would meet. */
  readonly blastRadius: BlastRadius
  readonly afterAmbiguousAttempt: boolean
  readonly attempts: number
  readonly requestId: string | null
}

/** Attempts are used up and one of them may have been executed. */
export interface Unknown {
  readonly outcome: "unknown"
  /** The last answer's status; `null` where there was no answer. */
  readonly code: number | string | null
  readonly tag: string
  readonly message: string
  readonly attempts: number
  readonly requestId: string | null
}

/** Never sent. */
export interface Skipped {
  readonly outcome: "skipped"
  /**
   * `duplicate` of an earlier record; `fuse`: an earlier answer condemned it; `cancelled` by the caller;
   * `unreachable`: every attempt ended before it left this machine.
   */
  readonly reason: "duplicate" | "fuse" | "cancelled" | "unreachable"
  /** Which record it duplicates, which code blew the fuse, or why the upstream could not be reached. */
  readonly message: string
  /** What kept it from leaving, where the reason is `unreachable`; else `null`. */
  readonly notSent: NotSentReason | null
}

/** How an enrolment or un-enrolment ended. */
export type Outcome = Accomplished | AlreadyEnrolled | Rejected | Unknown | Skipped

/** Every word that an outcome can be, in the order of a summary. */
export const words = ["enrolled", "unenrolled", "already_enrolled", "rejected", "unknown", "skipped"] as const

/** A word that an outcome can be. */
export type Word = (typeof words)[number]

/** Whether a record needs nothing more: what was asked for is so. */
export const isDone = (outcome: Outcome): boolean =>
  outcome.outcome === "enrolled" || outcome.outcome === "unenrolled" || outcome.outcome === "already_enrolled"

/** A record that was refused before it left. */
export const fromInvalidRecord = (error: InvalidRecord): Rejected => ({
  outcome: "rejected",
  code: "input",
  tag: error._tag,
  message: error.message,
  blastRadius: "record",
  afterAmbiguousAttempt: false,
  attempts: 0,
  requestId: null
})

/** A record that was never sent. */
export const skipped = (
  reason: Skipped["reason"],
  message: string,
  notSent: NotSentReason | null = null
): Skipped => ({ outcome: "skipped", reason, message, notSent })

/** Every error that a call can end with. */
export type CallError =
  | ApiError.ApiError
  | ApiError.UndocumentedApiError
  | GatewayError.GatewayError
  | TransportError

const codeOf = (error: CallError): number | string | null =>
  "code" in error ? error.code : "status" in error ? error.status : null

const fromError = (
  done: Accomplished["outcome"],
  error: CallError,
  { afterAmbiguousAttempt, attempts }: { readonly afterAmbiguousAttempt: boolean; readonly attempts: number }
): Outcome => {
  const requestId = "requestId" in error ? error.requestId : null
  const common = { code: codeOf(error), tag: error._tag, message: error.message, attempts, requestId }
  switch (error.disposition) {
    case "alreadyApplied":
      // "Already enrolled" is the contrary of what an un-enrolment asked for.
      if (done === "unenrolled") break
      return { ...common, outcome: "already_enrolled", code: Number(common.code), afterAmbiguousAttempt }
    case "outcomeUnknown":
      return { ...common, outcome: "unknown" }
    case "retryLater":
      // Not executed this time; but an earlier attempt without an answer may have been.
      if (afterAmbiguousAttempt) return { ...common, outcome: "unknown" }
      break
    case "rejected":
      // A refusal of the record would have met the earlier attempt as well; one of the gateway says nothing about it.
      if (afterAmbiguousAttempt && !("code" in error)) return { ...common, outcome: "unknown" }
      break
  }
  if (error._tag === "NotSent") return skipped("unreachable", error.message, error.reason)
  return { ...common, outcome: "rejected", blastRadius: error.blastRadius, afterAmbiguousAttempt }
}

/**
 * The outcome of a call after all its attempts; `done` is the word for success.
 *
 * 310119 is `already_enrolled` for an enrolment, and `rejected` for an un-enrolment: the customer is still in.
 */
export const fromAttempted = (
  done: Accomplished["outcome"],
  attempted: Attempted<Accepted, CallError>
): Outcome =>
  Either.isRight(attempted.result)
    ? {
      outcome: done,
      warnings: attempted.result.right.warnings,
      attempts: attempted.attempts,
      requestId: attempted.result.right.requestId
    }
    : fromError(done, attempted.result.left, attempted)
