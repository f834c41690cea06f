/**
 * What the proxy keeps beside its ledger, in the same file or database: the tables of keys, first answers, jobs and secrets.
 *
 * A database has several processes: whoever starts first makes or changes the tables, under a lock, while the others wait.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"

/** The file or the database cannot be written or read just now. It holds no error of the database's client. */
export class StoreFailed extends Data.TaggedError("StoreFailed")<{
  /** What was to be done. */
  readonly doing: string
  readonly place: "file" | "database"
}> {
  override get message(): string {
    const why = this.place === "file" ? "look at the disk" : "the database cannot be reached, or refuses it"
    return `the data cannot be ${this.doing} just now: ${why}`
  }
}

/** The tables were made by a newer version: this one would not understand what it finds. */
export class StoreTooNew extends Data.TaggedError("StoreTooNew")<{
  readonly found: number
  readonly known: number
}> {
  override get message(): string {
    return `the proxy's tables have version ${this.found}, this program knows up to ${this.known}; use a newer one`
  }
}

/** SQLite's codes name it; whatever else fails is a server, or the way to it. */
const placeOf = ({ cause }: SqlError): StoreFailed["place"] => {
  const code = typeof cause === "object" && cause !== null ? (cause as { readonly code?: unknown }).code : undefined
  return typeof code === "string" && code.startsWith("SQLITE") ? "file" : "database"
}

/** Runs statements; what the database says stays behind. */
export const attempt = <A, E, R>(
  doing: string,
  effect: Effect.Effect<A, E | SqlError, R>
): Effect.Effect<A, Exclude<E, SqlError> | StoreFailed, R> =>
  effect.pipe(
    // Effect SQL dies of a COMMIT that fails.
    Effect.catchSomeDefect((defect) => defect instanceof SqlError ? Option.some(Effect.fail(defect)) : Option.none()),
    Effect.mapError((error) =>
      error instanceof SqlError ? new StoreFailed({ doing, place: placeOf(error) }) : error as Exclude<E, SqlError>)
  )

/** Whether the data lies in a database that other processes use as well. */
export const isShared = (sql: SqlClient): boolean => sql.onDialectOrElse({ pg: () => true, orElse: () => false })

/** What differs between the dialects. */
interface Types {
  /** Milliseconds since 1970: too many for PostgreSQL's INTEGER. */
  readonly moment: string
  /** What follows a table whose primary key is its order on disk. */
  readonly clustered: string
}

const typesOf = (sql: SqlClient): Types =>
  sql.onDialectOrElse({
    pg: () => ({ moment: "BIGINT", clustered: "" }),
    orElse: () => ({ moment: "INTEGER", clustered: "WITHOUT ROWID" })
  })

/** Files from before there were versions have these tables. */
const first = ({ clustered, moment }: Types): ReadonlyArray<string> => [
  `CREATE TABLE IF NOT EXISTS proxy_keys (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    orgs TEXT NOT NULL,
    target_groups TEXT,
    per_minute INTEGER,
    created_at ${moment} NOT NULL,
    revoked_at ${moment}
  )`,
  `CREATE TABLE IF NOT EXISTS proxy_first_answers (
    key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at ${moment} NOT NULL,
    content TEXT,
    status INTEGER,
    headers TEXT,
    body TEXT,
    PRIMARY KEY (key_id, idempotency_key)
  ) ${clustered}`,
  `CREATE INDEX IF NOT EXISTS proxy_first_answers_by_age ON proxy_first_answers (created_at)`,
  `CREATE TABLE IF NOT EXISTS proxy_jobs (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    key_id TEXT NOT NULL,
    wish TEXT NOT NULL,
    created_at ${moment} NOT NULL,
    ended_at ${moment}
  ) ${clustered}`
]

/** Several processes: who is at work on a first answer, and what they know each other by. */
const second = ({ clustered, moment }: Types): ReadonlyArray<string> => [
  `ALTER TABLE proxy_first_answers ADD COLUMN taker TEXT`,
  `CREATE TABLE proxy_secrets (
    name TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    created_at ${moment} NOT NULL
  ) ${clustered}`
]

/** Whoever stores a job, so that what he left behind is known for that when he is gone. */
const third = (): ReadonlyArray<string> => [`ALTER TABLE proxy_jobs ADD COLUMN replica TEXT`]

const migrations = [first, second, third]

/** The newest version of the tables that this program understands. */
export const known = migrations.length

/** Which version there was, and which one there is now. */
export interface Versions {
  readonly from: number
  readonly to: number
}

/** Any number that nobody else takes a lock by. */
const lock = 8_320_001

/** Runs statements all or nothing, and one process at a time: the others wait for it. */
export const exclusively = <A, E>(
  effect: Effect.Effect<A, E | SqlError, SqlClient>
): Effect.Effect<A, Exclude<E, SqlError> | StoreFailed, SqlClient> =>
  Effect.flatMap(SqlClient, (sql) =>
    attempt("prepared", sql.withTransaction(
      Effect.zipRight(Effect.when(sql`SELECT pg_advisory_xact_lock(${lock})`, () => isShared(sql)), effect)
    )))

/**
 * Brings the tables up to date, all or nothing: one process at a time, the others wait for it. Tables of a newer program
 * are left alone and refused.
 */
export const migrate: Effect.Effect<Versions, StoreFailed | StoreTooNew, SqlClient> = Effect.flatMap(SqlClient, (sql) =>
  exclusively(Effect.gen(function*() {
    const types = typesOf(sql)
    const now = yield* Clock.currentTimeMillis
    yield* sql.unsafe(`CREATE TABLE IF NOT EXISTS proxy_migrations (version INTEGER PRIMARY KEY, created_at ${types.moment} NOT NULL)`)
    const [row] = yield* sql<{ readonly version: number | null }>`SELECT MAX(version) AS version FROM proxy_migrations`
    const from = Number(row?.version ?? 0)
    if (from > known) return yield* new StoreTooNew({ found: from, known })
    for (const [index, statements] of migrations.entries()) {
      if (index < from) continue
      for (const statement of statements(types)) yield* sql.unsafe(statement)
      yield* sql`INSERT INTO proxy_migrations ${sql.insert({ version: index + 1, created_at: now })}`
    }
    return { from, to: known }
  })))

/** What replicas show each other: 256 random bits, made by whoever asks first, and the same for all from then on. */
export const clusterSecret: Effect.Effect<Redacted.Redacted, StoreFailed, SqlClient> = Effect.gen(function*() {
  const sql = yield* SqlClient
  const name = "cluster"
  const made = { name, secret: randomBytes(32).toString("base64url"), created_at: yield* Clock.currentTimeMillis }
  yield* attempt("written", sql`INSERT INTO proxy_secrets ${sql.insert(made)} ON CONFLICT DO NOTHING`)
  const [row] = yield* attempt("read", sql<{ readonly secret: string }>`SELECT secret FROM proxy_secrets WHERE name = ${name}`)
  // Nobody takes it away; should somebody all the same, this one is alone with its own until the next start.
  return Redacted.make(row?.secret ?? made.secret)
})
