/**
 * Effect SQL's client over one connection of libsql.
 *
 * `@effect/sql-libsql` opens a new connection after every transaction, and with it loses the settings of the old one and
 * runs into its exclusive lock; a transaction that cannot begin never gives its turn back. Here is one connection for the
 * life of the client, statements are prepared once, and ROLLBACK after the database has rolled back by itself is no error.
 *
 * By its asynchronous interface libsql runs statements on threads of its own: neither a write of thousands of rows nor the
 * disk that confirms a COMMIT holds the event loop. Only rows that are read are fetched on it.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type Libsql from "libsql/promise"
import { createRequire } from "node:module"

// By require, so that every bundler leaves it where it is: libsql looks for the binary of the platform from its own place.
const require = createRequire(import.meta.url)
const Database = require("libsql/promise") as typeof Libsql

/** A prepared statement; libsql's own types leave it open. */
interface Prepared {
  readonly all: (params: ReadonlyArray<unknown>) => Promise<ReadonlyArray<object>>
  readonly safeIntegers: (isOn: boolean) => unknown
}

/** What a statement that returns no rows has done, as `executeRaw` tells it. */
export interface Done {
  readonly changes: number
}

/** Statements kept ready; a bulk statement has one text for each number of rows. */
const statementsKept = 64

/** libsql ends the process at a boolean. */
const isBindable = (value: unknown): boolean => typeof value !== "boolean" && value !== undefined

const bindable = (value: unknown): unknown => typeof value === "boolean" ? Number(value) : value ?? null

/** One connection: everything runs on it, one after another; whoever is interrupted waits for his statement's end. */
export class LibsqlConnection implements Connection {
  private readonly prepared = new Map<string, Prepared>()
  private readonly running = new Set<Promise<unknown>>()
  private isClosed = false

  constructor(private readonly database: Libsql) {}

  private async statement(sql: string): Promise<Prepared> {
    const known = this.prepared.get(sql)
    if (known !== undefined) return known
    const made = await this.database.prepare(sql) as Prepared
    for (const oldest of this.prepared.keys()) {
      if (this.prepared.size < statementsKept) break
      this.prepared.delete(oldest)
    }
    this.prepared.set(sql, made)
    return made
  }

  private async rows(sql: string, params: ReadonlyArray<unknown>, isExact = false): Promise<ReadonlyArray<object>> {
    const statement = await this.statement(sql)
    statement.safeIntegers(isExact)
    return await statement.all(params.every(isBindable) ? params : params.map(bindable))
  }

  private async tracked<A>(act: () => Promise<A>): Promise<A> {
    if (this.isClosed) throw new Error("the connection is closed")
    const running = act()
    this.running.add(running)
    try {
      return await running
    } finally {
      this.running.delete(running)
    }
  }

  private attempt<A>(act: () => Promise<A>): Effect.Effect<A, SqlError> {
    return Effect.uninterruptible(
      Effect.tryPromise({ try: () => this.tracked(act), catch: (cause) => new SqlError({ cause, message: "the statement failed" }) })
    )
  }

  /** Lets what runs end, and nothing begin: libsql ends the process at a statement of a connection that is closed. */
  async close(): Promise<void> {
    this.isClosed = true
    await Promise.allSettled(this.running)
    await close(this.database)
  }

