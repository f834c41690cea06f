/** The statements of a record's life: claimed, settled, given back, skipped, armed again. */
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import type * as Outcome from "@milepost/core/Outcome"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Claimed, type Condemned, laneOf, type Seq, seqOf, type Settled, type Settlement } from "../Entry.js"
import { type RunNotFound, type StorageError, WrongState } from "../LedgerError.js"
import {
  type Change,
  claimedOf,
  type ClaimRow,
  outcomeColumns,
  outcomeValues,
  reason,
  refusalCode,
  state
} from "./codec.js"
import { count, countRefusals, find, findIn, imported, type Refused } from "./runs.js"
import { boundary, inBulk, type Storage, transaction } from "./storage.js"

/** Why a record is not sent, where it may be sent one day. */
export type SkipReason = Exclude<Outcome.Skipped["reason"], "duplicate">

interface SeqRow {
  readonly seq: number
}

/** What the index of open records asks to be said, word for word, to be used. */
const open = `state <= ${state.skipped} AND duplicate_of IS NULL`

/** The records, by the index of the open ones. */
const openRecords = ({ dialect, sql }: Storage): Fragment => sql.literal(`records ${dialect.by("records_open")}`)

/** The first number of a lane, which is the end of the one before. */
const first = (lane: number): number => seqOf(lane, 0, 0)

/** The lanes with records in this state, ascending: one step of the index each. */
const lanesWith = (storage: Storage, key: number, wanted: number): Effect.Effect<ReadonlyArray<number>, SqlError> => {
  const from = `records ${storage.dialect.by("records_open")} WHERE run = ${key} AND ${open} AND state = ${wanted}`
  return Effect.map(
    storage.sql.unsafe<SeqRow>(
      `WITH RECURSIVE l (seq) AS (
        SELECT MIN(seq) FROM ${from}
        UNION ALL SELECT (
          SELECT MIN(seq) FROM ${from} AND seq >= (l.seq / ${first(1)} + 1) * ${first(1)}
        ) FROM l WHERE l.seq IS NOT NULL
      ) SELECT seq FROM l WHERE seq IS NOT NULL`
    ),
    (rows) => rows.map(({ seq }) => laneOf(Number(seq)))
  )
}

/** The lanes that have something to do. */
export const pendingLanes = (
  storage: Storage,
  id: string
): Effect.Effect<ReadonlyArray<number>, RunNotFound | StorageError> =>
  boundary(storage, Effect.flatMap(find(storage, id), ({ key }) => lanesWith(storage, key, state.pending)))

/** Claims the next records of a lane. */
export const claim = (
  storage: Storage,
  id: string,
  { epoch, lane, limit }: { readonly epoch: number; readonly lane: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<Claimed>, RunNotFound | StorageError | WrongState> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key, run } = yield* findIn(storage, id, ["running"], "have records claimed")
    if (run.epoch !== epoch) {
      return yield* new WrongState({ run: id, state: `running in epoch ${run.epoch}`, wanted: `have records claimed for epoch ${epoch}` })
    }
    const next = yield* sql<ClaimRow>`SELECT r.seq, r.customer_id, r.balance_kind, r.initial_balance, r.reset,
      r.attempts, r.lost_attempts, d.target_group_id, d.target_id, d.period_name
      FROM records r ${sql.literal(storage.dialect.by("records_open"))} JOIN destinations d ON d.run = r.run AND d.destination = r.destination
      WHERE r.run = ${key} AND r.state <= ${sql.literal(String(state.skipped))} AND r.duplicate_of IS NULL
      AND r.state = ${state.pending} AND r.seq >= ${first(lane)} AND r.seq < ${first(lane + 1)} ORDER BY r.seq LIMIT ${limit}`
    const last = next.at(-1)
    if (last === undefined) return []
    const now = yield* Clock.currentTimeMillis
    const claimed = yield* sql<SeqRow>`UPDATE ${openRecords(storage)} SET state = ${state.claimed}, epoch = ${epoch}, claimed_at = ${now}
      WHERE run = ${key} AND ${sql.literal(open)} AND state = ${state.pending}
      AND seq >= ${first(lane)} AND seq <= ${last.seq}
      RETURNING seq`
    yield* count(storage, key, { pending: -claimed.length, claimed: claimed.length })
    // Where two claim one lane, on a database that lets them, each has what it took.
    const mine = new Set(claimed.map(({ seq }) => Number(seq)))
    return next.filter(({ seq }) => mine.has(Number(seq))).map((row) => claimedOf(run.operation, row))
  }))
}

