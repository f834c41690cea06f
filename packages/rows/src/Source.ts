/**
 * Where rows come from: a file, the body of a request, anything that gives its bytes in order.
 *
 * What it is, is seen from its first bytes and its name; what it cannot be is said in one line.
 */
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as CsvRows from "./CsvRows.js"
import * as NdjsonRows from "./NdjsonRows.js"
import type { Batch } from "./Row.js"
import { type HeaderUnusable, InputUnusable } from "./RowsError.js"

/** The formats that are read. */
export type Format = "csv" | "ndjson"

/** Rows, and what is known of where they come from. */
export interface Source<E = never, R = never> {
  /** What messages call it. */
  readonly name: string
  readonly format: Format
  /** How many bytes it has; `null` where nobody knows beforehand. */
  readonly size: Effect.Effect<number | null, never, R>
  /**
   * The rows, a batch a chunk; a bad row is a row that says so, not a failure.
   *
   * @param follow is shown the source's own bytes, before they are unpacked
   */
  readonly batches: (follow: (chunk: Uint8Array) => void) => Stream.Stream<Batch, E | HeaderUnusable, R>
}

/** By wish, else by name, else by the first bytes: no header of a CSV begins with a brace. */
export const formatOf = (name: string, asked: Format | undefined, head: Uint8Array): Format => {
  if (asked !== undefined) return asked
  if (/\.(ndjson|jsonl)(\.gz)?$/i.test(name)) return "ndjson"
  if (/\.csv(\.gz)?$/i.test(name)) return "csv"
  return /^\ufeff?\s*\{/.test(Buffer.from(head).toString()) ? "ndjson" : "csv"
}

/** Whether bytes begin with these. */
export const begins = (bytes: Uint8Array, ...signature: ReadonlyArray<number>): boolean =>
  signature.every((byte, index) => bytes[index] === byte)

/** What something that begins with these bytes is instead of CSV or NDJSON; `null` where it may be either. */
export const impossible = (name: string, head: Uint8Array): InputUnusable | null => {
  if (begins(head, 0xff, 0xfe) || begins(head, 0xfe, 0xff)) {
    return new InputUnusable({ message: `${name}: is UTF-16 text; save it as UTF-8 (in Excel: "CSV UTF-8")` })
  }
  if (begins(head, 0x50, 0x4b, 0x03, 0x04)) {
    return new InputUnusable({ message: `${name}: is a spreadsheet or a zip archive; export it as CSV` })
  }
  return head.includes(0) ? new InputUnusable({ message: `${name}: is a binary file, not CSV or NDJSON` }) : null
}

/** The rows that plain bytes hold. */
export const batchesOf = <E, R>(
  { format, name }: Pick<Source, "format" | "name">,
  bytes: Stream.Stream<Uint8Array, E, R>
): Stream.Stream<Batch, E | HeaderUnusable, R> =>
  Stream.suspend(() => {
    const reader = format === "csv" ? CsvRows.make(name) : NdjsonRows.make(name)
    return Stream.concat(
      Stream.mapEffect(bytes, (chunk) => reader.push(chunk)),
      Stream.fromEffect(reader.end)
    ).pipe(Stream.filter((batch): batch is Batch => batch !== null))
  })
