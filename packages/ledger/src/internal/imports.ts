/**
 * The statements that bring rows into a ledger, a batch a transaction, with the checkpoint in the same one.
 *
 * A record that repeats another one is found by the unique key of the table: what an INSERT does not return was there.
 */
import * as Enrollment from "@milepost/core/Enrollment"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { type Appended, type Call, callsPerRow, type ImportRow, type Request, type Seq, seqOf } from "../Entry.js"
import * as Lane from "../Lane.js"
import type { RunNotFound, StorageError, WrongState } from "../LedgerError.js"
import type { Checkpoint } from "../Run.js"
import { balanceColumns, reason, state } from "./codec.js"
import { count, countRefusals, findIn } from "./runs.js"
import type { Cell } from "./dialect.js"
import { addToLanes } from "./lanes.js"
import { type Bulk, perRun, readInBulk, type Storage, transaction, writeInBulk } from "./storage.js"

/** Where a record goes, as `destinations` names it. */
interface Place {
  readonly name: string
  readonly targetGroupId: number
  readonly targetId: number
  readonly periodName: string
}

interface Planned {
  readonly seq: Seq
  readonly call: Call
  readonly place: Place
}

const placeOf = (request: Request): Place => {
  const { targetGroupId, targetId } = request
  const periodName = request._tag === "Unenrollment" ? "" : Enrollment.periodOf(request) ?? ""
  return { name: `${targetGroupId}/${targetId}/${periodName}`, targetGroupId, targetId, periodName }
}

const planned = (rows: ReadonlyArray<ImportRow>, lanes: number): ReadonlyArray<Planned> =>
  rows.flatMap(({ calls, row }) =>
    calls.map((call, index) => ({
      seq: seqOf(Lane.of(call.request.customerId, lanes), row, index),
      call,
      place: placeOf(call.request)
    }))
  )

/** By lanes, so that a lane's records lie beside each other; which of two is the first one is decided by the input. */
const byLane = (records: ReadonlyArray<Planned>): ReadonlyArray<Planned> => [...records].sort((left, right) => left.seq - right.seq)

/** What cannot be numbered cannot be sent either. */
const checked = (row: ImportRow): ImportRow =>
  row.problem === null && row.calls.length > callsPerRow
    ? { ...row, problem: `line ${row.line}: asks for more than ${callsPerRow} calls`, calls: [] }
    : row.problem !== null && row.calls.length > 0
    ? { ...row, calls: [] }
    : row

interface DestinationRow {
  readonly destination: number
  readonly target_group_id: number
  readonly target_id: number
  readonly period_name: string
}

const nameOf = (row: DestinationRow): string =>
  `${Number(row.target_group_id)}/${Number(row.target_id)}/${row.period_name}`

const valuesOf = (places: ReadonlyArray<Place>): ReadonlyArray<ReadonlyArray<unknown>> =>
  places.map(({ periodName, targetGroupId, targetId }) => [targetGroupId, targetId, periodName])

const knownDestinations: Bulk = {
  pattern: ["BIGINT", "BIGINT", "TEXT"],
  statement: (rows, then) =>
    `WITH v (target_group_id, target_id, period_name) AS (${rows})
    SELECT d.destination, d.target_group_id, d.target_id, d.period_name FROM v JOIN destinations d ON d.run = ${then(1)}
    AND d.target_group_id = CAST(v.target_group_id AS BIGINT) AND d.target_id = CAST(v.target_id AS BIGINT)
    AND d.period_name = v.period_name`
}

const insertDestinations = perRun((key) => ({
  pattern: [{ is: String(key) }, "INTEGER", "BIGINT", "BIGINT", "TEXT", { is: "0" }],
  statement: (rows) =>
    `INSERT INTO destinations (run, destination, target_group_id, target_id, period_name, records) ${rows}`
}))

