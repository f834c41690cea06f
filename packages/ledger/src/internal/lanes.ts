/**
 * The open records of a ledger in which each lane says how many of its records are pending, and from where on.
 *
 * An index of what is pending would have to be written with every claim and every outcome; the row of a lane is written by
 * who claims, and so by one process at a time. It is locked before records are: whoever waits for it sees them as the one
 * before has left them. The counters of the run come last, because all lanes share them.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Claimed, type Condemned, laneOf, type Seq, seqOf } from "../Entry.js"
import type { RunNotFound, StorageError, WrongState } from "../LedgerError.js"
import { type ClaimOptions, destinationsOf, first, notOfThisSitting, type Open, type SkipReason } from "./claims.js"
import { claimedOf, type ClaimRow, reason, type RunRow, state } from "./codec.js"
import { count, countRefusals, find, findIn, finishIfDone, imported } from "./runs.js"
import { type Bulk, boundary, changed, type Storage, transaction, writeInBulk } from "./storage.js"

const perLane = seqOf(1, 0, 0)

const addPending: Bulk = {
  pattern: ["INTEGER", "BIGINT"],
  statement: (rows, then) =>
    `WITH v (lane, pending) AS (${rows}) INSERT INTO lanes (run, lane, pending, low, floor, high)
    SELECT CAST(${then(1)} AS INTEGER), lane, pending, lane * ${perLane}, lane * ${perLane}, lane * ${perLane} FROM v
    ON CONFLICT (run, lane) DO UPDATE SET pending = lanes.pending + excluded.pending`
}

/** Counts the records of an import. */
export const addToLanes = (
  storage: Storage,
  key: number,
  records: ReadonlyArray<{ readonly seq: Seq }>,
  repeated: ReadonlyArray<{ readonly seq: Seq }>
): Effect.Effect<void, SqlError> => {
  const added = new Map<number, number>()
  for (const { seq } of records) added.set(laneOf(seq), (added.get(laneOf(seq)) ?? 0) + 1)
  for (const { seq } of repeated) added.set(laneOf(seq), (added.get(laneOf(seq)) ?? 0) - 1)
  return Effect.asVoid(writeInBulk(storage, addPending, [...added].sort(([left], [right]) => left - right), [key]))
}

interface LaneRow extends RunRow {
  readonly low: number
  readonly floor: number
  readonly lane_pending: number
}

interface Moved {
  readonly records: number
}

/** The row of a lane with its run, locked; nothing, where the lane has no records. */
const lockLane = ({ sql }: Storage, id: string, lane: number): Effect.Effect<LaneRow | undefined, SqlError> =>
  Effect.map(
    sql<LaneRow>`SELECT r.run, r.operation, r.state, r.epoch, r.first_epoch, l.low, l.floor, l.pending AS lane_pending
      FROM runs r JOIN lanes l ON l.run = r.run WHERE r.id = ${id} AND l.lane = ${lane} FOR UPDATE OF l`,
    ([row]) => row
  )

const lockLanes = ({ sql }: Storage, key: number, lanes: ReadonlyArray<number> | null): Effect.Effect<unknown, SqlError> =>
  sql.unsafe(
    `SELECT 1 FROM lanes WHERE run = ${key}${lanes === null ? "" : ` AND lane IN (${lanes.join(", ") || "-1"})`} ORDER BY lane FOR UPDATE`
  )

/** Adds what `back` returns to the pending ones of their lanes. */
const toLanes = (key: number): string =>
  `by_lane AS (SELECT seq / ${perLane} AS lane, COUNT(*) AS records, MIN(seq) AS low FROM back GROUP BY 1),
  moved AS (UPDATE lanes SET pending = lanes.pending + by_lane.records, low = LEAST(lanes.low, by_lane.low)
    FROM by_lane WHERE lanes.run = ${key} AND lanes.lane = by_lane.lane RETURNING by_lane.records)
  SELECT COALESCE(SUM(records), 0)::bigint AS records FROM moved`

const movedOf = (rows: ReadonlyArray<Moved>): number => Number(rows[0]?.records ?? 0)

/** Records that were claimed by a transaction of which nobody knows whether it took place: nobody has them in hand. */
interface Doubt {
  readonly epoch: number
  readonly seqs: ReadonlyArray<Seq>
}

