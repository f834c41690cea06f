/** The statements of a record's life: claimed, settled, given back, skipped, armed again. */
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import type * as Outcome from "@milepost/core/Outcome"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { type Claimed, type Condemned, laneOf, type Seq, seqOf, type Settled, type Settlement } from "../Entry.js"
import { type RunNotFound, type StorageError, WrongState } from "../LedgerError.js"
import {
  type Change,
  claimedOf,
  type ClaimRow,
  outcomeCells,
  outcomeColumns,
  outcomeValues,
  reason,
  refusalCode,
  state
} from "./codec.js"
import type { Run } from "../Run.js"
import type { Dialect } from "./dialect.js"
import { count, countRefusals, find, findIn, finishIfDone, imported, type Refused } from "./runs.js"
import { boundary, type Bulk, changed, readInBulk, type Storage, transaction, writeInBulk } from "./storage.js"

/** Among the records of a settlement was one that is not claimed. */
class NotAllClaimed extends Data.TaggedError("NotAllClaimed") {}

/** Why a record is not sent, where it may be sent one day. */
export type SkipReason = Exclude<Outcome.Skipped["reason"], "duplicate">

interface SeqRow {
  readonly seq: number
}

/** What the index of open records asks to be said, word for word, to be used. */
const open = `state <= ${state.skipped} AND duplicate_of IS NULL`

/** The records, by the index of the open ones: SQLite takes a range of the primary key for better than the few within it. */
const openRecords = "records INDEXED BY records_open"

/** The first number of a lane, which is the end of the one before. */
export const first = (lane: number): number => seqOf(lane, 0, 0)