const tallied = (settlements: Iterable<Settlement>): { readonly change: Change; readonly refused: ReadonlyArray<Refused> } => {
  const change: Record<string, number> = {}
  const refused = new Map<string, Refused>()
  const add = (column: keyof Change, by: number): void => {
    change[column] = (change[column] ?? 0) + by
  }
  for (const { outcome } of settlements) {
    add(outcome.outcome, 1)
    add("claimed", -1)
    if ("attempts" in outcome) add("calls", outcome.attempts)
    if ("warnings" in outcome) add("warning_count", outcome.warnings.length)
    const code = refusalCode(outcome)
    if (code === null) continue
    const name = `${outcome.outcome}/${code}`
    const message = "message" in outcome ? outcome.message : ""
    const records = (refused.get(name)?.records ?? 0) + 1
    refused.set(name, { state: state[outcome.outcome], code, message: refused.get(name)?.message ?? message, records })
  }
  return { change, refused: [...refused.values()] }
}

/** Writes outcomes of claimed records; those of others are left alone. */
export const settle = (
  storage: Storage,
  id: string,
  settlements: ReadonlyArray<Settlement>
): Effect.Effect<Settled, RunNotFound | StorageError> => {
  // First one wins, also within one batch.
  const bySeq = new Map<Seq, Settlement>()
  for (const settlement of settlements) if (!bySeq.has(settlement.seq)) bySeq.set(settlement.seq, settlement)
  const columns = outcomeColumns.join(", ")
  return transaction(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const now = yield* Clock.currentTimeMillis
    const settled = yield* inBulk<SeqRow>(
      storage,
      [null, ...outcomeColumns.map(() => null)],
      [...bySeq.values()].map(({ outcome, seq }) => [seq, ...outcomeValues(outcome)]),
      (values, moment) =>
        `WITH v (seq, ${columns}) AS (VALUES ${values})
        UPDATE records SET state = CAST(v.state AS SMALLINT), attempts = records.attempts + CAST(v.attempts AS INTEGER),
        after_ambiguous = CASE WHEN records.lost_attempts > 0
          AND CAST(v.state AS SMALLINT) IN (${state.already_enrolled}, ${state.rejected})
          THEN 1 ELSE CAST(v.after_ambiguous AS SMALLINT) END,
        code = v.code, tag = v.tag, blast_radius = CAST(v.blast_radius AS SMALLINT), message = v.message,
        warnings = v.warnings, request_id = v.request_id, reason = CAST(v.reason AS SMALLINT), ended_at = ${moment}
        FROM v WHERE records.run = ${key} AND records.seq = CAST(v.seq AS BIGINT) AND records.state = ${state.claimed}
        RETURNING records.seq AS seq`,
      now
    )
    const done = new Set(settled.map(({ seq }) => Number(seq)))
    const applied = [...bySeq.values()].filter(({ seq }) => done.has(seq))
    const { change, refused } = tallied(applied)
    yield* count(storage, key, change)
    yield* countRefusals(storage, key, refused)
    return { settled: done.size, ignored: [...bySeq.keys()].filter((seq) => !done.has(seq)) }
  }))
}

/** Gives claimed records back that were certainly not sent. */
export const release = (
  storage: Storage,
  id: string,
  seqs: ReadonlyArray<Seq>
): Effect.Effect<number, RunNotFound | StorageError> =>
  transaction(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const released = yield* inBulk<SeqRow>(storage, [null], seqs.map((seq) => [seq]), (values) =>
      `WITH v (seq) AS (VALUES ${values})
      UPDATE records SET state = ${state.pending} FROM v
      WHERE records.run = ${key} AND records.seq = CAST(v.seq AS BIGINT) AND records.state = ${state.claimed}
      RETURNING records.seq AS seq`)
    yield* count(storage, key, { claimed: -released.length, pending: released.length })
    return released.length
  }))

