/**
 * Turns settings into a connection to the live upstream.
 *
 * Every mistake is one line that names the setting under the name it was given by; nothing has been sent yet.
 */
import * as Credentials from "@milepost/core/Credentials"
import * as DataScope from "@milepost/core/DataScope"
import * as BasePath from "@milepost/http/BasePath"
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as Connection from "@milepost/http/Connection"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import * as Failure from "../Failure.js"
import * as Amount from "@milepost/engine/Amount"
import * as Settings from "./Settings.js"

const missing = (name: Settings.Name, what: string): Failure.Refused =>
  Failure.configuration(
    Settings.variable(name),
    `${Settings.variable(name)} is not set: ${what}. Set it in the environment or in milepost.toml, or try --sandbox`
  )

const wrong = (setting: Settings.Setting, problem: string): Failure.Refused =>
  Failure.configuration(setting.origin, `${setting.origin}: ${problem}`)

/** The host and base path that are set, or the mistake in them. */
export const baseUrl = (
  settings: Settings.Service
): Either.Either<{ readonly baseUrl: BaseUrl.BaseUrl; readonly basePath: BasePath.BasePath }, Failure.Refused> =>
  Either.gen(function*() {
    const host = settings.get("host")
    if (host === undefined) {
      return yield* Either.left(missing("host", `${BaseUrl.clusters.join(", ")}, or a base URL`))
    }
    const insecure = settings.get("insecure")?.value === "1"
    const url = yield* Either.mapLeft(
      BaseUrl.fromText(host.value, { insecure }),
      (error) => wrong(host, error.message)
    )
    const path = settings.get("base_path")
    const basePath = path === undefined
      ? BasePath.documented
      : yield* Either.mapLeft(BasePath.fromText(path.value), (error) => wrong(path, error.message))
    return { baseUrl: url, basePath }
  })

const md5 = /^[0-9a-fA-F]{32}$/

/** The credentials that are set: a till's or an OAuth client's, never both. */
export const credentials = (settings: Settings.Service): Either.Either<Credentials.Credentials, Failure.Refused> => {
  const username = settings.get("username")
  const password = settings.get("password")
  const passwordMd5 = settings.get("password_md5")
  const key = settings.get("oauth_key")
  const secret = settings.get("oauth_secret")
  const basic = username ?? password ?? passwordMd5
  const oauth = key ?? secret
  if (basic !== undefined && oauth !== undefined) {
    return Either.left(wrong(oauth, `both kinds of credentials are set: ${basic.origin} is for Basic; keep one kind`))
  }
  if (oauth !== undefined) {
    if (key === undefined) return Either.left(missing("oauth_key", "the key that belongs to the OAuth secret"))
    if (secret === undefined) return Either.left(missing("oauth_secret", "the secret that belongs to the OAuth key"))
    return Either.right(
      Credentials.oauth({ key: Redacted.make(key.value), secret: Redacted.make(secret.value) })
    )
  }
  if (username === undefined) {
    return Either.left(missing("username", "no credentials; a till's username and password, or an OAuth key and secret"))
  }
  if (password !== undefined && passwordMd5 !== undefined) {
    return Either.left(wrong(passwordMd5, `the password is set as well, by ${password.origin}; keep one of them`))
  }
  if (passwordMd5 !== undefined) {
    return md5.test(passwordMd5.value)
      ? Either.right(Credentials.basicHashed({
        username: username.value,
        passwordMd5: Redacted.make(passwordMd5.value.toLowerCase())
      }))
      : Either.left(wrong(passwordMd5, "an MD5 is 32 hexadecimal digits; for the password itself set MILEPOST_PASSWORD"))
  }
  return password === undefined
    ? Either.left(missing("password", `the password of the till ${JSON.stringify(username.value)}, or MILEPOST_PASSWORD_MD5`))
    : Either.right(Credentials.basic({ username: username.value, password: Redacted.make(password.value) }))
}

