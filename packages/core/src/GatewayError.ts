/**
 * What the gateway in front of the upstream answers when no application error is in the body, one class a status.
 *
 * The body's code is read first; only an answer without one is judged by its status (`docs/upstream.md`, *Answers*).
 */
import type { YieldableError } from "effect/Cause"
import * as Data from "effect/Data"
import type { BlastRadius, Classified, Disposition } from "./Disposition.js"
import { type Tabled, tabled } from "./internal/tabled.js"

/** One gateway answer: what it means, what it condemns, and what a person does about it. */
export interface Row<Status extends number = number, Tag extends string = string> {
  /** The HTTP status. */
  readonly status: Status
  /** The name of the class, for `catchTag` and `Match.tags`. */
  readonly tag: Tag
  readonly meaning: string
  readonly remedy: string
  readonly blastRadius: BlastRadius
  readonly disposition: Disposition
}

/** What an answer adds to the row. */
export interface Fields {
  /** How long the gateway asks to wait (`Retry-After`), in milliseconds; `null` where it does not. */
  readonly retryAfterMillis: number | null
  /** The id under which the call was sent. */
  readonly requestId: string | null
}

/** An error of a listed status. */
export interface Listed<Status extends number, Tag extends string> extends YieldableError, Fields, Classified {
  readonly _tag: Tag
  readonly status: Status
  readonly message: string
}

const listed = <const Status extends number, const Tag extends string>(
  row: Row<Status, Tag>
): Tabled<Row<Status, Tag>, Fields, Listed<Status, Tag>> =>
  tabled(row, (fields) => ({ ...fields, status: row.status, message: row.meaning }))

/** 400: the gateway calls the request malformed. */
export class MalformedCall extends listed({
  status: 400,
  tag: "MalformedCall",
  meaning: "The gateway calls the request malformed.",
  remedy: "Report it with the request id: what Milepost sends should not be malformed.",
  blastRadius: "record",
  disposition: "rejected"
}) {}

/** 404: the path is unknown to the gateway. */
export class PathNotFound extends listed({
  status: 404,
  tag: "PathNotFound",
  meaning: "The gateway does not know the path.",
  remedy: "Check MILEPOST_HOST and MILEPOST_BASE_PATH.",
  blastRadius: "everything",
  disposition: "rejected"
}) {}

/** 405: the gateway refuses the method. */
export class MethodNotAllowed extends listed({
  status: 405,
  tag: "MethodNotAllowed",
  meaning: "The gateway refuses the method on this path.",
  remedy: "Check MILEPOST_BASE_PATH: another service seems to answer there.",
  blastRadius: "everything",
  disposition: "rejected"
}) {}

/** 415: the gateway refuses the content type. */
export class UnsupportedContentType extends listed({
  status: 415,
  tag: "UnsupportedContentType",
  meaning: "The gateway refuses the content type.",
  remedy: "Check MILEPOST_BASE_PATH: another service seems to answer there.",
  blastRadius: "everything",
  disposition: "rejected"
}) {}

/** 401: the credentials are refused, after one renewal where they are OAuth's. */
export class CredentialsRefused extends listed({
  status: 401,
  tag: "CredentialsRefused",
  meaning: "The credentials were refused.",
  remedy: "Check the till's username and password, or the OAuth key and secret, and that they belong to this cluster.",
  blastRadius: "everything",
  disposition: "rejected"
}) {}

/** 403: the access group lacks the permission. */
export class PermissionDenied extends listed({
  status: 403,
  tag: "PermissionDenied",
  meaning: "The access group of these credentials lacks the permission.",
  remedy: "Ask for the default access group for this till or OAuth client.",
  blastRadius: "everything",
  disposition: "rejected"
}) {}

/** 429: too many calls; `Retry-After` says how long to wait where it is given. */
export class RateLimited extends listed({
  status: 429,
  tag: "RateLimited",
  meaning: "The organisation's rate limit is used up.",
  remedy: "Wait, or send more slowly.",
  blastRadius: "none",
  disposition: "retryLater"
}) {}