/** The lanes with records in this state, ascending: one step of the index each. */
const lanesWith = (storage: Storage, key: number, wanted: number): Effect.Effect<ReadonlyArray<number>, SqlError> => {
  const from = `${openRecords} WHERE run = ${key} AND ${open} AND state = ${wanted}`
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
const pendingLanes = (
  storage: Storage,
  id: string
): Effect.Effect<ReadonlyArray<number>, RunNotFound | StorageError> =>
  boundary(storage, Effect.flatMap(find(storage, id), ({ key }) => lanesWith(storage, key, state.pending)))

/** Whoever claims is left over from a sitting that is past. */
export const notOfThisSitting = ({ epoch, id }: Run, wanted: number): WrongState =>
  new WrongState({ run: id, state: `running in epoch ${epoch}`, wanted: `have records claimed for epoch ${wanted}` })

/** Which records of a lane are to be claimed, by whom. */
export interface ClaimOptions {
  readonly epoch: number
  readonly lane: number
  readonly limit: number
}

/** Claims the next records of a lane. */
const claim = (
  storage: Storage,
  id: string,
  { epoch, lane, limit }: ClaimOptions
): Effect.Effect<ReadonlyArray<Claimed>, RunNotFound | StorageError | WrongState> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { firstEpoch, key, run } = yield* findIn(storage, id, ["running"], "have records claimed")
    if (epoch < firstEpoch || epoch > run.epoch) return yield* notOfThisSitting(run, epoch)
    const next = yield* sql<ClaimRow>`SELECT r.seq, r.customer_id, r.balance_kind, r.initial_balance, r.reset,
      r.attempts, r.lost_attempts, d.target_group_id, d.target_id, d.period_name
      FROM records r INDEXED BY records_open JOIN destinations d ON d.run = r.run AND d.destination = r.destination
      WHERE r.run = ${key} AND r.state <= ${sql.literal(String(state.skipped))} AND r.duplicate_of IS NULL
      AND r.state = ${state.pending} AND r.seq >= ${first(lane)} AND r.seq < ${first(lane + 1)} ORDER BY r.seq LIMIT ${limit}`
    const last = next.at(-1)
    if (last === undefined) return []
    const now = yield* Clock.currentTimeMillis
    const claimed = yield* changed(storage, sql`UPDATE ${sql.literal(openRecords)} SET state = ${state.claimed}, epoch = ${epoch}, claimed_at = ${now}
      WHERE run = ${key} AND ${sql.literal(open)} AND state = ${state.pending}
      AND seq >= ${first(lane)} AND seq <= ${last.seq}`)
    // A transaction has the ledger to itself.
    if (claimed !== next.length) return yield* Effect.dieMessage(`lane ${lane} of run ${id} was claimed by two at once`)
    yield* count(storage, key, { pending: -claimed, claimed })
    return next.map((row) => claimedOf(run.operation, row))
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

const columns = outcomeColumns.join(", ")

/** What a settlement writes; `value` names an outcome's column. */
const written = ({ attempts, requestId }: Dialect, value: (column: (typeof outcomeColumns)[number]) => string, moment: string): string => {
  const next = `CAST(${value("state")} AS SMALLINT)`
  return `UPDATE records SET state = ${next}, attempts = ${attempts(`records.attempts + CAST(${value("attempts")} AS INTEGER)`)},
    after_ambiguous = CASE WHEN records.lost_attempts > 0 AND ${next} IN (${state.already_enrolled}, ${state.rejected})
    THEN 1 ELSE CAST(${value("after_ambiguous")} AS SMALLINT) END,
    code = ${value("code")}, tag = ${value("tag")}, blast_radius = CAST(${value("blast_radius")} AS SMALLINT),
    message = ${value("message")}, warnings = ${value("warnings")}, ${requestId.assign(value("request_id"))},
    reason = CAST(${value("reason")} AS SMALLINT), epoch = NULL, ended_at = ${moment}`
}

/** Whether a record is claimed, and where an epoch is given, by that one. */
const stillClaimed = ({ runBeside }: Dialect, run: string, epoch: string): string =>
  `records.run = ${runBeside(run, "v.seq")} AND records.seq = CAST(v.seq AS BIGINT) AND records.state = ${runBeside(String(state.claimed), "v.seq")}
  AND records.epoch = COALESCE(${runBeside(`CAST(${epoch} AS INTEGER)`, "v.seq")}, records.epoch)`

/** Outcomes that differ in everything. */
const settleEach: Bulk = {
  pattern: ["BIGINT", ...outcomeCells],
  statement: (rows, then, dialect) =>
    `WITH v (seq, ${columns}) AS (${rows})
    ${written(dialect, (column) => `v.${column}`, then(3))} FROM v WHERE ${stillClaimed(dialect, then(1), then(2))}`
}

/** Outcomes that differ in nothing but their request ids: nearly all of nearly every run. */
const settleAlike: Bulk = {
  pattern: ["BIGINT", "TEXT"],
  statement: (rows, then, dialect) =>
    `WITH v (seq, request_id) AS (${rows}), same (${columns}) AS (SELECT ${outcomeColumns.map((_, index) => `CAST(${then(4 + index)} AS ${outcomeCells[index] as string})`).join(", ")})
    ${written(dialect, (column) => column === "request_id" ? "v.request_id" : `same.${column}`, then(3))} FROM v, same WHERE ${stillClaimed(dialect, then(1), then(2))}`
}

const claimedAmong: Bulk = {
  pattern: ["BIGINT"],
  statement: (rows, then, dialect) =>
    `WITH v (seq) AS (${rows}) SELECT records.seq AS seq FROM v JOIN records ON ${stillClaimed(dialect, then(1), then(2))}`
}

const releaseEach: Bulk = {
  pattern: ["BIGINT"],
  statement: (rows, then, dialect) =>
    `WITH v (seq) AS (${rows}) UPDATE records SET state = ${state.pending} FROM v WHERE ${stillClaimed(dialect, then(1), then(2))}`
}

/** Below so many, outcomes that are alike are not worth a statement of their own. */
const fewest = 8

const plain: ReadonlyArray<Outcome.Word> = ["enrolled", "unenrolled"]

const isPlain = ({ outcome }: Settlement): boolean =>
  "warnings" in outcome && outcome.warnings.length === 0 && outcome.attempts === 1 && plain.includes(outcome.outcome)

/** Settlements that one statement can write, or each its own. */
const alike = (settlements: ReadonlyArray<Settlement>) => {
  const groups = plain.map((word) => settlements.filter((one) => one.outcome.outcome === word && isPlain(one)))
    .filter((group) => group.length >= fewest)
  const grouped = new Set(groups.flat())
  return { groups, others: groups.length === 0 ? settlements : settlements.filter((one) => !grouped.has(one)) }
}

/** Writes outcomes of records that are claimed; tells how many were. */
const write = (
  storage: Storage,
  key: number,
  settlements: ReadonlyArray<Settlement>,
  epoch: number | null
): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const { groups, others } = alike(settlements)
    let settled = yield* writeInBulk(storage, settleEach, others.map(({ outcome, seq }) => [seq, ...outcomeValues(outcome)]), [key, epoch, now])
    for (const group of groups) {
      const common = group[0] === undefined ? [] : outcomeValues(group[0].outcome)
      const rows = group.map(({ outcome, seq }) => [seq, "requestId" in outcome ? outcome.requestId : null])
      settled += yield* writeInBulk(storage, settleAlike, rows, [key, epoch, now, ...common])
    }
    const { change, refused } = tallied(settlements)
    yield* countRefusals(storage, key, refused)
    yield* count(storage, key, change)
    return settled
  })

