/**
 * What a ledger knows of a run as a whole: what it was made from, how far it is, and how often each outcome was met.
 *
 * The counts are kept with every write, never counted: a run of five million records answers at once.
 */
import type * as Outcome from "@milepost/core/Outcome"

/** What the records of a run ask for. */
export type Operation = "enroll" | "unenroll"

/**
 * How far a run is: `importing` its input, `ready` to send, `running`, and at last `finished`, `stopped` early by itself
 * or `interrupted` by a person. A run that crashed stays `running`, or `importing`, and can be started again.
 */
export type State = "importing" | "ready" | "running" | "finished" | "stopped" | "interrupted"

/** How a run was derived from an earlier one. */
export type Kind = "retry" | "undo"

/** The run that a run was derived from. */
export interface Parent {
  readonly run: string
  readonly kind: Kind
}

/** What a run was made from. */
export interface Input {
  /** What messages call it, e.g. the file's name. */
  readonly name: string
  /** The reader that understands it, e.g. `csv`. */
  readonly format: string
  /** The original bytes of its header; empty where there is none. */
  readonly header: Uint8Array
  /** In bytes; `null` until it is known. */
  readonly size: number | null
  /** As lower-case hexadecimal; `null` until the import has finished. */
  readonly sha256: string | null
}

/** How far an import has come, durably: everything up to here is in the ledger. */
export interface Checkpoint {
  /** The number of the last row; 0 before the first. */
  readonly row: number
  /** The line after it. */
  readonly line: number
  /** How many bytes of the input have been consumed. */
  readonly bytes: number
  /** The SHA-256 of those bytes, where the importer told it: a changed input is noticed before it is read to its end. */
  readonly sha256: string | null
}

/** Records by what became of them. Bad rows count as `rejected`, duplicates as `skipped`. */
export interface Counts extends Readonly<Record<Outcome.Word, number>> {
  /** Waiting to be claimed. */
  readonly pending: number
  /** Claimed, outcome not known yet. */
  readonly claimed: number
}

/** Why a run ended before its end. */
export interface Stop {
  /** A word for programs, e.g. `fuse` or `cancelled`. */
  readonly reason: string
  readonly message: string
}

/** A run. */
export interface Run {
  readonly id: string
  readonly operation: Operation
  readonly state: State
  readonly input: Input
  /** What the run was asked to do, as whoever began it wrote it; the ledger does not look inside. */
  readonly options: unknown
  readonly parent: Parent | null
  /** How many lanes its customers are dealt to. */
  readonly lanes: number
  /** How often it has been started. A message that must be new for each start carries it in its key. */
  readonly epoch: number
  readonly createdMillis: number
  /** When it was started last. */
  readonly startedMillis: number | null
  /** When it ended last. */
  readonly endedMillis: number | null
  readonly checkpoint: Checkpoint
  readonly counts: Counts
  /** Rows of the input. */
  readonly rows: number
  /** Rows that cannot be sent. */
  readonly badRows: number
  /** Records that repeat an earlier one. */
  readonly duplicates: number
  /** Warnings that came with accepted calls. */
  readonly warnings: number
  /** Calls that were made, repeated attempts included. */
  readonly calls: number
  readonly stop: Stop | null
}

/** Records to one target in one period. */
export interface Destination {
  readonly targetGroupId: number
  readonly targetId: number
  /** `null` for a streak, and for an un-enrolment. */
  readonly periodName: string | null
  /** Records to it that are no duplicates. */
  readonly records: number
}

/** How often one refusal, or one reason for not sending, was met. */
export interface Refusal {
  readonly outcome: "rejected" | "unknown" | "skipped"
  /** The upstream's code, `input` for bad rows, the reason for skipped records. */
  readonly code: number | string | null
  /** One of its messages. */
  readonly message: string
  readonly records: number
}

/** No record at all. */
export const noCounts: Counts = {
  pending: 0,
  claimed: 0,
  enrolled: 0,
  unenrolled: 0,
  already_enrolled: 0,
  rejected: 0,
  unknown: 0,
  skipped: 0
}

/** All records of a run, bad rows included. */
export const total = (counts: Counts): number =>
  Object.values(counts).reduce((sum, records) => sum + records, 0)
