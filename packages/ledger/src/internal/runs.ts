/** The statements about runs as a whole: beginning, starting, ending, counting. */
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { mostLanes } from "../Entry.js"
import { InputChanged, RunNotFound, type StorageError, WrongState } from "../LedgerError.js"
import type { Destination, Operation, Parent, Refusal, Run, State, Stop } from "../Run.js"
import { type Change, counterColumns, readCode, type RunRow, runOf, wordOf } from "./codec.js"
import { boundary, perRun, type Storage, transaction, writeInBulk } from "./storage.js"

/** A run with the small number that its records carry. */
export interface Known {
  readonly key: number
  readonly run: Run
  /** The epoch in which it was started last; those that joined have later ones. */
  readonly firstEpoch: number
}

/** What a run is made of. */
export interface NewRun {
  readonly id: string
  readonly operation: Operation
  readonly input: { readonly name: string; readonly format: string; readonly header: Uint8Array; readonly size: number | null }
  /** Anything that JSON can carry. */
  readonly options: unknown
  /** From 1 to `Entry.mostLanes`; it stays as it is for the life of the run. */
  readonly lanes: number
  readonly parent: Parent | null
}

const knownOf = (row: RunRow): Known => ({
  key: Number(row["run"]),
  run: runOf(row),
  firstEpoch: Number(row["first_epoch"])
})

/** The run of this id, inside a transaction or not; `lock` is what the dialect says behind a row that is to be changed. */
export const find = ({ sql }: Storage, id: string, lock = ""): Effect.Effect<Known, RunNotFound | SqlError> =>
  Effect.flatMap(sql<RunRow>`SELECT * FROM runs WHERE id = ${id} ${sql.literal(lock)}`, ([row]) =>
    row === undefined ? Effect.fail(new RunNotFound({ run: id })) : Effect.succeed(knownOf(row)))

/** The run of this id, if it is in one of these states. */
export const findIn = (
  storage: Storage,
  id: string,
  states: ReadonlyArray<State>,
  wanted: string,
  lock = ""
): Effect.Effect<Known, RunNotFound | SqlError | WrongState> =>
  Effect.flatMap(find(storage, id, lock), (known) =>
    states.includes(known.run.state)
      ? Effect.succeed(known)
      : Effect.fail(new WrongState({ run: id, state: known.run.state, wanted })))

/** The states of a run whose input is in the ledger. */
export const imported: ReadonlyArray<State> = ["ready", "running", "finished", "stopped", "interrupted"]

/** Begins a run, or goes on with one whose import was cut off. */
export const begin = (storage: Storage, { input, ...run }: NewRun): Effect.Effect<Run, InputChanged | StorageError | WrongState> => {
  const { sql } = storage
  if (!Number.isSafeInteger(run.lanes) || run.lanes < 1 || run.lanes > mostLanes) {
    return Effect.dieMessage(`a run has 1 to ${mostLanes} lanes, not ${run.lanes}`)
  }
  return transaction(storage, Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    yield* sql`INSERT INTO runs (id, operation, state, input_name, input_format, input_header, input_size, options, parent,
      kind, lanes, epoch, created_at, imported_row, imported_line, imported_bytes)
      VALUES (${run.id}, ${run.operation}, ${"importing"}, ${input.name}, ${input.format}, ${input.header}, ${input.size},
      ${JSON.stringify(run.options ?? null)}, ${run.parent?.run ?? null}, ${run.parent?.kind ?? null}, ${run.lanes}, ${0},
      ${now}, ${0}, ${0}, ${0}) ON CONFLICT (id) DO NOTHING`
    const known = yield* findIn(storage, run.id, ["importing"], "be imported again", storage.dialect.forUpdate)
    const size = known.run.input.size
    if (size !== null && input.size !== null && size !== input.size) {
      return yield* new InputChanged({ run: run.id, input: input.name, difference: "size" })
    }
    return known.run
  })).pipe(
    // It was inserted a moment ago, in the same transaction.
    Effect.catchTag("RunNotFound", (impossible) => Effect.die(impossible))
  )
}

