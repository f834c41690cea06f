/**
 * A ledger in PostgreSQL: for several processes, on as many machines.
 *
 * Nothing is acknowledged before PostgreSQL has written it to its log. Statements of one process hold nobody up for longer
 * than they take: a process that stops in the middle of a transaction loses it after {@link Options.idleMillis}, and a
 * connection that nobody answers on any more is given up. A database that goes away and comes back is met as
 * `LedgerUnwritable`; the ledger goes on with it.
 *
 * This module alone loads PostgreSQL's client, and is no part of the package's index: import it as
 * `@milepost/ledger/PostgresLedger`, with `@effect/sql-pg` and `pg` installed.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Client from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { MigrationError } from "@effect/sql/Migrator"
import { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Socket } from "node:net"
import { Pool, types } from "pg"
import { postgres } from "./internal/dialect.js"
import * as tables from "./internal/postgresSchema.js"
import * as schema from "./internal/schema.js"
import * as service from "./internal/service.js"
import { boundary } from "./internal/storage.js"
import * as Ledger from "./Ledger.js"
import { LedgerTooNew, LedgerUnwritable, type OpenError } from "./LedgerError.js"

/** Which database, and how it is worked with. */
export interface Options {
  /** `postgres://user:password@host:5432/database`; errors name host, port and database of it, and nothing else. */
  readonly url: Redacted.Redacted
  /** At most so many connections at a time; 10 where it is left out. */
  readonly maxConnections?: number
  /** What `pg_stat_activity` calls this process; `milepost` where it is left out. */
  readonly applicationName?: string
  /** How long the database may be away when the ledger is opened, in milliseconds; 10,000 where it is left out. */
  readonly patienceMillis?: number
  /** How long a connection may take to be made, or to become free, in milliseconds; 5,000 where it is left out. */
  readonly connectMillis?: number
  /** How long one statement may take, in milliseconds; 60,000 where it is left out. */
  readonly statementMillis?: number
  /**
   * How long this process may stand still within a transaction before the database ends it and lets others at its rows, in
   * milliseconds; 5,000 where it is left out.
   */
  readonly idleMillis?: number
  /** Whether the tables are brought up to date (the default), or have to be so. */
  readonly migrate?: boolean
  /** Stands between the ledger and its database: for tests that count statements, or end a process at one. */
  readonly around?: (connection: Connection) => Connection
}

/** What a layer hands out: the ledger, and the client that it uses, for whoever keeps something beside it. */
export type Services = Ledger.Ledger | PgClient.PgClient | Client.SqlClient

const int8 = 20

/** Whole numbers are numbers, exact up to 2^53-1, on these connections alone. */
const typed = {
  getTypeParser: (oid: number, format?: "binary" | "text") =>
    oid === int8 && format !== "binary" ? Number : types.getTypeParser(oid, format ?? "text")
} as typeof types

/** What errors call a database: where it is, and nothing that opens it. */
const nameOf = (url: Redacted.Redacted): string => {
  try {
    const { host, pathname, searchParams } = new URL(Redacted.value(url))
    return `${host === "" ? searchParams.get("host") ?? "localhost" : host}${pathname}`
  } catch {
    return "the database"
  }
}

/** Beyond what the database allows a statement, in milliseconds, so that it has the first word. */
const grace = (statementMillis: number): number => Math.min(5_000, statementMillis)

/** Connections that notice when nobody answers; the database ends what takes too long, if it is there to do so. */
const pool = (options: Options): Effect.Effect<Pool, SqlError, Scope.Scope> => {
  const { applicationName = "milepost", connectMillis = 5_000, idleMillis = 5_000, maxConnections = 10, statementMillis = 60_000, url } = options
  return Effect.acquireRelease(
    Effect.try({
      try: () => {
        const made = new Pool({
          connectionString: Redacted.value(url),
          max: maxConnections,
          application_name: applicationName,
          connectionTimeoutMillis: connectMillis,
          idleTimeoutMillis: 30_000,
          statement_timeout: statementMillis,
          idle_in_transaction_session_timeout: idleMillis,
          keepAlive: true,
          keepAliveInitialDelayMillis: 10_000,
          types: typed
        })
        // A connection that ends while nobody uses it: the next statement gets another one.
        made.on("error", () => undefined)
        made.on("connect", (client) => {
          // No answer and no sign of life for this long: a cable was pulled. Whoever waits is told, and the connection is not used again.
          const { stream } = (client as unknown as { readonly connection: { readonly stream: Socket } }).connection
          stream.setTimeout(statementMillis + grace(statementMillis), () => stream.destroy(new Error("Connection terminated: no answer")))
        })
        return made
      },
      catch: (cause) => new SqlError({ cause, message: "the address is no address of a database" })
    }),
    (made) => Effect.promise(() => made.end()).pipe(Effect.interruptible, Effect.timeoutOption("2 seconds"))
  )
}

/** The database cannot be reached yet: whatever else is wrong with it will still be wrong in a second. */
const isAway = ({ reason }: LedgerUnwritable): boolean => reason.startsWith("the database cannot be reached")

