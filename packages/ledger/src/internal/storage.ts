/** The boundary between statements and the rest: what a database says becomes an error of the ledger, by type. */
import * as Migrator from "@effect/sql/Migrator"
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { StorageError } from "../LedgerError.js"
import type { Cell, Dialect } from "./dialect.js"

/** A database with its way of speaking. */
export interface Storage {
  readonly sql: SqlClient
  readonly dialect: Dialect
}

/** Rows in parts that a statement can carry. */
const parts = <A>(dialect: Dialect, rows: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const found: Array<ReadonlyArray<A>> = []
  let from = 0
  while (from < rows.length) {
    const size = dialect.part(rows.length - from)
    found.push(from === 0 && size === rows.length ? rows : rows.slice(from, from + size))
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

/** How often a transaction is tried that others stood in the way of. */
const tries = 6

const collided = (dialect: Dialect, cause: Cause.Cause<unknown>): boolean =>
  Chunk.some(
    Chunk.appendAll(Cause.failures(cause), Cause.defects(cause)),
    (error) => error instanceof SqlError && dialect.isCollision(error)
  )

/** All or nothing, on disk when it returns; an interruption waits for it. */
export const transaction = <A, E, R>(
  storage: Storage,
  effect: Effect.Effect<A, E | SqlError, R>
): Effect.Effect<A, Exclude<E, SqlError> | StorageError, R> => {
  const attempt = (left: number): Effect.Effect<A, E | SqlError, R> =>
    Effect.catchAllCause(storage.sql.withTransaction(effect), (cause) =>
      // Nothing of it is left in the database; the one that it collided with is through by now.
      left > 1 && collided(storage.dialect, cause) ? attempt(left - 1) : Effect.failCause(cause))
  return Effect.uninterruptible(boundary(storage, attempt(tries)))
}

/** A statement for many rows of parameters. */
export interface Bulk {
  readonly pattern: ReadonlyArray<Cell>
  /** The statement around the query of its rows; the placeholder of the n-th parameter behind them comes from `then(n)`, from 1. */
  readonly statement: (rows: string, then: (position: number) => string, dialect: Dialect) => string
}

/** A bulk statement that names its run, made once for each run. */
export const perRun = (make: (key: number) => Bulk): (key: number) => Bulk => {
  const made = new Map<number, Bulk>()
  return (key) => {
    const bulk = made.get(key) ?? make(key)
    made.set(key, bulk)
    return bulk
  }
}

/** Texts of statements by their number of parameters: to make one of 512 rows costs as much as to run it. */
const texts = new WeakMap<Dialect, Map<Bulk, Map<number, string>>>()

const textOf = (dialect: Dialect, bulk: Bulk, rows: number): string => {
  const ofDialect = texts.get(dialect) ?? new Map<Bulk, Map<number, string>>()
  texts.set(dialect, ofDialect)
  const known = ofDialect.get(bulk) ?? new Map<number, string>()
  ofDialect.set(bulk, known)
  const params = dialect.parameters(bulk.pattern, rows)
  const found = known.get(params)
  if (found !== undefined) return found
  const made = bulk.statement(dialect.rows(bulk.pattern, rows), (position) => dialect.placeholder(params + position), dialect)
  known.set(params, made)
  return made
}

type Values = ReadonlyArray<ReadonlyArray<unknown>>

const statements = ({ dialect, sql }: Storage, bulk: Bulk, rows: Values, then: ReadonlyArray<unknown>) =>
  parts(dialect, rows).map((part) => {
    const params = dialect.values(part)
    params.push(...then)
    return sql.unsafe<object>(textOf(dialect, bulk, part.length), params)
  })

/** Runs a statement for rows of parameters, as many at a time as it can carry, and collects what it returns. */
export const readInBulk = <Row extends object>(
  storage: Storage,
  bulk: Bulk,
  rows: Values,
  then: ReadonlyArray<unknown> = []
): Effect.Effect<ReadonlyArray<Row>, SqlError> =>
  Effect.map(Effect.all(statements(storage, bulk, rows, then)), (found) => found.flat() as ReadonlyArray<object> as ReadonlyArray<Row>)

/** The same for a statement that returns nothing; tells how many rows it changed. */
export const writeInBulk = (
  storage: Storage,
  bulk: Bulk,
  rows: Values,
  then: ReadonlyArray<unknown> = []
): Effect.Effect<number, SqlError> =>
  Effect.map(
    Effect.all(statements(storage, bulk, rows, then).map((statement) => statement.raw)),
    (raw) => raw.reduce<number>((changed, one) => changed + storage.dialect.changes(one), 0)
  )

/** Runs a statement that returns nothing; tells how many rows it changed. */
export const changed = (storage: Storage, statement: Statement<object>): Effect.Effect<number, SqlError> =>
  Effect.map(statement.raw, storage.dialect.changes)
