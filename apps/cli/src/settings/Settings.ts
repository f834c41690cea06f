/**
 * Where a setting comes from: a flag, else the environment, else a profile of `milepost.toml`.
 *
 * A setting knows its origin, so that a mistake is reported under the name under which the person wrote it.
 */
import * as Context from "effect/Context"

/** The settings that a connection and a run are made of, as `milepost.toml` names them. */
export const names = [
  "host",
  "base_path",
  "username",
  "password",
  "password_md5",
  "oauth_key",
  "oauth_secret",
  "data_scope",
  "data_scope_org",
  "timeout",
  "rate",
  "concurrency",
  "insecure",
  "via",
  "api_key",
  "org"
] as const

/** The name of a setting. */
export type Name = (typeof names)[number]

/** A value with the name under which it was given. */
export interface Setting {
  readonly value: string
  /** `--timeout`, `MILEPOST_TIMEOUT`, or `timeout in milepost.toml [default]`. */
  readonly origin: string
}

/** Every setting that was given, by name. */
export interface Service {
  readonly get: (name: Name) => Setting | undefined
}

/** Every setting that was given. */
export class Settings extends Context.Tag("@milepost/cli/Settings")<Settings, Service>() {}

/** The variable of a setting, e.g. `MILEPOST_HOST`. */
export const variable = (name: Name): string => `MILEPOST_${name.toUpperCase()}`

const flag = (name: Name): string => `--${name.replaceAll("_", "-")}`

const given = (value: string | undefined): value is string => value !== undefined && value !== ""

/** Settings from the three sources; the first that has a value wins. An empty variable counts as absent. */
export const make = (sources: {
  readonly flags: Readonly<Partial<Record<Name, string | undefined>>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly profile: { readonly label: string; readonly values: Readonly<Partial<Record<Name, string>>> } | null
}): Service => ({
  get: (name) => {
    const fromFlag = sources.flags[name]
    if (fromFlag !== undefined) return { value: fromFlag, origin: flag(name) }
    const fromEnvironment = sources.environment[variable(name)]
    if (given(fromEnvironment)) return { value: fromEnvironment, origin: variable(name) }
    const fromProfile = sources.profile?.values[name]
    return sources.profile !== null && given(fromProfile)
      ? { value: fromProfile, origin: `${name} in ${sources.profile.label}` }
      : undefined
  }
})

/** The same settings, with values that count for more than environment and profile, and for less than a flag. */
export const over = (
  settings: Service,
  kept: Readonly<Partial<Record<Name, Setting | null>>>
): Service => ({
  get: (name) => {
    const given = settings.get(name)
    return given?.origin === flag(name) ? given : kept[name] ?? given
  }
})

/** What a flag said, where it was given. */
export const byFlag = (settings: Service, name: Name): string | null => {
  const given = settings.get(name)
  return given?.origin === flag(name) ? given.value : null
}