/** 461: the upstream's search engine is busy. */
export class SearchBusy extends listed({
  status: 461,
  tag: "SearchBusy",
  meaning: "The upstream's search engine is busy.",
  remedy: "Wait; it is tried again by itself.",
  blastRadius: "none",
  disposition: "retryLater"
}) {}

/** 500: failed upstream; it may have been executed. */
export class InternalServerError extends listed({
  status: 500,
  tag: "InternalServerError",
  meaning: "The upstream failed; the call may have been executed.",
  remedy: "Repeat the call: 310119 tells whether it was executed. Or look the customer up.",
  blastRadius: "record",
  disposition: "outcomeUnknown"
}) {}

/** 502: the gateway lost the upstream; it may have been executed. */
export class BadGateway extends listed({
  status: 502,
  tag: "BadGateway",
  meaning: "The gateway got no valid answer from the upstream; the call may have been executed.",
  remedy: "Repeat the call: 310119 tells whether it was executed. Or look the customer up.",
  blastRadius: "record",
  disposition: "outcomeUnknown"
}) {}

/** 503: authorization status unavailable, or overloaded. */
export class Overloaded extends listed({
  status: 503,
  tag: "Overloaded",
  meaning: "The upstream is overloaded or cannot tell the authorization status.",
  remedy: "Wait; it is tried again by itself.",
  blastRadius: "none",
  disposition: "retryLater"
}) {}

/** 504: the gateway stopped waiting; it may have been executed. */
export class GatewayTimeout extends listed({
  status: 504,
  tag: "GatewayTimeout",
  meaning: "The gateway stopped waiting for the upstream; the call may have been executed.",
  remedy: "Repeat the call: 310119 tells whether it was executed. Or look the customer up.",
  blastRadius: "record",
  disposition: "outcomeUnknown"
}) {}

/** 521: several actions are running for the same customer. */
export class CustomerBusy extends listed({
  status: 521,
  tag: "CustomerBusy",
  meaning: "Several actions are running for the same customer.",
  remedy: "Run one call a customer at a time; it is tried again by itself.",
  blastRadius: "none",
  disposition: "retryLater"
}) {}

/** Every listed gateway answer: the source of the union and the documents. */
export const table = [
  MalformedCall,
  CredentialsRefused,
  PermissionDenied,
  PathNotFound,
  MethodNotAllowed,
  UnsupportedContentType,
  RateLimited,
  SearchBusy,
  InternalServerError,
  BadGateway,
  Overloaded,
  GatewayTimeout,
  CustomerBusy
] as const

/**
 * A status that is listed nowhere, without an application error in the body.
 *
 * From 500 on, and for 408, nobody knows whether the call was executed; below, it was refused. Redirects are not followed.
 */
export class UnexpectedStatus extends Data.TaggedError("UnexpectedStatus")<
  Fields & { readonly status: number; readonly message: string }
> {
  get disposition(): Disposition {
    return this.status >= 500 || this.status === 408 ? "outcomeUnknown" : "rejected"
  }
  get blastRadius(): BlastRadius {
    return "record"
  }
}

/** An answer of the gateway itself. */
export type GatewayError = InstanceType<(typeof table)[number]> | UnexpectedStatus

const byStatus: ReadonlyMap<number, (typeof table)[number]> = new Map(table.map((answer) => [answer.row.status, answer]))

/** The row of a status, `undefined` where it is not listed. */
export const rowOf = (status: number): Row | undefined => byStatus.get(status)?.row

/** The error of a status: its class, else {@link UnexpectedStatus}. */
export const fromStatus = (status: number, fields: Fields): GatewayError => {
  const answer = byStatus.get(status)
  if (answer !== undefined) return new answer(fields)
  const message = status >= 300 && status < 400
    ? `The upstream answered ${status}, a redirect; redirects are not followed.`
    : `The upstream answered with the unexpected status ${status}.`
  return new UnexpectedStatus({ ...fields, status, message })
}
