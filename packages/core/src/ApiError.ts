/**
 * The codes that the upstream answers with, one class each.
 *
 * The table is the single source: the union {@link ApiError}, `docs/error-codes.md`, the CLI's `errors` command and the
 * simulator's answers derive from it. Adding a class to {@link table} widens the union, and every exhaustive match in
 * the repository stops compiling until it is handled.
 */
import type { YieldableError } from "effect/Cause"
import * as Data from "effect/Data"
import type { BlastRadius, Classified, Disposition } from "./Disposition.js"
import { type Tabled, tabled } from "./internal/tabled.js"

/** One documented code: what it means, what it condemns, and what a person does about it. */
export interface Row<Code extends number = number, Tag extends string = string> {
  /** The upstream's number (seed, *API-Specific Errors*). */
  readonly code: Code
  /** The name of the class, for `catchTag` and `Match.tags`. */
  readonly tag: Tag
  /** What the code says, in a sentence. */
  readonly meaning: string
  /** What a person does about it. */
  readonly remedy: string
  readonly blastRadius: BlastRadius
  readonly disposition: Disposition
}

/** What an answer adds to the row: never the request, the body or a header. */
export interface Fields {
  /** The upstream's own words, one bounded line. */
  readonly message: string
  /** The HTTP status that the code came with; it is not documented and decides nothing. */
  readonly status: number
  /** The id under which the call was sent, for a support ticket. */
  readonly requestId: string | null
}

/** An error of a documented code. */
export interface Documented<Code extends number, Tag extends string> extends YieldableError, Fields, Classified {
  readonly _tag: Tag
  readonly code: Code
  readonly message: string
}

const documented = <const Code extends number, const Tag extends string>(
  row: Row<Code, Tag>
): Tabled<Row<Code, Tag>, Fields, Documented<Code, Tag>> => tabled(row, (fields) => ({ ...fields, code: row.code }))

/** 310119: the customer is already enrolled for the target. For an idempotent caller this is success. */
export class AlreadyEnrolled extends documented({
  code: 310119,
  tag: "AlreadyEnrolled",
  meaning: "The customer is already enrolled for the target.",
  remedy: "Nothing: what was asked for is so. To start over, un-enrol first.",
  blastRadius: "none",
  disposition: "alreadyApplied"
}) {}

/** 310011: the customer id is not valid in this organisation. */
export class InvalidCustomer extends documented({
  code: 310011,
  tag: "InvalidCustomer",
  meaning: "The customer id is not valid.",
  remedy: "Check customerId: it must be the customer's id in the organisation that the data scope names.",
  blastRadius: "customer",
  disposition: "rejected"
}) {}

/** 310019: the period is not one of this target group. */
export class PeriodNotFound extends documented({
  code: 310019,
  tag: "PeriodNotFound",
  meaning: "The target period was not found.",
  remedy: "Check periodName: it is the refCode of a period of this target group. A milestone needs one.",
  blastRadius: "period",
  disposition: "rejected"
}) {}

/** 310017: the target group does not exist or is deactivated. */
export class TargetGroupNotFound extends documented({
  code: 310017,
  tag: "TargetGroupNotFound",
  meaning: "The target group was not found or is deactivated.",
  remedy: "Check targetGroupId, the organisation of the data scope, and that the group is active.",
  blastRadius: "group",
  disposition: "rejected"
}) {}

/** 310018: the target (target rule) is not in this target group. */
export class TargetNotFound extends documented({
  code: 310018,
  tag: "TargetNotFound",
  meaning: "The target rule was not found.",
  remedy: "Check targetId: it must be a target of this target group.",
  blastRadius: "target",
  disposition: "rejected"
}) {}

/** 300004: the upstream calls the record invalid. */
export class InvalidInput extends documented({
  code: 300004,
  tag: "InvalidInput",
  meaning: "The input is invalid.",
  remedy: "Check the record's fields: one record a call, whole numbers, a balance for milestones only.",
  blastRadius: "record",
  disposition: "rejected"
}) {}

/** 310141: the data scope `ALL` is not supported for this call. */
export class DataScopeNotSupported extends documented({
  code: 310141,
  tag: "DataScopeNotSupported",
  meaning: "The data scope ALL is not supported for this API.",
  remedy: "Set the data scope to SELF, or to OTHER with the id of one child organisation.",
  blastRadius: "everything",
  disposition: "rejected"
}) {}

/** 310144: the connected organisation is not set properly in the headers. */
export class ConnectedOrgsNotSet extends documented({
  code: 310144,
  tag: "ConnectedOrgsNotSet",
  meaning: "Connected organisations are not set properly in the headers.",
  remedy: "Check that the organisation is connected to the one that authenticates, and the endpoint.",
  blastRadius: "org",
  disposition: "rejected"
}) {}

/** Every documented code, in the order of the seed: the source of the union, the documents and the simulator. */
export const table = [
  AlreadyEnrolled,
  InvalidCustomer,
  PeriodNotFound,
  TargetGroupNotFound,
  TargetNotFound,
  InvalidInput,
  DataScopeNotSupported,
  ConnectedOrgsNotSet
] as const

/** An error of a documented code. */
export type ApiError = InstanceType<(typeof table)[number]>

/** A code that the upstream documents for this API. */
export type Code = ApiError["code"]

/**
 * A code that is documented nowhere: code and message are kept as they came.
 *
 * It condemns this record and is not repeated: nobody knows what it means.
 */
export class UndocumentedApiError extends Data.TaggedError("UndocumentedApiError")<
  Fields & {
    /** The upstream's code: a number where it looks like one, else its text, `null` where there was none. */
    readonly code: number | string | null
  }
> {
  get disposition(): Disposition {
    return "rejected"
  }
  get blastRadius(): BlastRadius {
    return "record"
  }
}

const byCode: ReadonlyMap<number, (typeof table)[number]> = new Map(
  table.map((documentedError) => [documentedError.row.code, documentedError])
)

/** The row of a code, `undefined` where the code is undocumented. */
export const rowOf = (code: number): Row | undefined => byCode.get(code)?.row

/** The error of a code: its documented class, else {@link UndocumentedApiError} with code and message kept. */
export const fromCode = (code: number | string | null, fields: Fields): ApiError | UndocumentedApiError => {
  const documentedError = typeof code === "number" ? byCode.get(code) : undefined
  return documentedError === undefined
    ? new UndocumentedApiError({ ...fields, code })
    : new documentedError(fields)
}
