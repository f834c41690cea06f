/**
 * What goes into a ledger and what comes out, record by record.
 *
 * A row of the input becomes one record for each call that it asks for; a row that cannot be read becomes none.
 */
import type { Enrollment } from "@milepost/core/Enrollment"
import type * as Outcome from "@milepost/core/Outcome"
import type { Unenrollment } from "@milepost/core/Unenrollment"

/** What one call asks for. */
export type Request = Enrollment | Unenrollment

/** How many calls one row may ask for. */
export const callsPerRow = 1024

/** How many lanes a run may have. */
export const mostLanes = 1024

/** The numbers of one lane: 2^43, so that all lanes fit below 2^53 with 2^33 rows each. */
const perLane = 2 ** 43

/**
 * A record's number in its run: its lane, its row and its place in the row, in this order.
 *
 * Within a lane, and so for each customer, it ascends in the order of the input. A lane's records lie beside each other
 * on disk: claiming and settling 500 of them touches a dozen pages instead of 500.
 */
export type Seq = number

/** The number of a record. */
export const seqOf = (lane: number, row: number, place: number): Seq => lane * perLane + row * callsPerRow + place

/** The row that a record came from. */
export const rowOf = (seq: Seq): number => Math.floor((seq % perLane) / callsPerRow)

/** The lane that a record belongs to. */
export const laneOf = (seq: Seq): number => Math.floor(seq / perLane)

/** One call that a row asks for. */
export interface Call {
  readonly request: Request
  /** Earlier attempts, in other runs, that may have been executed. */
  readonly lostAttempts?: number
}

/** A row of the input on its way into the ledger. */
export interface ImportRow {
  /** Its number in the input, from 1, ascending. */
  readonly row: number
  /** The line that it begins on. */
  readonly line: number
  /** Its original bytes. */
  readonly bytes: Uint8Array
  /** Why it cannot be sent; `null` for a good row. */
  readonly problem: string | null
  /** Its calls, in the order in which they are to be made; empty for a bad row. */
  readonly calls: ReadonlyArray<Call>
}

/** What an import has added. Rows that were in before are not counted. */
export interface Appended {
  readonly rows: number
  readonly records: number
  readonly duplicates: number
  readonly badRows: number
}

/** A record that somebody has taken on himself to send. */
export interface Claimed {
  readonly seq: Seq
  readonly request: Request
  /** Attempts that ended with an outcome which was taken back later. */
  readonly attempts: number
  /**
   * How often it was claimed, here or in the run that this one was derived from, without an outcome on disk. Above zero,
   * an earlier call may have been executed: 310119 is then `already_enrolled` with `afterAmbiguousAttempt`.
   */
  readonly lostAttempts: number
}

/** How a record ended, to be written down. */
export interface Settlement {
  readonly seq: Seq
  readonly outcome: Outcome.Outcome
}

/** What became of a settlement: records that were not claimed any more are left as they are. */
export interface Settled {
  readonly settled: number
  /** Those that had an outcome already, or had been given back: first one wins. */
  readonly ignored: ReadonlyArray<Seq>
}

/** A record as it stands. */
export interface Entry {
  readonly seq: Seq
  readonly request: Request
  /** `null` while it is pending or claimed. */
  readonly outcome: Outcome.Outcome | null
  readonly isClaimed: boolean
  /** All attempts that are known of, also those before an outcome that was taken back. */
  readonly attempts: number
  readonly lostAttempts: number
  readonly claimedMillis: number | null
  readonly endedMillis: number | null
}

/** A row of the input with its records as they stand, in the order of its calls. */
export interface ResultRow {
  readonly row: number
  readonly line: number
  readonly bytes: Uint8Array
  /** How a row ended that could not be sent; `null` for a good row. */
  readonly rejected: Outcome.Rejected | null
  readonly entries: ReadonlyArray<Entry>
}

/** A row of the input, byte for byte. */
export interface OriginalRow {
  readonly row: number
  readonly line: number
  readonly bytes: Uint8Array
}

/** Records that an answer to another one has condemned: all fields that are given must fit. */
export interface Condemned {
  readonly targetGroupId?: number
  readonly targetId?: number
  readonly periodName?: string
}
