/**
 * The PostgreSQL that several replicas share, and how this one takes part; without one, everything lies in a file.
 *
 * The address holds a password: it is `Redacted`, and no message repeats a part of it.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Amount from "@milepost/engine/Amount"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { networkInterfaces } from "node:os"
import { type Refused, setting } from "../Refused.js"
import { isId } from "../upstream/Org.js"
import type { Texts } from "./Secrets.js"

/** Where the shared data lies, and how this replica takes part. */
export interface SharedDatabase {
  readonly url: Redacted.Redacted
  /** The setting that the address comes from, for messages. */
  readonly named: string
  /** How many connections are kept at most. */
  readonly connections: number
  /** Replicas of the same name belong together. */
  readonly cluster: string
  /** How long a lane stays with a replica that is not heard of. */
  readonly leaseMillis: number
  /** The base URL by which the others reach this one; `null` for {@link advertised}. */
  readonly advertise: string | null
}

/** Names of the settings of the database, the first that is set wins. */
const own = "MILEPOST_DATABASE_URL"
const ownFile = "MILEPOST_DATABASE_URL_FILE"
const customary = "DATABASE_URL"

const example = "postgres://user:password@host:5432/database"

/** What an address is wrong in; `null` where nothing is. Nothing of it is repeated: a slip may put the password anywhere. */
const problemOf = (text: string): string | null => {
  if (!/^postgres(?:ql)?:\/\//.test(text)) return `must begin with postgres:// or postgresql://, such as ${example}`
  const url = URL.canParse(text) ? new URL(text) : null
  const isRead = url !== null && url.hostname !== "" && isDecodable(url.username, url.password, url.pathname)
  // An @ behind the host: something in the password has ended it, and its rest would be taken for the database's name.
  const isWhole = isRead && url.hash === "" && !/[@]|\/.*\//.test(url.pathname + url.search)
  return isWhole ? null : `is no URL such as ${example}; in the user's name and password, characters such as / # ? @ % must be percent-encoded`
}

const isDecodable = (...texts: ReadonlyArray<string>): boolean =>
  texts.every((text) => Either.isRight(Either.try(() => decodeURIComponent(text))))

const given = (environment: Texts, name: string): string | undefined => environment[name] || undefined

/** The address, and the setting that it comes from; `null` where there is none. */
const addressOf = (
  environment: Texts
): Effect.Effect<{ readonly named: string; readonly text: string } | null, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const text = given(environment, own)
    const file = given(environment, ownFile)
    if (text !== undefined && file !== undefined) return yield* setting(ownFile, `${own} is set as well; keep one of them`)
    if (text !== undefined) return { named: own, text }
    if (file !== undefined) {
      const files = yield* FileSystem.FileSystem
      const content = yield* Effect.mapError(files.readFileString(file), () => setting(ownFile, `${file} cannot be read`))
      return { named: ownFile, text: content.trim() }
    }
    const found = given(environment, customary)
    return found === undefined ? null : { named: customary, text: found }
  })

/** The database that the environment names; `null` where it names none. Fails with the first mistake. */
export const read = (environment: Texts): Effect.Effect<SharedDatabase | null, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const address = yield* addressOf(environment)
    if (address === null) return null
    const problem = problemOf(address.text)
    if (problem !== null) return yield* setting(address.named, problem)
    const connections = given(environment, "MILEPOST_DATABASE_CONNECTIONS") ?? "10"
    const many = /^\d{1,4}$/.test(connections) ? Number(connections) : 0
    if (many < 2 || many > 1_000) {
      return yield* setting("MILEPOST_DATABASE_CONNECTIONS", `${JSON.stringify(connections)} is not a whole number from 2 to 1000`)
    }
    const cluster = given(environment, "MILEPOST_PROXY_CLUSTER") ?? "milepost"
    if (!isId(cluster)) {
      return yield* setting("MILEPOST_PROXY_CLUSTER", `${JSON.stringify(cluster)} is not made of letters, digits, - and _ alone, 64 at most`)
    }
    const lease = given(environment, "MILEPOST_PROXY_LEASE") ?? "15s"
    const leaseMillis = Option.getOrElse(Amount.durationMillis(lease), () => 0)
    if (leaseMillis < 3_000 || leaseMillis > 60_000) {
      return yield* setting("MILEPOST_PROXY_LEASE", `${JSON.stringify(lease)} is not a duration from 3s to 60s`)
    }
    return {
      url: Redacted.make(address.text),
      named: address.named,
      connections: many,
      cluster,
      leaseMillis,
      advertise: yield* advertiseOf(given(environment, "MILEPOST_PROXY_ADVERTISE"))
    }
  })

const advertiseOf = (text: string | undefined): Either.Either<string | null, Refused> => {
  if (text === undefined) return Either.right(null)
  const url = URL.canParse(text) ? new URL(text) : null
  const isBase = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && url.search === "" && url.hash === ""
  return isBase
    ? Either.right(`${url.origin}${url.pathname.replace(/\/+$/, "")}`)
    : Either.left(setting("MILEPOST_PROXY_ADVERTISE", "is no URL such as http://10.0.0.7:8320"))
}

const everywhere: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"])

/** The first address of this machine that others may reach, IPv4 first; `null` where it has none. */
const addressOfMachine = (interfaces: ReturnType<typeof networkInterfaces>): string | null => {
  const all = Object.values(interfaces).flatMap((some) => some ?? []).filter(({ address, internal }) => !internal && !address.startsWith("fe80:"))
  return (all.find(({ family }) => family === "IPv4") ?? all[0])?.address ?? null
}

/**
 * By which base URL the others reach a replica: what is set, or the host that it listens on, or where it listens on all of
 * them the machine's own address.
 */
export const advertised = (
  advertise: string | null,
  listening: { readonly host: string; readonly port: number },
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces()
): string => {
  if (advertise !== null) return advertise
  const host = everywhere.has(listening.host) ? addressOfMachine(interfaces) ?? "127.0.0.1" : listening.host
  return `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${listening.port}`
}
