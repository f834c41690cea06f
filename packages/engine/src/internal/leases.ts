/**
 * The statements of membership and leases: one database that several processes look at, and its clock for all of them.
 *
 * In PostgreSQL a moment is computed inside the statement, by `clock_timestamp()`, and asked again where a row had to be
 * waited for. Elsewhere, in tests and simulations, it is Effect's clock. A statement that arrives late, after its sender has
 * given it up, does no harm: a lease is only ever extended or returned for the owner and the generation that asked.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** A lane that is leased to whoever asked. Each change of owner has a generation of its own. */
export interface LeaseRow {
  readonly lane: number
  readonly generation: number
}

/** A process as the others see it. */
export interface MemberRow {
  readonly id: string
  readonly address: string
  readonly isLeaving: boolean
}

/** A lane whose lease has not expired. */
export interface OwnerRow {
  readonly lane: number
  readonly owner: string
}

/** What everybody sees. */
export interface View {
  readonly members: ReadonlyArray<MemberRow>
  readonly owners: ReadonlyArray<OwnerRow>
}

/** Who asks. */
export interface Self {
  readonly id: string
  readonly address: string
  readonly isLeaving: boolean
}

/** What is asked of the database. */
export interface Leases {
  /** The cluster that the database belongs to: this one, where it belonged to none. */
  readonly enroll: (cluster: string, lanes: number) => Effect.Effect<{ readonly cluster: string; readonly lanes: number }, SqlError>
  /** Stays a member, and keeps every lane that is leased to it; tells which. */
  readonly refresh: (self: Self) => Effect.Effect<ReadonlyArray<LeaseRow>, SqlError>
  readonly view: Effect.Effect<View, SqlError>
  /** Takes those of the lanes that nobody has. */
  readonly take: (id: string, lanes: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<LeaseRow>, SqlError>
  /** Gives lanes back. */
  readonly giveBack: (id: string, leases: ReadonlyArray<LeaseRow>) => Effect.Effect<void, SqlError>
  /** Is no member any more; its leases are left to expire. */
  readonly goodbye: (id: string) => Effect.Effect<void, SqlError>
}

const tables = [
  // One row: the first process decides.
  "CREATE TABLE IF NOT EXISTS replica_cluster (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), cluster TEXT NOT NULL, lanes INTEGER NOT NULL)",
  `CREATE TABLE IF NOT EXISTS replicas (
    id TEXT PRIMARY KEY, address TEXT NOT NULL, since BIGINT NOT NULL, expires BIGINT NOT NULL, is_leaving INTEGER NOT NULL
  )`,
  "CREATE TABLE IF NOT EXISTS lane_leases (lane INTEGER PRIMARY KEY, owner TEXT, generation BIGINT NOT NULL, expires BIGINT NOT NULL)"
]

/** Makes the tables where they are not yet. */
export const create = (sql: SqlClient): Effect.Effect<void, SqlError> =>
  Effect.forEach(tables, (statement) => sql.unsafe(statement), { discard: true })

/** How long one that is gone is remembered, in milliseconds. */
const rememberedMillis = 86_400_000

interface ViewRow {
  readonly kind: string
  readonly id: string
  readonly address: string
  readonly number: number | string
}

const leaseOf = ({ generation, lane }: { readonly lane: number | string; readonly generation: number | string }): LeaseRow => ({
  lane: Number(lane),
  generation: Number(generation)
})

/** The statements for leases of this many milliseconds. */
export const make = (sql: SqlClient, lifetimeMillis: number): Leases => {
  const withNow = <A>(statement: (now: Fragment) => Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
    sql.onDialectOrElse({
      pg: () => statement(sql.literal("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT")),
      orElse: () => Effect.flatMap(Clock.currentTimeMillis, (now) => statement(sql.literal(String(now))))
    })
  const lifetime = sql.literal(String(lifetimeMillis))
  /** Our own whole numbers, as they are: parameters in a list of rows would be text. */
  const list = (numbers: ReadonlyArray<number>): Fragment => sql.literal(numbers.join(", "))

  const stay = ({ address, id, isLeaving }: Self, now: Fragment) =>
    sql`INSERT INTO replicas (id, address, since, expires, is_leaving)
      VALUES (${id}, ${address}, ${now}, ${now} + ${lifetime}, ${isLeaving ? 1 : 0})
      ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, is_leaving = excluded.is_leaving`
  const keep = (id: string, now: Fragment) =>
    sql`UPDATE lane_leases SET expires = ${now} + ${lifetime} WHERE owner = ${id} RETURNING lane, generation`

  // Rows are locked in one order, and one that somebody is at is left to him: two who take at once do not wait for each other.
  const free = (lanes: ReadonlyArray<number>, now: Fragment): Fragment =>
    sql.onDialectOrElse({
      pg: () =>
        sql`lane IN (SELECT lane FROM lane_leases WHERE lane IN (${list(lanes)}) AND (owner IS NULL OR expires <= ${now})
          ORDER BY lane FOR UPDATE SKIP LOCKED) AND (owner IS NULL OR expires <= ${now})`,
      orElse: () => sql`lane IN (${list(lanes)}) AND (owner IS NULL OR expires <= ${now})`
    })

  return {
    enroll: (cluster, lanes) =>
      withNow((now) =>
        Effect.gen(function*() {
          yield* sql`INSERT INTO replica_cluster (only_row, cluster, lanes) VALUES (1, ${cluster}, ${lanes}) ON CONFLICT DO NOTHING`
          const [found] = yield* sql<{ readonly cluster: string; readonly lanes: number }>`SELECT cluster, lanes FROM replica_cluster`
          if (found === undefined || found.cluster !== cluster || Number(found.lanes) !== lanes) {
            return found === undefined ? { cluster, lanes } : { cluster: found.cluster, lanes: Number(found.lanes) }
          }
          const all = Array.from({ length: lanes }, (_, lane) => `(${lane}, NULL, 0, 0)`).join(", ")
          yield* sql`INSERT INTO lane_leases (lane, owner, generation, expires) VALUES ${sql.literal(all)} ON CONFLICT DO NOTHING`
          yield* sql`DELETE FROM replicas WHERE expires < ${now} - ${sql.literal(String(rememberedMillis))}`
          return { cluster, lanes }
        })
      ),
    refresh: (self) =>
      withNow((now) => {
        const kept = sql.onDialectOrElse({
          pg: () => sql<LeaseRow>`WITH me AS (${stay(self, now)}) ${keep(self.id, now)}`,
          orElse: () => Effect.zipRight(stay(self, now), sql<LeaseRow>`${keep(self.id, now)}`)
        })
        return Effect.map(kept, (rows) => rows.map(leaseOf))
      }),
    view: withNow((now) =>
      Effect.map(
        sql<ViewRow>`SELECT 'member' AS kind, id, address, is_leaving AS number FROM replicas WHERE expires > ${now}
          UNION ALL SELECT 'lane', owner, '', lane FROM lane_leases WHERE owner IS NOT NULL AND expires > ${now}`,
        (rows) => ({
          members: rows.filter(({ kind }) => kind === "member").map(({ address, id, number }) => ({ id, address, isLeaving: Number(number) === 1 })),
          owners: rows.filter(({ kind }) => kind === "lane").map(({ id, number }) => ({ lane: Number(number), owner: id }))
        })
      )
    ),
    take: (id, lanes) =>
      withNow((now) =>
        Effect.map(
          sql<LeaseRow>`UPDATE lane_leases SET owner = ${id}, generation = generation + 1, expires = ${now} + ${lifetime}
            WHERE ${free(lanes, now)} RETURNING lane, generation`,
          (rows) => rows.map(leaseOf)
        )
      ),
    giveBack: (id, leases) => {
      const each = leases.map(({ generation, lane }) => `(lane = ${lane} AND generation = ${generation})`).join(" OR ")
      return Effect.asVoid(sql`UPDATE lane_leases SET owner = NULL, expires = 0 WHERE owner = ${id} AND (${sql.literal(each)})`)
    },
    goodbye: (id) => Effect.asVoid(sql`DELETE FROM replicas WHERE id = ${id}`)
  }
}
