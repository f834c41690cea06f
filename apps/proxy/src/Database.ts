/**
 * Where the data lies: a file of this process, or a database of several. Opening it brings its tables up to date first.
 *
 * A database that is not there yet is waited for, since whoever starts everything at once starts it as well. No message
 * repeats anything of its address, nor of what its client says.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { SqlClient } from "@effect/sql/SqlClient"
import * as Replica from "@milepost/engine/Replica"
import * as SharedPace from "@milepost/engine/SharedPace"
import type { Ledger } from "@milepost/ledger/Ledger"
import type { OpenError } from "@milepost/ledger/LedgerError"
import * as LibsqlLedger from "@milepost/ledger/LibsqlLedger"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Refused, setting } from "./Refused.js"
import type { Settings } from "./settings/Settings.js"
import type { SharedDatabase } from "./settings/SharedDatabase.js"
import * as Store from "./Store.js"

/** Where the data lies. */
export type Place = Pick<Settings, "data" | "database">

/** Tables that belong together, and the versions that they had and have. */
export interface Migrated extends Store.Versions {
  readonly part: string
}

/** What has tables of its own beside the ledger. */
interface Part {
  readonly name: string
  /** Makes them, or brings them up to date; tells nothing where they have no versions. */
  readonly migrate: Effect.Effect<Store.Versions | void, { readonly message: string }, SqlClient>
}

/** In this order, after the ledger. What else shares the database is added here. */
const parts: ReadonlyArray<Part> = [
  { name: "proxy", migrate: Store.migrate },
  { name: "replicas", migrate: Store.exclusively(Replica.create) },
  { name: "paces", migrate: Store.exclusively(Effect.flatMap(SqlClient, SharedPace.create)) }
]

/** How a database is waited for. */
export interface Options {
  readonly patienceMillis: number
  /** Told where it has to be waited for. */
  readonly waiting: () => void
}

/** A way to the data that has not been gone yet. */
interface Way {
  /** What is to be mended where there is none. */
  readonly named: string
  readonly open: Effect.Effect<Context.Context<Ledger | SqlClient>, OpenError, Scope.Scope>
  readonly migrate: Effect.Effect<Store.Versions, OpenError>
}

const toFile = (data: string): Effect.Effect<Way, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const named = "MILEPOST_PROXY_DATA"
    const files = yield* FileSystem.FileSystem
    yield* Effect.mapError(files.makeDirectory(data, { recursive: true, mode: 0o700 }), () => setting(named, `${data}: the folder cannot be made`))
    const options = { path: `${data}/proxy.db` }
    return { named, open: LibsqlLedger.make(options), migrate: LibsqlLedger.migrate(options) }
  })

/** What a ledger says of a database that is not there; whatever else is wrong stays so, and is not waited for. */
const isAway = (error: OpenError): boolean => error._tag === "LedgerUnwritable" && error.reason.startsWith("the database cannot be reached")

const toDatabase = ({ cluster, connections, named, url }: SharedDatabase, { patienceMillis, waiting }: Options): Effect.Effect<Way> =>
  Effect.gen(function*() {
    // Who has a file loads nothing of it.
    const PostgresLedger = yield* Effect.promise(() => import("@milepost/ledger/PostgresLedger"))
    const options = { url, maxConnections: connections, applicationName: cluster }
    const patiently = <A, R>(open: (options: Parameters<typeof PostgresLedger.make>[0]) => Effect.Effect<A, OpenError, R>): Effect.Effect<A, OpenError, R> =>
      Effect.catchIf(open({ ...options, patienceMillis: 0 }), isAway, () =>
        Effect.zipRight(Effect.sync(waiting), open({ ...options, patienceMillis })))
    return { named, open: patiently(PostgresLedger.make), migrate: patiently(PostgresLedger.migrate) }
  })

const wayTo = (place: Place, options: Options): Effect.Effect<Way, Refused, FileSystem.FileSystem> =>
  place.database === null ? toFile(place.data) : toDatabase(place.database, options)

const refused = (named: string) => Effect.mapError(({ message }: { readonly message: string }) => setting(named, message))

/** The ledger first, then everything beside it. */
const opened = ({ named, open }: Way) =>
  Effect.gen(function*() {
    const context = yield* refused(named)(open)
    const migrated: Array<Migrated> = []
    for (const { migrate, name } of parts) {
      const versions = yield* refused(named)(Effect.provide(migrate, context))
      if (versions !== undefined) migrated.push({ part: name, ...versions })
    }
    return { context, migrated }
  })

/** Opens the data until the scope ends; fails with one line where that cannot be, or where a newer program has changed it. */
export const open = (
  place: Place,
  options: Options
): Effect.Effect<Context.Context<Ledger | SqlClient>, Refused, FileSystem.FileSystem | Scope.Scope> =>
  Effect.map(Effect.flatMap(wayTo(place, options), opened), ({ context }) => context)

/** Brings the data up to date and closes it again; tells what was done. */
export const migrate = (
  place: Place,
  options: Options
): Effect.Effect<ReadonlyArray<Migrated>, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const way = yield* wayTo(place, options)
    const ledger = yield* refused(way.named)(way.migrate)
    const { migrated } = yield* Effect.scoped(opened(way))
    return [{ part: "ledger", ...ledger }, ...migrated]
  })
