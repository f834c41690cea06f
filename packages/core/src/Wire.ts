/**
 * The wire format: the bodies that are sent and the envelope that comes back (seed, *Request Body Parameters* and
 * *Response Parameters*).
 *
 * Two forms of each: a hand-written guard for the hot path, and a rich schema for documents, forms and properties.
 * Property tests hold the two equal. Both are lenient to unknown keys: the upstream may add some.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Enrollment } from "./Enrollment.js"
import * as Ids from "./Ids.js"
import { clean } from "./internal/clean.js"
import type { Unenrollment } from "./Unenrollment.js"

/** The one record of an enrol call, as it stands in the body's array. */
export interface EnrollRecord {
  readonly customerId: number
  readonly periodName?: string | null
  readonly initialBalance?: number | null
  readonly resetStreakStatus?: boolean | null
}

/** The one record of an un-enrol call. */
export interface UnenrollRecord {
  readonly customerId: number
}

/** An error or a warning of the upstream: its code and its words, one bounded line. */
export interface Notice {
  /** A number where it came as one or as a numeric string; other text is kept; `null` where there was none. */
  readonly code: number | string | null
  readonly message: string
}

/** An answer's envelope, made regular: absent, `null` and `[]` are the same. */
export interface Envelope {
  readonly data: unknown
  readonly errors: ReadonlyArray<Notice>
  readonly warnings: ReadonlyArray<Notice>
}

/** The body of an enrol call: an array of exactly one record; what does not apply or is absent is not sent. */
export const enrollBody = (enrollment: Enrollment): string => {
  const customer = `[{"customerId":${enrollment.customerId}`
  if (enrollment._tag === "Streak") {
    return enrollment.resetStreakStatus === undefined
      ? `${customer}}]`
      : `${customer},"resetStreakStatus":${enrollment.resetStreakStatus}}]`
  }
  const period = `${customer},"periodName":${JSON.stringify(enrollment.periodName)}`
  return enrollment.initialBalance === undefined
    ? `${period}}]`
    : `${period},"initialBalance":${enrollment.initialBalance}}]`
}

/** The body of an un-enrol call: an array of exactly one record. */
export const unenrollBody = (unenrollment: Unenrollment): string => `[{"customerId":${unenrollment.customerId}}]`

const field = (name: string, value: string | number | boolean | null | undefined): string =>
  value === undefined ? "" : `,"${name}":${typeof value === "string" ? JSON.stringify(value) : value}`

/** The body of a call out of a record that was read: its documented fields as they stood there, `null` included, and no others. */
export const recordBody = ({ customerId, initialBalance, periodName, resetStreakStatus }: EnrollRecord): string => {
  const fields = field("periodName", periodName) + field("initialBalance", initialBalance) + field("resetStreakStatus", resetStreakStatus)
  return `[{"customerId":${customerId}${fields}}]`
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parseJson = (text: string): Either.Either<unknown, "NotJson"> => {
  try {
    return Either.right(JSON.parse(text))
  } catch {
    return Either.left("NotJson")
  }
}

interface RawNotice {
  readonly code?: unknown
  readonly message?: unknown
}

interface RawEnvelope {
  readonly data?: unknown
  readonly errors?: ReadonlyArray<RawNotice> | null
  readonly warnings?: ReadonlyArray<RawNotice> | null
}

const isNotices = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.every(isRecord))

const isRawEnvelope = (value: unknown): value is RawEnvelope =>
  isRecord(value) && ("data" in value || "errors" in value) && isNotices(value["errors"]) && isNotices(value["warnings"])

const numeric = /^[0-9]{1,15}$/

const notice = (raw: RawNotice): Notice => ({
  code: typeof raw.code === "number"
    ? raw.code
    : typeof raw.code === "string"
    ? numeric.test(raw.code.trim()) ? Number(raw.code) : clean(raw.code)
    : null,
  message: typeof raw.message === "string" ? clean(raw.message) : ""
})

