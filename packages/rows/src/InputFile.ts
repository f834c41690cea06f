/** A file as a source of rows: plain or gzipped, CSV or NDJSON. */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import { createGunzip } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { InputUnusable } from "./RowsError.js"
import * as Source from "./Source.js"

/** A file to be read, and what it is. */
export interface InputFile extends Source.Source<InputUnusable, FileSystem.FileSystem> {
  /** Where it is read from. */
  readonly path: string
  readonly gzipped: boolean
  /** Its bytes, unpacked; `follow` is shown them as they lie in the file. */
  readonly bytes: (follow: (chunk: Uint8Array) => void) => Stream.Stream<Uint8Array, InputUnusable, FileSystem.FileSystem>
}

const reasons: Readonly<Record<string, string>> = {
  NotFound: "there is no such file",
  PermissionDenied: "it may not be read",
  BadResource: "it is a folder"
}

const unreadable = (name: string) => (error: PlatformError): InputUnusable =>
  new InputUnusable({
    message: `${name}: ${error._tag === "SystemError" ? reasons[error.reason] ?? "it cannot be read" : "is no file name"}`
  })

const firstBytes = (
  path: string,
  name: string
): Effect.Effect<Uint8Array, InputUnusable, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const info = yield* files.stat(path)
    if (info.type === "Directory") return yield* new InputUnusable({ message: `${name}: it is a folder` })
    const chunks = yield* Stream.runCollect(files.stream(path, { bytesToRead: FileSystem.Size(512) }))
    return Buffer.concat([...chunks])
  }).pipe(
    Effect.catchTags({
      SystemError: (error) => unreadable(name)(error),
      BadArgument: (error) => unreadable(name)(error)
    })
  )

const chunkBytes = 65_536

const bytesOf = (
  { gzipped, name, path }: Pick<InputFile, "gzipped" | "name" | "path">,
  follow: (chunk: Uint8Array) => void
): Stream.Stream<Uint8Array, InputUnusable, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (files) => {
    const raw = files.stream(path, { chunkSize: chunkBytes }).pipe(
      Stream.mapError((error) => unreadable(name)(error)),
      Stream.tap((chunk) => Effect.sync(() => follow(chunk)))
    )
    return gzipped
      ? NodeStream.pipeThroughDuplex(
        raw,
        () => createGunzip({ chunkSize: chunkBytes }),
        () => new InputUnusable({ message: `${name}: the gzip data is damaged or cut off` })
      )
      : raw
  }))

/** Looks at a file and says what it is; fails with one line when it cannot be read or cannot be either format. */
export const open = (options: {
  readonly path: string
  readonly name: string
  readonly format: Source.Format | undefined
}): Effect.Effect<InputFile, InputUnusable, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { name, path } = options
    const head = yield* firstBytes(path, name)
    const gzipped = Source.begins(head, 0x1f, 0x8b)
    const problem = gzipped ? null : Source.impossible(name, head)
    if (problem !== null) return yield* problem
    if (head.length === 0) return yield* new InputUnusable({ message: `${name}: is empty` })
    const file = { path, name, format: Source.formatOf(name, options.format, head), gzipped }
    return {
      ...file,
      size: Effect.flatMap(FileSystem.FileSystem, (files) =>
        Effect.orElseSucceed(Effect.map(files.stat(path), (info) => Number(info.size)), () => null)),
      bytes: (follow) => bytesOf(file, follow),
      batches: (follow) => Source.batchesOf(file, bytesOf(file, follow))
    }
  })
