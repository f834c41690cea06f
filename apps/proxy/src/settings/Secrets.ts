/** Where a secret is written: in place, in a file, or in a variable of the environment. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type Refused, setting } from "../Refused.js"

/** Texts by name, `undefined` where there is none: the environment, or a table of a file. */
export type Texts = Readonly<Record<string, string | undefined>>

/**
 * The secret of this key of a table: `password`, `password_file` or `password_env`, one of them; `undefined` where there
 * is none. Messages name the key, and never repeat a secret.
 */
export const read = (
  label: string,
  table: Texts,
  key: string,
  environment: Texts
): Effect.Effect<Redacted.Redacted | undefined, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const names = [key, `${key}_file`, `${key}_env`].filter((name) => table[name] !== undefined)
    const [name, second] = names
    if (name === undefined) return undefined
    if (second !== undefined) return yield* setting(`${label}.${second}`, `${name} is set as well; keep one of them`)
    const value = table[name] ?? ""
    if (name === key) return Redacted.make(value)
    if (name === `${key}_env`) {
      const found = environment[value]
      if (found === undefined || found === "") return yield* setting(`${label}.${name}`, `the variable ${value} is not set`)
      return Redacted.make(found)
    }
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(files.readFileString(value), () => setting(`${label}.${name}`, `${value} cannot be read`))
    // Editors end a file with a line end that belongs to no secret.
    return Redacted.make(text.replace(/\r?\n$/, ""))
  })