/** Writes outcomes of claimed records; those of others are left alone. */
export const settle = (
  storage: Storage,
  id: string,
  settlements: ReadonlyArray<Settlement>,
  epoch: number | null
): Effect.Effect<Settled, RunNotFound | StorageError> => {
  // First one wins, also within one batch.
  const bySeq = new Map<Seq, Settlement>()
  for (const settlement of settlements) if (!bySeq.has(settlement.seq)) bySeq.set(settlement.seq, settlement)
  // In their order, so that two who settle the same records never wait for each other.
  const all = [...bySeq.values()].sort((left, right) => left.seq - right.seq)
  const some = transaction(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const claimed = new Set(
      (yield* readInBulk<SeqRow>(storage, claimedAmong, all.map(({ seq }) => [seq]), [key, epoch])).map(({ seq }) => Number(seq))
    )
    yield* write(storage, key, all.filter(({ seq }) => claimed.has(seq)), epoch)
    return { settled: claimed.size, ignored: [...bySeq.keys()].filter((seq) => !claimed.has(seq)) }
  }))
  return transaction(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const settled = yield* write(storage, key, all, epoch)
    return settled === all.length ? { settled, ignored: [] } : yield* new NotAllClaimed()
  })).pipe(
    // Rolled back: it is only now that it matters which ones.
    Effect.catchTag("NotAllClaimed", () => some)
  )
}

/** Gives claimed records back that were certainly not sent. */
const release = (
  storage: Storage,
  id: string,
  seqs: ReadonlyArray<Seq>,
  epoch: number | null
): Effect.Effect<number, RunNotFound | StorageError> =>
  transaction(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const released = yield* writeInBulk(storage, releaseEach, seqs.map((seq) => [seq]), [key, epoch])
    yield* count(storage, key, { claimed: -released, pending: released })
    return released
  }))

/** What is taken back: without a lane what earlier epochs have claimed, of a lane what anybody else has. */
export const lost = (epoch: number, lane: number | null): string =>
  lane === null ? `epoch < ${epoch}` : `epoch <> ${epoch} AND seq >= ${first(lane)} AND seq < ${first(lane + 1)}`

