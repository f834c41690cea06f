/**
 * Turns settings into the proxy that a run is handed to, and says which flags have no meaning there.
 *
 * Every mistake is one line that names the setting under the name it was given by; nothing has been sent yet.
 */
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Failure from "../Failure.js"
import type { Flags } from "../Invocation.js"
import * as Settings from "./Settings.js"

/** Where a proxy is, and who asks it. */
export interface Via {
  /** An origin, e.g. `https://milepost.example.com`. */
  readonly url: string
  readonly key: Redacted.Redacted
  /** Under which name the key was given. */
  readonly keyOrigin: string
  /** The organisation, where the key has several. */
  readonly org: string | null
}

const wrong = ({ origin }: Settings.Setting, problem: string): Failure.Refused => Failure.configuration(origin, `${origin}: ${problem}`)

/** The address of a proxy, as people write it; a trailing slash is no mistake. */
const urlOf = (setting: Settings.Setting, insecure: boolean): Either.Either<string, Failure.Refused> => {
  const text = setting.value.trim().replace(/\/+$/, "")
  // The names of clusters are the upstream's.
  if (!/^https?:/i.test(text)) return Either.left(wrong(setting, "is no address of a proxy such as https://milepost.example.com"))
  return Either.mapLeft(BaseUrl.fromText(text, { insecure }), (error) => wrong(setting, error.message))
}

/** The proxy that is set; `null` where there is none. */
export const urlIn = (settings: Settings.Service): Either.Either<string | null, Failure.Refused> => {
  const setting = settings.get("via")
  return setting === undefined ? Either.right(null) : urlOf(setting, settings.get("insecure")?.value === "1")
}

/** The API key that is set. Its text is in no message. */
export const keyIn = (settings: Settings.Service): Either.Either<Pick<Via, "key" | "keyOrigin">, Failure.Refused> => {
  const setting = settings.get("api_key")
  const variable = Settings.variable("api_key")
  if (setting === undefined) {
    return Either.left(Failure.configuration(variable, `${variable} is not set: a key of the proxy, from whoever runs it. Set it in the environment or in milepost.toml`))
  }
  return /^[\x21-\x7e]{1,255}$/.test(setting.value)
    ? Either.right({ key: Redacted.make(setting.value), keyOrigin: setting.origin })
    : Either.left(wrong(setting, "is no API key: it has blanks or letters that no key has"))
}

/** The proxy at this address, asked with the key and for the organisation that are set. */
export const at = (url: string, settings: Settings.Service): Either.Either<Via, Failure.Refused> =>
  Either.map(keyIn(settings), (who) => ({ url, ...who, org: settings.get("org")?.value ?? null }))

const meaningless: ReadonlyArray<readonly [keyof Flags, string]> = [
  ["sandbox", "--sandbox"],
  ["world", "--world"],
  ["faults", "--faults"],
  ["host", "--host"],
  ["basePath", "--base-path"],
  ["username", "--username"],
  ["dataScope", "--data-scope"],
  ["dataScopeOrg", "--data-scope-org"],
  ["timeout", "--timeout"],
  ["concurrency", "--concurrency"],
  ["maxErrors", "--max-errors"]
]

/** Refuses flags that say how calls are made: a proxy decides that by itself. */
export const checked = (flags: Flags): Either.Either<void, Failure.Refused> => {
  const [, flag] = meaningless.find(([name]) => flags[name] !== undefined) ?? (flags.fuse === false ? ["fuse", "--no-fuse"] as const : [])
  return flag === undefined ? Either.void : Either.left(Failure.usage(`${flag}: means nothing through a proxy, which calls the upstream by its own settings`, flag))
}

/** Refuses flags that have a meaning only through a proxy. */
export const absent = (flags: Flags): Either.Either<void, Failure.Refused> => {
  const flag = flags.detach === true ? "--detach" : flags.again === true ? "--again" : flags.org === undefined ? undefined : "--org"
  return flag === undefined ? Either.void : Either.left(Failure.usage(`${flag}: goes with --via (or MILEPOST_VIA)`, flag))
}
