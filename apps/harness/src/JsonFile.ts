/**
 * Files that people write as JSON with comments: what is in them, and where a mistake stands.
 *
 * Comments and trailing commas are read over. A key that is there twice is a mistake: the second would silently win.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { evaluate, parse as parseTree, type ValueNode } from "@humanwhocodes/momoa"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Refused } from "./Refused.js"

/** A mistake with its place in the file; line and column count from 1, and are `null` where the place is the whole file. */
export interface Mistake {
  /** Keys and positions from the top, e.g. `targetGroups[0].periods[2].end`; empty for the whole. */
  readonly path: string
  readonly problem: string
  readonly line: number | null
  readonly column: number | null
}

/** What a reader of the package says is wrong. */
interface Issue {
  readonly path: string
  readonly problem: string
}

interface Place {
  readonly line: number
  readonly column: number
}

const member = (key: string, parent: string): string => (parent === "" ? key : `${parent}.${key}`)

/** The place of every path: that of the value for what has one, that of its name for what should not be there. */
const placesIn = (root: ValueNode): { readonly places: ReadonlyMap<string, Place>; readonly twice: ReadonlyArray<Mistake> } => {
  const places = new Map<string, Place>()
  const twice: Array<Mistake> = []
  const visit = (node: ValueNode, path: string, { column, line }: Place): void => {
    places.set(path, { line, column })
    if (node.type === "Array") node.elements.forEach(({ value }, index) => visit(value, `${path}[${index}]`, value.loc.start))
    if (node.type !== "Object") return
    for (const { name, value } of node.members) {
      const own = member(name.type === "String" ? name.value : name.name, path)
      if (places.has(own)) twice.push({ path: own, problem: "is there twice", ...placeOf(name.loc.start) })
      visit(value, own, value.loc.start)
    }
  }
  visit(root, "", root.loc.start)
  return { places, twice }
}

const placeOf = ({ column, line }: Place): Place => ({ line, column })

const nowhere = { line: null, column: null }

/** Something missing has no place of its own: what it is missing from has. */
const nearest = (places: ReadonlyMap<string, Place>, path: string): Place | typeof nowhere => {
  for (let rest = path; rest !== ""; rest = rest.replace(/(\[\d+\]|\.?[^.[\]]*)$/, "")) {
    const place = places.get(rest)
    if (place !== undefined) return place
  }
  return path === "" ? nowhere : places.get("") ?? nowhere
}

/** What the parser said. It places the end of the text at its beginning. */
const failureOf = (cause: unknown, text: string): Mistake => {
  const said = cause instanceof Error ? cause.message.replace(/ \(\d+:\d+\)$/, "") : String(cause)
  const problem = `is not JSON: ${said}`
  if (said.startsWith("Unexpected end of input")) {
    const lines = text.split("\n")
    return { path: "", problem, line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
  }
  return cause instanceof Error && "line" in cause && "column" in cause
    ? { path: "", problem, line: Number(cause.line), column: Number(cause.column) }
    : { path: "", problem, ...nowhere }
}

/** Reads text; every mistake of form and of sense has its place. */
export const read = <A>(
  text: string,
  decode: (json: unknown) => Either.Either<A, { readonly issues: ReadonlyArray<Issue> }>
): Either.Either<A, ReadonlyArray<Mistake>> =>
  Either.try({
    try: () => parseTree(text.replace(/^\uFEFF/, ""), { mode: "jsonc", allowTrailingCommas: true }).body,
    catch: (cause) => [failureOf(cause, text)]
  }).pipe(
    Either.flatMap((root) => {
      const { places, twice } = placesIn(root)
      if (twice.length > 0) return Either.left(twice)
      return Either.mapLeft(decode(evaluate(root)), ({ issues }) =>
        issues.map(({ path, problem }): Mistake => ({ path, problem, ...nearest(places, path) })))
    })
  )

/** A mistake as a line: `world.json:3:14: orgs[0].id: must be …`. */
export const line = (file: string, { column, line, path, problem }: Mistake): string =>
  [line === null ? file : `${file}:${line}:${column}`, ...(path === "" ? [] : [path]), problem].join(": ")

/** A file's text; fails with {@link Refused} where it cannot be read. */
export const text = (file: string): Effect.Effect<string, Refused, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(file)).pipe(
    Effect.mapError(() => new Refused({ lines: [`${file}: cannot be read`] }))
  )

/** What a file holds; fails with {@link Refused} and a line a mistake. */
export const load = <A>(
  file: string,
  decode: (json: unknown) => Either.Either<A, { readonly issues: ReadonlyArray<Issue> }>
): Effect.Effect<A, Refused, FileSystem.FileSystem> =>
  Effect.flatMap(text(file), (content) =>
    Effect.mapError(read(content, decode), (mistakes) =>
      new Refused({ lines: mistakes.map((mistake) => line(file, mistake)) })))
