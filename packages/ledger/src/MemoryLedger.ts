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
import { boundary } from "./internal/storage.js"
import * as Ledger from "./Ledger.js"
import type { StorageError } from "./LedgerError.js"

/** A database in memory. It lies there until nobody holds it any more. */
export interface Memory {
  /** Everything runs on it, one statement after another. */
  readonly connection: Connection
  /** What a disk would find after its process has died: a transaction that was open is rolled back. */
  readonly crash: Effect.Effect<void>
  /** The turns of processes that share it. */
  readonly turns: Effect.Semaphore
}

/** How a database is worked with. */
export interface Options {
  /** Stands between the ledger and its database: for tests that end a process at a statement. */
  readonly around?: (connection: Connection) => Connection
}

/** A new database, with nothing in it. */
export const memory: Effect.Effect<Memory> = Effect.gen(function*() {
  const connection = driver.openInMemory()
  const turns = yield* Effect.makeSemaphore(1)
  return { connection, turns, crash: Effect.orDie(Effect.asVoid(connection.executeUnprepared("ROLLBACK", []))) }
})

const open = (
  connection: Connection,
  turns?: driver.Turns
): Effect.Effect<Context.Context<Ledger.Ledger | SqlClient>, StorageError> => {
  const dialect = sqlite(":memory:", () => null)
  const opened = Effect.gen(function*() {
    const sql = yield* driver.client(connection, turns)
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

/** Works with a database as one process would: with turns of its own. At most one process at a time, as with a file. */
export const make = (
  { connection }: Memory,
  { around }: Options = {}
): Effect.Effect<Context.Context<Ledger.Ledger | SqlClient>, StorageError> =>
  open(around === undefined ? connection : around(connection))

/** One of several processes that work with a database. */
export interface Sharer {
  readonly services: Context.Context<Ledger.Ledger | SqlClient>
  /** What the database does when this process dies: its open transaction is rolled back, and the others go on. */
  readonly crash: Effect.Effect<void>
}

/** Works with a database as one of several processes would, as with a server: they take turns, a transaction at a time. */
export const share = ({ connection, crash, turns }: Memory, { around }: Options = {}): Effect.Effect<Sharer, StorageError> =>
  Effect.suspend(() => {
    let isAlive = true
    let hasTurn = false
    const give = Effect.suspend(() => {
      // What is left of a dead process gives nothing back a second time.
      if (!hasTurn) return Effect.void
      hasTurn = false
      return turns.release(1)
    })
    const taken = Effect.suspend(() => {
      hasTurn = true
      return isAlive ? Effect.void : Effect.zipRight(give, Effect.interruptible(Effect.never))
    })
    return Effect.map(open(around === undefined ? connection : around(connection), { take: turns.take(1), taken, give }), (services) => ({
      services,
      crash: Effect.suspend(() => {
        isAlive = false
        return hasTurn ? Effect.zipRight(crash, give) : Effect.void
      })
    }))
  })

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
