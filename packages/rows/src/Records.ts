/**
 * From a row to what it asks for: one enrolment, or one for each default period.
 *
 * Columns win; defaults fill the columns that the file does not have. What is wrong is said with line, column and value.
 */
import * as Enrollment from "@milepost/core/Enrollment"
import * as Ids from "@milepost/core/Ids"
import * as Unenrollment from "@milepost/core/Unenrollment"
import type { Request } from "@milepost/ledger/Entry"
import type { Operation } from "@milepost/ledger/Run"
import * as Either from "effect/Either"
import type { Column, Field, Header, Readable, Row, Unreadable } from "./Row.js"
import { ColumnMissing } from "./RowsError.js"

/** What is filled in where the input has no such column. */
export interface Defaults {
  readonly targetGroupId: Ids.TargetGroupId | undefined
  readonly targetId: Ids.TargetId | undefined
  /** One call a period, in this order. */
  readonly periodNames: ReadonlyArray<string>
  readonly initialBalance: Enrollment.InitialBalance
  readonly resetStreakStatus: boolean | undefined
}

/** A row that asks for nothing, because something is wrong with it. */
export interface BadRow {
  /** The physical line that the row begins on, from 1. */
  readonly line: number
  /** The column that is wrong; `null` where the row as a whole is. */
  readonly column: string | null
  /** What stands there; `null` where the row as a whole is wrong. */
  readonly value: string | null
  readonly reason: string
  /** All of it in one line. */
  readonly message: string
}

const isAbsent = (field: Field): field is undefined | null | "" => field === undefined || field === null || field === ""

const textOf = (field: Field): string => (field === undefined || field === null ? "" : String(field))

/** A cell of `initialBalance`: empty is absent, `null` or `resume` is `null`, else a whole number. */
export const initialBalance = (field: Field): Either.Either<Enrollment.InitialBalance, Ids.InvalidRecord> => {
  if (field === undefined || field === "") return Either.right(undefined)
  if (field === null) return Either.right(null)
  const text = textOf(field).toLowerCase()
  if (text === "null" || text === "resume") return Either.right(null)
  const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value)
    ? Either.right(value)
    : Either.left(Ids.invalid("initialBalance", textOf(field), "is neither a whole number within ±(2^53-1) nor resume"))
}

/** A cell of `resetStreakStatus`: `true` or `false`; empty is absent. */
export const resetStreakStatus = (field: Field): Either.Either<boolean | undefined, Ids.InvalidRecord> => {
  if (isAbsent(field)) return Either.right(undefined)
  const text = textOf(field).toLowerCase()
  return text === "true" || text === "false"
    ? Either.right(text === "true")
    : Either.left(Ids.invalid("resetStreakStatus", textOf(field), "is neither true nor false"))
}

/** A field of a row, or what is filled in where the input has no such column. */
const filled = <A>(
  field: Field,
  given: A | undefined,
  read: (text: string) => Either.Either<A, Ids.InvalidRecord>
): Either.Either<A, Ids.InvalidRecord> =>
  field === undefined && given !== undefined ? Either.right(given) : read(textOf(field))

const periodNamesOf = (field: Field, defaults: Defaults): ReadonlyArray<string | undefined> => {
  if (field !== undefined) return [isAbsent(field) ? undefined : textOf(field)]
  return defaults.periodNames.length === 0 ? [undefined] : defaults.periodNames
}

// Plain conditions, as in core's Enrollment: every row comes through here.
const enrollmentsOf = (
  { fields }: Readable,
  defaults: Defaults
): Either.Either<ReadonlyArray<Enrollment.Enrollment>, Ids.InvalidRecord> => {
  const customerId = Ids.customerIdFromText(textOf(fields.customerId))
  if (Either.isLeft(customerId)) return Either.left(customerId.left)
  const targetGroupId = filled(fields.targetGroupId, defaults.targetGroupId, Ids.targetGroupIdFromText)
  if (Either.isLeft(targetGroupId)) return Either.left(targetGroupId.left)
  const targetId = filled(fields.targetId, defaults.targetId, Ids.targetIdFromText)
  if (Either.isLeft(targetId)) return Either.left(targetId.left)
  const balance = fields.initialBalance === undefined
    ? Either.right(defaults.initialBalance)
    : initialBalance(fields.initialBalance)
  if (Either.isLeft(balance)) return Either.left(balance.left)
  const reset = fields.resetStreakStatus === undefined
    ? Either.right(defaults.resetStreakStatus)
    : resetStreakStatus(fields.resetStreakStatus)
  if (Either.isLeft(reset)) return Either.left(reset.left)
  const enrollments: Array<Enrollment.Enrollment> = []
  for (const periodName of periodNamesOf(fields.periodName, defaults)) {
    const enrollment = Enrollment.make({
      customerId: customerId.right,
      targetGroupId: targetGroupId.right,
      targetId: targetId.right,
      periodName,
      initialBalance: balance.right,
      resetStreakStatus: reset.right
    })
    if (Either.isLeft(enrollment)) return Either.left(enrollment.left)
    enrollments.push(enrollment.right)
  }
  return Either.right(enrollments)
}

