/**
 * Reads JSON that a person wrote, and says of each mistake where it is and what is wrong, in plain words.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** One mistake in a file. */
export interface Issue {
  /** Where: keys and positions from the top, e.g. `targetGroups[0].periods[2].end`; empty for the whole. */
  readonly path: string
  /** What is wrong, and what is expected. */
  readonly problem: string
}

/** A path as people write it. */
export const pathOf = (keys: ReadonlyArray<PropertyKey>): string =>
  keys.reduce<string>(
    (path, key) =>
      typeof key === "number" ? `${path}[${key}]` : path === "" ? String(key) : `${path}.${String(key)}`,
    ""
  )

/** The mistakes as lines, one each. */
export const lines = (issues: ReadonlyArray<Issue>): string =>
  issues.map(({ path, problem }) => (path === "" ? problem : `${path}: ${problem}`)).join("\n")

/** Decodes and collects every mistake, not only the first. A key that nobody knows is a mistake: it is a misspelt one. */
export const decoder = <A, I>(schema: Schema.Schema<A, I>): (json: unknown) => Either.Either<A, ReadonlyArray<Issue>> => {
  const decode = Schema.decodeUnknownEither(schema, { errors: "all", onExcessProperty: "error" })
  return (json) =>
    Either.mapLeft(decode(json), (error) =>
      ParseResult.ArrayFormatter.formatErrorSync(error).map((issue) => ({
        path: pathOf(issue.path),
        problem: issue._tag === "Unexpected"
          ? "is not a known key"
          : issue._tag === "Missing"
          ? "is missing"
          : issue.message.replace(/, actual /, ", but it is ").replace(/^Expected /, "must be ")
      })))
}

/** Parses JSON text; the mistake names line and column where the parser tells a position. */
export const parse = (text: string): Either.Either<unknown, ReadonlyArray<Issue>> =>
  Either.try({
    try: (): unknown => JSON.parse(text.replace(/^\uFEFF/, "")),
    catch: (cause) => {
      const said = cause instanceof Error ? cause.message : String(cause)
      const position = /position (\d+)/.exec(said)?.[1]
      const before = position === undefined ? undefined : text.slice(0, Number(position)).split("\n")
      const where = before === undefined ? "" : `, line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
      return [{ path: "", problem: `is not JSON${where}: ${said.replace(/ at position \d+.*$/s, "").replace(/\s+/g, " ")}` }]
    }
  })

/** A whole number. */
export const whole = (from: number, to: number, what: string) =>
  Schema.Number.pipe(
    Schema.int({ message: () => `must be ${what}` }),
    Schema.between(from, to, { message: () => `must be ${what}` })
  ).annotations({ description: what })

/** One of several words. */
export const oneOf = <const Words extends readonly [string, ...Array<string>]>(...words: Words) =>
  Schema.Literal(...words).annotations({
    message: () => ({ message: `must be one of ${words.join(", ")}`, override: true })
  })

/** A key that may be left out. It is not a union with `undefined`, which JSON cannot hold and messages would mention. */
export const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
