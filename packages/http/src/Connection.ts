/**
 * The settings of one connection to the upstream: where to, as whom, on whose data, and within which limits.
 *
 * A plain value, checked as a whole before anything is sent. Its secrets are `Redacted`, so it can be printed.
 */
import type { Credentials } from "@milepost/core/Credentials"
import * as DataScope from "@milepost/core/DataScope"
import * as Ids from "@milepost/core/Ids"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as BasePath from "./BasePath.js"
import type { BaseUrl } from "./BaseUrl.js"
import * as BasicAuth from "./BasicAuth.js"
import { isHeaderText } from "./internal/headerText.js"
import { version } from "./internal/version.js"
import * as OAuthToken from "./OAuthToken.js"

/** The settings of one connection, checked; {@link make} builds it. */
export interface Connection {
  readonly baseUrl: BaseUrl
  readonly basePath: BasePath.BasePath
  readonly credentials: Credentials
  readonly dataScope: DataScope.DataScope
  /** The longest that one call may take, waiting for a connection and for an OAuth token included: 1 to 2^31-1. */
  readonly timeoutMillis: number
  /** The longest that opening one connection may take: 1 to 2^31-1. Undici checks it twice a second. */
  readonly connectTimeoutMillis: number
  /** How many connections are opened at most, 1 to 4096: calls beyond wait for one, so follow the concurrency. */
  readonly connections: number
  /** The largest answer to a POST that is read, in bytes. */
  readonly maxBodyBytes: number
  /** The largest answer to a look-up that is read, in bytes: it lists every target of a customer. */
  readonly maxLookupBodyBytes: number
  /** The `User-Agent` header. */
  readonly userAgent: string
}

/** What {@link make} takes: where to and as whom; everything else has a default. */
export interface Options {
  readonly baseUrl: BaseUrl
  readonly credentials: Credentials
  /** Default {@link BasePath.documented}. */
  readonly basePath?: BasePath.BasePath | undefined
  /** Default `DataScope.self`. */
  readonly dataScope?: DataScope.DataScope | undefined
  /** Default 30,000. */
  readonly timeoutMillis?: number | undefined
  /** Default 10,000. */
  readonly connectTimeoutMillis?: number | undefined
  /** Default 64. */
  readonly connections?: number | undefined
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Default 16 MiB. */
  readonly maxLookupBodyBytes?: number | undefined
  /** Default `milepost/<version>`. */
  readonly userAgent?: string | undefined
}

/** A setting that cannot be used; the message says what is expected and repeats no secret. */
export class ConnectionRefused extends Data.TaggedError("ConnectionRefused")<{
  readonly setting:
    | "credentials"
    | "dataScope"
    | "timeoutMillis"
    | "connectTimeoutMillis"
    | "connections"
    | "maxBodyBytes"
    | "maxLookupBodyBytes"
    | "userAgent"
  readonly message: string
}> {}

type Setting = ConnectionRefused["setting"]

/** Beyond it a timer of the platform fires at once. */
const longestTimer = 2 ** 31 - 1

const greatest: Partial<Record<Setting, number>> = {
  timeoutMillis: longestTimer,
  connectTimeoutMillis: longestTimer,
  connections: 4096,
  maxBodyBytes: 2 ** 30 - 1,
  maxLookupBodyBytes: 2 ** 30 - 1
}

const numberProblem = (connection: Connection, setting: Setting): string | null => {
  const most = greatest[setting]
  const value = connection[setting]
  return most === undefined || (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most)
    ? null
    : `must be a whole number from 1 to ${most}`
}

const checks: Readonly<Record<Setting, (connection: Connection, setting: Setting) => string | null>> = {
  credentials: ({ credentials }) =>
    credentials._tag === "Basic" ? BasicAuth.problem(credentials) : OAuthToken.problem(credentials),
  // The type says so already; a cast must not reach a header.
  dataScope: ({ dataScope }) =>
    dataScope._tag === "Self" || Ids.isId(dataScope.orgId) ? null : "must name one organisation by its number",
  timeoutMillis: numberProblem,
  connectTimeoutMillis: numberProblem,
  connections: numberProblem,
  maxBodyBytes: numberProblem,
  maxLookupBodyBytes: numberProblem,
  userAgent: ({ userAgent }) =>
    isHeaderText(userAgent) ? null : "must be one line of Latin-1 text without blanks around it"
}

/**
 * Checks the settings of a connection; fails with {@link ConnectionRefused} on the first that cannot be used.
 *
 * @example
 * ```ts
 * import { Credentials, DataScope } from "@milepost/core"
 * import { BaseUrl, Connection } from "@milepost/http"
 * import { Either, Redacted } from "effect"
 *
 * const connection = Either.gen(function*() {
 *   const baseUrl = yield* BaseUrl.fromText("eu")
 *   const dataScope = yield* DataScope.other(100458)
 *   const credentials = Credentials.basic({ username: "store.server", password: Redacted.make("server123") })
 *   return yield* Connection.make({ baseUrl, credentials, dataScope, connections: 32 })
 * })
 * ```
 */
export const make = (options: Options): Either.Either<Connection, ConnectionRefused> => {
  const connection: Connection = {
    baseUrl: options.baseUrl,
    basePath: options.basePath ?? BasePath.documented,
    credentials: options.credentials,
    dataScope: options.dataScope ?? DataScope.self,
    timeoutMillis: options.timeoutMillis ?? 30_000,
    connectTimeoutMillis: options.connectTimeoutMillis ?? 10_000,
    connections: options.connections ?? 64,
    maxBodyBytes: options.maxBodyBytes ?? 2 ** 20,
    maxLookupBodyBytes: options.maxLookupBodyBytes ?? 2 ** 24,
    userAgent: options.userAgent ?? `milepost/${version}`
  }
  for (const [setting, check] of Object.entries(checks) as ReadonlyArray<[Setting, (typeof checks)[Setting]]>) {
    const problem = check(connection, setting)
    if (problem !== null) return Either.left(new ConnectionRefused({ setting, message: `${setting}: ${problem}` }))
  }
  return Either.right(connection)
}