/** The numbers of places, those of new ones included. */
const destinationsOf = (
  storage: Storage,
  key: number,
  places: ReadonlyArray<Place>
): Effect.Effect<ReadonlyMap<string, number>, SqlError> =>
  Effect.gen(function*() {
    const { sql } = storage
    const known = yield* readInBulk<DestinationRow>(storage, knownDestinations, valuesOf(places), [key])
    const numbers = new Map(known.map((row) => [nameOf(row), Number(row.destination)]))
    const added = places.filter(({ name }) => !numbers.has(name))
    if (added.length === 0) return numbers
    const [last] = yield* sql<{ readonly last: number | null }>`SELECT MAX(destination) AS last FROM destinations
      WHERE run = ${key}`
    const next = Number(last?.last ?? 0) + 1
    for (const [index, { name }] of added.entries()) numbers.set(name, next + index)
    yield* writeInBulk(storage, insertDestinations(key), valuesOf(added).map((values, index) => [next + index, ...values]))
    return numbers
  })

interface First {
  readonly customer_id: number
  readonly destination: number
  readonly line: number
}

const columns = "run, seq, state, attempts, destination, customer_id, balance_kind, initial_balance, reset, lost_attempts"

const recordCells = (key: number, written: number): ReadonlyArray<Cell> =>
  [{ is: String(key) }, "BIGINT", { is: String(written) }, { is: "0" }, "INTEGER", "BIGINT", "SMALLINT", "BIGINT", "SMALLINT", "SMALLINT"]

const insertRecords = perRun((key) => ({
  pattern: recordCells(key, state.pending),
  statement: (rows) =>
    `INSERT INTO records (${columns}) ${rows}
    ON CONFLICT (run, customer_id, destination) WHERE duplicate_of IS NULL DO NOTHING`
}))

const inserted: Bulk = {
  pattern: ["BIGINT"],
  statement: (rows, then, { runBeside }) =>
    `WITH v (seq) AS (${rows}) SELECT r.seq AS seq FROM v JOIN records r ON r.run = ${runBeside(then(1), "v.seq")} AND r.seq = CAST(v.seq AS BIGINT)`
}

const firstOnes: Bulk = {
  pattern: ["BIGINT", "INTEGER"],
  statement: (rows, then, { runBeside }) =>
    `WITH v (customer_id, destination) AS (${rows})
    SELECT r.customer_id, r.destination, COALESCE(i.line, i.row_number + 1) AS line FROM v
    JOIN records r ON r.run = ${runBeside(then(1), "v.customer_id")} AND r.customer_id = CAST(v.customer_id AS BIGINT)
    AND r.destination = CAST(v.destination AS BIGINT) AND r.duplicate_of IS NULL
    JOIN input_rows i ON i.run = r.run AND i.row_number = (r.seq % ${seqOf(1, 0, 0)}) / ${callsPerRow}`
}

const insertRepeated = perRun((key) => ({
  pattern: [...recordCells(key, state.skipped), { is: String(reason.duplicate) }, "INTEGER"],
  statement: (rows) => `INSERT INTO records (${columns}, reason, duplicate_of) ${rows}`
}))

/** Writes records and returns those that repeat an earlier one. */
const insert = (
  storage: Storage,
  key: number,
  records: ReadonlyArray<Planned>,
  numbers: ReadonlyMap<string, number>
): Effect.Effect<ReadonlyArray<Planned>, SqlError> =>
  Effect.gen(function*() {
    const valuesOf = ({ call, place, seq }: Planned): ReadonlyArray<unknown> => [
      seq,
      numbers.get(place.name),
      call.request.customerId,
      ...balanceColumns(call.request),
      call.lostAttempts ?? 0
    ]
    if ((yield* writeInBulk(storage, insertRecords(key), records.map(valuesOf))) === records.length) return []
    const found = yield* readInBulk<{ readonly seq: number }>(storage, inserted, records.map(({ seq }) => [seq]), [key])
    const seqs = new Set(found.map(({ seq }) => Number(seq)))
    const repeated = records.filter(({ seq }) => !seqs.has(seq))
    const same = repeated.map(({ call, place }) => [call.request.customerId, numbers.get(place.name)])
    const firsts = yield* readInBulk<First>(storage, firstOnes, same, [key])
    const lines = new Map(firsts.map((row) => [`${Number(row.customer_id)}/${Number(row.destination)}`, Number(row.line)]))
    yield* writeInBulk(
      storage,
      insertRepeated(key),
      repeated.map((record, index) => [...valuesOf(record), lines.get((same[index] ?? []).join("/")) ?? 0])
    )
    return repeated
  })

