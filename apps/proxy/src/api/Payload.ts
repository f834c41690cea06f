/** What native routes take and give, as schemas: the same that `/openapi.json` shows. */
import * as Ids from "@milepost/core/Ids"
import * as Outcome from "@milepost/core/Outcome"
import * as Schema from "effect/Schema"

const org = Schema.optional(Schema.String).annotations({
  description: "The organisation's id; not needed where the key has only one."
})

/** Whom and where, as plain numbers: whether they are ids is told for each record. */
const place = {
  customerId: Schema.Number.annotations({ description: "The customer's id, a whole number up to 2^53-1.", examples: [564332013] }),
  targetGroupId: Schema.Number.annotations({ description: "The target group's id.", examples: [2154] }),
  targetId: Schema.Number.annotations({ description: "The target's id.", examples: [2309] })
}

const enrolment = {
  ...place,
  periodName: Schema.optional(Schema.NullOr(Schema.String)).annotations({
    description: "The refCode of the period, for a milestone; absent for a streak."
  }),
  initialBalance: Schema.optional(Schema.NullOr(Schema.Number)).annotations({
    description: "Milestones: the achieved value to start at; null resumes at the value held when un-enrolled; absent leaves it to the upstream."
  }),
  resetStreakStatus: Schema.optional(Schema.NullOr(Schema.Boolean)).annotations({
    description: "Streaks: true on re-enrolment starts afresh."
  })
}

/** One enrolment. */
export const EnrollmentRecord = Schema.Struct(enrolment).annotations({ identifier: "EnrollmentRecord" })

/** One enrolment. */
export type EnrollmentRecord = typeof EnrollmentRecord.Type

/** The body of `POST /v1/enrollments`. */
export const EnrollmentRequest = Schema.Struct({ org, ...enrolment }).annotations({ identifier: "EnrollmentRequest" })

/** The body of `POST /v1/unenrollments`. */
export const UnenrollmentRequest = Schema.Struct({ org, ...place }).annotations({ identifier: "UnenrollmentRequest" })

/** How many records a batch may have. */
export const mostRecords = 1_000

/** The body of `POST /v1/enrollments/batch`. */
export const BatchRequest = Schema.Struct({
  org,
  records: Schema.Array(EnrollmentRecord).pipe(Schema.minItems(1), Schema.maxItems(mostRecords))
}).annotations({ identifier: "BatchRequest" })

const Word = Schema.Literal(...Outcome.words).annotations({ identifier: "Outcome" })

const Counts = Schema.Record({ key: Schema.Literal(...Outcome.words), value: Schema.Int }).annotations({ identifier: "OutcomeCounts" })

const Code = Schema.Union(Schema.Number, Schema.String, Schema.Null).annotations({
  identifier: "Code",
  description: "The upstream's code, or `input` for a record that never left."
})

const Notice = Schema.Struct({ code: Code, message: Schema.String }).annotations({ identifier: "Warning" })

/** How one record ended. */
export const Result = Schema.Struct({
  outcome: Word,
  customerId: Schema.Number,
  targetGroupId: Schema.Number,
  targetId: Schema.Number,
  periodName: Schema.NullOr(Schema.String),
  code: Schema.optional(Code),
  message: Schema.optional(Schema.String),
  reason: Schema.optional(Schema.String),
  afterAmbiguousAttempt: Schema.optional(Schema.Boolean),
  warnings: Schema.Array(Notice),
  attempts: Schema.Int,
  requestId: Schema.NullOr(Schema.String)
}).annotations({ identifier: "Result" })

/** How one record ended. */
export type Result = typeof Result.Type

/** The answer to a batch: a result a record, in their order. */
export const BatchResult = Schema.Struct({
  counts: Counts,
  results: Schema.Array(Result)
}).annotations({ identifier: "BatchResult" })

const Moment = Schema.Date.annotations({ identifier: "Moment", jsonSchema: { type: "string", format: "date-time" } })

const moment = Schema.NullOr(Moment)

const Target = Schema.Struct({
  targetRuleId: Schema.NullOr(Schema.Number),
  targetName: Schema.NullOr(Schema.String),
  periodRefCode: Schema.NullOr(Schema.String),
  periodStart: moment,
  periodEnd: moment,
  currentPeriod: Schema.NullOr(Schema.Boolean),
  targetValue: Schema.NullOr(Schema.Number),
  targetAchievedValue: Schema.NullOr(Schema.Number),
  enrolledOn: moment,
  achievedOn: moment
}).annotations({ identifier: "TargetStanding" })

const Streak = Schema.Struct({
  streakId: Schema.NullOr(Schema.Number),
  streakName: Schema.NullOr(Schema.String),
  status: Schema.NullOr(Schema.String),
  currentCount: Schema.NullOr(Schema.Number),
  totalCount: Schema.NullOr(Schema.Number),
  achievedOn: moment
}).annotations({ identifier: "StreakStanding" })

const TargetGroup = Schema.Struct({
  id: Schema.Number,
  name: Schema.NullOr(Schema.String),
  orgId: Schema.NullOr(Schema.Number),
  trackingType: Schema.NullOr(Schema.String),
  targets: Schema.Array(Target),
  streaks: Schema.Array(Streak)
}).annotations({ identifier: "TargetGroup" })