/** Asks the database something, until it answers. */
const reached = (sql: Client.SqlClient, name: string, patienceMillis: number): Effect.Effect<void, OpenError> =>
  boundary({ dialect: postgres(name) }, Effect.asVoid(sql`SELECT 1`)).pipe(
    Effect.retry({
      while: (error) => error._tag === "LedgerUnwritable" && isAway(error),
      schedule: Schedule.exponential("50 millis").pipe(Schedule.union(Schedule.spaced("500 millis")), Schedule.upTo(patienceMillis))
    })
  )

const connected = (options: Options): Effect.Effect<PgClient.PgClient, OpenError, Reactivity.Reactivity | Scope.Scope> => {
  const name = nameOf(options.url)
  return Effect.tap(
    boundary({ dialect: postgres(name) }, PgClient.fromPool({ acquire: pool(options) })),
    (client) => reached(client, name, options.patienceMillis ?? 10_000)
  )
}

/** Effect SQL's client over connections that somebody stands in front of. */
const clientOver = (client: PgClient.PgClient, around: (connection: Connection) => Connection) =>
  Client.make({
    acquirer: Effect.map(client.reserve, around),
    compiler: PgClient.makeCompiler(),
    spanAttributes: []
  })

const migrated = (path: string): Effect.Effect<{ readonly from: number; readonly to: number }, LedgerTooNew | MigrationError | SqlError, Client.SqlClient> =>
  Effect.filterOrFail(
    schema.migrateOneAtATime(tables.postgres),
    ({ to }) => to <= tables.postgres.length,
    ({ to }) => new LedgerTooNew({ path, found: to, known: tables.postgres.length })
  )

/** Fails where the tables are not those of this version: older ones may be brought up to date by somebody else at any time. */
const checked = (path: string): Effect.Effect<void, LedgerTooNew | LedgerUnwritable | SqlError, Client.SqlClient> =>
  Effect.gen(function*() {
    const found = yield* schema.found
    const known = tables.postgres.length
    if (found > known) return yield* new LedgerTooNew({ path, found, known })
    if (found < known) {
      return yield* new LedgerUnwritable({ path, reason: `its tables have version ${found}, this program needs ${known}: migrate it first` })
    }
  })

const opened = <A, E>(
  options: Options,
  effect: Effect.Effect<A, E | MigrationError | SqlError, Client.SqlClient>,
  sql: Client.SqlClient
): Effect.Effect<A, Exclude<E, MigrationError | SqlError> | OpenError> =>
  boundary({ dialect: postgres(nameOf(options.url)) }, Effect.provideService(effect, Client.SqlClient, sql)).pipe(
    // Only a list of migrations that contradicts itself is left.
    Effect.catchTag("MigrationError", (bug) => Effect.die(bug))
  ) as Effect.Effect<A, Exclude<E, MigrationError | SqlError> | OpenError>

/**
 * Opens a database, brings its tables up to date and holds connections to it until the scope ends.
 *
 * Several processes may do so at the same time, on an empty database too: one of them migrates, the others wait for it.
 */
export const make = (options: Options): Effect.Effect<Context.Context<Services>, OpenError, Scope.Scope> =>
  Effect.gen(function*() {
    const client = yield* connected(options)
    const sql = options.around === undefined ? client : yield* clientOver(client, options.around)
    const path = nameOf(options.url)
    yield* opened(options, options.migrate === false ? checked(path) : Effect.asVoid(migrated(path)), client)
    const ledger = yield* Effect.provideService(service.make(postgres(path)), Client.SqlClient, sql)
    return Context.make(Ledger.Ledger, ledger).pipe(Context.add(Client.SqlClient, sql), Context.add(PgClient.PgClient, client))
  }).pipe(Effect.provide(Reactivity.layer))

/** Brings the tables of a database up to date, and tells from which version to which: 0 is a database without any. */
export const migrate = (options: Options): Effect.Effect<{ readonly from: number; readonly to: number }, OpenError> =>
  connected(options).pipe(
    Effect.flatMap((client) => opened(options, migrated(nameOf(options.url)), client)),
    Effect.scoped,
    Effect.provide(Reactivity.layer)
  )

/**
 * A ledger in a database, and the client that it uses.
 *
 * @example
 * ```ts
 * import { Ledger } from "@milepost/ledger"
 * import * as PostgresLedger from "@milepost/ledger/PostgresLedger"
 * import { Effect, Redacted } from "effect"
 *
 * const runs = Ledger.Ledger.pipe(
 *   Effect.flatMap((ledger) => ledger.list),
 *   Effect.provide(PostgresLedger.layer({ url: Redacted.make("postgres://milepost:secret@db.internal/milepost") })),
 *   Effect.catchTag("LedgerUnwritable", ({ reason }) => Effect.dieMessage(reason))
 * )
 * ```
 */
export const layer = (options: Options): Layer.Layer<Services, OpenError> => Layer.scopedContext(make(options))
