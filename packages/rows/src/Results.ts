/**
 * What a run has to show, row by row in the order of the input, out of its ledger.
 *
 * `results.csv` is for people and their spreadsheets: the original columns with the outcome behind them, formulas made
 * harmless. `failed.csv` is for feeding in again: the header and the failed rows, byte for byte.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as Enrollment from "@milepost/core/Enrollment"
import type * as Outcome from "@milepost/core/Outcome"
import type { Request, ResultRow } from "@milepost/ledger/Entry"
import type * as Ledger from "@milepost/ledger/Ledger"
import type { RunNotFound, StorageError } from "@milepost/ledger/LedgerError"
import type { Run } from "@milepost/ledger/Run"
import { parse } from "csv-parse/sync"
import { stringify } from "csv-stringify/sync"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Standing from "./Standing.js"

/** How a call of a row stands. */
interface Call {
  /** `null` for a row that never became a call. */
  readonly request: Request | null
  /** `null` while it waits. */
  readonly outcome: Outcome.Outcome | null
}

/** A row with its original cells and its calls. */
export interface Row {
  readonly line: number
  readonly bytes: Uint8Array
  readonly cells: ReadonlyArray<string>
  readonly calls: ReadonlyArray<Call>
}

/** The columns behind the original ones. */
export const resultColumns = ["line", "period", "outcome", "code", "message", "attempts", "request_id"] as const

const formula = /^[=+\-@\t\r]/
const plainNumber = /^[+-]?\d+(?:[.,]\d+)?$/

/** A cell that a spreadsheet would calculate is made text by an apostrophe; numbers stay as they are. */
export const neutralised = (cell: string): string => (formula.test(cell) && !plainNumber.test(cell) ? `'${cell}` : cell)

const newline = new Uint8Array([0x0a])

/** A row's bytes, ended by a line end: the last row of a file may have none. */
const lineOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  bytes.length === 0 || bytes[bytes.length - 1] === 0x0a ? [bytes] : [bytes, newline]

const parsed = (bytes: ReadonlyArray<Uint8Array>): ReadonlyArray<ReadonlyArray<string>> | null => {
  try {
    return parse(Buffer.concat(bytes.flatMap(lineOf)), {
      record_delimiter: ["\r\n", "\n"],
      relax_column_count: true,
      skip_empty_lines: true
    })
  } catch {
    return null
  }
}

/** The cells of rows; a row that is no CSV has none. */
const cellsOf = (format: string, rows: ReadonlyArray<Uint8Array>): ReadonlyArray<ReadonlyArray<string>> => {
  if (format !== "csv") return rows.map((bytes) => [Buffer.from(bytes).toString().trim()])
  // One row that is no CSV spoils what comes behind it: then each is read alone.
  const together = parsed(rows)
  return together?.length === rows.length ? together : rows.map((bytes) => parsed([bytes])?.[0] ?? [])
}

/** The names of a run's original columns. */
export const namesOf = ({ input }: Pick<Run, "input">): ReadonlyArray<string> =>
  input.format === "csv" ? (cellsOf("csv", [input.header])[0] ?? []).map((cell) => cell.trim()) : ["input"]

const callsOf = (run: Run, row: ResultRow): ReadonlyArray<Call> => [
  ...(row.rejected === null ? [] : [{ request: null, outcome: row.rejected }]),
  ...row.entries.map((entry) => ({ request: entry.request, outcome: Standing.outcomeOf(run, entry) }))
]

const rowsOf = (run: Run, rows: ReadonlyArray<ResultRow>): ReadonlyArray<Row> => {
  const cells = cellsOf(run.input.format, rows.map(({ bytes }) => bytes))
  return rows.map((row, index) => ({ line: row.line, bytes: row.bytes, cells: cells[index] ?? [], calls: callsOf(run, row) }))
}

/** The rows of a run, a page a chunk; with an outcome, only the calls that ended so. */
export const rows = (
  ledger: Ledger.Service,
  run: Run,
  outcome?: Outcome.Word
): Stream.Stream<ReadonlyArray<Row>, RunNotFound | StorageError> => {
  // What a stop kept from being sent is skipped only in the eyes of whoever asks.
  const asked = outcome === undefined || outcome === "skipped" ? {} : { outcome }
  return Stream.mapChunks(ledger.results(run.id, asked), (page) => {
    const found = rowsOf(run, Chunk.toReadonlyArray(page))
    if (outcome === undefined) return Chunk.of(found)
    return Chunk.of(
      found
        .map((row) => ({ ...row, calls: row.calls.filter((call) => call.outcome?.outcome === outcome) }))
        .filter(({ calls }) => calls.length > 0)
    )
  })
}

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

const periodOf = (request: Request | null): string | null =>
  request === null || request._tag === "Unenrollment" ? null : Enrollment.periodOf(request)

