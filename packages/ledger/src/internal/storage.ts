/** The boundary between statements and the rest: what a database says becomes an error of the ledger, by type. */
import * as Migrator from "@effect/sql/Migrator"
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
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

/** A statement for many rows of parameters. */
export interface Bulk {
  /** A row: `null` is a parameter, a text stands as it is. */
  readonly pattern: ReadonlyArray<string | null>
  /** The statement around its rows; the placeholder of the n-th parameter behind them comes from `then(n)`, from 1. */
  readonly statement: (values: string, then: (position: number) => string) => string
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

/** Texts of statements by their number of rows: to make one of 512 rows costs as much as to run it. */
const texts = new WeakMap<Dialect, Map<Bulk, Map<number, string>>>()

const textOf = (dialect: Dialect, bulk: Bulk, rows: number): string => {
  const ofDialect = texts.get(dialect) ?? new Map<Bulk, Map<number, string>>()
  texts.set(dialect, ofDialect)
  const known = ofDialect.get(bulk) ?? new Map<number, string>()
  ofDialect.set(bulk, known)
  const found = known.get(rows)
  if (found !== undefined) return found
  const params = bulk.pattern.filter((cell) => cell === null).length * rows
  const made = bulk.statement(tuples(dialect, bulk.pattern, rows), (position) => dialect.placeholder(params + position))
  known.set(rows, made)
  return made
}

type Values = ReadonlyArray<ReadonlyArray<unknown>>

/** The parameters of a statement; by a loop, because `flat` and a copy of its result stood out in profiles. */
const paramsOf = (rows: Values, then: ReadonlyArray<unknown>): Array<unknown> => {
  const params: Array<unknown> = []
  for (const row of rows) for (const value of row) params.push(value)
  params.push(...then)
  return params
}

const statements = (storage: Storage, bulk: Bulk, rows: Values, then: ReadonlyArray<unknown>) =>
  parts(rows).map((part) => storage.sql.unsafe<object>(textOf(storage.dialect, bulk, part.length), paramsOf(part, then)))

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
