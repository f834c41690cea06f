/**
 * One row of an input file, before anybody asks what it means.
 *
 * It keeps its line number and its original bytes, so that a failed row can be mended and fed in again.
 */

/** The columns that Milepost reads, as the upstream names the fields. */
export const columns = [
  "customerId",
  "periodName",
  "initialBalance",
  "resetStreakStatus",
  "targetGroupId",
  "targetId"
] as const

/** A column that Milepost reads. */
export type Column = (typeof columns)[number]

/** A field as it stands in the input; `undefined` where the row does not have it. */
export type Field = string | number | boolean | null | undefined

/** A row that could be read. */
export interface Readable {
  readonly _tag: "Readable"
  /** The physical line that the row begins on, from 1. */
  readonly line: number
  readonly fields: Readonly<Record<Column, Field>>
  /** All cells in the order of the header (CSV), or the line itself (NDJSON): carried to the results untouched. */
  readonly cells: ReadonlyArray<string>
  /** The original bytes, line end included. */
  readonly bytes: Uint8Array
}

/** A row that could not be read: what is wrong and where. */
export interface Unreadable {
  readonly _tag: "Unreadable"
  readonly line: number
  readonly problem: string
  readonly cells: ReadonlyArray<string>
  readonly bytes: Uint8Array
}

/** One row of an input file. */
export type Row = Readable | Unreadable

/** What the head of a file says about all its rows. */
export interface Header {
  /** The names of the cells, for results. */
  readonly names: ReadonlyArray<string>
  /** Where each column stands, from 1; absent columns are not listed. NDJSON has no positions. */
  readonly positions: ReadonlyMap<Column, number>
  /** The original bytes of the header line, empty for NDJSON. */
  readonly bytes: Uint8Array
}

/** Rows of one chunk of the input. */
export interface Batch {
  readonly header: Header
  readonly rows: ReadonlyArray<Row>
}