const codeOf = (outcome: Outcome.Outcome): number | string | null => "code" in outcome ? outcome.code : null

const resultCells = (line: number, { outcome, request }: Call): ReadonlyArray<string> => [
  String(line),
  periodOf(request) ?? "",
  outcome?.outcome ?? "pending",
  outcome === null ? "" : String(codeOf(outcome) ?? ""),
  outcome === null ? "" : messageOf(outcome),
  outcome !== null && "attempts" in outcome ? String(outcome.attempts) : "0",
  outcome !== null && "requestId" in outcome ? outcome.requestId ?? "" : ""
]

const csv = (lines: ReadonlyArray<ReadonlyArray<string>>): string =>
  stringify(lines.map((cells) => cells.map(neutralised)), { record_delimiter: "windows" })

/** The head of the results as CSV. */
export const csvHead = (names: ReadonlyArray<string>): string => csv([[...names, ...resultColumns]])

/** Rows as CSV. */
export const csvOf = (names: ReadonlyArray<string>, page: ReadonlyArray<Row>): string =>
  csv(page.flatMap(({ calls, cells, line }) =>
    calls.map((call) => [...names.map((_, index) => cells[index] ?? ""), ...resultCells(line, call)])))

/** A call as plain data, for NDJSON and JSON. */
const documentOf = (names: ReadonlyArray<string>, { cells, line }: Row, { outcome, request }: Call) => ({
  line,
  customerId: request?.customerId ?? null,
  targetGroupId: request?.targetGroupId ?? null,
  targetId: request?.targetId ?? null,
  periodName: periodOf(request),
  outcome: outcome?.outcome ?? "pending",
  ...(outcome === null ? {} : { code: codeOf(outcome), message: messageOf(outcome) }),
  ...(outcome !== null && "afterAmbiguousAttempt" in outcome ? { afterAmbiguousAttempt: outcome.afterAmbiguousAttempt } : {}),
  ...(outcome !== null && "warnings" in outcome ? { warnings: outcome.warnings } : {}),
  attempts: outcome !== null && "attempts" in outcome ? outcome.attempts : 0,
  requestId: outcome !== null && "requestId" in outcome ? outcome.requestId : null,
  input: Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ""]))
})

/** Rows as documents, one a call. */
export const documentsOf = (names: ReadonlyArray<string>, page: ReadonlyArray<Row>): ReadonlyArray<string> =>
  page.flatMap((row) => row.calls.map((call) => JSON.stringify(documentOf(names, row, call))))

/** Whether a row belongs into `failed.csv`: something of it ended, and is neither done nor a duplicate. */
const isFailed = ({ entries, rejected }: ResultRow): boolean =>
  rejected !== null ||
  entries.some(({ outcome }) =>
    outcome?.outcome === "rejected" || outcome?.outcome === "unknown" ||
    (outcome?.outcome === "skipped" && outcome.reason !== "duplicate")
  )

/** What `failed.csv` holds, a page a chunk: the header and the failed rows, byte for byte, so that they can be mended and fed in again. */
export const failed = (ledger: Ledger.Service, run: Run): Stream.Stream<Uint8Array, RunNotFound | StorageError> =>
  Stream.concat(
    run.input.header.length === 0 ? Stream.empty : Stream.succeed(Buffer.concat(lineOf(run.input.header))),
    Stream.mapChunks(ledger.failedRows(run.id), (page) =>
      Chunk.isEmpty(page) ? Chunk.empty() : Chunk.of(Buffer.concat(Chunk.toReadonlyArray(page).flatMap(({ bytes }) => lineOf(bytes)))))
  )

/** Writes both files of a run, whatever was there before. */
export const write = (
  ledger: Ledger.Service,
  run: Run,
  paths: { readonly results: string; readonly failed: string }
): Effect.Effect<void, PlatformError | RunNotFound | StorageError, FileSystem.FileSystem> =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const encoder = new TextEncoder()
    const names = namesOf(run)
    const results = yield* files.open(paths.results, { flag: "w" })
    const failed = yield* files.open(paths.failed, { flag: "w" })
    yield* results.writeAll(encoder.encode(csvHead(names)))
    if (run.input.header.length > 0) yield* failed.writeAll(Buffer.concat(lineOf(run.input.header)))
    yield* Stream.runForEachChunk(ledger.results(run.id), (page) =>
      Effect.gen(function*() {
        const found = Chunk.toReadonlyArray(page)
        if (found.length === 0) return
        yield* results.writeAll(encoder.encode(csvOf(names, rowsOf(run, found))))
        const bytes = found.filter(isFailed).flatMap((row) => lineOf(row.bytes))
        if (bytes.length > 0) yield* failed.writeAll(Buffer.concat(bytes))
      }))
  }))