/** The target groups of a customer; no personal data. */
export const TargetGroups = Schema.Struct({
  customerId: Schema.Number,
  targetGroups: Schema.Array(TargetGroup)
}).annotations({ identifier: "TargetGroups" })

/** A job as it stands. */
export const Job = Schema.Struct({
  id: Schema.String,
  org: Schema.String,
  operation: Schema.Literal("enroll", "unenroll"),
  state: Schema.Literal("importing", "queued", "running", "paused", "finished", "stopped", "cancelled").annotations({ identifier: "JobState" }),
  input: Schema.String,
  rows: Schema.Int,
  badRows: Schema.Int,
  duplicates: Schema.Int,
  records: Schema.Int.annotations({ description: "Records in all: one a period of every good row, and one for every bad row." }),
  counts: Counts,
  open: Schema.Int.annotations({ description: "Records that wait for their call." }),
  calls: Schema.Int,
  warnings: Schema.Int.annotations({ description: "Warnings that came with successes; they stand in the results." }),
  callsPerSecond: Schema.NullOr(Schema.Number),
  limitPerSecond: Schema.NullOr(Schema.Number).annotations({
    description: "Calls a second that the job may make: what it was started with; null for as many as its organisation may (see /v1/orgs)."
  }),
  etaSeconds: Schema.NullOr(Schema.Number),
  waiting: Schema.NullOr(Schema.String).annotations({ description: "What the job waits for, e.g. 429." }),
  refusals: Schema.Array(Schema.Struct({
    outcome: Schema.Literal("rejected", "unknown", "skipped"),
    code: Schema.NullOr(Schema.Union(Schema.Number, Schema.String)),
    message: Schema.String.annotations({ description: "One of its messages." }),
    records: Schema.Int
  })).annotations({ description: "What is not done, by code, most records first." }),
  stop: Schema.NullOr(Schema.Struct({ reason: Schema.String, message: Schema.String }).annotations({ identifier: "JobStop" })),
  created: Moment,
  started: moment,
  ended: moment
}).annotations({ identifier: "Job" })

/** A job as it stands. */
export type Job = typeof Job.Type

/** A job as it stands on the wire. */
export type JobDocument = typeof Job.Encoded

/** Jobs, the latest first. */
export const Jobs = Schema.Struct({ jobs: Schema.Array(Job) }).annotations({ identifier: "Jobs" })

/** What an upload asks for, when it is only read. */
export const Plan = Schema.Struct({
  rows: Schema.Int,
  calls: Schema.Int.annotations({ description: "Calls that would be made: one a period of every good row, but for duplicates." }),
  duplicates: Schema.Int,
  badRows: Schema.Int,
  badExamples: Schema.Array(Schema.Struct({
    line: Schema.Int,
    column: Schema.NullOr(Schema.String),
    value: Schema.NullOr(Schema.String),
    reason: Schema.String
  })).annotations({ description: "The first bad rows; column and value are null where the row as a whole is wrong." }),
  destinations: Schema.Array(Schema.Struct({
    targetGroupId: Schema.Number,
    targetId: Schema.Number,
    periodName: Schema.NullOr(Schema.String),
    calls: Schema.Int
  })).annotations({ description: "Calls by target and period, most first; the first hundred." }),
  allDestinations: Schema.Int.annotations({ description: "How many destinations there are." }),
  overruled: Schema.Array(Schema.String).annotations({ description: "Columns that the input has itself, though a query parameter was to fill them in." }),
  callsPerSecond: Schema.NullOr(Schema.Number).annotations({
    description: "The limit by which the time is estimated: the query's rate or the organisation's, whichever is lower; null while none is known."
  }),
  etaSeconds: Schema.NullOr(Schema.Number)
}).annotations({ identifier: "Plan" })

/** What an upload asks for, when it is only read. */
export type Plan = typeof Plan.Type

/** The organisations of a key. */
export const Orgs = Schema.Struct({
  orgs: Schema.Array(Schema.Struct({
    id: Schema.String,
    isConfigured: Schema.Boolean.annotations({ description: "false where the service calls it no more." }),
    callsPerSecond: Schema.NullOr(Schema.Number).annotations({ description: "Calls a second that are let go, set or learnt; null without a limit." }),
    inFlight: Schema.Int,
    places: Schema.Int.annotations({ description: "Calls that may be in flight." }),
    waiting: Schema.Int.annotations({ description: "Calls that wait for a place or a turn." }),
    isPaused: Schema.Boolean.annotations({ description: "Whether a 429 stops everybody just now." }),
    down: Schema.NullOr(Schema.String).annotations({ description: "Why the upstream is taken for down; null where it is not." })
  }))
}).annotations({ identifier: "Orgs" })

/** The organisations of a key. */
export type Orgs = typeof Orgs.Type

/** An id in a path or a query. */
export const Id = Schema.NumberFromString.pipe(Schema.filter(Ids.isId, { message: () => "is not a whole number from 1 to 2^53-1" })).annotations({
  identifier: "Id",
  jsonSchema: { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER }
})

/** `true` or `false` in a query. */
export const Flag = Schema.BooleanFromString.annotations({ identifier: "Flag", jsonSchema: { type: "boolean" } })
