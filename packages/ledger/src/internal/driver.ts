/**
 * Effect SQL's client over one connection of libsql.
 *
 * `@effect/sql-libsql` opens a new connection after every transaction, and with it loses the settings of the old one and
 * runs into its exclusive lock; a transaction that cannot begin never gives its turn back. Here is one connection for the
 * life of the client, statements are prepared once, and ROLLBACK after the database has rolled back by itself is no error.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import Libsql from "libsql"

type Prepared = Libsql.Statement<[ReadonlyArray<unknown>]>

/** Statements kept ready; a bulk statement has one text for each number of rows. */
const statementsKept = 64

/** libsql ends the process at a boolean. */
const bindable = (value: unknown): unknown =>
  typeof value === "boolean" ? Number(value) : value === undefined ? null : value

/** One connection: everything runs on it, one after another. */
export class LibsqlConnection implements Connection {
  private readonly prepared = new Map<string, Prepared>()

  constructor(private readonly database: Libsql.Database) {}

  private statement(sql: string): Prepared {
    const known = this.prepared.get(sql)
    if (known !== undefined) return known
    const made = this.database.prepare<[ReadonlyArray<unknown>]>(sql)
    for (const oldest of this.prepared.keys()) {
      if (this.prepared.size < statementsKept) break
      this.prepared.delete(oldest)
    }
    this.prepared.set(sql, made)
    return made
  }

  private rows(sql: string, params: ReadonlyArray<unknown>): ReadonlyArray<object> {
    const statement = this.statement(sql)
    const bound = params.map(bindable)
    if (statement.reader) return statement.all(bound) as ReadonlyArray<object>
    statement.run(bound)
    return []
  }

  private attempt<A>(act: () => A): Effect.Effect<A, SqlError> {
    return Effect.try({ try: act, catch: (cause) => new SqlError({ cause, message: "the statement failed" }) })
  }

  execute(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<object>, SqlError> {
    return this.attempt(() => this.rows(sql, params))
  }

  executeRaw(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<unknown, SqlError> {
    return this.execute(sql, params)
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
    return this.attempt(() => {
      try {
        this.database.exec("COMMIT")
        return []
      } catch (error) {
        this.rollback()
        throw error
      }
    })
  }

  private rollback(): ReadonlyArray<object> {
    if (this.database.inTransaction) this.database.exec("ROLLBACK")
    return []
  }

  /** Runs one statement outside any transaction. */
  run(sql: string): Effect.Effect<ReadonlyArray<object>, SqlError> {
    return this.attempt(() => {
      const statement = this.database.prepare<[ReadonlyArray<unknown>]>(sql)
      return statement.reader ? statement.all([]) as ReadonlyArray<object> : (statement.run([]), [])
    })
  }
}

/** Opens a file; the connection is closed with the scope. */
export const open = (path: string): Effect.Effect<LibsqlConnection, SqlError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new Libsql(path),
      catch: (cause) => new SqlError({ cause, message: "the file cannot be opened" })
    }),
    (database) =>
      Effect.sync(() => {
        // A connection with statements that nobody has collected yet stays open, and its lock with it: leaving WAL gives
        // the lock back, and leaves one file behind.
        try {
          if (database.inTransaction) database.exec("ROLLBACK")
          database.prepare("PRAGMA journal_mode = DELETE").all()
          database.prepare("PRAGMA locking_mode = NORMAL").all()
          database.prepare("SELECT count(*) FROM sqlite_master").all()
        } catch {
          // It was not ours, or cannot be written: what is durable is in the file or its log.
        }
        try {
          database.close()
        } catch {
          // The process is about to end, and the lock with it.
        }
      })
  ).pipe(Effect.map((database) => new LibsqlConnection(database)))

/** Effect SQL's client over the connection: transactions and statements take turns. */
export const client = (
  connection: LibsqlConnection
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
