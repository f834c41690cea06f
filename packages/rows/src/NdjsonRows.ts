/**
 * Reads NDJSON: one JSON object a line, chunk by chunk.
 *
 * Field names are those of the CSV columns, compared without case. An id beyond 2^53-1 is no longer exact once parsed, and
 * is then no safe integer either: it becomes a bad row, never somebody else's id.
 */
import { isUtf8 } from "node:buffer"
import * as Effect from "effect/Effect"
import type { Reader } from "./CsvRows.js"
import type { Batch, Column, Field, Header, Row } from "./Row.js"
import { columns } from "./Row.js"
import { HeaderUnusable } from "./RowsError.js"

/** The longest line that is read, in bytes. */
export const longestLine = 1_048_576

/** Of a line that is too long to be read, so much is kept to be mended: 64 MiB. */
const longestKept = 67_108_864

const newline = 0x0a

const head: Header = { names: ["input"], positions: new Map(), bytes: new Uint8Array(0) }

const decoder = new TextDecoder()

const columnOf: ReadonlyMap<string, Column> = new Map(columns.map((column) => [column.toLowerCase(), column]))

const isField = (value: unknown): value is Field =>
  value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean"

const objectOf = (text: string): Record<string, unknown> | null => {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === "object" && json !== null && !Array.isArray(json) ? json as Record<string, unknown> : null
  } catch {
    return null
  }
}

const rowOf = (line: number, bytes: Uint8Array): Row | null => {
  const text = decoder.decode(bytes).trim()
  if (text === "") return null
  const unreadable = (problem: string): Row => ({
    _tag: "Unreadable",
    line,
    problem: `line ${line}: ${problem}`,
    cells: [text],
    bytes
  })
  if (bytes.length > longestLine) return unreadable(`is longer than ${longestLine} bytes`)
  if (!isUtf8(bytes)) return unreadable("is not UTF-8 text")
  const json = objectOf(text)
  if (json === null) return unreadable(`is not a JSON object: ${text.slice(0, 40)}`)
  const fields: Partial<Record<Column, Field>> = {}
  for (const [key, value] of Object.entries(json)) {
    const column = columnOf.get(key.trim().toLowerCase())
    if (column === undefined) continue
    if (!isField(value)) return unreadable(`${column} is neither a text nor a number`)
    fields[column] = typeof value === "string" ? value.trim() : value
  }
  return { _tag: "Readable", line, fields: fields as Record<Column, Field>, cells: [text], bytes }
}

/** Makes a reader for a file whose name appears in messages. */
export const make = (file: string): Reader => {
  let held: Array<Uint8Array> = []
  let heldBytes = 0
  let line = 1
  let seen = 0

  const finish = (bytes: Uint8Array, rows: Array<Row>): void => {
    const row = rowOf(line, line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes)
    if (row !== null) rows.push(row)
    line += 1
  }

  const hold = (bytes: Uint8Array): void => {
    if (heldBytes <= longestKept) held.push(bytes)
    heldBytes += bytes.length
  }

  const release = (): Uint8Array => {
    const bytes = held.length === 1 ? held[0] ?? new Uint8Array(0) : Buffer.concat(held)
    held = []
    heldBytes = 0
    return bytes
  }

  const batch = (rows: ReadonlyArray<Row>): Batch => {
    seen += rows.length
    return { header: head, rows }
  }

  return {
    push: (chunk) =>
      Effect.sync(() => {
        const rows: Array<Row> = []
        let from = 0
        for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
          hold(chunk.subarray(from, at + 1))
          finish(release(), rows)
          from = at + 1
        }
        if (from < chunk.length) hold(chunk.subarray(from))
        return batch(rows)
      }),
    end: Effect.suspend(() => {
      const rows: Array<Row> = []
      if (heldBytes > 0) finish(release(), rows)
      const last = batch(rows)
      return seen === 0
        ? new HeaderUnusable({ message: `${file}: is empty; one JSON object a line is needed`, column: null })
        : Effect.succeed(last)
    })
  }
}
