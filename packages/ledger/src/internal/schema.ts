/**
 * The tables of a ledger, as migrations of Effect SQL.
 *
 * What repeats in every record stands once: the run is a small number, and so is where it goes (`destinations`). A
 * record's number says its lane, its row and its place in the row (`Entry.seqOf`), so it needs no column for any of them.
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { counterColumns, state } from "./codec.js"

const table = "ledger_migrations"

const first: ReadonlyArray<string> = [
  `CREATE TABLE runs (
    run INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    state TEXT NOT NULL,
    input_name TEXT NOT NULL,
    input_format TEXT NOT NULL,
    input_header BLOB NOT NULL,
    input_size BIGINT,
    input_sha256 TEXT,
    options TEXT NOT NULL,
    parent TEXT,
    kind TEXT,
    lanes INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    imported_row BIGINT NOT NULL,
    imported_line BIGINT NOT NULL,
    imported_bytes BIGINT NOT NULL,
    imported_sha256 TEXT,
    ${counterColumns.map((column) => `${column} BIGINT NOT NULL DEFAULT 0`).join(", ")},
    stop_reason TEXT,
    stop_message TEXT
  )`,
  `CREATE TABLE destinations (
    run BIGINT NOT NULL,
    destination BIGINT NOT NULL,
    target_group_id BIGINT NOT NULL,
    target_id BIGINT NOT NULL,
    period_name TEXT NOT NULL,
    records BIGINT NOT NULL,
    PRIMARY KEY (run, destination)
  ) WITHOUT ROWID`,
  `CREATE UNIQUE INDEX destinations_by_name ON destinations (run, target_group_id, target_id, period_name)`,
  `CREATE TABLE input_rows (
    run BIGINT NOT NULL,
    row_number BIGINT NOT NULL,
    line BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    problem TEXT,
    PRIMARY KEY (run, row_number)
  ) WITHOUT ROWID`,
  `CREATE TABLE records (
    run BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    destination BIGINT NOT NULL,
    customer_id BIGINT NOT NULL,
    balance_kind SMALLINT NOT NULL,
    initial_balance BIGINT,
    reset SMALLINT,
    attempts INTEGER NOT NULL,
    lost_attempts INTEGER NOT NULL,
    epoch INTEGER,
    claimed_at BIGINT,
    ended_at BIGINT,
    after_ambiguous SMALLINT,
    code TEXT,
    tag TEXT,
    blast_radius SMALLINT,
    message TEXT,
    warnings TEXT,
    request_id TEXT,
    reason SMALLINT,
    duplicate_of BIGINT,
    PRIMARY KEY (run, seq)
  ) WITHOUT ROWID`,
  // A record that repeats another one is in the ledger as well; it does not take its place.
  `CREATE UNIQUE INDEX records_once ON records (run, customer_id, destination) WHERE duplicate_of IS NULL`,
  // Claimed in the order of the input; what has been sent leaves the index.
  `CREATE INDEX records_open ON records (run, state, seq) WHERE state <= ${state.skipped} AND duplicate_of IS NULL`,
  `CREATE TABLE refusals (
    run BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    records BIGINT NOT NULL,
    PRIMARY KEY (run, state, code)
  ) WITHOUT ROWID`
]

/** Each process that joins a run takes an epoch; this one is the first of the sitting. */
const second: ReadonlyArray<string> = [
  `ALTER TABLE runs ADD COLUMN first_epoch INTEGER NOT NULL DEFAULT 0`,
  `UPDATE runs SET first_epoch = epoch`
]

/** The tables in SQLite, version by version. */
export const sqlite: ReadonlyArray<ReadonlyArray<string>> = [first, second]

/** The version of the tables that are there, which is above what this program knows in a newer ledger. */
const version: Effect.Effect<number, SqlError, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const versions = yield* sql<{ readonly version: number }>`SELECT MAX(migration_id) AS version FROM ${sql(table)}`
  return Number(versions[0]?.version ?? 0)
})

/** Brings the tables up to date and tells the version that they have. */
export const migrate = (
  migrations: ReadonlyArray<ReadonlyArray<string>>
): Effect.Effect<number, Migrator.MigrationError | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const run = (statements: ReadonlyArray<string>) =>
      Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
    const loader: Migrator.Loader = Effect.succeed(
      migrations.map((statements, index) => [index + 1, `version_${index + 1}`, Effect.succeed(run(statements))])
    )
    yield* Migrator.make({})({ loader, table })
    return yield* version
  })

/** The version of tables that are there, or 0 where there are none. */
export const found: Effect.Effect<number, SqlError, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [place] = yield* sql.onDialectOrElse({
    pg: () => sql<{ readonly name: string | null }>`SELECT to_regclass(${table})::text AS name`,
    orElse: () => sql<{ readonly name: string | null }>`SELECT name FROM sqlite_master WHERE name = ${table}`
  })
  return place?.name === null || place === undefined ? 0 : yield* version
})

/** Any number, as long as it is always the same: who holds this lock migrates. */
const lock = 7_203_416_915

/** The same in PostgreSQL, one process at a time; tells from which version to which. */
export const migrateOneAtATime = (
  migrations: ReadonlyArray<ReadonlyArray<string>>
): Effect.Effect<{ readonly from: number; readonly to: number }, Migrator.MigrationError | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    return yield* sql.withTransaction(Effect.gen(function*() {
      yield* sql`SELECT pg_advisory_xact_lock(${lock})`
      const from = yield* found
      if (from > migrations.length) return { from, to: from }
      // Effect SQL would look for it by a statement that fails, and with it the transaction.
      yield* sql.unsafe(`CREATE TABLE IF NOT EXISTS ${table} (
        migration_id INTEGER PRIMARY KEY, created_at TIMESTAMPTZ NOT NULL DEFAULT now(), name TEXT NOT NULL)`)
      return { from, to: yield* migrate(migrations) }
    }))
  })
