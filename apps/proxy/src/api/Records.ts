/** `POST /v1/enrollments`, `/v1/unenrollments` and `/v1/enrollments/batch`, and the look-up of a customer. */
import * as Enroll from "@milepost/core/Enroll"
import * as Enrollment from "@milepost/core/Enrollment"
import type * as Ids from "@milepost/core/Ids"
import * as Outcome from "@milepost/core/Outcome"
import * as TargetGroups from "@milepost/core/TargetGroups"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Unenrollment from "@milepost/core/Unenrollment"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Access from "../keys/Access.js"
import type { ApiKey } from "../keys/ApiKey.js"
import type { Metrics } from "../operation/Metrics.js"
import type { Busy, Upstream } from "../upstream/Upstream.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"
import type { EnrollmentRecord, Result } from "./Payload.js"
import * as Problem from "./Problem.js"

/** The organisation of a request, or why there is none. */
export const orgOf = (key: ApiKey, named: string | undefined, upstreams: Upstreams): Either.Either<Upstream, Problem.Problem> => {
  const found = Access.orgOf(key, named, upstreams)
  if (!Access.isNone(found)) return Either.right(found)
  switch (found._tag) {
    case "Ambiguous":
      return Either.left(Problem.make("invalid-request", `org: this key has several organisations: name one of ${found.orgs.join(", ")}`))
    case "NotGranted":
      return Either.left(Problem.make("forbidden", "This key has no such organisation."))
    case "Gone":
      return Either.left(Problem.make("upstream-down", `The organisation ${found.org} is not configured any more.`, { retryAfterMillis: 30_000 }))
  }
}

/** What a record asks for. */
type Request = Enrollment.Enrollment | Unenrollment.Unenrollment

/** Reads a record; on the left is why it cannot be sent. */
export const enrollmentOf = (record: EnrollmentRecord): Either.Either<Request, Ids.InvalidRecord> =>
  Enrollment.make({
    customerId: record.customerId,
    targetGroupId: record.targetGroupId,
    targetId: record.targetId,
    periodName: record.periodName ?? undefined,
    initialBalance: record.initialBalance,
    resetStreakStatus: record.resetStreakStatus ?? undefined
  })

/** Reads an un-enrolment. */
export const unenrollmentOf = (record: Enrollment.Identity): Either.Either<Request, Ids.InvalidRecord> => Unenrollment.make(record)

const send = (request: Request) => request._tag === "Unenrollment" ? Unenroll.outcome(request) : Enroll.outcome(request)

/** A result as it stands on the wire. */
export const resultOf = (
  record: Pick<EnrollmentRecord, "customerId" | "periodName" | "targetGroupId" | "targetId">,
  outcome: Outcome.Outcome
): Result => ({
  outcome: outcome.outcome,
  customerId: record.customerId,
  targetGroupId: record.targetGroupId,
  targetId: record.targetId,
  periodName: record.periodName ?? null,
  ...("code" in outcome ? { code: outcome.code } : {}),
  ...("message" in outcome ? { message: outcome.message } : {}),
  ...("reason" in outcome ? { reason: outcome.reason } : {}),
  ...("afterAmbiguousAttempt" in outcome ? { afterAmbiguousAttempt: outcome.afterAmbiguousAttempt } : {}),
  warnings: "warnings" in outcome ? outcome.warnings : [],
  attempts: "attempts" in outcome ? outcome.attempts : 0,
  requestId: "requestId" in outcome ? outcome.requestId : null
})

const ofBusy = ({ message, reason, retryAfterMillis }: Busy): Problem.Problem =>
  Problem.make(reason === "Down" ? "upstream-down" : "busy", message, { retryAfterMillis })

/** Refusals of the proxy itself: the record is not what is wrong. */
const ours: ReadonlySet<string> = new Set([
  "CredentialsRefused", "PermissionDenied", "PathNotFound", "MethodNotAllowed", "UnsupportedContentType"
])

/** Answers that say *not now*, after all patience. */
const postponed: ReadonlySet<string> = new Set(["RateLimited", "SearchBusy", "Overloaded", "CustomerBusy"])

/** The problem that an outcome is for whoever waits for one record; `null` where it is done. */
export const problemOf = (outcome: Outcome.Outcome): Problem.Problem | null => {
  switch (outcome.outcome) {
    case "enrolled":
    case "unenrolled":
    case "already_enrolled":
      return null
    case "skipped":
      return Problem.make("upstream-down", outcome.message, { outcome: "skipped", retryAfterMillis: 1_000 })
    case "unknown":
      return Problem.make("unknown", outcome.message, { outcome: "unknown", code: outcome.code })
    case "rejected": {
      const { afterAmbiguousAttempt, code, message, tag } = outcome
      if (ours.has(tag)) return Problem.make("upstream-refused", "The upstream refuses what the service itself adds to a call.", { outcome: "rejected" })
      if (postponed.has(tag)) return Problem.make("busy", message, { outcome: "rejected", code, retryAfterMillis: 1_000 })
      return Problem.make("rejected", message, { outcome: "rejected", code, afterAmbiguousAttempt })
    }
  }
}

