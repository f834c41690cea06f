/** The boundary between statements and the rest: what a database says becomes an error of the ledger, by type. */
import * as Migrator from "@effect/sql/Migrator"
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { StorageError } from "../LedgerError.js"
import { type Dialect, tuples } from "./dialect.js"

/** A database with its way of speaking. */
export interface Storage {
  readonly sql: SqlClient
  readonly dialect: Dialect
}

/** How many rows one statement carries at most. */
const rowsPerStatement = 512

/** Rows in parts of powers of two: few texts of statements, which stay prepared, whatever the number of rows. */
const parts = <A>(rows: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const found: Array<ReadonlyArray<A>> = []
  let from = 0
  while (from < rows.length) {
    const size = Math.min(rowsPerStatement, 2 ** Math.floor(Math.log2(rows.length - from)))
    found.push(rows.slice(from, from + size))
    from += size
  }
  return found
}

const typed = (dialect: Dialect, error: SqlError): Effect.Effect<never, StorageError> => {
  const meaning = dialect.meaning(error)
  // A statement that the database does not understand is a bug of ours.
  return meaning === null ? Effect.die(error) : Effect.fail(meaning)
}

/**
 * Turns what the database says into an error of the ledger.
 *
 * Effect SQL dies of a COMMIT or a migration that fails, though a full disk can be mended: those defects, and only those,
 * are errors again.
 */
export const boundary = <A, E, R>(
  { dialect }: Pick<Storage, "dialect">,
  effect: Effect.Effect<A, E | SqlError, R>
): Effect.Effect<A, Exclude<E, SqlError> | StorageError, R> =>
  effect.pipe(
    Effect.catchSomeDefect((defect) => {
      const error = defect instanceof Migrator.MigrationError ? defect.cause : defect
      return error instanceof SqlError ? Option.some(Effect.fail(error)) : Option.none()
    }),
    Effect.catchAll((error): Effect.Effect<never, Exclude<E, SqlError> | StorageError> =>
      error instanceof SqlError ? typed(dialect, error) : Effect.fail(error as Exclude<E, SqlError>))
  )

/** All or nothing, on disk when it returns; an interruption waits for it. */
export const transaction = <A, E, R>(
  storage: Storage,
  effect: Effect.Effect<A, E | SqlError, R>
): Effect.Effect<A, Exclude<E, SqlError> | StorageError, R> =>
  Effect.uninterruptible(boundary(storage, storage.sql.withTransaction(effect)))

/**
 * Runs one statement for many rows of parameters, as many at a time as a statement can carry, and collects what it returns.
 *
 * @param then a parameter behind the rows; the statement is told its placeholder
 */
export const inBulk = <Row extends object>(
  { dialect, sql }: Storage,
  pattern: ReadonlyArray<string | null>,
  rows: ReadonlyArray<ReadonlyArray<unknown>>,
  statement: (values: string, placeholder: string) => string,
  then?: number
): Effect.Effect<ReadonlyArray<Row>, SqlError> => {
  if (rows.length === 0) return Effect.succeed([])
  const once = (part: ReadonlyArray<ReadonlyArray<unknown>>): Effect.Effect<ReadonlyArray<Row>, SqlError> => {
    const params = part.flat()
    const text = statement(tuples(dialect, pattern, part.length), dialect.placeholder(params.length + 1))
    return sql.unsafe<Row>(text, then === undefined ? params : [...params, then])
  }
  return Effect.map(Effect.forEach(parts(rows), once), (found) => found.flat())
}
