/**
 * A profile: one table of `milepost.toml`, whose keys are the variables' names without prefix, in lower case.
 *
 * Looked for at `--config`, else `./milepost.toml`, else `$XDG_CONFIG_HOME/milepost/milepost.toml`.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import { parse, TomlError } from "smol-toml"
import * as Failure from "../Failure.js"
import * as Settings from "./Settings.js"

/** The settings of one profile. */
export interface Profile {
  /** File and table, for messages. */
  readonly label: string
  readonly values: Readonly<Partial<Record<Settings.Name, string>>>
  /** Whether others on this machine can read the secrets in it. */
  readonly exposed: boolean
}

/** Which file and which table of it to read. */
export interface Choice {
  readonly config: string | undefined
  readonly profile: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
}

const secrets: ReadonlyArray<Settings.Name> = ["password", "password_md5", "oauth_secret", "api_key"]

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

const isName = (key: string): key is Settings.Name => (Settings.names as ReadonlyArray<string>).includes(key)

const read = (file: string, text: string): Effect.Effect<Record<string, unknown>, Failure.Refused> =>
  Effect.try({
    try: () => parse(text),
    // The parser's message quotes the source, and the source holds passwords: only the place is kept.
    catch: (error) =>
      Failure.configuration(
        file,
        error instanceof TomlError
          ? `${file}: line ${error.line}, column ${error.column}: this is not valid TOML`
          : `${file}: this is not valid TOML`
      )
  })

const valuesOf = (
  label: string,
  table: Record<string, unknown>
): Effect.Effect<Readonly<Partial<Record<Settings.Name, string>>>, Failure.Refused> =>
  Effect.gen(function*() {
    const values: Partial<Record<Settings.Name, string>> = {}
    for (const [key, value] of Object.entries(table)) {
      if (!isName(key)) {
        return yield* Failure.configuration(
          key,
          `${label}: there is no setting ${JSON.stringify(key)}; known are ${Settings.names.join(", ")}`
        )
      }
      if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
        return yield* Failure.configuration(key, `${label}: ${key} must be a text or a number`)
      }
      values[key] = String(value)
    }
    return values
  })

const candidates = (choice: Choice, path: Path.Path): ReadonlyArray<string> => {
  if (choice.config !== undefined) return [choice.config]
  const home = choice.environment["HOME"]
  const configHome = choice.environment["XDG_CONFIG_HOME"] ?? (home === undefined ? undefined : path.join(home, ".config"))
  return ["milepost.toml", ...(configHome === undefined ? [] : [path.join(configHome, "milepost", "milepost.toml")])]
}

/** Reads the chosen profile; `null` when there is no file and none was asked for. Fails naming file, line and key. */
export const load = (
  choice: Choice
): Effect.Effect<Profile | null, Failure.Refused, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const asked = choice.profile ?? choice.environment["MILEPOST_PROFILE"]
    for (const file of candidates(choice, path)) {
      const text = yield* files.readFileString(file).pipe(
        Effect.catchTag("SystemError", (error) =>
          error.reason === "NotFound" && choice.config === undefined
            ? Effect.succeed(null)
            : Failure.configuration("--config", `${file} cannot be read: ${error.reason}`)),
        Effect.catchTag("BadArgument", () => Failure.configuration("--config", `${file} is no file name`))
      )
      if (text === null) continue
      const document = yield* read(file, text)
      const name = asked ?? "default"
      const table = document[name]
      if (!isTable(table)) {
        if (asked === undefined && Object.values(document).every(isTable)) return null
        return yield* Failure.configuration(
          "--profile",
          isTable(document[name]) || asked !== undefined
            ? `${file} has no profile [${name}]; it has ${Object.keys(document).map((key) => `[${key}]`).join(", ") || "none"}`
            : `${file}: put the settings under a profile, e.g. [default]`
        )
      }
      const label = `${file} [${name}]`
      const values = yield* valuesOf(label, table)
      const mode = yield* Effect.map(Effect.option(files.stat(file)), (info) => info._tag === "Some" ? info.value.mode : 0)
      return { label, values, exposed: (mode & 0o044) !== 0 && secrets.some((key) => values[key] !== undefined) }
    }
    return asked === undefined
      ? null
      : yield* Failure.configuration("--profile", `there is no milepost.toml to take the profile [${asked}] from`)
  })
