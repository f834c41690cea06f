/** What the proxy keeps beside its ledger, in the same file: the tables of keys, first answers and jobs. */
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** The file cannot be written or read just now. It holds no error of the database's client. */
export class StoreFailed extends Data.TaggedError("StoreFailed")<{
  /** What was to be done. */
  readonly doing: string
}> {
  override get message(): string {
    return `the data cannot be ${this.doing} just now: look at the disk`
  }
}

/** Runs statements; what the database says stays behind. */
export const attempt = <A, R>(doing: string, effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, StoreFailed, R> =>
  Effect.mapError(effect, () => new StoreFailed({ doing }))

const tables: ReadonlyArray<string> = [
  `CREATE TABLE IF NOT EXISTS proxy_keys (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    orgs TEXT NOT NULL,
    target_groups TEXT,
    per_minute INTEGER,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
  )`,
  `CREATE TABLE IF NOT EXISTS proxy_first_answers (
    key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    content TEXT,
    status INTEGER,
    headers TEXT,
    body TEXT,
    PRIMARY KEY (key_id, idempotency_key)
  ) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS proxy_first_answers_by_age ON proxy_first_answers (created_at)`,
  `CREATE TABLE IF NOT EXISTS proxy_jobs (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    key_id TEXT NOT NULL,
    wish TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
  ) WITHOUT ROWID`
]

/** Makes the tables where there are none. */
export const create: Effect.Effect<void, StoreFailed, SqlClient> = Effect.flatMap(SqlClient, (sql) =>
  attempt("prepared", Effect.forEach(tables, (table) => sql.unsafe(table), { discard: true })))
