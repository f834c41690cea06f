/** The statements that read rows and records back, a window of rows at a time, in the order of the input. */
import type { SqlError } from "@effect/sql/SqlError"
import type * as Outcome from "@milepost/core/Outcome"
import * as Effect from "effect/Effect"
import * as Chunk from "effect/Chunk"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Call, type Entry, type ImportRow, type OriginalRow, type ResultRow, rowOf, seqOf } from "../Entry.js"
import { type RunNotFound, type StorageError, WrongState } from "../LedgerError.js"
import type { Kind } from "../Run.js"
import { bytesOf, entryOf, type RecordRow, state } from "./codec.js"
import { find, type Known } from "./runs.js"
import { boundary, type Storage } from "./storage.js"

/** Rows looked at by one statement. Few enough that nobody else waits for long. */
const window = 1000

interface InputRow {
  readonly row_number: number
  readonly line: number
  readonly bytes: unknown
  readonly problem: string | null
}

const originalOf = (row: InputRow): OriginalRow => ({
  row: Number(row.row_number),
  line: Number(row.line),
  bytes: bytesOf(row.bytes)
})

const rejectedOf = (problem: string): Outcome.Rejected => ({
  outcome: "rejected",
  code: "input",
  tag: "InvalidRecord",
  message: problem,
  blastRadius: "record",
  afterAmbiguousAttempt: false,
  attempts: 0,
  requestId: null
})

const recordColumns = `r.seq, r.state, r.customer_id, r.balance_kind, r.initial_balance, r.reset, r.attempts,
  r.lost_attempts, r.claimed_at, r.ended_at, r.after_ambiguous, r.code, r.tag, r.blast_radius, r.message, r.warnings,
  r.reason, r.duplicate_of, d.target_group_id, d.target_id, d.period_name`

/** The rows and records behind a row, those of one window; `states` narrows the records. */
const page = (
  { dialect, sql }: Storage,
  { key, run }: Known,
  after: number,
  states: ReadonlyArray<number> | null
): Effect.Effect<ReadonlyArray<ResultRow>, SqlError> =>
  Effect.gen(function*() {
    const rows = yield* sql<InputRow>`SELECT row_number, COALESCE(line, row_number + 1) AS line, bytes, problem FROM input_rows
      WHERE run = ${key} AND row_number > ${after} ORDER BY row_number LIMIT ${window}`
    const last = rows.at(-1)
    if (last === undefined) return []
    const from = seqOf(0, after + 1, 0)
    const to = seqOf(0, Number(last.row_number) + 1, 0)
    const narrowed = states === null ? "1 = 1" : `r.state IN (${states.join(", ")})`
    const step = sql.literal(String(seqOf(1, 0, 0)))
    const columns = sql.literal(`${recordColumns}, ${dialect.requestId.read}`)
    const lanes = sql`WITH RECURSIVE l (base) AS (
        SELECT CAST(0 AS BIGINT) UNION ALL SELECT l.base + ${step} FROM l WHERE l.base < ${seqOf(run.lanes - 1, 0, 0)}
      ) SELECT ${columns} FROM l`
    // The records of these rows lie in as many places as there are lanes, and are looked for there in this order: SQLite
    // obeys CROSS JOIN, PostgreSQL cannot look through OFFSET.
    const records = yield* dialect.hasLanes
      ? sql<RecordRow>`${lanes} CROSS JOIN LATERAL (
          SELECT * FROM records WHERE run = ${key} AND seq >= l.base + ${from} AND seq < l.base + ${to} OFFSET 0
        ) r JOIN destinations d ON d.run = ${key} AND d.destination = r.destination
        WHERE ${sql.literal(narrowed)} ORDER BY r.seq % ${step}`
      : sql<RecordRow>`${lanes} CROSS JOIN records r CROSS JOIN destinations d
        WHERE r.run = ${key} AND r.seq >= l.base + ${from} AND r.seq < l.base + ${to}
        AND d.run = r.run AND d.destination = r.destination AND ${sql.literal(narrowed)} ORDER BY r.seq % ${step}`
    const entries = new Map<number, Array<Entry>>()
    for (const record of records) {
      const row = rowOf(Number(record.seq))
      const found = entries.get(row)
      if (found === undefined) entries.set(row, [entryOf(run.operation, record)])
      else found.push(entryOf(run.operation, record))
    }
    return rows.map((row) => ({
      ...originalOf(row),
      rejected: row.problem === null ? null : rejectedOf(row.problem),
      entries: entries.get(Number(row.row_number)) ?? []
    }))
  })