const none: ReadonlyArray<Notice> = []

const notices = (raw: ReadonlyArray<RawNotice> | null | undefined): ReadonlyArray<Notice> =>
  raw === undefined || raw === null || raw.length === 0 ? none : raw.map(notice)

/** Why a body is no envelope. */
export type NotAnEnvelope = "Empty" | "NotJson" | "UnexpectedShape"

/**
 * Reads an answer's body; the left side says why it is no envelope.
 *
 * @example
 * ```ts
 * import { Wire } from "@milepost/core"
 *
 * const envelope = Wire.envelope(`{"data":345651201,"errors":null,"warnings":null}`)
 * ```
 */
export const envelope = (body: string): Either.Either<Envelope, NotAnEnvelope> => {
  if (body.trim() === "") return Either.left("Empty")
  const json = parseJson(body)
  if (Either.isLeft(json)) return Either.left(json.left)
  const raw = json.right
  return isRawEnvelope(raw)
    ? Either.right({ data: raw.data, errors: notices(raw.errors), warnings: notices(raw.warnings) })
    : Either.left("UnexpectedShape")
}

const RawNoticeList = Schema.optional(
  Schema.NullOr(Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown })))
)

/** The rich schema of the envelope, equal to what {@link envelope} accepts. */
export const EnvelopeSchema = Schema.Union(
  Schema.Struct({ data: Schema.Unknown, errors: RawNoticeList, warnings: RawNoticeList }),
  Schema.Struct({
    errors: Schema.NullOr(Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown }))),
    warnings: RawNoticeList
  })
).annotations({
  // One of the two keys must be there: by default, decoding takes a missing key for one that holds `undefined`.
  parseOptions: { exact: true }
})

/** The rich schema of an enrol record (seed, *Request Body Parameters*), equal to what {@link enrollRecord} accepts. */
export const EnrollRecordSchema = Schema.Struct({
  customerId: Ids.Id.annotations({ description: "The unique identifier of the customer." }),
  periodName: Schema.optional(Schema.NullOr(Schema.String)).annotations({
    description: "The refCode of the period. Required for a milestone, not needed for a streak."
  }),
  initialBalance: Schema.optional(Schema.NullOr(Schema.Int.pipe(
    Schema.between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  ))).annotations({
    description: "Milestones: the achieved value to start at; null resumes at the value held when un-enrolled."
  }),
  resetStreakStatus: Schema.optional(Schema.NullOr(Schema.Boolean)).annotations({
    description: "Streaks: true on re-enrolment starts afresh."
  })
})

const isAbsentOr = (value: unknown, is: (value: unknown) => boolean): boolean =>
  value === undefined || value === null || is(value)

const isEnrollRecord = (value: unknown): value is EnrollRecord =>
  isRecord(value) &&
  Ids.isId(value["customerId"]) &&
  isAbsentOr(value["periodName"], (period) => typeof period === "string") &&
  isAbsentOr(value["initialBalance"], Number.isSafeInteger) &&
  isAbsentOr(value["resetStreakStatus"], (reset) => typeof reset === "boolean")

const theOne = (body: string): unknown => {
  const json = parseJson(body)
  return Either.isRight(json) && Array.isArray(json.right) && json.right.length === 1 ? json.right[0] : undefined
}

/** Reads the body of an enrol call as the upstream does: an array of exactly one record; `null` where it is not that. */
export const enrollRecord = (body: string): EnrollRecord | null => {
  const record = theOne(body)
  return isEnrollRecord(record) ? record : null
}

/** Reads the body of an un-enrol call: an array of exactly one record; `null` where it is not that. */
export const unenrollRecord = (body: string): UnenrollRecord | null => {
  const record = theOne(body)
  return isRecord(record) && Ids.isId(record["customerId"]) ? { customerId: record["customerId"] } : null
}
