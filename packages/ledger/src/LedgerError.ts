/**
 * What can go wrong with a ledger itself, beside the records in it: one class for each thing that a person would mend
 * in another way.
 *
 * None of them holds an error of the database's client: a path, a reason, a pid.
 */
import * as Data from "effect/Data"

/** Another process has the ledger open. One process works on a run at a time. */
export class LedgerBusy extends Data.TaggedError("LedgerBusy")<{
  readonly path: string
  /** The process that holds it; `null` where it has not said so yet. */
  readonly pid: number | null
}> {
  override get message(): string {
    return `${this.path}: is held by ${this.pid === null ? "another process" : `process ${this.pid}`}`
  }
}

/** The ledger was written by a newer version: this one would not understand what it finds. */
export class LedgerTooNew extends Data.TaggedError("LedgerTooNew")<{
  readonly path: string
  /** The version of the schema that was found. */
  readonly found: number
  /** The newest version that is understood. */
  readonly known: number
}> {
  override get message(): string {
    return `${this.path}: has version ${this.found}, this program knows up to ${this.known}; use a newer one`
  }
}

/** The file is no ledger, or is cut off or damaged. */
export class LedgerDamaged extends Data.TaggedError("LedgerDamaged")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path}: is damaged: ${this.reason}`
  }
}

/** The ledger cannot be written: the disk is full, the folder is read-only or gone. What was written before is safe. */
export class LedgerUnwritable extends Data.TaggedError("LedgerUnwritable")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path}: cannot be written: ${this.reason}`
  }
}

/** There is no ledger where one was to be opened. */
export class LedgerMissing extends Data.TaggedError("LedgerMissing")<{
  readonly path: string
}> {
  override get message(): string {
    return `${this.path}: there is no ledger`
  }
}

/** There is no such run in this ledger. */
export class RunNotFound extends Data.TaggedError("RunNotFound")<{
  readonly run: string
}> {
  override get message(): string {
    return `there is no run ${this.run}`
  }
}

/** A run is not in a state that allows what was asked for. */
export class WrongState extends Data.TaggedError("WrongState")<{
  readonly run: string
  /** The state that it is in. */
  readonly state: string
  /** What was asked for, as an end of "cannot …". */
  readonly wanted: string
}> {
  override get message(): string {
    return `run ${this.run} is ${this.state} and cannot ${this.wanted}`
  }
}

/** The input is not the one that the run was made from. */
export class InputChanged extends Data.TaggedError("InputChanged")<{
  readonly run: string
  /** The input as messages call it. */
  readonly input: string
  /** What differs. */
  readonly difference: "size" | "sha256"
}> {
  override get message(): string {
    return `${this.input}: is not the file that run ${this.run} was made from: its ${this.difference} differs`
  }
}

/** What any statement can meet: the database itself is in the way. */
export type StorageError = LedgerBusy | LedgerDamaged | LedgerUnwritable

/** What opening a ledger can meet. */
export type OpenError = StorageError | LedgerMissing | LedgerTooNew