/** The data scope that is set; `ALL` is refused here, naming 310141. */
export const dataScope = (settings: Settings.Service): Either.Either<DataScope.DataScope, Failure.Refused> => {
  const scope = settings.get("data_scope")
  const org = settings.get("data_scope_org")
  return Either.mapLeft(DataScope.fromText(scope?.value, org?.value), (error) => {
    const name = error.setting === "scope" ? scope?.origin ?? Settings.variable("data_scope") : org?.origin ?? Settings.variable("data_scope_org")
    return Failure.configuration(name, `${name}: ${error.message}`)
  })
}

const amount = <A>(
  settings: Settings.Service,
  name: Settings.Name,
  read: (text: string) => Option.Option<A>,
  fallback: A,
  expected: string
): Either.Either<A, Failure.Refused> => {
  const setting = settings.get(name)
  if (setting === undefined) return Either.right(fallback)
  return Option.match(read(setting.value), {
    onNone: () => Either.left(wrong(setting, `${JSON.stringify(setting.value)} is not ${expected}`)),
    onSome: (value) => Either.right(value)
  })
}

/** How fast and how long calls may be. */
export interface Limits {
  /** The longest that one call may take. */
  readonly timeoutMillis: number
  /** Calls a second at most; `null` for no pace of ours. */
  readonly callsPerSecond: number | null
  /** Calls in flight at most; `auto` for as many as the upstream answers well. */
  readonly concurrency: number | "auto"
}

/** Timeout, rate and concurrency that are set, or their defaults: 30 s, and as much as the upstream bears. */
export const limits = (settings: Settings.Service): Either.Either<Limits, Failure.Refused> =>
  Either.all({
    timeoutMillis: amount(settings, "timeout", Amount.durationMillis, 30_000, "a duration up to 24h such as 30s or 2m"),
    callsPerSecond: amount<number | null>(settings, "rate", Amount.callsPerSecond, null, "a rate such as 600/min or 10/s, or auto"),
    concurrency: amount<number | "auto">(
      settings,
      "concurrency",
      Amount.concurrency,
      "auto",
      "a number of calls in flight from 1 to 1024, or auto"
    )
  })

/** Connections are opened when they are needed: whoever calls decides how many calls there are at once. */
const connections = 1024

const connectionSettings: Readonly<Record<Connection.ConnectionRefused["setting"], Settings.Name>> = {
  credentials: "username",
  dataScope: "data_scope",
  timeoutMillis: "timeout",
  connectTimeoutMillis: "timeout",
  connections: "concurrency",
  maxBodyBytes: "host",
  maxLookupBodyBytes: "host",
  userAgent: "host"
}

/** The connection to the live upstream, or the first mistake in its settings. */
export const connection = (settings: Settings.Service): Effect.Effect<Connection.Connection, Failure.Refused> =>
  Effect.gen(function*() {
    const where = yield* baseUrl(settings)
    const who = yield* credentials(settings)
    const scope = yield* dataScope(settings)
    const { timeoutMillis } = yield* limits(settings)
    return yield* Either.mapLeft(
      Connection.make({ ...where, credentials: who, dataScope: scope, timeoutMillis, connections }),
      (error) => {
        const name = connectionSettings[error.setting]
        return Failure.configuration(settings.get(name)?.origin ?? Settings.variable(name), error.message)
      }
    )
  })

/** Which upstream, and whose quota. */
export interface Identity {
  /** For people: host and data scope. */
  readonly name: string
  /** For files: the same for the same host, path, principal and scope, and readable by nobody. */
  readonly key: string
}

/** The upstream inside the process. */
export const sandbox: Identity = { name: "the sandbox", key: "sandbox" }

/** The live upstream that the settings name. */
export const identity = (settings: Settings.Service): Either.Either<Identity, Failure.Refused> =>
  Either.map(Either.all({ where: baseUrl(settings), scope: dataScope(settings) }), ({ scope, where }) => {
    const name = `${where.baseUrl}${scope._tag === "Self" ? "" : `, organisation ${scope.orgId}`}`
    const principal = settings.get("username")?.value ?? settings.get("oauth_key")?.value ?? ""
    const key = createHash("sha256").update(JSON.stringify([name, where.basePath, principal])).digest("hex").slice(0, 16)
    return { name, key }
  })
