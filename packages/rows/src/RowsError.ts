/**
 * Why an input cannot be read at all: one class for each thing that a person would mend in another way.
 *
 * A row that is wrong is none of these: it is a row that says so, and what comes behind it is read.
 */
import * as Data from "effect/Data"
import type { Column } from "./Row.js"

/** The input as a whole cannot be had, or is neither CSV nor NDJSON. */
export class InputUnusable extends Data.TaggedError("InputUnusable")<{
  /** One line that names the input and what to do about it. */
  readonly message: string
}> {}

/** Its head is missing or contradicts itself, so that no row of it has a meaning. */
export class HeaderUnusable extends Data.TaggedError("HeaderUnusable")<{
  /** One line that names the input, the place in it, and what is wrong. */
  readonly message: string
  /** The column that it is about, where there is one. */
  readonly column: Column | null
}> {}

/** No column names a target, and neither does what is filled in for all rows. */
export class ColumnMissing extends Data.TaggedError("ColumnMissing")<{
  /** The input as messages call it. */
  readonly input: string
  readonly column: Column
}> {
  override get message(): string {
    return `${this.input}: there is no column ${this.column}`
  }
}

/** What reading an input can meet. */
export type RowsError = ColumnMissing | HeaderUnusable | InputUnusable