/** The open records of a ledger with lanes. */
export const make = (storage: Storage): Open => {
  const { dialect, sql } = storage
  const doubts = new Map<string, ReadonlyArray<Doubt>>()

  const giveBack = (key: number, seqs: ReadonlyArray<Seq>, epoch: number | null): Effect.Effect<number, SqlError> =>
    Effect.gen(function*() {
      if (seqs.length === 0) return 0
      yield* lockLanes(storage, key, [...new Set(seqs.map(laneOf))])
      const back = yield* sql.unsafe<Moved>(
        `WITH back AS (UPDATE records r SET state = ${state.pending} FROM unnest($1::bigint[]) AS v (seq)
          WHERE r.run = ${dialect.runBeside(String(key), "v.seq")} AND r.seq = v.seq
          AND r.state = ${state.claimed} AND r.epoch = COALESCE($2::integer, r.epoch) RETURNING r.seq), ${toLanes(key)}`,
        [seqs, epoch]
      )
      const released = movedOf(back)
      yield* count(storage, key, { claimed: -released, pending: released })
      return released
    })

  /** Gives back what a claim has taken whose connection was lost at its COMMIT. */
  const settleDoubts = (id: string): Effect.Effect<void, RunNotFound | StorageError> => {
    const known = doubts.get(id)
    if (known === undefined) return Effect.void
    return transaction(storage, Effect.gen(function*() {
      const { key } = yield* find(storage, id)
      for (const { epoch, seqs } of known) {
        // The transaction may be under way still: it holds these rows, and the next statement sees what it did.
        yield* sql.unsafe(
          `SELECT 1 FROM unnest($1::bigint[]) AS v (seq) JOIN records r ON r.run = ${dialect.runBeside(String(key), "v.seq")} AND r.seq = v.seq FOR UPDATE OF r`,
          [seqs]
        )
        yield* giveBack(key, seqs, epoch)
      }
    })).pipe(
      Effect.tap(() => Effect.sync(() => doubts.delete(id))),
      // A run that was removed has left nothing in doubt.
      Effect.tapErrorTag("RunNotFound", () => Effect.sync(() => doubts.delete(id)))
    )
  }

  const pendingLanes = (id: string): Effect.Effect<ReadonlyArray<number>, RunNotFound | StorageError> =>
    Effect.zipRight(
      settleDoubts(id),
      boundary(storage, Effect.gen(function*() {
        const { key } = yield* find(storage, id)
        const lanes = yield* sql<{ readonly lane: number }>`SELECT lane FROM lanes WHERE run = ${key} AND pending > 0 ORDER BY lane`
        return lanes.map(({ lane }) => lane)
      }))
    )

  const claim = (
    id: string,
    { epoch, lane, limit }: ClaimOptions
  ): Effect.Effect<ReadonlyArray<Claimed>, RunNotFound | StorageError | WrongState> => {
    let taken: ReadonlyArray<Seq> = []
    const refused = Effect.gen(function*() {
      const { firstEpoch, run } = yield* findIn(storage, id, ["running"], "have records claimed")
      if (epoch < firstEpoch || epoch > run.epoch) return yield* notOfThisSitting(run, epoch)
    })
    const claiming = transaction(storage, Effect.gen(function*() {
      taken = []
      const row = yield* lockLane(storage, id, lane)
      if (row === undefined || row["state"] !== "running" || epoch < Number(row["first_epoch"]) || epoch > Number(row["epoch"])) {
        yield* refused
        return []
      }
      if (row.lane_pending === 0) return []
      const key = Number(row["run"])
      const now = yield* Clock.currentTimeMillis
      const claimed = yield* sql<ClaimRow>`WITH next AS (
          SELECT seq FROM records WHERE run = ${key} AND seq >= ${row.low} AND seq < ${first(lane + 1)} AND state = ${sql.literal(String(state.pending))}
          ORDER BY seq LIMIT ${limit}
        ), taken AS (
          UPDATE records r SET state = ${sql.literal(String(state.claimed))}, epoch = ${epoch}, claimed_at = ${now} FROM next
          WHERE r.run = ${key} AND r.seq = next.seq
          RETURNING r.seq, r.customer_id, r.balance_kind, r.initial_balance, r.reset, r.attempts, r.lost_attempts, r.destination
        ), bounds AS (
          SELECT COUNT(*) AS records, MIN(seq) AS first, MAX(seq) AS last,
            (SELECT MIN(seq) FROM records WHERE run = ${key} AND seq >= ${row.floor} AND seq < ${row.low} AND state = ${sql.literal(String(state.claimed))}) AS floor
          FROM taken
        ), moved AS (
          UPDATE lanes SET pending = pending - bounds.records, low = bounds.last + 1, floor = LEAST(bounds.floor, bounds.first),
            high = GREATEST(lanes.high, bounds.last + 1)
          FROM bounds WHERE lanes.run = ${key} AND lanes.lane = ${lane} AND bounds.records > 0
        )
        SELECT t.seq, t.customer_id, t.balance_kind, t.initial_balance, t.reset, t.attempts, t.lost_attempts,
          d.target_group_id, d.target_id, d.period_name
        FROM taken t JOIN destinations d ON d.run = ${key} AND d.destination = t.destination ORDER BY t.seq`
      taken = claimed.map(({ seq }) => seq)
      const isCounted = yield* count(
        storage,
        key,
        { pending: -claimed.length, claimed: claimed.length },
        `state = 'running' AND first_epoch <= ${epoch}`
      )
      // It ended, or was started anew, a moment ago.
      if (!isCounted) yield* refused
      return claimed.map((one) => claimedOf(row["operation"] as "enroll" | "unenroll", one))
    }))
    return Effect.zipRight(
      settleDoubts(id),
      Effect.onError(claiming, () =>
        Effect.sync(() => {
          if (taken.length > 0) doubts.set(id, [...doubts.get(id) ?? [], { epoch, seqs: taken }])
        }))
    )
  }

  const release = (id: string, seqs: ReadonlyArray<Seq>, epoch: number | null): Effect.Effect<number, RunNotFound | StorageError> =>
    transaction(storage, Effect.flatMap(find(storage, id), ({ key }) => giveBack(key, seqs, epoch)))

  const reclaim = (id: string, epoch: number, lane: number | null): Effect.Effect<number, RunNotFound | StorageError> =>
    transaction(storage, Effect.gen(function*() {
      const { key } = yield* find(storage, id)
      yield* lockLanes(storage, key, lane === null ? null : [lane])
      const isLost = lane === null ? `r.epoch < ${epoch}` : `r.epoch <> ${epoch} AND l.lane = ${lane}`
      const back = yield* sql.unsafe<Moved>(
        `WITH back AS (UPDATE records r SET state = ${state.pending}, lost_attempts = r.lost_attempts + 1 FROM lanes l
          WHERE l.run = ${key} AND l.high > l.floor AND r.run = ${key} AND r.seq >= l.floor AND r.seq < l.high
          AND r.state = ${state.claimed} AND ${isLost} RETURNING r.seq), ${toLanes(key)}`
      )
      const taken = movedOf(back)
      yield* count(storage, key, { claimed: -taken, pending: taken })
      return taken
    }))

  const skipWhere = (
    id: string,
    condemned: Condemned | "all",
    why: { readonly reason: SkipReason; readonly message: string }
  ): Effect.Effect<number, RunNotFound | StorageError> =>
    Effect.gen(function*() {
      const { lanes, where } = yield* boundary(storage, Effect.gen(function*() {
        const { key } = yield* find(storage, id)
        const destinations = condemned === "all" ? [] : yield* destinationsOf(storage, key, condemned)
        const where = condemned === "all" ? "1 = 1" : `destination IN (${destinations.join(", ") || "-1"})`
        const lanes = yield* sql<{ readonly lane: number }>`SELECT lane FROM lanes WHERE run = ${key} AND pending > 0 ORDER BY lane`
        return { lanes, where }
      }))
      let skipped = 0
      for (const { lane } of lanes) {
        skipped += yield* transaction(storage, Effect.gen(function*() {
          const row = yield* lockLane(storage, id, lane)
          if (row === undefined) return 0
          const key = Number(row["run"])
          const now = yield* Clock.currentTimeMillis
          const found = yield* changed(storage, sql`UPDATE records SET state = ${sql.literal(String(state.skipped))}, reason = ${reason[why.reason]},
            message = ${dialect.text(why.message)}, ended_at = ${now} WHERE run = ${key} AND state = ${sql.literal(String(state.pending))}
            AND seq >= ${row.low} AND seq < ${first(lane + 1)} AND lost_attempts = 0 AND ${sql.literal(where)}`)
          if (found === 0) return 0
          yield* sql`UPDATE lanes SET pending = pending - ${found} WHERE run = ${key} AND lane = ${lane}`
          yield* countRefusals(storage, key, [{ state: state.skipped, code: why.reason, message: why.message, records: found }])
          yield* count(storage, key, { pending: -found, skipped: found })
          return found
        }))
      }
      return skipped
    })

  const rearm = (id: string, why: SkipReason): Effect.Effect<number, RunNotFound | StorageError | WrongState> =>
    Effect.gen(function*() {
      const { key, lanes } = yield* boundary(storage, Effect.gen(function*() {
        const { key, run } = yield* findIn(storage, id, imported, "have records armed before its import has finished")
        const lanes = run.counts.skipped > run.duplicates
          ? yield* sql<{ readonly lane: number }>`SELECT lane FROM lanes WHERE run = ${key} ORDER BY lane`
          : []
        return { key, lanes }
      }))
      let armed = 0
      for (const { lane } of lanes) {
        armed += yield* transaction(storage, Effect.gen(function*() {
          yield* lockLanes(storage, key, [lane])
          const found = movedOf(yield* sql<Moved>`WITH back AS (UPDATE records SET state = ${sql.literal(String(state.pending))}, reason = NULL, tag = NULL,
            message = NULL, ended_at = NULL WHERE run = ${key} AND duplicate_of IS NULL AND state = ${sql.literal(String(state.skipped))}
            AND seq >= ${first(lane)} AND seq < ${first(lane + 1)} AND reason = ${reason[why]} RETURNING seq), ${sql.literal(toLanes(key))}`)
          if (found === 0) return 0
          yield* countRefusals(storage, key, [{ state: state.skipped, code: why, message: "", records: -found }])
          yield* count(storage, key, { skipped: -found, pending: found })
          return found
        }))
      }
      return armed
    })

  return {
    pendingLanes,
    claim,
    release,
    reclaim,
    skipWhere,
    rearm,
    finishIfDone: (id) => Effect.zipRight(settleDoubts(id), finishIfDone(storage, id))
  }
}
