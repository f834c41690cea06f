/** What the environment says of the service: where it listens, where it keeps its data, whom it calls. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { type Refused, setting } from "../Refused.js"
import * as Patience from "../server/Patience.js"
import type { Org } from "../upstream/Org.js"
import * as Orgs from "./Orgs.js"
import type { Texts } from "./Secrets.js"

/** What the environment says of the service. */
export interface Settings {
  readonly host: string
  readonly port: number
  /** The folder of its data. */
  readonly data: string
  readonly orgs: ReadonlyArray<Org>
  /** How many interactive programs an organisation lets in at once. */
  readonly queue: number
  /** The largest upload of a job, in bytes. */
  readonly uploadBytes: number
  /** How long an upload is waited for. */
  readonly uploadPatience: Patience.Patience
  /** How long jobs that have ended are kept, in days. */
  readonly retentionDays: number
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

/** The folder where keys, jobs and first answers lie. */
export const data = (environment: Texts): string => environment["MILEPOST_PROXY_DATA"] || "milepost-proxy-data"

/** The organisations that the environment names, itself or by its file. */
export const orgs = (environment: Texts): Effect.Effect<ReadonlyArray<Org>, Refused, FileSystem.FileSystem> => {
  const file = environment["MILEPOST_PROXY_UPSTREAMS"]
  if (file === undefined || file === "") return Orgs.fromEnvironment(environment)
  return environment["MILEPOST_PROXY_ORG"] === undefined
    ? Orgs.fromFile(file, environment)
    : setting("MILEPOST_PROXY_ORG", "MILEPOST_PROXY_UPSTREAMS is set as well; keep one of them")
}

/** Reads and checks everything; fails with the first mistake. */
export const read = (environment: Texts): Effect.Effect<Settings, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const host = environment["MILEPOST_PROXY_HOST"] || "127.0.0.1"
    if (!/^[A-Za-z0-9.:_-]{1,255}$/.test(host)) return yield* setting("MILEPOST_PROXY_HOST", `${JSON.stringify(host)} is no address to listen on`)
    return {
      host,
      port: yield* whole(environment, "MILEPOST_PROXY_PORT", 8320, 0, 65_535),
      data: data(environment),
      queue: yield* whole(environment, "MILEPOST_PROXY_QUEUE", 1_000, 1, 100_000),
      uploadBytes: yield* whole(environment, "MILEPOST_PROXY_UPLOAD_BYTES", 1_073_741_824, 1, Number.MAX_SAFE_INTEGER),
      uploadPatience: {
        ...Patience.standard,
        bytesPerSecond: yield* whole(environment, "MILEPOST_PROXY_UPLOAD_RATE", Patience.standard.bytesPerSecond, 0, 1_000_000_000)
      },
      retentionDays: yield* whole(environment, "MILEPOST_PROXY_RETENTION_DAYS", 30, 1, 3_650),
      orgs: yield* orgs(environment)
    }
  })
