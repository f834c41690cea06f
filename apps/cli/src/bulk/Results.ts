/**
 * Writes `results.csv` and `failed.csv` in the order of the input.
 *
 * `results.csv` is for people and their spreadsheets: the original columns with the outcome behind them, formulas made
 * harmless. `failed.csv` is for feeding in again: the header and the failed rows, byte for byte.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as Outcome from "@milepost/core/Outcome"
import { stringify } from "csv-stringify/sync"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Header, Row } from "../input/Row.js"

/** How one call of a row ended. */
export interface Ended {
  /** `null` for a streak and for a row that never became a call. */
  readonly periodName: string | null
  readonly outcome: Outcome.Outcome
}

/** A row with the outcomes of its calls. */
export interface EndedRow {
  readonly row: Row
  readonly ended: ReadonlyArray<Ended>
}

/** The columns behind the original ones. */
export const resultColumns = ["line", "period", "outcome", "code", "message", "attempts", "request_id"] as const

const formula = /^[=+\-@\t\r]/
const plainNumber = /^[+-]?\d+(?:[.,]\d+)?$/

/** A cell that a spreadsheet would calculate is made text by an apostrophe; numbers stay as they are. */
export const neutralised = (cell: string): string => (formula.test(cell) && !plainNumber.test(cell) ? `'${cell}` : cell)

const messageOf = (outcome: Outcome.Outcome): string => {
  switch (outcome.outcome) {
    case "enrolled":
    case "unenrolled":
      return outcome.warnings.map((warning) => `warning ${warning.code ?? ""}: ${warning.message}`).join("; ")
    case "already_enrolled":
      return outcome.afterAmbiguousAttempt ? `${outcome.message} (after an attempt without an answer)` : outcome.message
    case "skipped":
      return `${outcome.reason}: ${outcome.message}`
    case "rejected":
    case "unknown":
      return outcome.message
  }
}

const cellsOf = (header: Header, row: Row, { outcome, periodName }: Ended): ReadonlyArray<string> => [
  ...header.names.map((_, index) => row.cells[index] ?? ""),
  String(row.line),
  periodName ?? "",
  outcome.outcome,
  "code" in outcome && outcome.code !== null ? String(outcome.code) : "",
  messageOf(outcome),
  "attempts" in outcome ? String(outcome.attempts) : "0",
  "requestId" in outcome ? outcome.requestId ?? "" : ""
]

const csv = (rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  stringify(rows.map((cells) => cells.map(neutralised)), { record_delimiter: "windows" })

/** Whether a row belongs into `failed.csv`: something of it is neither done nor a duplicate. */
const isFailed = ({ ended }: EndedRow): boolean =>
  ended.some(({ outcome }) =>
    !Outcome.isDone(outcome) && !(outcome.outcome === "skipped" && outcome.reason === "duplicate")
  )

const newline = new Uint8Array([0x0a])

/** A row's bytes, ended by a line end: the last row of a file may have none. */
const lineOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  bytes.length === 0 || bytes[bytes.length - 1] === 0x0a ? [bytes] : [bytes, newline]

/** The open files of a run. */
export interface Results {
  /** Appends rows, in the order of the input. */
  readonly write: (rows: ReadonlyArray<EndedRow>) => Effect.Effect<void, PlatformError>
}

/** Creates both files with their headers; they are closed with the scope. */
export const open = (options: {
  readonly results: string
  readonly failed: string
  readonly header: Header
}): Effect.Effect<Results, PlatformError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const encoder = new TextEncoder()
    const results = yield* files.open(options.results, { flag: "w" })
    const failed = yield* files.open(options.failed, { flag: "w" })
    yield* results.writeAll(encoder.encode(csv([[...options.header.names, ...resultColumns]])))
    if (options.header.bytes.length > 0) yield* failed.writeAll(Buffer.concat(lineOf(options.header.bytes)))
    return {
      write: (rows) =>
        Effect.gen(function*() {
          if (rows.length === 0) return
          const lines = rows.flatMap(({ ended, row }) => ended.map((call) => cellsOf(options.header, row, call)))
          yield* results.writeAll(encoder.encode(csv(lines)))
          const bytes = rows.filter(isFailed).flatMap(({ row }) => lineOf(row.bytes))
          if (bytes.length > 0) yield* failed.writeAll(Buffer.concat(bytes))
        })
    }
  })
