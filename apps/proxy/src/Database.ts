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
import type { LedgerUnwritable } from "@milepost/ledger/LedgerError"
import * as LibsqlLedger from "@milepost/ledger/LibsqlLedger"
import * as PostgresLedger from "@milepost/ledger/PostgresLedger"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
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

const every = "500 millis"

const fileIn = (data: string, watch: (versions: Store.Versions) => void) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    yield* Effect.mapError(files.makeDirectory(data, { recursive: true, mode: 0o700 }), () => setting("MILEPOST_PROXY_DATA", `${data}: the folder cannot be made`))
    return yield* Effect.mapError(LibsqlLedger.make({ path: `${data}/proxy.db`, migrated: watch }), ({ message }) => setting("MILEPOST_PROXY_DATA", message))
  })

const databaseAt = ({ connections, named, url }: SharedDatabase, options: Options, watch: (versions: Store.Versions) => void) =>
  Effect.gen(function*() {
    const { patienceMillis, waiting } = options
    let isTold = false
    const told = ({ message }: LedgerUnwritable) =>
      Effect.sync(() => {
        if (!isTold) waiting(message)
        isTold = true
      })
    const open = PostgresLedger.make({ url, connections, migrated: watch })
    return yield* open.pipe(
      Effect.tapErrorTag("LedgerUnwritable", told),
      Effect.retry({
        while: ({ _tag }) => _tag === "LedgerUnwritable",
        schedule: Schedule.upTo(Schedule.spaced(every), patienceMillis)
      }),
      Effect.mapError(({ message }) => setting(named, message))
    )
  })

/** How a database is waited for. */
export interface Options {
  readonly patienceMillis: number
  /** Told once where it has to be waited for, and why. */
  readonly waiting: (why: string) => void
}

/** Opens the data and brings everything in it up to date. */
const opened = (place: Place, options: Options) =>
  Effect.gen(function*() {
    const migrated: Array<Migrated> = []
    const watch = (versions: Store.Versions): void => void migrated.push({ part: "ledger", ...versions })
    const context = yield* place.database === null ? fileIn(place.data, watch) : databaseAt(place.database, options, watch)
    const named = place.database?.named ?? "MILEPOST_PROXY_DATA"
    for (const { migrate, name } of parts) {
      const versions = yield* Effect.mapError(Effect.provide(migrate, context), ({ message }) => setting(named, message))
      if (versions !== undefined) migrated.push({ part: name, ...versions })
    }
    return { context, migrated }
  })

/** Opens the data until the scope ends; fails with one line where that cannot be, or where a newer program has changed it. */
export const open = (
  place: Place,
  options: Options
): Effect.Effect<Context.Context<Ledger | SqlClient>, Refused, FileSystem.FileSystem | Scope.Scope> =>
  Effect.map(opened(place, options), ({ context }) => context)

/** Brings the data up to date and closes it again; tells what was done. */
export const migrate = (
  place: Place,
  options: Options
): Effect.Effect<ReadonlyArray<Migrated>, Refused, FileSystem.FileSystem> =>
  Effect.scoped(Effect.map(opened(place, options), ({ migrated }) => migrated))