const mistaken = (header: Header, row: Readable, error: Ids.InvalidRecord): BadRow => {
  const position = header.positions.get(error.field as Column)
  const column = position === undefined ? "" : `, column ${position}`
  return {
    line: row.line,
    column: error.field,
    value: error.value,
    reason: error.problem,
    message: `line ${row.line}${column} (${error.field}): ${JSON.stringify(error.value)} ${error.problem}`
  }
}

const unreadable = ({ line, problem }: Unreadable): BadRow => {
  const place = `line ${line}: `
  const reason = problem.startsWith(place) ? problem.slice(place.length) : problem
  return { line, column: null, value: null, reason, message: problem }
}

const unenrollmentsOf = (
  { fields }: Readable,
  defaults: Defaults
): Either.Either<ReadonlyArray<Unenrollment.Unenrollment>, Ids.InvalidRecord> =>
  Either.gen(function*() {
    const customerId = yield* Ids.customerIdFromText(textOf(fields.customerId))
    const targetGroupId = yield* filled(fields.targetGroupId, defaults.targetGroupId, Ids.targetGroupIdFromText)
    const targetId = yield* filled(fields.targetId, defaults.targetId, Ids.targetIdFromText)
    return [yield* Unenrollment.make({ customerId, targetGroupId, targetId })]
  })

/** What rows ask for when a file is read for this operation; an un-enrolment looks at no column beside the ids. */
export const reader = (
  operation: Operation,
  defaults: Defaults
): (header: Header, row: Row) => Either.Either<ReadonlyArray<Request>, BadRow> => {
  const read: (row: Readable, defaults: Defaults) => Either.Either<ReadonlyArray<Request>, Ids.InvalidRecord> =
    operation === "enroll" ? enrollmentsOf : unenrollmentsOf
  return (header, row) =>
    row._tag === "Unreadable"
      ? Either.left(unreadable(row))
      : Either.mapLeft(read(row, defaults), (error) => mistaken(header, row, error))
}

/** Checks that columns and defaults together name a target for every row; CSV only, NDJSON rows differ from each other. */
export const complete = (input: string, header: Header, defaults: Defaults): Either.Either<void, ColumnMissing> => {
  if (header.positions.size === 0) return Either.void
  const lacks = (column: Column): Either.Either<void, ColumnMissing> => Either.left(new ColumnMissing({ input, column }))
  if (defaults.targetGroupId === undefined && !header.positions.has("targetGroupId")) return lacks("targetGroupId")
  return defaults.targetId === undefined && !header.positions.has("targetId") ? lacks("targetId") : Either.void
}

/** The columns that a value is filled in for. */
const given: ReadonlyArray<readonly [Column, (defaults: Defaults) => boolean]> = [
  ["targetGroupId", (defaults) => defaults.targetGroupId !== undefined],
  ["targetId", (defaults) => defaults.targetId !== undefined],
  ["periodName", (defaults) => defaults.periodNames.length > 0],
  ["initialBalance", (defaults) => defaults.initialBalance !== undefined],
  ["resetStreakStatus", (defaults) => defaults.resetStreakStatus !== undefined]
]

/** The columns for which a value was to be filled in, and which the input has itself. */
export const overruled = (defaults: Defaults, positions: ReadonlyMap<Column, number>): ReadonlyArray<Column> =>
  given.filter(([column, isGiven]) => isGiven(defaults) && positions.has(column)).map(([column]) => column)
