/**
 * A ledger in one file, by SQLite: for one process on one machine.
 *
 * Nothing is acknowledged before it is synchronised to disk (WAL, `synchronous = FULL`), and one process at a time has the
 * file (`locking_mode = EXCLUSIVE`): a second one is refused and told who holds it. The layer hands out the SQL client
 * too, because whoever else wants to keep something in the file has to use the same connection.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { MigrationError } from "@effect/sql/Migrator"
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { statSync } from "node:fs"
import { sqlite } from "./internal/dialect.js"
import * as driver from "./internal/driver.js"
import * as holder from "./internal/holder.js"
import * as schema from "./internal/schema.js"
import * as service from "./internal/service.js"
import { boundary } from "./internal/storage.js"
import * as Ledger from "./Ledger.js"
import { LedgerMissing, LedgerTooNew, type OpenError } from "./LedgerError.js"

/** Which file. */
export interface Options {
  readonly path: string
  /** Whether a ledger is made where there is none (the default), or `LedgerMissing` says so. */
  readonly create?: boolean
  /** Stands between the ledger and its database: for tests that end a process at a statement. */
  readonly around?: (connection: Connection) => Connection
}

/** Before WAL, so that the log's index lies in memory and not in a third file. */
const settings = [
  // A process that is about to end may still hold the file for a moment.
  "PRAGMA busy_timeout = 250",
  "PRAGMA locking_mode = EXCLUSIVE",
  "PRAGMA journal_mode = WAL",
  "PRAGMA synchronous = FULL",
  "PRAGMA cache_size = -16384",
  "PRAGMA temp_store = MEMORY",
  "PRAGMA wal_autocheckpoint = 4000"
]

const isMissing = (path: string): boolean => {
  try {
    return statSync(path).size === 0
  } catch (error) {
    return (error as { readonly code?: unknown }).code === "ENOENT"
  }
}

interface Opened {
  readonly context: Context.Context<Ledger.Ledger | SqlClient>
  readonly versions: Versions
}

/** Which version the tables had, and which one they have: 0 is a file without any. */
export interface Versions {
  readonly from: number
  readonly to: number
}

const opened = ({ around, create = true, path }: Options): Effect.Effect<Opened, OpenError, Scope.Scope> =>
  Effect.gen(function*() {
    const dialect = sqlite(path, () => holder.read(path))
    const opening: Effect.Effect<
      Opened,
      LedgerMissing | LedgerTooNew | MigrationError | SqlError,
      Reactivity.Reactivity | Scope.Scope
    > = Effect.gen(function*() {
      if (!create && isMissing(path)) return yield* new LedgerMissing({ path })
      const connection = yield* driver.open(path)
      for (const setting of settings) yield* connection.run(setting)
      // The first write takes the lock; before that nothing says that the file is ours.
      yield* connection.run("BEGIN IMMEDIATE")
      yield* connection.run("COMMIT")
      yield* Effect.acquireRelease(Effect.sync(() => holder.write(path)), () => Effect.sync(() => holder.clear(path)))
      const sql = yield* driver.client(around === undefined ? connection : around(connection))
      const from = yield* Effect.provideService(schema.found, SqlClient, sql)
      const to = yield* Effect.provideService(schema.migrate(schema.sqlite), SqlClient, sql)
      if (to > schema.sqlite.length) return yield* new LedgerTooNew({ path, found: to, known: schema.sqlite.length })
      const ledger = yield* Effect.provideService(service.make(dialect), SqlClient, sql)
      return { context: Context.make(Ledger.Ledger, ledger).pipe(Context.add(SqlClient, sql)), versions: { from, to } }
    })
    return yield* boundary({ dialect }, opening).pipe(
      // Only a list of migrations that contradicts itself is left.
      Effect.catchTag("MigrationError", (bug) => Effect.die(bug)),
      Effect.provide(Reactivity.layer)
    )
  })

/** Opens a file, brings its tables up to date and holds it until the scope ends. */
export const make = (options: Options): Effect.Effect<Context.Context<Ledger.Ledger | SqlClient>, OpenError, Scope.Scope> =>
  Effect.map(opened(options), ({ context }) => context)

/** Brings the tables of a file up to date and closes it again; tells from which version to which. */
export const migrate = (options: Options): Effect.Effect<Versions, OpenError> =>
  Effect.scoped(Effect.map(opened(options), ({ versions }) => versions))

/**
 * A ledger in a file, and the SQL client that it uses.
 *
 * @example
 * ```ts
 * import { Ledger, LibsqlLedger } from "@milepost/ledger"
 * import { Effect } from "effect"
 *
 * const runs = Ledger.Ledger.pipe(
 *   Effect.flatMap((ledger) => ledger.list),
 *   Effect.provide(LibsqlLedger.layer({ path: ".milepost/runs/20250101-120000-abcd/ledger.db" })),
 *   Effect.catchTag("LedgerBusy", ({ pid }) => Effect.dieMessage(`process ${pid} works on it`))
 * )
 * ```
 */
export const layer = (options: Options): Layer.Layer<Ledger.Ledger | SqlClient, OpenError> =>
  Layer.scopedContext(make(options))