/** Takes back what others had claimed and not settled. */
const reclaim = (
  storage: Storage,
  id: string,
  epoch: number,
  lane: number | null
): Effect.Effect<number, RunNotFound | StorageError> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const taken = yield* changed(storage, sql`UPDATE ${sql.literal(openRecords)} SET state = ${state.pending}, lost_attempts = lost_attempts + 1
      WHERE run = ${key} AND ${sql.literal(open)} AND state = ${state.claimed} AND ${sql.literal(lost(epoch, lane))}`)
    yield* count(storage, key, { claimed: -taken, pending: taken })
    return taken
  }))
}

/** The numbers of the destinations that are condemned. */
export const destinationsOf = (
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

/**
 * Skips pending records, a lane a transaction: no statement holds everybody up.
 *
 * A record that an earlier call may have executed stays: `skipped` says that it was never sent.
 */
const skipWhere = (
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
        const found = yield* changed(storage, sql`UPDATE ${sql.literal(openRecords)} SET state = ${state.skipped}, reason = ${reason[why.reason]},
          message = ${storage.dialect.text(why.message)}, ended_at = ${now} WHERE run = ${key} AND ${sql.literal(open)}
          AND state = ${state.pending} AND seq >= ${first(lane)} AND seq < ${first(lane + 1)} AND lost_attempts = 0
          AND ${sql.literal(where)}`)
        if (found === 0) return 0
        yield* count(storage, key, { pending: -found, skipped: found })
        yield* countRefusals(storage, key, [{ state: state.skipped, code: why.reason, message: why.message, records: found }])
        return found
      }))
    }
    return skipped
  })

/** Makes skipped records pending again. */
const rearm = (
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
        const found = yield* changed(storage, sql`UPDATE ${sql.literal(openRecords)} SET state = ${state.pending}, reason = NULL, tag = NULL, message = NULL,
          ended_at = NULL WHERE run = ${key} AND ${sql.literal(open)} AND state = ${state.skipped} AND seq >= ${first(lane)}
          AND seq < ${first(lane + 1)} AND reason = ${reason[why]}`)
        if (found === 0) return 0
        yield* count(storage, key, { skipped: -found, pending: found })
        yield* countRefusals(storage, key, [{ state: state.skipped, code: why, message: "", records: -found }])
        return found
      }))
    }
    return armed
  })


/** What a ledger does with records that may be sent one day. */
export interface Open {
  readonly pendingLanes: (id: string) => Effect.Effect<ReadonlyArray<number>, RunNotFound | StorageError>
  readonly claim: (id: string, options: ClaimOptions) => Effect.Effect<ReadonlyArray<Claimed>, RunNotFound | StorageError | WrongState>
  readonly release: (id: string, seqs: ReadonlyArray<Seq>, epoch: number | null) => Effect.Effect<number, RunNotFound | StorageError>
  readonly reclaim: (id: string, epoch: number, lane: number | null) => Effect.Effect<number, RunNotFound | StorageError>
  readonly skipWhere: (
    id: string,
    condemned: Condemned | "all",
    why: { readonly reason: SkipReason; readonly message: string }
  ) => Effect.Effect<number, RunNotFound | StorageError>
  readonly rearm: (id: string, why: SkipReason) => Effect.Effect<number, RunNotFound | StorageError | WrongState>
  readonly finishIfDone: (id: string) => Effect.Effect<Run, RunNotFound | StorageError>
}

/** The open records of a ledger that finds them by an index. */
export const make = (storage: Storage): Open => ({
  pendingLanes: (id) => pendingLanes(storage, id),
  claim: (id, options) => claim(storage, id, options),
  release: (id, seqs, epoch) => release(storage, id, seqs, epoch),
  reclaim: (id, epoch, lane) => reclaim(storage, id, epoch, lane),
  skipWhere: (id, condemned, why) => skipWhere(storage, id, condemned, why),
  rearm: (id, why) => rearm(storage, id, why),
  finishIfDone: (id) => finishIfDone(storage, id)
})
