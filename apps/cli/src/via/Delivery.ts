/**
 * Brings a file to a proxy: read as fast as it is taken, unpacked on the way, and sent again where a connection was lost.
 *
 * What makes that safe is the `Idempotency-Key`: made of the file's content and of everything that is asked for, it is the
 * same for a command that is given again, and the proxy answers with the job that it has already.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as InputFile from "@milepost/rows/InputFile"
import type { InputUnusable } from "@milepost/rows/RowsError"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createHash, randomBytes } from "node:crypto"
import type { Flags } from "../Invocation.js"
import * as Failure from "../Failure.js"
import type { Upload } from "./ProxyClient.js"
import type { ViaRun } from "./ViaRun.js"

/** The longest name that a proxy takes. */
const longestName = 200

/** What a job is asked to do, as the query of its upload. */
export const queryOf = (
  flags: Flags,
  options: { readonly operation: "enroll" | "unenroll"; readonly name: string; readonly org: string | null; readonly rate: string | null }
): string => {
  const query = new URLSearchParams()
  const set = (name: string, value: string | null | undefined): void => {
    if (value !== null && value !== undefined) query.append(name, value)
  }
  set("operation", options.operation)
  set("name", (options.name === "-" ? "stdin" : options.name.split(/[\\/]/).at(-1) ?? options.name).slice(0, longestName))
  set("org", options.org)
  set("group", flags.group)
  set("target", flags.target)
  for (const period of flags.period ?? []) set("period", period)
  set("initialBalance", flags.initialBalance)
  if (flags.resetStreak === true) set("resetStreak", "true")
  set("rate", options.rate)
  return query.toString()
}

/** The same for the same content and the same wish. */
export const keyOf = (content: { readonly sha256: string; readonly format: string; readonly query: string }): string =>
  `milepost-${createHash("sha256").update(JSON.stringify([content.sha256, content.format, content.query])).digest("hex")}`

/** One that nobody has had. */
export const newKey: Effect.Effect<string> = Effect.sync(() => `milepost-${randomBytes(32).toString("hex")}`)

/** The last chunk is held back until all of the file is known to be what it was: half an upload is kept by nobody. */
const unchanged = (
  bytes: Stream.Stream<Uint8Array, InputUnusable, FileSystem.FileSystem>,
  check: Effect.Effect<void, Failure.Refused>
): Stream.Stream<Uint8Array, InputUnusable | Failure.Refused, FileSystem.FileSystem> => {
  let held: Uint8Array | null = null
  return Stream.concat(
    Stream.mapConcat(bytes, (chunk) => {
      const before = held
      held = chunk
      return before === null ? [] : [before]
    }),
    Stream.unwrap(Effect.map(check, () => held === null ? Stream.empty : Stream.succeed(held)))
  )
}

/** A file as a proxy takes it; `sent` is told how many of its own bytes were read so far. */
export const uploadOf = (
  { upload }: Pick<ViaRun, "upload">,
  sent: (bytes: number) => void,
  whole: () => void
): Effect.Effect<Upload<Failure.Refused, FileSystem.FileSystem>, Failure.Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { format, idempotencyKey, isGzipped, name, query, sha256, size, source } = upload
    const file = yield* Effect.mapError(InputFile.open({ path: source, name, format }), Failure.rows)
    const body = Stream.suspend(() => {
      const hash = createHash("sha256")
      let bytes = 0
      const read = file.bytes((chunk) => {
        hash.update(chunk)
        bytes += chunk.length
        sent(bytes)
      })
      return unchanged(read, Effect.suspend(() =>
        hash.digest("hex") === sha256 ? Effect.void : Failure.input(`${name}: has changed since the run began; run it again`, "FILE")))
    }).pipe(Stream.mapError((error) => error._tag === "Refused" ? error : Failure.rows(error)))
    return { query, format, size: isGzipped ? null : size, idempotencyKey, body, whole }
  })