const paged = <A>(
  after: number,
  pageAfter: (row: number) => Effect.Effect<ReadonlyArray<ResultRow>, RunNotFound | StorageError>,
  wanted: (row: ResultRow) => A | null
): Stream.Stream<A, RunNotFound | StorageError> =>
  Stream.paginateChunkEffect(after, (row) =>
    Effect.map(pageAfter(row), (rows) => [
      Chunk.filterMap(Chunk.unsafeFromArray(rows), (found) => Option.fromNullable(wanted(found))),
      Option.map(Option.fromNullable(rows.at(-1)), (last) => last.row)
    ]))

const pagesOf = (storage: Storage, id: string, states: ReadonlyArray<number> | null) => (after: number) =>
  boundary(storage, Effect.flatMap(find(storage, id), (known) => page(storage, known, after, states)))

/** The rows with their records as they stand; with an outcome, only what ended so. */
export const results = (
  storage: Storage,
  id: string,
  { after = 0, outcome }: { readonly after?: number; readonly outcome?: Outcome.Word }
): Stream.Stream<ResultRow, RunNotFound | StorageError> =>
  outcome === undefined
    ? paged(after, pagesOf(storage, id, null), (row) => row)
    : paged(after, pagesOf(storage, id, [state[outcome]]), (row) => {
      const rejected = outcome === "rejected" ? row.rejected : null
      return rejected === null && row.entries.length === 0 ? null : { ...row, rejected }
    })

/** Rows of which something ended without being done, byte for byte. */
export const failedRows = (
  storage: Storage,
  id: string
): Stream.Stream<OriginalRow, RunNotFound | StorageError> =>
  paged(0, pagesOf(storage, id, [state.rejected, state.unknown, state.skipped]), ({ bytes, entries, line, rejected, row }) =>
    rejected !== null || entries.some(({ outcome }) => !(outcome?.outcome === "skipped" && outcome.reason === "duplicate"))
      ? { row, line, bytes }
      : null)

/** A page of the rows that a new run can be made of. */
export interface Derivable {
  readonly rows: ReadonlyArray<ImportRow>
  /** The row to go on behind; `null` at the end. */
  readonly next: number | null
}

const undone = ({ request }: Entry): Call => {
  const { customerId, targetGroupId, targetId } = request
  return { request: { _tag: "Unenrollment", customerId, targetGroupId, targetId } }
}

const repeated = ({ lostAttempts, outcome, request }: Entry): Call => {
  const isAmbiguous = outcome?.outcome === "unknown" ||
    (outcome?.outcome === "rejected" && outcome.afterAmbiguousAttempt)
  return { request, lostAttempts: isAmbiguous ? Math.max(1, lostAttempts) : lostAttempts }
}

/** The rows that a new run of this kind is made of, page by page. */
export const derivable = (
  storage: Storage,
  id: string,
  kind: Kind,
  after: number
): Effect.Effect<Derivable, RunNotFound | StorageError | WrongState> =>
  boundary(storage, Effect.gen(function*() {
    const known = yield* find(storage, id)
    const { operation, state: stands } = known.run
    if (stands === "importing" || stands === "running") {
      return yield* new WrongState({ run: id, state: stands, wanted: `be the source of ${kind === "undo" ? "an undo" : "a retry"}` })
    }
    if (kind === "undo" && operation === "unenroll") {
      return yield* new WrongState({ run: id, state: "an un-enrolment", wanted: "be undone" })
    }
    const rows = yield* page(storage, known, after, kind === "undo" ? [state.enrolled] : [state.rejected, state.unknown])
    const call = kind === "undo" ? undone : repeated
    return {
      rows: rows.filter(({ entries }) => entries.length > 0).map(({ bytes, entries, line, row }) => ({
        row,
        line,
        bytes,
        problem: null,
        calls: entries.map(call)
      })),
      next: rows.at(-1)?.row ?? null
    }
  }))

