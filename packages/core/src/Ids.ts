/**
 * The integers that name things upstream: customers, target groups, targets, organisations.
 *
 * They are JSON numbers on the wire (seed, *Request Path Parameters* and *Request Body Parameters*), so they stay
 * exact only up to 2^53-1; anything beyond is refused instead of being rounded to somebody else's id.
 */
import * as Brand from "effect/Brand"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** The unique identifier of a customer: a whole number from 1 to 2^53-1 (seed, `customerId`). */
export type CustomerId = number & Brand.Brand<"CustomerId">

/** The identifier of a target group, the container of targets and periods: 1 to 2^53-1 (seed, `targetGroupId`). */
export type TargetGroupId = number & Brand.Brand<"TargetGroupId">

/** The identifier of a target, also called target rule: 1 to 2^53-1 (seed, `targetId`). */
export type TargetId = number & Brand.Brand<"TargetId">

/** The identifier of an organisation, as `DATA-SCOPE-ORG` carries it: 1 to 2^53-1. */
export type OrgId = number & Brand.Brand<"OrgId">

/** The greatest id that JSON carries exactly: 2^53-1. */
export const greatest: number = Number.MAX_SAFE_INTEGER

/** Whether a value is usable as an id: a whole number from 1 to {@link greatest}. */
export const isId = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0

/**
 * A field of a record that cannot be sent: which field, what it held, and what is wrong with it.
 *
 * It is raised before anything leaves; as an outcome it is `rejected` with code `input`.
 */
export class InvalidRecord extends Data.TaggedError("InvalidRecord")<{
  /** The field as the upstream names it, e.g. `customerId`. */
  readonly field: string
  /** The offending value as text, at most 80 characters of it. */
  readonly value: string
  /** What is wrong and what is expected, without the field and the value. */
  readonly problem: string
}> {
  override get message(): string {
    return `${this.field}: ${quoted(this.value)} ${this.problem}`
  }
}

const escaped = (invisible: string): string =>
  Array.from(
    { length: invisible.length },
    (_, index) => `\\u${invisible.charCodeAt(index).toString(16).padStart(4, "0")}`
  ).join("")

/** In quotes and safe to print: `JSON.stringify` leaves C1 controls and invisible characters as they are. */
const quoted = (text: string): string => JSON.stringify(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped)

/** Makes an {@link InvalidRecord}, bounding the value that it repeats. */
export const invalid = (field: string, value: unknown, problem: string): InvalidRecord => {
  const text = typeof value === "string" ? value : String(value)
  return new InvalidRecord({ field, value: text.length <= 80 ? text : `${text.slice(0, 80)}…`, problem })
}

const wholeNumber = /^[0-9]+$/
const spreadsheet = /^[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+$|^[0-9]+[.,]0+$/

const beyond = `is beyond ${greatest}, the greatest id that JSON carries exactly`
const negative = "is negative; ids are whole numbers from 1"
const zero = "is zero; ids are whole numbers from 1"
const decimal = "has a decimal part; ids are whole numbers"
const notWhole = "is not a whole number"

const problemOfText = (text: string): string => {
  if (text === "") return "is empty; a whole number is needed"
  if (/\s/u.test(text)) return "holds white space; a whole number alone is needed"
  if (/^-[0-9]+([.,][0-9]+)?$/.test(text)) return negative
  if (spreadsheet.test(text)) {
    return "is not a whole number; a spreadsheet may have reformatted it: export the column as text"
  }
  if (/^[0-9]+[.,][0-9]+$/.test(text)) return decimal
  if (!wholeNumber.test(text)) {
    return /^\p{Nd}+$/u.test(text) ? "is written in other digits than 0 to 9" : notWhole
  }
  if (/^0+$/.test(text)) return zero
  if (text.startsWith("0")) return "begins with a zero; ids are written without leading zeros"
  return beyond
}

const problemOfNumber = (value: number): string => {
  if (!Number.isFinite(value)) return notWhole
  if (value === 0) return zero
  if (value < 0) return negative
  return Number.isInteger(value) ? beyond : decimal
}

const canonical = /^[1-9][0-9]{0,15}$/

const fromText = <Id extends number>(field: string) => (text: string): Either.Either<Id, InvalidRecord> => {
  const id = canonical.test(text) ? Number(text) : Number.NaN
  return isId(id) ? Either.right(id as Id) : Either.left(invalid(field, text, problemOfText(text)))
}

const fromNumber = <Id extends number>(field: string) => (value: number): Either.Either<Id, InvalidRecord> =>
  isId(value) ? Either.right(value as Id) : Either.left(invalid(field, value, problemOfNumber(value)))

/** Reads a customer id from text such as a CSV cell; fails with {@link InvalidRecord}, never rounds. */
export const customerIdFromText: (text: string) => Either.Either<CustomerId, InvalidRecord> = fromText("customerId")

/** Reads a target group id from text; fails with {@link InvalidRecord}. */
export const targetGroupIdFromText: (text: string) => Either.Either<TargetGroupId, InvalidRecord> =
  fromText("targetGroupId")

/** Reads a target id from text; fails with {@link InvalidRecord}. */
export const targetIdFromText: (text: string) => Either.Either<TargetId, InvalidRecord> = fromText("targetId")

/** Reads an organisation id from text; fails with {@link InvalidRecord}. */
export const orgIdFromText: (text: string) => Either.Either<OrgId, InvalidRecord> = fromText("orgId")

/** Checks a number to be a customer id; fails with {@link InvalidRecord}. */
export const customerId: (value: number) => Either.Either<CustomerId, InvalidRecord> = fromNumber("customerId")

/** Checks a number to be a target group id; fails with {@link InvalidRecord}. */
export const targetGroupId: (value: number) => Either.Either<TargetGroupId, InvalidRecord> =
  fromNumber("targetGroupId")

/** Checks a number to be a target id; fails with {@link InvalidRecord}. */
export const targetId: (value: number) => Either.Either<TargetId, InvalidRecord> = fromNumber("targetId")

/** Checks a number to be an organisation id; fails with {@link InvalidRecord}. */
export const orgId: (value: number) => Either.Either<OrgId, InvalidRecord> = fromNumber("orgId")

/**
 * The rich schema of an id, for documents, forms and properties.
 *
 * The hot path uses {@link isId}; a property test holds the two equal.
 */
export const Id: Schema.Schema<number> = Schema.Number.pipe(
  Schema.int(),
  Schema.between(1, greatest, { description: "a whole number from 1 to 2^53-1" })
)