  /** Whole numbers are numbers, exact up to 2^53-1, and `bigint` for who asks by `SafeIntegers`. */
  execute(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<object>, SqlError> {
    return Effect.flatMap(SqlClient.SafeIntegers, (isExact) => this.attempt(() => this.rows(sql, params, isExact)))
  }

  executeRaw(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<Done, SqlError> {
    return this.attempt(async () => {
      await this.rows(sql, params)
      const [done] = await this.rows("SELECT changes() AS changes", [])
      return done as Done
    })
  }

  executeStream(): Stream.Stream<never, SqlError> {
    return Stream.fail(new SqlError({ message: "libsql reads pages, not streams" }))
  }

  executeValues(
    sql: string,
    params: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return Effect.map(this.execute(sql, params), (rows) => rows.map((row) => Object.values(row) as Array<unknown>))
  }

  executeUnprepared(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<object>, SqlError> {
    if (sql === "ROLLBACK") return this.attempt(() => this.rollback())
    if (sql !== "COMMIT") return this.execute(sql, params)
    return this.attempt(async () => {
      try {
        await this.database.exec("COMMIT")
        return []
      } catch (error) {
        await this.rollback()
        throw error
      }
    })
  }

  private async rollback(): Promise<ReadonlyArray<object>> {
    if ((this.database as { readonly inTransaction?: boolean }).inTransaction === true) await this.database.exec("ROLLBACK")
    return []
  }

  /** Runs one statement outside any transaction, without keeping it. */
  run(sql: string): Effect.Effect<ReadonlyArray<object>, SqlError> {
    return this.attempt(async () => await (await this.database.prepare(sql) as Prepared).all([]))
  }
}

const close = async (database: Libsql): Promise<void> => {
  // A connection with statements that nobody has collected yet stays open, and its lock with it: leaving WAL gives
  // the lock back, and leaves one file behind.
  try {
    if ((database as { readonly inTransaction?: boolean }).inTransaction === true) await database.exec("ROLLBACK")
    for (const sql of ["PRAGMA journal_mode = DELETE", "PRAGMA locking_mode = NORMAL", "SELECT count(*) FROM sqlite_master"]) {
      await (await database.prepare(sql) as Prepared).all([])
    }
  } catch {
    // It was not ours, or cannot be written: what is durable is in the file or its log.
  }
  try {
    database.close()
  } catch {
    // The process is about to end, and the lock with it.
  }
}

/** The same over libsql's synchronous interface. */
interface PreparedInMemory {
  /** Whether it returns rows. */
  readonly reader: boolean
  readonly all: (params: ReadonlyArray<unknown>) => ReadonlyArray<object>
  readonly run: (params: ReadonlyArray<unknown>) => Done
  readonly safeIntegers: (isOn: boolean) => unknown
}

interface InMemory {
  readonly prepare: (sql: string) => PreparedInMemory
  readonly exec: (sql: string) => void
  readonly inTransaction: boolean
}

/**
 * A connection to a database in memory, on no thread but this one: a statement is over before anything else goes on, so that
 * the same calls always meet the same order.
 */
export class InMemoryConnection implements Connection {
  private readonly prepared = new Map<string, PreparedInMemory>()

  constructor(private readonly database: InMemory) {}

  private statement(sql: string): PreparedInMemory {
    const known = this.prepared.get(sql)
    if (known !== undefined) return known
    const made = this.database.prepare(sql)
    this.prepared.set(sql, made)
    return made
  }

  private rows(sql: string, params: ReadonlyArray<unknown>, isExact: boolean): ReadonlyArray<object> {
    const statement = this.statement(sql)
    const bound = params.every(isBindable) ? params : params.map(bindable)
    if (!statement.reader) {
      statement.run(bound)
      return []
    }
    statement.safeIntegers(isExact)
    return statement.all(bound)
  }

  private attempt<A>(act: () => A): Effect.Effect<A, SqlError> {
    return Effect.try({ try: act, catch: (cause) => new SqlError({ cause, message: "the statement failed" }) })
  }

  execute(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<object>, SqlError> {
    return Effect.flatMap(SqlClient.SafeIntegers, (isExact) => this.attempt(() => this.rows(sql, params, isExact)))
  }

  executeRaw(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<Done, SqlError> {
    return this.attempt(() => this.statement(sql).run(params.map(bindable)))
  }

  executeStream(): Stream.Stream<never, SqlError> {
    return Stream.fail(new SqlError({ message: "libsql reads pages, not streams" }))
  }

  executeValues(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return Effect.map(this.execute(sql, params), (rows) => rows.map((row) => Object.values(row) as Array<unknown>))
  }

  executeUnprepared(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<object>, SqlError> {
    if (sql !== "ROLLBACK" && sql !== "COMMIT") return this.execute(sql, params)
    return this.attempt(() => {
      if (sql === "COMMIT" || this.database.inTransaction) this.database.exec(sql)
      return []
    })
  }
}

/** A new database in memory. */
export const openInMemory = (): InMemoryConnection =>
  new InMemoryConnection(new (require("libsql") as new(path: string) => InMemory)(":memory:"))

/** Opens a file; the connection is closed with the scope. */
export const open = (path: string): Effect.Effect<LibsqlConnection, SqlError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new LibsqlConnection(new Database(path, {})),
      catch: (cause) => new SqlError({ cause, message: "the file cannot be opened" })
    }),
    (connection) => Effect.promise(() => connection.close())
  )

/** Effect SQL's client over the connection: transactions and statements take turns. */
export const client = (
  connection: Connection
): Effect.Effect<SqlClient.SqlClient, never, Reactivity.Reactivity> =>
  Effect.gen(function*() {
    const turn = yield* Effect.makeSemaphore(1)
    const acquirer = Effect.uninterruptibleMask((restore) =>
      restore(turn.take(1)).pipe(
        Effect.zipRight(Effect.addFinalizer(() => turn.release(1))),
        Effect.as(connection)
      )
    )
    return yield* SqlClient.make({
      // Held to the statement's end: a statement of one fiber must not run inside the transaction of another.
      acquirer,
      beginTransaction: "BEGIN IMMEDIATE",
      compiler: Statement.makeCompilerSqlite(),
      spanAttributes: [["db.system.name", "sqlite"]]
    })
  })
