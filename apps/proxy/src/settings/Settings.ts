/** What the environment says of the service: where it listens, where it keeps its data, whom it calls. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { type Refused, setting } from "../Refused.js"
import * as Patience from "../server/Patience.js"
import type { Org } from "../upstream/Org.js"
import * as Orgs from "./Orgs.js"
import type { Texts } from "./Secrets.js"
import * as SharedDatabase from "./SharedDatabase.js"

/** A collector of traces. */
export interface Collector {
  /** Of its traces, e.g. `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string
  /** Of the requests that come without a caller's span, the share that gets one, from 0 to 1. */
  readonly share: number
  readonly headers: Readonly<Record<string, string>>
  readonly exportMillis: number
}

/** What the environment says of the service. */
export interface Settings {
  readonly host: string
  readonly port: number
  /** The folder of its data, where there is no database. */
  readonly data: string
  /** Where its data lies instead, for several replicas; `null` for the folder. */
  readonly database: SharedDatabase.SharedDatabase | null
  readonly orgs: ReadonlyArray<Org>
  /** How many interactive programs an organisation lets in at once. */
  readonly queue: number
  /** The largest upload of a job, in bytes. */
  readonly uploadBytes: number
  /** How long an upload is waited for. */
  readonly uploadPatience: Patience.Patience
  /** How long jobs that have ended are kept, in days. */
  readonly retentionDays: number
  /** Where spans go; `null` for nowhere. */
  readonly collector: Collector | null
}

const whole = (
  environment: Texts,
  name: string,
  fallback: number,
  least: number,
  most: number
): Either.Either<number, Refused> => {
  const text = environment[name]
  if (text === undefined || text === "") return Either.right(fallback)
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  return value >= least && value <= most
    ? Either.right(value)
    : Either.left(setting(name, `${JSON.stringify(text)} is not a whole number from ${least} to ${most}`))
}

/** Where keys, jobs and first answers lie: all that a command needs which does not serve. */
export const place = (
  environment: Texts
): Effect.Effect<Pick<Settings, "data" | "database">, Refused, FileSystem.FileSystem> =>
  Effect.map(SharedDatabase.read(environment), (database) => ({ data: environment["MILEPOST_PROXY_DATA"] || "milepost-proxy-data", database }))

/** The organisations that the environment names, itself or by its file. */
export const orgs = (environment: Texts): Effect.Effect<ReadonlyArray<Org>, Refused, FileSystem.FileSystem> => {
  const file = environment["MILEPOST_PROXY_UPSTREAMS"]
  if (file === undefined || file === "") return Orgs.fromEnvironment(environment)
  return environment["MILEPOST_PROXY_ORG"] === undefined
    ? Orgs.fromFile(file, environment)
    : setting("MILEPOST_PROXY_ORG", "MILEPOST_PROXY_UPSTREAMS is set as well; keep one of them")
}

const headersOf = (text: string): Either.Either<Readonly<Record<string, string>>, Refused> => {
  const pairs = text.split(",").filter((pair) => pair.trim() !== "").map((pair) => /^\s*([A-Za-z0-9_.-]+)\s*=\s*([\x21-\x7e]*)\s*$/.exec(pair))
  // Not repeated: it may hold a secret.
  const wrong = (): Refused => setting("OTEL_EXPORTER_OTLP_HEADERS", "must be name=value, separated by commas, the values as in a URL")
  if (pairs.includes(null)) return Either.left(wrong())
  return Either.try({
    try: () => Object.fromEntries(pairs.map((pair) => [pair?.[1]?.toLowerCase() ?? "", decodeURIComponent(pair?.[2] ?? "")])),
    catch: wrong
  })
}

/** Which share of the requests without a caller's span get one: the words of OpenTelemetry, as far as they decide at the head. */
const share = (environment: Texts): Either.Either<number, Refused> => {
  const sampler = environment["OTEL_TRACES_SAMPLER"] || "parentbased_always_on"
  if (sampler === "parentbased_always_on") return Either.right(1)
  if (sampler === "parentbased_always_off") return Either.right(0)
  if (sampler !== "parentbased_traceidratio") {
    return Either.left(setting("OTEL_TRACES_SAMPLER", `${JSON.stringify(sampler)} is none of parentbased_always_on, parentbased_always_off, parentbased_traceidratio`))
  }
  const text = environment["OTEL_TRACES_SAMPLER_ARG"] || "1"
  const ratio = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  return ratio >= 0 && ratio <= 1
    ? Either.right(ratio)
    : Either.left(setting("OTEL_TRACES_SAMPLER_ARG", `${JSON.stringify(text)} is not a share from 0 to 1`))
}

/** The collector that the variables of OpenTelemetry name. */
const collector = (environment: Texts): Either.Either<Collector | null, Refused> =>
  Either.gen(function*() {
    const endpoint = environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
    if (endpoint === undefined || endpoint === "") return null
    const url = URL.canParse(endpoint) ? new URL(endpoint) : null
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
      return yield* Either.left(setting("OTEL_EXPORTER_OTLP_ENDPOINT", "is no URL such as http://127.0.0.1:4318"))
    }
    return {
      url: `${url.origin}${url.pathname.replace(/\/$/, "")}/v1/traces`,
      share: yield* share(environment),
      headers: yield* headersOf(environment["OTEL_EXPORTER_OTLP_HEADERS"] ?? ""),
      exportMillis: yield* whole(environment, "OTEL_BSP_SCHEDULE_DELAY", 5_000, 10, 600_000)
    }
  })

/** Reads and checks everything; fails with the first mistake. */
export const read = (environment: Texts): Effect.Effect<Settings, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const host = environment["MILEPOST_PROXY_HOST"] || "127.0.0.1"
    if (!/^[A-Za-z0-9.:_-]{1,255}$/.test(host)) return yield* setting("MILEPOST_PROXY_HOST", `${JSON.stringify(host)} is no address to listen on`)
    return {
      host,
      port: yield* whole(environment, "MILEPOST_PROXY_PORT", 8320, 0, 65_535),
      ...(yield* place(environment)),
      queue: yield* whole(environment, "MILEPOST_PROXY_QUEUE", 1_000, 1, 100_000),
      uploadBytes: yield* whole(environment, "MILEPOST_PROXY_UPLOAD_BYTES", 1_073_741_824, 1, Number.MAX_SAFE_INTEGER),
      uploadPatience: {
        ...Patience.standard,
        bytesPerSecond: yield* whole(environment, "MILEPOST_PROXY_UPLOAD_RATE", Patience.standard.bytesPerSecond, 0, 1_000_000_000)
      },
      retentionDays: yield* whole(environment, "MILEPOST_PROXY_RETENTION_DAYS", 30, 1, 3_650),
      collector: yield* collector(environment),
      orgs: yield* orgs(environment)
    }
  })