const untouchable = (key: ApiKey, groups: ReadonlyArray<number>): Problem.Problem | null => {
  const group = groups.find((id) => !Access.mayTouch(key, id))
  return group === undefined ? null : Problem.make("forbidden", `This key may not touch target group ${group}.`)
}

/** One record to its result. */
export const one = (
  { key, metrics, upstream }: { readonly key: ApiKey; readonly metrics: Metrics; readonly upstream: Upstream },
  record: EnrollmentRecord,
  read: Either.Either<Request, Ids.InvalidRecord>
): Effect.Effect<Result, Problem.Problem> =>
  Effect.gen(function*() {
    const refused = untouchable(key, [record.targetGroupId])
    if (refused !== null) return yield* Effect.fail(refused)
    const org = upstream.org().id
    const outcome = Either.isLeft(read)
      ? Outcome.fromInvalidRecord(read.left)
      : yield* Effect.mapError(upstream.call(read.right.customerId, send(read.right)), (busy) => {
        metrics.refused(org, busy.reason)
        return ofBusy(busy)
      })
    metrics.ended(org, outcome.outcome)
    const problem = problemOf(outcome)
    return problem === null ? resultOf(record, outcome) : yield* Effect.fail(problem)
  })

/** So many records of a batch are at work at once. */
const atOnce = 64

/** A batch to its results, in its order; records of one customer go one after another. */
export const batch = (
  { key, metrics, upstream }: { readonly key: ApiKey; readonly metrics: Metrics; readonly upstream: Upstream },
  records: ReadonlyArray<EnrollmentRecord>
): Effect.Effect<{ readonly counts: Readonly<Record<Outcome.Word, number>>; readonly results: ReadonlyArray<Result> }, Problem.Problem> =>
  Effect.gen(function*() {
    const refused = untouchable(key, records.map(({ targetGroupId }) => targetGroupId))
    if (refused !== null) return yield* Effect.fail(refused)
    const busy = upstream.refusal()
    if (busy !== null) return yield* Effect.fail(ofBusy(busy))
    const org = upstream.org().id
    const results = yield* Effect.forEach(records, (record) => {
      const read = enrollmentOf(record)
      const ended: Effect.Effect<Outcome.Outcome> = Either.isLeft(read)
        ? Effect.succeed(Outcome.fromInvalidRecord(read.left))
        // Refused in the middle of a batch: that record was not sent, and the others keep their results.
        : Effect.catchAll(upstream.oneOfMany(read.right.customerId, send(read.right)), ({ message }) =>
          Effect.succeed(Outcome.skipped("unreachable", message)))
      return Effect.map(ended, (outcome) => {
        metrics.ended(org, outcome.outcome)
        return resultOf(record, outcome)
      })
    }, { concurrency: atOnce })
    const counts: Record<Outcome.Word, number> = { enrolled: 0, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0 }
    for (const { outcome } of results) counts[outcome] += 1
    return { counts, results }
  })

const lookUpProblem = (error: Busy | TargetGroups.Error): Problem.Problem => {
  if (error._tag === "Busy") return ofBusy(error)
  if (ours.has(error._tag)) return Problem.make("upstream-refused", "The upstream refuses what the service itself adds to a call.")
  if (error._tag === "NotSent") return Problem.make("upstream-down", error.message, { retryAfterMillis: 1_000 })
  if (postponed.has(error._tag)) return Problem.make("busy", error.message, { retryAfterMillis: 1_000 })
  return "code" in error
    ? Problem.make("rejected", error.message, { code: error.code })
    : Problem.make("upstream-failed", error.message, { retryAfterMillis: 1_000 })
}

/** The target groups of a customer, as far as the key may see them. */
export const lookUp = (
  key: ApiKey,
  upstream: Upstream,
  query: TargetGroups.Query
): Effect.Effect<ReadonlyArray<TargetGroups.TargetGroupStatus>, Problem.Problem> =>
  upstream.call(query.customerId, TargetGroups.run(query)).pipe(
    Effect.mapBoth({
      onSuccess: (groups) => groups.filter(({ id }) => Access.mayTouch(key, id)),
      onFailure: lookUpProblem
    })
  )