/** The import is complete. */
export const finishImport = (
  storage: Storage,
  id: string,
  { sha256, size }: { readonly size: number; readonly sha256: string }
): Effect.Effect<Run, RunNotFound | StorageError | WrongState> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key, run } = yield* findIn(storage, id, ["importing", "ready"], "end its import", storage.dialect.forUpdate)
    if (run.state === "importing") {
      yield* sql`UPDATE runs SET state = ${"ready"}, input_size = ${size}, input_sha256 = ${sha256} WHERE run = ${key}`
    }
    return (yield* find(storage, id)).run
  })).pipe(
    // A run is imported without it as well, and only read more slowly.
    Effect.tap(() => Effect.forEach(storage.dialect.afterImport, (statement) => Effect.ignore(sql.unsafe(statement))))
  )
}

/** Compares an input with the one that the run was made from. */
export const verifyInput = (
  storage: Storage,
  id: string,
  input: { readonly size: number; readonly sha256: string }
): Effect.Effect<void, InputChanged | RunNotFound | StorageError> =>
  Effect.flatMap(boundary(storage, find(storage, id)), ({ run }) => {
    const { name, sha256, size } = run.input
    if (size !== null && size !== input.size) return Effect.fail(new InputChanged({ run: id, input: name, difference: "size" }))
    return sha256 !== null && sha256 !== input.sha256
      ? Effect.fail(new InputChanged({ run: id, input: name, difference: "sha256" }))
      : Effect.void
  })

/** The run runs, in a new epoch. */
export const start = (storage: Storage, id: string): Effect.Effect<Run, RunNotFound | StorageError | WrongState> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key } = yield* findIn(storage, id, imported, "be started before its import has finished", storage.dialect.forUpdate)
    const now = yield* Clock.currentTimeMillis
    yield* sql`UPDATE runs SET state = ${"running"}, epoch = epoch + 1, first_epoch = epoch + 1, started_at = ${now}, ended_at = NULL,
      stop_reason = NULL, stop_message = NULL WHERE run = ${key}`
    return (yield* find(storage, id)).run
  }))
}

/** A further process works on a run that runs, in an epoch of its own. */
export const join = (
  storage: Storage,
  id: string
): Effect.Effect<{ readonly run: Run; readonly epoch: number }, RunNotFound | StorageError | WrongState> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key } = yield* findIn(storage, id, ["running"], "be joined", storage.dialect.forUpdate)
    yield* sql`UPDATE runs SET epoch = epoch + 1 WHERE run = ${key}`
    const { run } = yield* find(storage, id)
    return { run, epoch: run.epoch }
  }))
}

/** The run has ended, for now or for good. */
export const end = (
  storage: Storage,
  id: string,
  state: "finished" | "stopped" | "interrupted",
  stop: Stop | null
): Effect.Effect<Run, RunNotFound | StorageError | WrongState> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key } = yield* findIn(storage, id, imported, "end before its import has finished", storage.dialect.forUpdate)
    const now = yield* Clock.currentTimeMillis
    yield* sql`UPDATE runs SET state = ${state}, ended_at = ${now}, stop_reason = ${stop?.reason ?? null},
      stop_message = ${stop === null ? null : storage.dialect.text(stop.message)} WHERE run = ${key}`
    return (yield* find(storage, id)).run
  }))
}

/** Ends a run that runs and has nothing left to do; whoever sees it first. */
export const finishIfDone = (storage: Storage, id: string): Effect.Effect<Run, RunNotFound | StorageError> => {
  const { sql } = storage
  return transaction(storage, Effect.gen(function*() {
    const { key, run } = yield* find(storage, id, storage.dialect.forUpdate)
    if (run.state !== "running" || run.counts.pending > 0 || run.counts.claimed > 0) return run
    const now = yield* Clock.currentTimeMillis
    yield* sql`UPDATE runs SET state = ${"finished"}, ended_at = ${now}, stop_reason = NULL, stop_message = NULL WHERE run = ${key}`
    return (yield* find(storage, id)).run
  }))
}