/** Takes back what an earlier epoch had claimed and not settled. */
export const reclaim = (
  storage: Storage,
  id: string,
  epoch: number
): Effect.Effect<number, RunNotFound | StorageError> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const lost = yield* sql<SeqRow>`UPDATE ${openRecords(storage)} SET state = ${state.pending}, lost_attempts = lost_attempts + 1
      WHERE run = ${key} AND ${sql.literal(open)} AND state = ${state.claimed} AND epoch < ${epoch} RETURNING seq`
    yield* count(storage, key, { claimed: -lost.length, pending: lost.length })
    return lost.length
  }))
}

/** The numbers of the destinations that are condemned. */
const destinationsOf = (
  { sql }: Storage,
  key: number,
  { periodName, targetGroupId, targetId }: Condemned
): Effect.Effect<ReadonlyArray<number>, SqlError> => {
  const conditions: Array<Fragment> = [sql`run = ${key}`]
  if (targetGroupId !== undefined) conditions.push(sql`target_group_id = ${targetGroupId}`)
  if (targetId !== undefined) conditions.push(sql`target_id = ${targetId}`)
  if (periodName !== undefined) conditions.push(sql`period_name = ${periodName}`)
  return Effect.map(
    sql<{ readonly destination: number }>`SELECT destination FROM destinations WHERE ${sql.and(conditions)}`,
    (rows) => rows.map(({ destination }) => Number(destination))
  )
}

/** Skips pending records, a lane a transaction: no statement holds everybody up. */
export const skipWhere = (
  storage: Storage,
  id: string,
  condemned: Condemned | "all",
  why: { readonly reason: SkipReason; readonly message: string }
): Effect.Effect<number, RunNotFound | StorageError> =>
  Effect.gen(function*() {
    const { sql } = storage
    const { key, lanes, where } = yield* boundary(storage, Effect.gen(function*() {
      const { key } = yield* find(storage, id)
      const destinations = condemned === "all" ? [] : yield* destinationsOf(storage, key, condemned)
      const where = condemned === "all" ? "1 = 1" : `destination IN (${destinations.join(", ") || "-1"})`
      return { key, lanes: yield* lanesWith(storage, key, state.pending), where }
    }))
    let skipped = 0
    for (const lane of lanes) {
      skipped += yield* transaction(storage, Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const found = yield* sql<SeqRow>`UPDATE ${openRecords(storage)} SET state = ${state.skipped}, reason = ${reason[why.reason]},
          message = ${why.message}, ended_at = ${now} WHERE run = ${key} AND ${sql.literal(open)}
          AND state = ${state.pending} AND seq >= ${first(lane)} AND seq < ${first(lane + 1)} AND ${sql.literal(where)} RETURNING seq`
        if (found.length === 0) return 0
        yield* count(storage, key, { pending: -found.length, skipped: found.length })
        yield* countRefusals(storage, key, [
          { state: state.skipped, code: why.reason, message: why.message, records: found.length }
        ])
        return found.length
      }))
    }
    return skipped
  })

/** Makes skipped records pending again. */
export const rearm = (
  storage: Storage,
  id: string,
  why: SkipReason
): Effect.Effect<number, RunNotFound | StorageError | WrongState> =>
  Effect.gen(function*() {
    const { sql } = storage
    const { key, lanes } = yield* boundary(storage, Effect.gen(function*() {
      const { key } = yield* findIn(storage, id, imported, "have records armed before its import has finished")
      return { key, lanes: yield* lanesWith(storage, key, state.skipped) }
    }))
    let armed = 0
    for (const lane of lanes) {
      armed += yield* transaction(storage, Effect.gen(function*() {
        const found = yield* sql<SeqRow>`UPDATE ${openRecords(storage)} SET state = ${state.pending}, reason = NULL, tag = NULL, message = NULL,
          ended_at = NULL WHERE run = ${key} AND ${sql.literal(open)} AND state = ${state.skipped} AND seq >= ${first(lane)}
          AND seq < ${first(lane + 1)} AND reason = ${reason[why]} RETURNING seq`
        if (found.length === 0) return 0
        yield* count(storage, key, { skipped: -found.length, pending: found.length })
        yield* countRefusals(storage, key, [
          { state: state.skipped, code: why, message: "", records: -found.length }
        ])
        return found.length
      }))
    }
    return armed
  })

