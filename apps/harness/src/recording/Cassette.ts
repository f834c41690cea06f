/**
 * A cassette: a folder with the exchanges of one recording, a line of JSON each, in the order in which they ended.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { Refused } from "../Refused.js"
import type { Answered } from "./Answered.js"
import type { Asked, Json } from "./Asked.js"

/** One exchange; `answer` is `null` where the connection broke before one had come. */
export interface Exchange {
  readonly version: 1
  /** From 1 on, in the order of arrival. */
  readonly sequence: number
  readonly asked: Asked
  readonly answer: Answered | null
  readonly millis: number
}

const isJson = (value: unknown): value is Json => value !== undefined

const AnyJson = Schema.declare(isJson)

const Line: Schema.Schema<Exchange> = Schema.Struct({
  version: Schema.Literal(1),
  sequence: Schema.Int,
  asked: Schema.Struct({
    operation: Schema.Literal("enroll", "unenroll", "targetGroups", "token", "other"),
    method: Schema.String,
    path: Schema.String,
    scope: Schema.NullOr(Schema.String),
    body: AnyJson
  }),
  answer: Schema.NullOr(Schema.Struct({
    status: Schema.Int,
    contentType: Schema.NullOr(Schema.String),
    retryAfter: Schema.NullOr(Schema.String),
    body: AnyJson,
    omittedLength: Schema.NullOr(Schema.Int)
  })),
  millis: Schema.Number
})

const decode = Schema.decodeUnknownEither(Schema.parseJson(Line))

/** The file of a cassette. */
const fileOf = (folder: string): string => `${folder}/calls.ndjson`

/** Begins a cassette; fails where there is one already: a recording is never written over. */
export const begin = (
  folder: string
): Effect.Effect<(exchange: Exchange) => Effect.Effect<void, Refused>, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const file = fileOf(folder)
    yield* Effect.mapError(files.makeDirectory(folder, { recursive: true }), () => new Refused({ lines: [`${folder}: cannot be made`] }))
    yield* Effect.mapError(files.writeFileString(file, "", { flag: "wx", mode: 0o600 }), () =>
      new Refused({ lines: [`${file}: is there already, or cannot be written`] }))
    return (exchange) =>
      Effect.mapError(files.writeFileString(file, `${JSON.stringify(exchange)}\n`, { flag: "a" }), () =>
        new Refused({ lines: [`${file}: cannot be written any more`] }))
  })

/** The exchanges of a cassette, in the order of arrival. */
export const read = (folder: string): Effect.Effect<ReadonlyArray<Exchange>, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const file = fileOf(folder)
    const text = yield* Effect.mapError(files.readFileString(file), () => new Refused({ lines: [`${file}: cannot be read`] }))
    const lines = text.split("\n").flatMap((line, index) => (line === "" ? [] : [{ line, number: index + 1 }]))
    const exchanges: Array<Exchange> = []
    for (const { line, number } of lines) {
      const exchange = decode(line)
      if (Either.isLeft(exchange)) return yield* new Refused({ lines: [`${file}:${number}: is no exchange of a recording`] })
      exchanges.push(exchange.right)
    }
    return exchanges.sort((one, other) => one.sequence - other.sequence)
  })
