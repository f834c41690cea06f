/**
 * Reads CSV (RFC 4180, header row, any column order) chunk by chunk, with flat memory.
 *
 * `csv-parse` does the parsing; around it stands what a two-million-row file needs. A record that breaks the format (a
 * stray or unclosed quote, a row without end) costs its own first line, never the rest of the file: parsing starts again
 * at the next line.
 */
import { isUtf8 } from "node:buffer"
import { Parser } from "csv-parse"
import * as Effect from "effect/Effect"
import type { Batch, Column, Field, Header, Row } from "./Row.js"
import { columns } from "./Row.js"
import { HeaderUnusable } from "./RowsError.js"

/** The longest record that is read, in characters: a quote left open costs at most this much reading ahead. */
export const longestRecord = 1_048_576

const newline = 0x0a
const carriageReturn = 0x0d

/** The bytes of the line ends that a record's bytes begin with: the parser skips empty lines silently. */
const leadingLineEnds = (bytes: Uint8Array): number => {
  let index = 0
  while (bytes[index] === newline || (bytes[index] === carriageReturn && bytes[index + 1] === newline)) {
    index += bytes[index] === newline ? 1 : 2
  }
  return index
}

const newlinesIn = (bytes: Uint8Array): number => {
  let found = 0
  for (let index = bytes.indexOf(newline); index !== -1; index = bytes.indexOf(newline, index + 1)) found += 1
  return found
}

const firstInvalid = (cells: ReadonlyArray<string>): number => cells.findIndex((cell) => cell.includes("\ufffd"))

const withoutByteOrderMark = (bytes: Uint8Array): number =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0

const problems: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "has a quote that is never closed",
  CSV_INVALID_CLOSING_QUOTE:
    "has a quote that does not end its cell; a cell that begins with a quote ends with one, and quotes inside are doubled",
  INVALID_OPENING_QUOTE: "has a quote in the middle of a cell; quote the whole cell and double the quotes inside",
  CSV_MAX_RECORD_SIZE: `has a quote that is not closed, or is longer than ${longestRecord} characters`
}

/** Finds the columns in a header line; names are compared without case and surrounding blanks. */
export const header = (file: string, cells: ReadonlyArray<string>, bytes: Uint8Array): Effect.Effect<Header, HeaderUnusable> => {
  const positions = new Map<Column, number>()
  for (const [index, cell] of cells.entries()) {
    const column = columns.find((name) => name.toLowerCase() === cell.trim().toLowerCase())
    if (column === undefined) continue
    const earlier = positions.get(column)
    if (earlier !== undefined) {
      return new HeaderUnusable({ message: `${file}: line 1: the columns ${earlier} and ${index + 1} are both named ${column}`, column })
    }
    positions.set(column, index + 1)
  }
  if (!positions.has("customerId")) {
    const only = cells.length === 1 ? cells[0] ?? "" : ""
    const other = /[;\t|]/.exec(only)?.[0]
    const hint = other === undefined
      ? `it has ${cells.map((cell) => JSON.stringify(cell.trim().slice(0, 40))).slice(0, 12).join(", ")}`
      : `it seems to be separated by ${JSON.stringify(other)}: export it with commas`
    return new HeaderUnusable({ message: `${file}: line 1: there is no column customerId; ${hint}`, column: "customerId" })
  }
  return Effect.succeed({ names: cells.map((cell) => cell.trim()), positions, bytes })
}

const fieldsOf = (positions: ReadonlyMap<Column, number>, cells: ReadonlyArray<string>): Record<Column, Field> => {
  const field = (column: Column): Field => {
    const position = positions.get(column)
    return position === undefined ? undefined : cells[position - 1]?.trim()
  }
  return {
    customerId: field("customerId"),
    periodName: field("periodName"),
    initialBalance: field("initialBalance"),
    resetStreakStatus: field("resetStreakStatus"),
    targetGroupId: field("targetGroupId"),
    targetId: field("targetId")
  }
}

const cellsRow = (head: Header, line: number, cells: ReadonlyArray<string>, bytes: Uint8Array): Row => {
  const unreadable = (problem: string): Row => ({ _tag: "Unreadable", line, problem, cells, bytes })
  if (!isUtf8(bytes)) {
    const column = firstInvalid(cells)
    return unreadable(
      `line ${line}, column ${column + 1} (${head.names[column] ?? "beyond the header"}): is not UTF-8 text; save the file as "CSV UTF-8"`
    )
  }
  if (cells.length !== head.names.length) {
    return unreadable(
      `line ${line}: has ${cells.length} ${cells.length === 1 ? "cell" : "cells"} where the header has ${head.names.length}`
    )
  }
  return { _tag: "Readable", line, fields: fieldsOf(head.positions, cells), cells, bytes }
}

/** A reader of one file: feed it chunks in order, then end it. */
export interface Reader {
  readonly push: (chunk: Uint8Array) => Effect.Effect<Batch | null, HeaderUnusable>
  readonly end: Effect.Effect<Batch | null, HeaderUnusable>
}

interface ParsedRecord {
  readonly cells: ReadonlyArray<string>
  /** Where the record ends, in bytes from where its parser began. */
  readonly end: number
}

interface CodedError extends Error {
  readonly code?: string
}

/** One run of the parser, from the file's beginning or from the line after a broken record. */
interface Run {
  readonly parser: Parser
  readonly parsed: Array<ParsedRecord>
}

