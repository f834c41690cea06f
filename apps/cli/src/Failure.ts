/**
 * Why a command ended before it could say how its records ended.
 *
 * Each is one line for a person, one JSON document for a program, and an exit code.
 */
import type { NotSentReason } from "@milepost/core/TransportError"
import type { InputChanged, OpenError, RunNotFound, WrongState } from "@milepost/ledger/LedgerError"
import type * as Import from "@milepost/rows/Import"
import type { RowsError } from "@milepost/rows/RowsError"
import * as Data from "effect/Data"
import { ExitCode } from "./ExitCode.js"

/** Wrong usage, configuration or input, or a ledger that cannot be used. */
export class Refused extends Data.TaggedError("Refused")<{
  /** What kind of mistake it is, for programs: `Usage`, `Configuration`, `Input`, `NotSent`, … */
  readonly tag: string
  readonly message: string
  /** The setting, flag or column to mend, where there is one. */
  readonly setting: string | null
  /** `refused` (2) as long as nothing was sent. */
  readonly code?: ExitCode
}> {}

/** A mistake in the command line. */
export const usage = (message: string, setting: string | null = null): Refused =>
  new Refused({ tag: "Usage", message, setting })

/** A missing or wrong setting. */
export const configuration = (setting: string, message: string): Refused =>
  new Refused({ tag: "Configuration", message, setting })

/** Input that cannot be read at all. */
export const input = (message: string, setting: string | null = null): Refused =>
  new Refused({ tag: "Input", message, setting })

/** A call that could not leave, and the setting that most likely keeps it. */
export const notSent = (message: string, reason: NotSentReason | null): Refused =>
  new Refused({
    tag: "NotSent",
    message,
    setting: reason === "CredentialsRefused" ? "MILEPOST_OAUTH_KEY" : "MILEPOST_HOST"
  })

/** What can be wrong with a ledger, as one line and what to do about it. */
export const ledger = (
  error: InputChanged | OpenError | RunNotFound | WrongState,
  code: ExitCode = ExitCode.refused
): Refused => {
  const refused = (remedy: string, setting: string | null): Refused =>
    new Refused({ tag: error._tag, message: `${error.message}${remedy}`, setting, code })
  switch (error._tag) {
    case "LedgerBusy":
      return refused("; one process works on a run at a time, milepost bulk show tells how far it is", "RUN")
    case "LedgerTooNew":
      return refused("", "RUN")
    case "LedgerDamaged":
      return refused("; running the file again is safe: whoever is in already is answered 310119", "RUN")
    case "LedgerMissing":
      return refused("; the run was given up before it began, its folder can be removed", "RUN")
    case "LedgerUnwritable":
      return refused("; make room or give access, then go on with milepost bulk resume", "--run-dir")
    case "InputChanged":
      return refused("; put the file back as it was, or move it away to go on with the rows that the run has", "FILE")
    case "RunNotFound":
    case "WrongState":
      return refused("", "RUN")
  }
}

/** What can be wrong with an input as a whole. */
export const rows = (error: RowsError): Refused => {
  switch (error._tag) {
    case "InputUnusable":
      return input(error.message, "FILE")
    case "HeaderUnusable":
      return input(error.message, error.column)
    case "ColumnMissing": {
      const flag = error.column === "targetGroupId" ? "--group" : "--target"
      return input(`${error.message}: add it, or give ${flag} for all rows`, flag)
    }
  }
}

/** What an import can meet. */
export const imported = (error: Import.Error): Refused =>
  error._tag === "InputUnusable" || error._tag === "HeaderUnusable" || error._tag === "ColumnMissing" ? rows(error) : ledger(error)