/** All runs, the latest first. */
export const list = (storage: Storage): Effect.Effect<ReadonlyArray<Run>, StorageError> =>
  Effect.map(
    boundary(storage, storage.sql<RunRow>`SELECT * FROM runs ORDER BY run DESC`),
    (rows) => rows.map(runOf)
  )

const counting = counterColumns.map((column) => `${column} = ${column} + `)

/**
 * Moves the counters of a run, inside the transaction that gives them reason to; tells whether there was a run to be moved.
 *
 * The last statement of a transaction, where several processes work on the run: its row is what they all wait for.
 */
export const count = (
  { dialect, sql }: Storage,
  key: number,
  change: Change,
  unless = "1 = 1"
): Effect.Effect<boolean, SqlError> => {
  // Named one by one and always all of them where statements stay prepared by their text; else only those that move.
  const moved = counterColumns.flatMap((column, index) => {
    const by = change[column] ?? 0
    return by === 0 && dialect.hasLanes ? [] : [{ assignment: counting[index] ?? "", by }]
  })
  if (moved.length === 0) return Effect.succeed(true)
  const assignments = moved.map(({ assignment }, index) => `${assignment}${dialect.placeholder(index + 1)}`).join(", ")
  return Effect.map(
    sql.unsafe(
      `UPDATE runs SET ${assignments} WHERE run = ${dialect.placeholder(moved.length + 1)} AND ${unless}`,
      [...moved.map(({ by }) => by), key]
    ).raw,
    (raw) => dialect.changes(raw) > 0
  )
}

/** One reason of {@link Refusal}, to be added to those known. */
export interface Refused {
  readonly state: number
  readonly code: string
  readonly message: string
  readonly records: number
}

const addToRefusals = perRun((key) => ({
  pattern: [{ is: String(key) }, "SMALLINT", "TEXT", "TEXT", "BIGINT"],
  statement: (rows) =>
    `INSERT INTO refusals (run, state, code, message, records) ${rows}
    ON CONFLICT (run, state, code) DO UPDATE SET records = refusals.records + excluded.records`
}))

/** Adds to how often refusals were met. */
export const countRefusals = (
  storage: Storage,
  key: number,
  refused: ReadonlyArray<Refused>
): Effect.Effect<void, SqlError> =>
  Effect.asVoid(writeInBulk(
    storage,
    addToRefusals(key),
    // In one order, so that two who add to the same ones never wait for each other.
    [...refused].sort((left, right) => left.state - right.state || (left.code < right.code ? -1 : 1))
      .map(({ code, message, records, state }) => [state, code, message, records])
  ))

/** How often each refusal was met, most first. */
export const refusals = (storage: Storage, id: string): Effect.Effect<ReadonlyArray<Refusal>, RunNotFound | StorageError> =>
  boundary(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const rows = yield* storage.sql<Refused>`SELECT state, code, message, records FROM refusals
      WHERE run = ${key} AND records > 0 ORDER BY records DESC, state, code`
    return rows.map(({ code, message, records, state }) => ({
      outcome: wordOf(Number(state)) as Refusal["outcome"],
      code: readCode(code),
      message,
      records: Number(records)
    }))
  }))

interface DestinationRow {
  readonly target_group_id: number
  readonly target_id: number
  readonly period_name: string
  readonly records: number
}

/** Where the records of a run go, most first. */
export const destinations = (
  storage: Storage,
  id: string
): Effect.Effect<ReadonlyArray<Destination>, RunNotFound | StorageError> =>
  boundary(storage, Effect.gen(function*() {
    const { key } = yield* find(storage, id)
    const rows = yield* storage.sql<DestinationRow>`SELECT target_group_id, target_id, period_name, records
      FROM destinations WHERE run = ${key} AND records > 0 ORDER BY records DESC, destination`
    return rows.map((row) => ({
      targetGroupId: Number(row.target_group_id),
      targetId: Number(row.target_id),
      periodName: row.period_name === "" ? null : row.period_name,
      records: Number(row.records)
    }))
  }))