const start = (): Run => {
  const parsed: Array<ParsedRecord> = []
  const parser = new Parser({
    bom: true,
    info: false,
    max_record_size: longestRecord,
    record_delimiter: ["\r\n", "\n"],
    relax_column_count: true,
    skip_empty_lines: true,
    on_record: (cells: ReadonlyArray<string>, { bytes }: { readonly bytes: number }) => {
      parsed.push({ cells, end: bytes })
      return null
    }
  })
  // Errors are reported to the callback of the write or the end that met them.
  parser.on("error", () => undefined)
  parser.resume()
  return { parser, parsed }
}

const settle = (act: (done: (error?: Error | null) => void) => void): Effect.Effect<CodedError | null> =>
  Effect.async((resume) => act((error) => resume(Effect.succeed(error ?? null))))

/** Makes a reader for a file whose name appears in messages. */
export const make = (file: string): Reader => {
  let run = start()
  let head: Header | null = null
  /** The bytes since the end of the last record. */
  let held: Uint8Array = new Uint8Array(0)
  /** How far the current run of the parser has been consumed. */
  let consumed = 0
  let line = 1
  /** A broken line whose end has not been read yet. */
  let broken: { readonly problem: string; readonly line: number; readonly parts: Array<Uint8Array> } | null = null

  const take = (length: number): { readonly line: number; readonly bytes: Uint8Array } => {
    const raw = held.subarray(0, length)
    const blank = leadingLineEnds(raw)
    const at = line + newlinesIn(raw.subarray(0, blank))
    line += newlinesIn(raw)
    held = held.subarray(length)
    return { line: at, bytes: raw.subarray(blank) }
  }

  const drain = (rows: Array<Row>): Effect.Effect<void, HeaderUnusable> => {
    let index = 0
    const records = run.parsed.splice(0)
    const rest = (): void => {
      for (; index < records.length; index++) {
        const record = records[index]
        if (record === undefined || head === null) return
        const { bytes, line: at } = take(record.end - consumed)
        consumed = record.end
        rows.push(cellsRow(head, at, record.cells, bytes))
      }
    }
    const first = records[0]
    if (head !== null || first === undefined) return Effect.sync(rest)
    const { bytes } = take(first.end)
    consumed = first.end
    index = 1
    return Effect.map(header(file, first.cells, bytes.subarray(withoutByteOrderMark(bytes))), (found) => {
      head = found
      rest()
    })
  }

  /** Gives up the first line of a broken record, as far as it has been read, and starts again behind it. */
  const skipLine = (error: CodedError, rows: Array<Row>): Effect.Effect<void, HeaderUnusable> => {
    const problem = problems[error.code ?? ""] ?? "is not valid CSV"
    if (head === null) return new HeaderUnusable({ message: `${file}: line 1: the header ${problem}`, column: null })
    const end = held.indexOf(newline, leadingLineEnds(held))
    const { bytes, line: at } = take(end === -1 ? held.length : end + 1)
    broken = { problem: `line ${at}: ${problem}`, line: at, parts: [bytes] }
    if (end !== -1) mended(rows)
    run = start()
    consumed = 0
    return Effect.void
  }

  /** The broken line has ended: it is a row of its own. */
  const mended = (rows: Array<Row>): void => {
    if (broken === null) return
    const { parts, ...row } = broken
    rows.push({ _tag: "Unreadable", ...row, cells: [], bytes: Buffer.concat(parts) })
    broken = null
  }

  /** Of a chunk, what does not belong to a broken line any more. */
  const behindBroken = (chunk: Uint8Array, rows: Array<Row>): Uint8Array => {
    if (broken === null) return chunk
    const end = chunk.indexOf(newline)
    broken.parts.push(chunk.subarray(0, end === -1 ? chunk.length : end + 1))
    if (end === -1) return new Uint8Array(0)
    line += 1
    mended(rows)
    return chunk.subarray(end + 1)
  }

  const feed = (chunk: Uint8Array, rows: Array<Row>): Effect.Effect<void, HeaderUnusable> =>
    Effect.gen(function*() {
      let next = chunk
      while (true) {
        const error: CodedError | null = yield* settle((done) => run.parser.write(next, done))
        yield* drain(rows)
        if (error === null) return
        yield* skipLine(error, rows)
        if (held.length === 0) return
        next = held
      }
    })

  const batch = (rows: ReadonlyArray<Row>): Batch | null => head === null ? null : { header: head, rows }

  return {
    push: (chunk) => {
      const rows: Array<Row> = []
      const rest = behindBroken(chunk, rows)
      held = held.length === 0 ? rest : Buffer.concat([held, rest])
      return rest.length === 0
        ? Effect.succeed(batch(rows))
        : Effect.map(feed(rest, rows), () => batch(rows))
    },
    end: Effect.gen(function*() {
      const rows: Array<Row> = []
      while (true) {
        const error: CodedError | null = yield* settle((done) => {
          run.parser.once("error", done)
          run.parser.once("close", () => done())
          run.parser.end()
        })
        yield* drain(rows)
        if (error === null) break
        yield* skipLine(error, rows)
        if (held.length > 0) yield* feed(held, rows)
      }
      mended(rows)
      if (head === null) {
        return yield* new HeaderUnusable({ message: `${file}: is empty; a header row with customerId is needed`, column: null })
      }
      return batch(rows)
    })
  }
}
