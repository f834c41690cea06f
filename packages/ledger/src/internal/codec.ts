/** Between the columns of a ledger and the words of the domain. Numbers in columns never change their meaning. */
import type { BlastRadius } from "@milepost/core/Disposition"
import type { CustomerId, TargetGroupId, TargetId } from "@milepost/core/Ids"
import * as Outcome from "@milepost/core/Outcome"
import type { NotSentReason } from "@milepost/core/TransportError"
import type { Notice } from "@milepost/core/Wire"
import type { Claimed, Entry, Request } from "../Entry.js"
import type { Cell } from "./dialect.js"
import type { Counts, Operation, Run, State } from "../Run.js"

/** A record's state as it is written down. Whatever is below or equal to `skipped` may be sent one day. */
export const state = {
  pending: 0,
  claimed: 1,
  skipped: 2,
  enrolled: 3,
  unenrolled: 4,
  already_enrolled: 5,
  rejected: 6,
  unknown: 7
} as const

const stateWords = Object.keys(state) as ReadonlyArray<keyof typeof state>

/** Why a record was not sent, as it is written down. */
export const reason = { duplicate: 1, fuse: 2, cancelled: 3, unreachable: 4 } as const

const reasonWords = Object.keys(reason) as ReadonlyArray<keyof typeof reason>

const blastRadii: ReadonlyArray<BlastRadius> = [
  "none",
  "record",
  "customer",
  "period",
  "target",
  "group",
  "org",
  "everything"
]

/** The columns of `runs` that count. */
export const counterColumns = [
  ...stateWords,
  "row_count",
  "bad_rows",
  "duplicates",
  "warning_count",
  "calls"
] as const

/** By how much each counter changes. */
export type Change = Partial<Record<(typeof counterColumns)[number], number>>

/** The word of a state. */
export const wordOf = (written: number): keyof Counts => stateWords[written] ?? "pending"

/** The word of a reason for not sending. */
export const reasonOf = (written: number): Outcome.Skipped["reason"] => reasonWords[written - 1] ?? "cancelled"

/** What a column of bytes holds, whatever the client makes of it. */
export const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(0)

const numberOrNull = (value: unknown): number | null => (value === null ? null : Number(value))

/** A code as text; numbers come back as numbers. */
const codeOf = (text: string | null): number | string | null =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : text

/** A row of `runs`. */
export type RunRow = Readonly<Record<string, unknown>>

/** A run as it stands in its row. */
export const runOf = (row: RunRow): Run => {
  const text = (column: string): string | null => (row[column] === null ? null : String(row[column]))
  const number = (column: string): number => Number(row[column])
  const parent = text("parent")
  const stopReason = text("stop_reason")
  return {
    id: String(row["id"]),
    operation: row["operation"] as Operation,
    state: row["state"] as State,
    input: {
      name: String(row["input_name"]),
      format: String(row["input_format"]),
      header: bytesOf(row["input_header"]),
      size: numberOrNull(row["input_size"]),
      sha256: text("input_sha256")
    },
    options: JSON.parse(String(row["options"])) as unknown,
    parent: parent === null ? null : { run: parent, kind: row["kind"] === "undo" ? "undo" : "retry" },
    lanes: number("lanes"),
    epoch: number("epoch"),
    createdMillis: number("created_at"),
    startedMillis: numberOrNull(row["started_at"]),
    endedMillis: numberOrNull(row["ended_at"]),
    checkpoint: {
      row: number("imported_row"),
      line: number("imported_line"),
      bytes: number("imported_bytes"),
      sha256: text("imported_sha256")
    },
    counts: Object.fromEntries(stateWords.map((word) => [word, number(word)])) as unknown as Counts,
    rows: number("row_count"),
    badRows: number("bad_rows"),
    duplicates: number("duplicates"),
    warnings: number("warning_count"),
    calls: number("calls"),
    stop: stopReason === null ? null : { reason: stopReason, message: text("stop_message") ?? "" }
  }
}

/** The columns of `records` and `destinations` that say what is asked for. */
export interface RequestRow {
  readonly seq: number
  readonly customer_id: number
  readonly target_group_id: number
  readonly target_id: number
  readonly period_name: string
  readonly balance_kind: number
  readonly initial_balance: number | null
  readonly reset: number | null
}

/** The columns that hold what is asked for: a balance may be absent, `null` or a number, and none is another. */
export const balanceColumns = (
  request: Request
): readonly [kind: number, balance: number | null, reset: number | null] => {
  if (request._tag === "Milestone") {
    const { initialBalance } = request
    return initialBalance === undefined ? [0, null, null] : initialBalance === null ? [1, null, null] : [2, initialBalance, null]
  }
  const reset = request._tag === "Streak" ? request.resetStreakStatus : undefined
  return [0, null, reset === undefined ? null : Number(reset)]
}

/** What a record asks for. Only what was checked goes in, so nothing is checked on the way out. */
export const requestOf = (operation: Operation, row: RequestRow): Request => {
  const ids = {
    targetGroupId: Number(row.target_group_id) as TargetGroupId,
    targetId: Number(row.target_id) as TargetId,
    customerId: Number(row.customer_id) as CustomerId
  }
  if (operation === "unenroll") return { _tag: "Unenrollment", ...ids }
  if (row.period_name === "") {
    return { _tag: "Streak", ...ids, resetStreakStatus: row.reset === null ? undefined : Number(row.reset) === 1 }
  }
  const kind = Number(row.balance_kind)
  const initialBalance = kind === 0 ? undefined : kind === 1 ? null : Number(row.initial_balance)
  return { _tag: "Milestone", ...ids, periodName: row.period_name, initialBalance }
}

