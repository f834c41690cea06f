/**
 * Opens an input file: plain or gzipped, CSV or NDJSON, as a stream of batches of rows.
 *
 * What the file is, is seen from its first bytes and its name; what it cannot be is said in one line.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import { createGunzip } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Failure from "../Failure.js"
import * as CsvRows from "./CsvRows.js"
import * as NdjsonRows from "./NdjsonRows.js"
import type { Batch } from "./Row.js"

/** The formats that are read. */
export type Format = "csv" | "ndjson"

/** A file to be read, and what it is. */
export interface InputFile {
  /** Where it is read from. */
  readonly path: string
  /** What messages call it. */
  readonly name: string
  readonly format: Format
  readonly gzipped: boolean
}

const reasons: Readonly<Record<string, string>> = {
  NotFound: "there is no such file",
  PermissionDenied: "it may not be read",
  BadResource: "it is a folder"
}

const unreadable = (name: string) => (error: PlatformError): Failure.Refused =>
  Failure.input(
    `${name}: ${error._tag === "SystemError" ? reasons[error.reason] ?? "it cannot be read" : "is no file name"}`,
    "FILE"
  )

const begins = (bytes: Uint8Array, ...signature: ReadonlyArray<number>): boolean =>
  signature.every((byte, index) => bytes[index] === byte)

/** By flag, else by name, else by the first character: no header of a CSV begins with a brace. */
const formatOf = (name: string, asked: Format | undefined, head: Uint8Array): Format => {
  if (asked !== undefined) return asked
  if (/\.(ndjson|jsonl)(\.gz)?$/i.test(name)) return "ndjson"
  if (/\.csv(\.gz)?$/i.test(name)) return "csv"
  return /^\ufeff?\s*\{/.test(Buffer.from(head).toString()) ? "ndjson" : "csv"
}

const impossible = (name: string, head: Uint8Array): Failure.Refused | null => {
  if (begins(head, 0xff, 0xfe) || begins(head, 0xfe, 0xff)) {
    return Failure.input(`${name}: is UTF-16 text; save it as UTF-8 (in Excel: "CSV UTF-8")`, "FILE")
  }
  if (begins(head, 0x50, 0x4b, 0x03, 0x04)) {
    return Failure.input(`${name}: is a spreadsheet or a zip archive; export it as CSV`, "FILE")
  }
  return head.includes(0) ? Failure.input(`${name}: is a binary file, not CSV or NDJSON`, "FILE") : null
}

const firstBytes = (
  path: string,
  name: string
): Effect.Effect<Uint8Array, Failure.Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const info = yield* files.stat(path)
    if (info.type === "Directory") return yield* Failure.input(`${name}: it is a folder`, "FILE")
    const chunks = yield* Stream.runCollect(files.stream(path, { bytesToRead: FileSystem.Size(512) }))
    return Buffer.concat([...chunks])
  }).pipe(
    Effect.catchTags({
      SystemError: (error) => unreadable(name)(error),
      BadArgument: (error) => unreadable(name)(error)
    })
  )

/** Looks at a file and says what it is; fails with one line when it cannot be read or cannot be either format. */
export const open = (options: {
  readonly path: string
  readonly name: string
  readonly format: Format | undefined
}): Effect.Effect<InputFile, Failure.Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { name, path } = options
    const head = yield* firstBytes(path, name)
    const gzipped = begins(head, 0x1f, 0x8b)
    const problem = gzipped ? null : impossible(name, head)
    if (problem !== null) return yield* problem
    if (head.length === 0) return yield* Failure.input(`${name}: is empty`, "FILE")
    return { path, name, format: formatOf(name, options.format, head), gzipped }
  })

const chunkBytes = 65_536

const bytesOf = (
  file: InputFile,
  follow: (chunk: Uint8Array) => void
): Stream.Stream<Uint8Array, Failure.Refused, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (files) => {
    const raw = files.stream(file.path, { chunkSize: chunkBytes }).pipe(
      Stream.mapError((error) => unreadable(file.name)(error)),
      Stream.tap((chunk) => Effect.sync(() => follow(chunk)))
    )
    return file.gzipped
      ? NodeStream.pipeThroughDuplex(
        raw,
        () => createGunzip({ chunkSize: chunkBytes }),
        () => Failure.input(`${file.name}: the gzip data is damaged or cut off`, "FILE")
      )
      : raw
  }))

/**
 * The rows of a file, a batch a chunk; a bad row is a row that says so, not a failure.
 *
 * @param follow is shown the file's own bytes, before they are unpacked
 */
export const batches = (
  file: InputFile,
  follow: (chunk: Uint8Array) => void = () => undefined
): Stream.Stream<Batch, Failure.Refused, FileSystem.FileSystem> =>
  Stream.suspend(() => {
    const reader = file.format === "csv" ? CsvRows.make(file.name) : NdjsonRows.make(file.name)
    return Stream.concat(
      Stream.mapEffect(bytesOf(file, follow), (chunk) => reader.push(chunk)),
      Stream.fromEffect(reader.end)
    ).pipe(Stream.filter((batch): batch is Batch => batch !== null))
  })
