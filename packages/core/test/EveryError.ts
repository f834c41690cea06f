/**
 * Every error that a call can end with, written out by hand from the seed's table of codes and the gateway answers
 * beside it: the expectation that the tables of the sources are held against.
 */
import * as ApiError from "../src/ApiError.js"
import type { BlastRadius, Disposition } from "../src/Disposition.js"
import * as GatewayError from "../src/GatewayError.js"
import type { CallError } from "../src/Outcome.js"
import * as TransportError from "../src/TransportError.js"

/** The members of every program's error channel, one by one. */
export type EveryCallError =
  | ApiError.AlreadyEnrolled
  | ApiError.InvalidCustomer
  | ApiError.PeriodNotFound
  | ApiError.TargetGroupNotFound
  | ApiError.TargetNotFound
  | ApiError.InvalidInput
  | ApiError.DataScopeNotSupported
  | ApiError.ConnectedOrgsNotSet
  | ApiError.UndocumentedApiError
  | GatewayError.MalformedCall
  | GatewayError.CredentialsRefused
  | GatewayError.PermissionDenied
  | GatewayError.PathNotFound
  | GatewayError.MethodNotAllowed
  | GatewayError.UnsupportedContentType
  | GatewayError.RateLimited
  | GatewayError.SearchBusy
  | GatewayError.InternalServerError
  | GatewayError.BadGateway
  | GatewayError.Overloaded
  | GatewayError.GatewayTimeout
  | GatewayError.CustomerBusy
  | GatewayError.UnexpectedStatus
  | TransportError.NotSent
  | TransportError.NoAnswer
  | TransportError.MalformedAnswer

export interface Expected {
  readonly tag: CallError["_tag"]
  readonly disposition: Disposition
  readonly blastRadius: BlastRadius
}

const row = (tag: CallError["_tag"], disposition: Disposition, blastRadius: BlastRadius): Expected => ({
  tag,
  disposition,
  blastRadius
})

/** The eight codes of the seed. */
export const codes: ReadonlyArray<Expected & { readonly code: ApiError.Code }> = [
  { code: 310119, ...row("AlreadyEnrolled", "alreadyApplied", "none") },
  { code: 310011, ...row("InvalidCustomer", "rejected", "customer") },
  { code: 310019, ...row("PeriodNotFound", "rejected", "period") },
  { code: 310017, ...row("TargetGroupNotFound", "rejected", "group") },
  { code: 310018, ...row("TargetNotFound", "rejected", "target") },
  { code: 300004, ...row("InvalidInput", "rejected", "record") },
  { code: 310141, ...row("DataScopeNotSupported", "rejected", "everything") },
  { code: 310144, ...row("ConnectedOrgsNotSet", "rejected", "org") }
]

/** The gateway's answers. */
export const statuses: ReadonlyArray<Expected & { readonly status: number }> = [
  { status: 400, ...row("MalformedCall", "rejected", "record") },
  { status: 401, ...row("CredentialsRefused", "rejected", "everything") },
  { status: 403, ...row("PermissionDenied", "rejected", "everything") },
  { status: 404, ...row("PathNotFound", "rejected", "everything") },
  { status: 405, ...row("MethodNotAllowed", "rejected", "everything") },
  { status: 415, ...row("UnsupportedContentType", "rejected", "everything") },
  { status: 429, ...row("RateLimited", "retryLater", "none") },
  { status: 461, ...row("SearchBusy", "retryLater", "none") },
  { status: 500, ...row("InternalServerError", "outcomeUnknown", "record") },
  { status: 502, ...row("BadGateway", "outcomeUnknown", "record") },
  { status: 503, ...row("Overloaded", "retryLater", "none") },
  { status: 504, ...row("GatewayTimeout", "outcomeUnknown", "record") },
  { status: 521, ...row("CustomerBusy", "retryLater", "none") }
]

/** Statuses that are listed nowhere. */
export const unlistedStatuses: ReadonlyArray<Expected & { readonly status: number }> = [
  { status: 302, ...row("UnexpectedStatus", "rejected", "record") },
  { status: 408, ...row("UnexpectedStatus", "outcomeUnknown", "record") },
  { status: 409, ...row("UnexpectedStatus", "rejected", "record") },
  { status: 418, ...row("UnexpectedStatus", "rejected", "record") },
  { status: 501, ...row("UnexpectedStatus", "outcomeUnknown", "record") },
  { status: 520, ...row("UnexpectedStatus", "outcomeUnknown", "record") },
  { status: 599, ...row("UnexpectedStatus", "outcomeUnknown", "record") }
]

/** What the transport itself says. */
export const fates: ReadonlyArray<Expected & { readonly reason: string }> = [
  { reason: "Dns", ...row("NotSent", "retryLater", "everything") },
  { reason: "Refused", ...row("NotSent", "retryLater", "everything") },
  { reason: "ConnectTimeout", ...row("NotSent", "retryLater", "everything") },
  { reason: "TokenUnavailable", ...row("NotSent", "retryLater", "everything") },
  { reason: "Tls", ...row("NotSent", "rejected", "everything") },
  { reason: "Closed", ...row("NotSent", "rejected", "everything") },
  { reason: "CredentialsRefused", ...row("NotSent", "rejected", "everything") },
  { reason: "Timeout", ...row("NoAnswer", "outcomeUnknown", "record") },
  { reason: "Reset", ...row("NoAnswer", "outcomeUnknown", "record") },
  { reason: "Empty", ...row("MalformedAnswer", "outcomeUnknown", "record") },
  { reason: "NotJson", ...row("MalformedAnswer", "outcomeUnknown", "record") },
  { reason: "UnexpectedShape", ...row("MalformedAnswer", "outcomeUnknown", "record") },
  { reason: "TooLarge", ...row("MalformedAnswer", "outcomeUnknown", "record") }
]

export interface Sample extends Expected {
  /** What tells this sample from others of its class. */
  readonly detail: string | number | null
  readonly error: CallError
}

const fields = { message: "upstream words", status: 200, requestId: "req-1" }

const gatewayFields = { retryAfterMillis: null, requestId: "req-1" }

const fate = (tag: Expected["tag"], reason: string): TransportError.TransportError => {
  switch (tag) {
    case "NotSent":
      return new TransportError.NotSent({ reason: reason as TransportError.NotSentReason, message: "not sent" })
    case "NoAnswer":
      return new TransportError.NoAnswer({ reason: reason as "Timeout", message: "no answer", requestId: "req-1" })
    default:
      return new TransportError.MalformedAnswer({
        reason: reason as "Empty",
        message: "malformed",
        status: 200,
        requestId: "req-1"
      })
  }
}

/** One error of every class, and of every reason where the reason decides. */
export const samples: ReadonlyArray<Sample> = [
  ...codes.map(({ code, ...expected }) => ({ ...expected, detail: code, error: ApiError.fromCode(code, fields) })),
  ...[999999, "E-1", null].map((code) => ({
    ...row("UndocumentedApiError", "rejected", "record"),
    detail: code,
    error: ApiError.fromCode(code, fields)
  })),
  ...[...statuses, ...unlistedStatuses].map(({ status, ...expected }) => ({
    ...expected,
    detail: status,
    error: GatewayError.fromStatus(status, gatewayFields)
  })),
  ...fates.map(({ reason, ...expected }) => ({ ...expected, detail: reason, error: fate(expected.tag, reason) }))
]