const addToDestinations: Bulk = {
  pattern: ["INTEGER", "BIGINT"],
  statement: (rows, then) =>
    `WITH v (destination, records) AS (${rows})
    UPDATE destinations SET records = destinations.records + CAST(v.records AS BIGINT) FROM v
    WHERE destinations.run = ${then(1)} AND destinations.destination = CAST(v.destination AS BIGINT)`
}

/** Adds to how many records go where. */
const countDestinations = (
  storage: Storage,
  key: number,
  records: ReadonlyArray<Planned>,
  repeated: ReadonlyArray<Planned>,
  numbers: ReadonlyMap<string, number>
): Effect.Effect<void, SqlError> => {
  const added = new Map<number | undefined, number>()
  const add = (change: number) => ({ place }: Planned): void => {
    const number = numbers.get(place.name)
    added.set(number, (added.get(number) ?? 0) + change)
  }
  records.forEach(add(1))
  repeated.forEach(add(-1))
  return Effect.asVoid(writeInBulk(storage, addToDestinations, [...added], [key]))
}

const insertRows = perRun((key) => ({
  pattern: [{ is: String(key) }, "INTEGER", "INTEGER", "BYTEA", "TEXT"],
  statement: (rows) => `INSERT INTO input_rows (run, row_number, line, bytes, problem) ${rows}`
}))

/** Adds a batch of rows; those up to the checkpoint are in already and are left out. */
export const append = (
  storage: Storage,
  id: string,
  batch: ReadonlyArray<ImportRow>,
  reached: Omit<Checkpoint, "row">
): Effect.Effect<Appended, RunNotFound | StorageError | WrongState> =>
  transaction(storage, Effect.gen(function*() {
    const { key, run } = yield* findIn(storage, id, ["importing"], "take in more rows", storage.dialect.forUpdate)
    const rows = batch.filter(({ row }) => row > run.checkpoint.row).map(checked)
    const last = rows.at(-1)
    if (last === undefined) return { rows: 0, records: 0, duplicates: 0, badRows: 0 }
    yield* writeInBulk(storage, insertRows(key), rows.map(({ bytes, line, problem, row }) => [row, storage.dialect.line(line, row), bytes, problem]))
    const records = storage.dialect.hasLanes ? byLane(planned(rows, run.lanes)) : planned(rows, run.lanes)
    const places = new Map(records.map(({ place }) => [place.name, place]))
    const numbers = yield* destinationsOf(storage, key, [...places.values()])
    const repeated = yield* insert(storage, key, records, numbers)
    yield* countDestinations(storage, key, records, repeated, numbers)
    if (storage.dialect.hasLanes) yield* addToLanes(storage, key, records, repeated)

    const bad = rows.filter(({ problem }) => problem !== null)
    const duplicates = repeated.length
    yield* count(storage, key, {
      row_count: rows.length,
      bad_rows: bad.length,
      rejected: bad.length,
      duplicates,
      skipped: duplicates,
      pending: records.length - duplicates
    })
    yield* countRefusals(storage, key, [
      { state: state.rejected, code: "input", message: bad[0]?.problem ?? "", records: bad.length },
      { state: state.skipped, code: "duplicate", message: "repeats an earlier row", records: duplicates }
    ].filter((refused) => refused.records > 0))
    yield* storage.sql`UPDATE runs SET imported_row = ${last.row}, imported_line = ${reached.line},
      imported_bytes = ${reached.bytes}, imported_sha256 = ${reached.sha256} WHERE run = ${key}`
    return { rows: rows.length, records: records.length, duplicates, badRows: bad.length }
  }))
