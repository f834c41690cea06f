/**
 * What a proxy says, as far as the command line needs it: jobs, plans and problems of its native routes.
 *
 * Fields that it does not know are left alone, so that a newer proxy is understood.
 */
import * as Outcome from "@milepost/core/Outcome"
import { noCounts } from "@milepost/ledger/Run"
import type { Standing } from "@milepost/rows/Standing"
import * as Schema from "effect/Schema"

const Code = Schema.NullOr(Schema.Union(Schema.Number, Schema.String))

const time = Schema.NullOr(Schema.String)

/** A job as it stands. */
export const Job = Schema.Struct({
  id: Schema.String.pipe(Schema.pattern(/^[\w-]{1,100}$/)),
  org: Schema.String,
  operation: Schema.Literal("enroll", "unenroll"),
  state: Schema.Literal("importing", "queued", "running", "paused", "finished", "stopped", "cancelled"),
  rows: Schema.Number,
  badRows: Schema.Number,
  duplicates: Schema.Number,
  records: Schema.Number,
  counts: Schema.Record({ key: Schema.Literal(...Outcome.words), value: Schema.Number }),
  open: Schema.Number,
  calls: Schema.Number,
  warnings: Schema.optionalWith(Schema.Number, { default: () => 0 }),
  callsPerSecond: Schema.NullOr(Schema.Number),
  limitPerSecond: Schema.NullOr(Schema.Number),
  etaSeconds: Schema.NullOr(Schema.Number),
  waiting: Schema.NullOr(Schema.String),
  refusals: Schema.Array(Schema.Struct({
    outcome: Schema.Literal("rejected", "unknown", "skipped"),
    code: Code,
    message: Schema.String,
    records: Schema.Number
  })),
  stop: Schema.NullOr(Schema.Struct({ reason: Schema.String, message: Schema.String })),
  created: Schema.String,
  started: time,
  ended: time
})

/** A job as it stands. */
export interface Job extends Schema.Schema.Type<typeof Job> {}

/** What an upload asks for, when it is only read. */
export const Plan = Schema.Struct({
  rows: Schema.Number,
  calls: Schema.Number,
  duplicates: Schema.Number,
  badRows: Schema.Number,
  badExamples: Schema.Array(Schema.Struct({
    line: Schema.Number,
    column: Schema.NullOr(Schema.String),
    value: Schema.NullOr(Schema.String),
    reason: Schema.String
  })),
  destinations: Schema.Array(Schema.Struct({
    targetGroupId: Schema.Number,
    targetId: Schema.Number,
    periodName: Schema.NullOr(Schema.String),
    calls: Schema.Number
  })),
  allDestinations: Schema.Number,
  callsPerSecond: Schema.NullOr(Schema.Number),
  etaSeconds: Schema.NullOr(Schema.Number)
})

/** What an upload asks for. */
export interface Plan extends Schema.Schema.Type<typeof Plan> {}

/** What is wrong with a request (RFC 9457). */
export const Problem = Schema.parseJson(Schema.Struct({
  type: Schema.String.pipe(Schema.pattern(/^urn:milepost:problem:/)),
  detail: Schema.String,
  retryAfterSeconds: Schema.optional(Schema.Number)
}))

/** Nothing happens to it any more by itself. */
export const isStill = ({ state }: Job): boolean => state === "finished" || state === "stopped" || state === "cancelled"

/** It can be gone on with, and waits for somebody to say so. */
export const waitsForResume = ({ state }: Job): boolean => state === "paused" || state === "stopped"

const states: Readonly<Record<Job["state"], Standing["state"]>> = {
  importing: "importing",
  queued: "ready",
  running: "running",
  paused: "interrupted",
  cancelled: "interrupted",
  stopped: "stopped",
  finished: "finished"
}

const millis = (text: string | null): number | null => {
  const parsed = text === null ? Number.NaN : Date.parse(text)
  return Number.isNaN(parsed) ? null : parsed
}

/** How a job stands, in the words of a run; `name` is what its input was called here. */
export const standing = (job: Job, run: { readonly id: string; readonly name: string; readonly format: string }): Standing => {
  const { badRows, calls, counts, duplicates, open, rows, stop, warnings } = job
  const state = states[job.state]
  const isUnsentCounted = state === "interrupted" || (state === "stopped" && open > 0)
  return {
    run: {
      id: run.id,
      operation: job.operation,
      // A fuse that has cut off one place lets the rest of a job come to its end.
      state: state === "stopped" && open === 0 ? "finished" : state,
      input: { name: run.name, format: run.format, header: new Uint8Array(0), size: null, sha256: null },
      options: {},
      parent: null,
      lanes: 1,
      epoch: 1,
      createdMillis: millis(job.created) ?? 0,
      startedMillis: millis(job.started),
      endedMillis: millis(job.ended),
      checkpoint: { row: rows, line: 0, bytes: 0, sha256: null },
      counts: { ...noCounts, ...counts, skipped: counts.skipped - (isUnsentCounted ? open : 0), pending: open },
      rows,
      badRows,
      duplicates,
      warnings,
      calls,
      stop
    },
    state,
    stop: state === "interrupted" && stop === null ? { reason: "cancelled", message: `the job was ${job.state}` } : stop,
    counts,
    open,
    notSent: counts.skipped - duplicates,
    refusals: job.refusals
  }
}
