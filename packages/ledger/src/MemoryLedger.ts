/**
 * A ledger in memory: for tests and simulations, in which it outlives the processes that work with it.
 *
 * Statements and tables are those of `LibsqlLedger`; only the file is missing, and the threads that would write it. So the
 * same calls in the same order always find the same order again, which a simulation under a seed needs.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { sqlite } from "./internal/dialect.js"
import * as driver from "./internal/driver.js"
import * as schema from "./internal/schema.js"
import * as service from "./internal/service.js"
import * as turns from "./internal/turns.js"
import { boundary } from "./internal/storage.js"
import * as Ledger from "./Ledger.js"
import type { StorageError } from "./LedgerError.js"

/** A database in memory. It lies there until nobody holds it any more. */
export interface Memory {
  /** Everything runs on it, one statement after another. */
  readonly connection: Connection
  /** What a disk would find after its process has died: a transaction that was open is rolled back. */
  readonly crash: Effect.Effect<void>
  /** A way to it for one process among several that are there at once: their transactions take turns. */
  readonly session: Effect.Effect<Session>
}

/** What one of several processes has of a database in memory, as a server would give it. */
export interface Session extends Pick<Memory, "connection"> {
  /**
   * What a server does when a connection is gone: an open transaction is rolled back, and whoever waited for a turn fails. The
   * next transaction is one of a new connection.
   */
  readonly end: Effect.Effect<void>
}

/** How a database is worked with. */
export interface Options {
  /** Stands between the ledger and its database: for tests that end a process at a statement. */
  readonly around?: (connection: Connection) => Connection
}

/** A new database, with nothing in it. */
export const memory: Effect.Effect<Memory> = Effect.sync(() => {
  const connection = driver.openInMemory()
  const rollback = Effect.orDie(Effect.asVoid(connection.executeUnprepared("ROLLBACK", [])))
  return { connection, crash: rollback, session: Effect.sync(turns.make(connection, rollback)) }
})

/**
 * Works with a database as one process would: with turns of its own. With a {@link Memory}, at most one process at a time, as
 * with a file; with a {@link Session} each, as many as there are.
 */
export const make = (
  { connection }: Pick<Memory, "connection">,
  { around }: Options = {}
): Effect.Effect<Context.Context<Ledger.Ledger | SqlClient>, StorageError> => {
  const dialect = sqlite(":memory:", () => null)
  const opened = Effect.gen(function*() {
    const sql = yield* driver.client(around === undefined ? connection : around(connection))
    yield* Effect.provideService(schema.migrate(schema.sqlite), SqlClient, sql)
    const ledger = yield* Effect.provideService(service.make(dialect), SqlClient, sql)
    return Context.make(Ledger.Ledger, ledger).pipe(Context.add(SqlClient, sql))
  })
  return boundary({ dialect }, opened).pipe(
    // Only a list of migrations that contradicts itself is left.
    Effect.catchTag("MigrationError", (bug) => Effect.die(bug)),
    Effect.provide(Reactivity.layer)
  )
}

/**
 * A ledger in a database of its own, and the SQL client that it uses.
 *
 * @example
 * ```ts
 * import { Ledger, MemoryLedger } from "@milepost/ledger"
 * import { Effect } from "effect"
 *
 * const none = Ledger.Ledger.pipe(
 *   Effect.flatMap((ledger) => ledger.list),
 *   Effect.provide(MemoryLedger.layer)
 * )
 * ```
 */
export const layer: Layer.Layer<Ledger.Ledger | SqlClient, StorageError> = Layer.effectContext(Effect.flatMap(memory, make))
