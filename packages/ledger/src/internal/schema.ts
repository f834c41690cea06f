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
import type { Dialect } from "./dialect.js"

const table = "ledger_migrations"

const first = ({ bytes, clustered, identity }: Dialect): ReadonlyArray<string> => [
  `CREATE TABLE runs (
    run ${identity},
    id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    state TEXT NOT NULL,
    input_name TEXT NOT NULL,
    input_format TEXT NOT NULL,
    input_header ${bytes} NOT NULL,
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
  ) ${clustered}`,
  `CREATE UNIQUE INDEX destinations_by_name ON destinations (run, target_group_id, target_id, period_name)`,
  `CREATE TABLE input_rows (
    run BIGINT NOT NULL,
    row_number BIGINT NOT NULL,
    line BIGINT NOT NULL,
    bytes ${bytes} NOT NULL,
    problem TEXT,
    PRIMARY KEY (run, row_number)
  ) ${clustered}`,
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
  ) ${clustered}`,
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
  ) ${clustered}`
]

const migrations = [first]

/** The newest version of the schema that this program understands. */
export const known = migrations.length

/** Brings the tables up to date and tells the version that they have, which is above {@link known} in a newer ledger. */
export const migrate = (
  dialect: Dialect
): Effect.Effect<number, Migrator.MigrationError | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const run = (statements: ReadonlyArray<string>) =>
      Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
    const loader: Migrator.Loader = Effect.succeed(
      migrations.map((statements, index) => [index + 1, `version_${index + 1}`, Effect.succeed(run(statements(dialect)))])
    )
    yield* Migrator.make({})({ loader, table })
    const versions = yield* sql<{ readonly version: number }>`SELECT MAX(migration_id) AS version FROM ${sql(table)}`
    return Number(versions[0]?.version ?? 0)
  })
