/**
 * The organisations that are called: one from the environment, or several from a TOML file with a table each.
 *
 * Every mistake is one line that names its setting. Secrets are `Redacted` from the moment they are read.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Credentials from "@milepost/core/Credentials"
import * as DataScope from "@milepost/core/DataScope"
import * as Amount from "@milepost/engine/Amount"
import * as BasePath from "@milepost/http/BasePath"
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as Connection from "@milepost/http/Connection"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { parse, TomlError } from "smol-toml"
import { type Refused, setting } from "../Refused.js"
import type { Limits } from "../upstream/Gate.js"
import { isId, type Org } from "../upstream/Org.js"
import * as Secrets from "./Secrets.js"

/** The keys of one organisation, in the file's words; a secret may be `…_file` or `…_env` as well. */
const keys = [
  "id", "host", "basePath", "insecure", "username", "password", "passwordMd5", "oauthKey", "oauthSecret", "dataScope", "dataScopeOrg",
  "timeout", "rate", "concurrency"
] as const

type Key = (typeof keys)[number]

const secret: ReadonlyArray<Key> = ["password", "passwordMd5", "oauthKey", "oauthSecret"]

const known: ReadonlySet<string> = new Set([...keys, ...secret.flatMap((key) => [`${key}_file`, `${key}_env`])])

/** The variable of a key where one organisation is configured by the environment. */
const variables: Readonly<Record<Key, string>> = {
  id: "MILEPOST_PROXY_ORG",
  host: "MILEPOST_HOST",
  basePath: "MILEPOST_BASE_PATH",
  insecure: "MILEPOST_INSECURE",
  username: "MILEPOST_USERNAME",
  password: "MILEPOST_PASSWORD",
  passwordMd5: "MILEPOST_PASSWORD_MD5",
  oauthKey: "MILEPOST_OAUTH_KEY",
  oauthSecret: "MILEPOST_OAUTH_SECRET",
  dataScope: "MILEPOST_DATA_SCOPE",
  dataScopeOrg: "MILEPOST_DATA_SCOPE_ORG",
  timeout: "MILEPOST_TIMEOUT",
  rate: "MILEPOST_RATE",
  concurrency: "MILEPOST_CONCURRENCY"
}

/** One organisation's settings as they were written, and what messages call each. */
interface Table {
  readonly values: Secrets.Texts
  readonly named: (key: Key) => string
  readonly secret: (key: Key) => Effect.Effect<Redacted.Redacted | undefined, Refused, FileSystem.FileSystem>
}

const credentialsOf = ({ named, secret, values }: Table): Effect.Effect<Credentials.Credentials, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { username } = values
    const [password, md5] = [yield* secret("password"), yield* secret("passwordMd5")]
    const [key, oauthSecret] = [yield* secret("oauthKey"), yield* secret("oauthSecret")]
    const isOAuth = key !== undefined || oauthSecret !== undefined
    if (isOAuth && (username !== undefined || password !== undefined || md5 !== undefined)) {
      return yield* setting(named("oauthKey"), "both kinds of credentials are set; keep one kind")
    }
    if (isOAuth) {
      if (key === undefined) return yield* setting(named("oauthKey"), "is not set: the key that belongs to the OAuth secret")
      if (oauthSecret === undefined) return yield* setting(named("oauthSecret"), "is not set: the secret that belongs to the OAuth key")
      return Credentials.oauth({ key, secret: oauthSecret })
    }
    if (username === undefined) return yield* setting(named("username"), "is not set: a till's username and password, or an OAuth key and secret")
    if (password !== undefined && md5 !== undefined) return yield* setting(named("passwordMd5"), "the password is set as well; keep one of them")
    if (md5 !== undefined) return Credentials.basicHashed({ username, passwordMd5: md5 })
    if (password === undefined) return yield* setting(named("password"), "is not set: the till's password, or its MD5")
    return Credentials.basic({ username, password })
  })

const amount = <A>(
  { named, values }: Table,
  key: Key,
  read: (text: string) => Option.Option<A>,
  fallback: A,
  expected: string
): Either.Either<A, Refused> => {
  const text = values[key]
  if (text === undefined) return Either.right(fallback)
  return Either.fromOption(read(text), () => setting(named(key), `${JSON.stringify(text)} is not ${expected}`))
}

const limitsOf = (table: Table): Either.Either<Limits, Refused> =>
  Either.all({
    callsPerSecond: amount<number | null>(table, "rate", Amount.callsPerSecond, null, "a rate such as 600/min or 10/s, or auto"),
    concurrency: amount<number | "auto">(table, "concurrency", Amount.concurrency, "auto", "a number from 1 to 1024, or auto")
  })

/** Connections are opened when they are needed: the gate decides how many calls there are at once. */
const connections = 1024