/** A claimed record's columns. */
export interface ClaimRow extends RequestRow {
  readonly attempts: number
  readonly lost_attempts: number
}

/** A claimed record. */
export const claimedOf = (operation: Operation, row: ClaimRow): Claimed => ({
  seq: Number(row.seq),
  request: requestOf(operation, row),
  attempts: Number(row.attempts),
  lostAttempts: Number(row.lost_attempts)
})

/** A record's columns. */
export interface RecordRow extends ClaimRow {
  readonly state: number
  readonly claimed_at: number | null
  readonly ended_at: number | null
  readonly after_ambiguous: number | null
  readonly code: string | null
  readonly tag: string | null
  readonly blast_radius: number | null
  readonly message: string | null
  readonly warnings: string | null
  readonly request_id: string | null
  readonly reason: number | null
  readonly duplicate_of: number | null
}

const outcomeOf = (row: RecordRow): Outcome.Outcome | null => {
  const word = wordOf(Number(row.state))
  const message = row.message ?? ""
  const common = { message, attempts: Number(row.attempts), requestId: row.request_id }
  const afterAmbiguousAttempt = Number(row.after_ambiguous) === 1
  switch (word) {
    case "pending":
    case "claimed":
      return null
    case "enrolled":
    case "unenrolled": {
      const warnings = row.warnings === null ? [] : JSON.parse(row.warnings) as ReadonlyArray<Notice>
      return { outcome: word, warnings, attempts: common.attempts, requestId: common.requestId }
    }
    case "already_enrolled":
      return { outcome: word, ...common, code: Number(row.code), afterAmbiguousAttempt }
    case "rejected": {
      const blastRadius = blastRadii[Number(row.blast_radius)] ?? "record"
      return { outcome: word, ...common, code: codeOf(row.code), tag: row.tag ?? "", blastRadius, afterAmbiguousAttempt }
    }
    case "unknown":
      return { outcome: word, ...common, code: codeOf(row.code), tag: row.tag ?? "" }
    case "skipped":
      return row.duplicate_of === null
        ? Outcome.skipped(reasonOf(Number(row.reason)), message, row.tag as NotSentReason | null)
        : Outcome.skipped("duplicate", `of line ${Number(row.duplicate_of)}`)
  }
}

/** A record as it stands in its columns. */
export const entryOf = (operation: Operation, row: RecordRow): Entry => ({
  seq: Number(row.seq),
  request: requestOf(operation, row),
  outcome: outcomeOf(row),
  isClaimed: Number(row.state) === state.claimed,
  attempts: Number(row.attempts),
  lostAttempts: Number(row.lost_attempts),
  claimedMillis: numberOrNull(row.claimed_at),
  endedMillis: numberOrNull(row.ended_at)
})

/** The columns of an outcome, in the order of {@link outcomeColumns}. */
export const outcomeColumns = [
  "state",
  "attempts",
  "after_ambiguous",
  "code",
  "tag",
  "blast_radius",
  "message",
  "warnings",
  "request_id",
  "reason"
] as const

/** The types of {@link outcomeColumns}. */
export const outcomeCells: ReadonlyArray<Cell> = [
  "SMALLINT",
  "INTEGER",
  "SMALLINT",
  "TEXT",
  "TEXT",
  "SMALLINT",
  "TEXT",
  "TEXT",
  "TEXT",
  "SMALLINT"
]

/** An outcome as its columns. */
export const outcomeValues = (outcome: Outcome.Outcome): ReadonlyArray<number | string | null> => {
  const written = state[outcome.outcome]
  switch (outcome.outcome) {
    case "enrolled":
    case "unenrolled": {
      const warnings = outcome.warnings.length === 0 ? null : JSON.stringify(outcome.warnings)
      return [written, outcome.attempts, null, null, null, null, null, warnings, outcome.requestId, null]
    }
    case "skipped":
      return [written, 0, null, null, outcome.notSent, null, outcome.message, null, null, reason[outcome.reason]]
    default: {
      const ambiguous = "afterAmbiguousAttempt" in outcome ? Number(outcome.afterAmbiguousAttempt) : null
      const tag = "tag" in outcome ? outcome.tag : null
      const radius = "blastRadius" in outcome ? blastRadii.indexOf(outcome.blastRadius) : null
      const code = outcome.code === null ? null : String(outcome.code)
      return [written, outcome.attempts, ambiguous, code, tag, radius, outcome.message, null, outcome.requestId, null]
    }
  }
}

/** What {@link Refusal} calls the code of an outcome; `null` where nothing was refused. */
export const refusalCode = (outcome: Outcome.Outcome): string | null => {
  switch (outcome.outcome) {
    case "rejected":
    case "unknown":
      return outcome.code === null ? "" : String(outcome.code)
    case "skipped":
      return outcome.reason
    default:
      return null
  }
}

/** The code of a refusal as it is read back. */
export const readCode = (text: string): number | string | null => (text === "" ? null : codeOf(text))