const connectionKeys: Readonly<Record<Connection.ConnectionRefused["setting"], Key>> = {
  credentials: "username",
  dataScope: "dataScope",
  timeoutMillis: "timeout",
  connectTimeoutMillis: "timeout",
  connections: "concurrency",
  maxBodyBytes: "host",
  maxLookupBodyBytes: "host",
  userAgent: "host"
}

const orgOf = (table: Table): Effect.Effect<Org, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { named, values } = table
    const wrong = (key: Key) => Either.mapLeft(({ message }: { readonly message: string }) => setting(named(key), message))
    const id = values["id"]
    if (id === undefined) return yield* setting(named("id"), "is not set: what keys and callers name the organisation by")
    if (!isId(id)) return yield* setting(named("id"), `${JSON.stringify(id)} is not made of letters, digits, - and _ alone, 64 at most`)
    const { host } = values
    if (host === undefined) return yield* setting(named("host"), `is not set: ${BaseUrl.clusters.join(", ")}, or a base URL`)
    const baseUrl = yield* BaseUrl.fromText(host, { insecure: values["insecure"] === "1" || values["insecure"] === "true" }).pipe(wrong("host"))
    const basePath = values["basePath"] === undefined
      ? BasePath.documented
      : yield* BasePath.fromText(values["basePath"]).pipe(wrong("basePath"))
    if (basePath === "") return yield* setting(named("basePath"), "the proxy serves the upstream's routes at this path: / alone would hide its own")
    const dataScope = yield* Either.mapLeft(DataScope.fromText(values["dataScope"], values["dataScopeOrg"]), (error) =>
      setting(named(error.setting === "scope" ? "dataScope" : "dataScopeOrg"), error.message))
    const timeoutMillis = yield* amount(table, "timeout", Amount.durationMillis, 20_000, "a duration up to 24h such as 30s or 2m")
    const credentials = yield* credentialsOf(table)
    const connection = yield* Either.mapLeft(
      Connection.make({ baseUrl, basePath, credentials, dataScope, timeoutMillis, connections }),
      (error) => setting(named(connectionKeys[error.setting]), error.message)
    )
    return { id, connection, limits: yield* limitsOf(table) }
  })

/** The one organisation of the environment. */
export const fromEnvironment = (environment: Secrets.Texts): Effect.Effect<ReadonlyArray<Org>, Refused, FileSystem.FileSystem> => {
  const values: Record<string, string | undefined> = {}
  for (const key of keys) {
    const value = environment[variables[key]]
    if (value !== undefined && value !== "") values[key] = value
  }
  const named = (key: Key): string => variables[key]
  const table: Table = {
    values,
    named,
    secret: (key) => Secrets.read(named(key), { [key]: values[key] }, key, environment)
  }
  return Effect.map(orgOf(table), (org) => [org])
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

const tableOf = (label: string, table: Record<string, unknown>, environment: Secrets.Texts): Effect.Effect<Table, Refused> =>
  Effect.gen(function*() {
    const values: Record<string, string> = {}
    for (const [key, value] of Object.entries(table)) {
      if (!known.has(key)) return yield* setting(`${label}.${key}`, `there is no such key; known are ${keys.join(", ")}, and ${secret.join(", ")} with _file or _env`)
      if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
        return yield* setting(`${label}.${key}`, "must be a text")
      }
      values[key] = String(value)
    }
    const named = (key: Key): string => `${label}.${key}`
    return { values, named, secret: (key) => Secrets.read(label, values, key, environment) }
  })

/** The organisations of a file: a table `[[org]]` each. */
export const fromFile = (
  file: string,
  environment: Secrets.Texts
): Effect.Effect<ReadonlyArray<Org>, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const name = "MILEPOST_PROXY_UPSTREAMS"
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(files.readFileString(file), () => setting(name, `${file} cannot be read`))
    const parsed = yield* Effect.try({
      try: () => parse(text),
      // The parser's message quotes the source, and the source holds passwords: only the place is kept.
      catch: (error) =>
        setting(name, error instanceof TomlError ? `${file}: line ${error.line}, column ${error.column}: this is not valid TOML` : `${file}: this is not valid TOML`)
    })
    const strange = Object.keys(parsed).find((key) => key !== "org")
    if (strange !== undefined) return yield* setting(name, `${file}: there is no key ${JSON.stringify(strange)}; a table [[org]] for each organisation`)
    const tables: unknown = parsed["org"]
    if (!Array.isArray(tables) || tables.length === 0 || !tables.every(isTable)) {
      return yield* setting(name, `${file}: holds no organisation: a table [[org]] for each`)
    }
    const orgs = yield* Effect.forEach(tables, (table, index) => Effect.flatMap(tableOf(`${file}: org[${index}]`, table, environment), orgOf))
    const ids = orgs.map(({ id }) => id)
    const repeated = ids.find((id, index) => ids.indexOf(id) !== index)
    return repeated === undefined ? orgs : yield* setting(name, `${file}: there are two organisations with the id ${repeated}`)
  })
