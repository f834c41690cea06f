/** What the routes of jobs do: uploads in, documents, results and events out. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import * as Enrollment from "@milepost/core/Enrollment"
import type * as Ids from "@milepost/core/Ids"
import type * as Outcome from "@milepost/core/Outcome"
import * as Amount from "@milepost/engine/Amount"
import * as Plan from "@milepost/rows/Plan"
import * as Records from "@milepost/rows/Records"
import * as Results from "@milepost/rows/Results"
import * as Source from "@milepost/rows/Source"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import type { IncomingMessage } from "node:http"
import type { ApiKey } from "../keys/ApiKey.js"
import * as Jobs from "../jobs/Jobs.js"
import * as Patience from "../server/Patience.js"
import type { Job as Document, Plan as PlanDocument } from "./Payload.js"
import * as Problem from "./Problem.js"

/** The body of an upload ended before it was whole, or grew too large. */
export class UploadFailed extends Data.TaggedError("UploadFailed")<{ readonly reason: "Broken" | "Slow" | "TooLarge" }> {}

const formats: Readonly<Record<string, Source.Format>> = {
  "text/csv": "csv",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson"
}

/** A body as a source of rows. */
export interface Upload {
  readonly source: Source.Source<UploadFailed>
  /** The digest of the whole body; reads what has not been read. */
  readonly content: Effect.Effect<string, UploadFailed>
}

/** A body as a source of rows: read as fast as it is stored, and no further than the limit. */
export const uploadOf = (
  req: IncomingMessage,
  name: string,
  mostBytes: number,
  patience: Patience.Patience
): Either.Either<Upload, Problem.Problem> => {
  const type = (req.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? ""
  const format = formats[type]
  if (format === undefined) return Either.left(Problem.make("unsupported-media-type", "The body must be text/csv or application/x-ndjson."))
  const announced = req.headers["content-length"]
  const size = announced === undefined ? null : Number(announced)
  if (size !== null && size > mostBytes) return Either.left(tooLarge(mostBytes))
  const hash = createHash("sha256")
  let bytes = 0
  // Left open, or whoever is refused in the middle of it would not be told; the server closes it soon after its answer.
  const read = NodeStream.fromReadable<UploadFailed, Uint8Array>(() => req, () => new UploadFailed({ reason: "Broken" }), { closeOnDone: false })
  const chunks = Patience.within(patience)(read, () => new UploadFailed({ reason: "Slow" })).pipe(
    Stream.mapEffect((chunk) => {
      bytes += chunk.length
      hash.update(chunk)
      return bytes > mostBytes ? Effect.fail(new UploadFailed({ reason: "TooLarge" })) : Effect.succeed(chunk)
    }),
    // A connection that ends early is no end of the input.
    Stream.concat(Stream.suspend(() => req.complete ? Stream.empty : Stream.fail(new UploadFailed({ reason: "Broken" }))))
  )
  return Either.right({
    source: {
      name,
      format,
      size: Effect.succeed(size),
      batches: (follow) => Source.batchesOf({ format, name }, Stream.tap(chunks, (chunk) => Effect.sync(() => follow(chunk))))
    },
    content: Effect.map(
      Effect.suspend(() => req.readableEnded ? Effect.void : Stream.runDrain(chunks)),
      () => hash.copy().digest("hex")
    )
  })
}

const tooLarge = (mostBytes: number): Problem.Problem => Problem.make("too-large", `An upload has at most ${mostBytes} bytes.`)

/** Query parameters of an upload. */
export interface Query {
  readonly operation?: "enroll" | "unenroll" | undefined
  readonly name?: string | undefined
  readonly group?: number | undefined
  readonly target?: number | undefined
  readonly period?: ReadonlyArray<string> | undefined
  readonly initialBalance?: string | undefined
  readonly resetStreak?: boolean | undefined
  readonly rate?: string | undefined
}

/** What query parameters fill in for columns that the input does not have. */
export const defaultsOf = (query: Query): Either.Either<Records.Defaults, Problem.Problem> =>
  Either.mapLeft(
    Either.gen(function*() {
      return {
        targetGroupId: query.group as Ids.TargetGroupId | undefined,
        targetId: query.target as Ids.TargetId | undefined,
        periodNames: yield* Either.all((query.period ?? []).map(Enrollment.periodName)),
        initialBalance: yield* Records.initialBalance(query.initialBalance),
        resetStreakStatus: query.resetStreak
      }
    }),
    (error) => Problem.make("invalid-request", error.message)
  )

/** Calls a second that a query asks for. */
export const rateOf = ({ rate }: Query): Either.Either<number | null, Problem.Problem> =>
  rate === undefined
    ? Either.right(null)
    : Either.fromOption(Amount.callsPerSecond(rate), () => Problem.make("invalid-request", "rate: is no rate such as 600/min or 10/s"))

/** So many destinations a plan names. */
const destinationsNamed = 100

/** What an upload asks for; nothing of it is kept. A group that the key may not touch is refused as it would be in earnest. */
export const planned = (
  { callsPerSecond, defaults, operation, source, targetGroups }: {
    readonly operation: "enroll" | "unenroll"
    readonly source: Source.Source<UploadFailed>
    readonly defaults: Records.Defaults
    /** The lowest limit that is known. */
    readonly callsPerSecond: number | null
    readonly targetGroups: ApiKey["targetGroups"]
  }
) =>
  Effect.gen(function*() {
    const plan = yield* Plan.make(source, operation, defaults)
    const other = plan.destinations.find(({ targetGroupId }) => targetGroups !== null && !targetGroups.includes(targetGroupId))
    if (other !== undefined) return yield* new Jobs.GroupNotGranted({ targetGroupId: other.targetGroupId })
    const { destinations, ...counts } = plan
    return {
      ...counts,
      badExamples: plan.badExamples.map(({ column, line, reason, value }) => ({ line, column, value, reason })),
      destinations: destinations.slice(0, destinationsNamed),
      allDestinations: destinations.length,
      callsPerSecond,
      etaSeconds: callsPerSecond === null ? null : Math.ceil(plan.calls / callsPerSecond)
    } satisfies PlanDocument
  }).pipe(Effect.scoped)

const notWhole = {
  Broken: "The body ended before it was whole. Nothing of it is kept.",
  Slow: "The body came too slowly. Nothing of it is kept."
}

/** What can be wrong with an upload, as a problem. */
export const uploadProblem = (
  error: Effect.Effect.Error<ReturnType<typeof planned> | ReturnType<typeof uploaded>>,
  mostBytes: number
): Problem.Problem => {
  switch (error._tag) {
    case "UploadFailed":
      return error.reason === "TooLarge" ? tooLarge(mostBytes) : Problem.make("invalid-request", notWhole[error.reason])
    case "ColumnMissing":
      return Problem.make("invalid-request", `${error.message}: add it, or give ${error.column === "targetGroupId" ? "?group=" : "?target="} for all rows`)
    case "HeaderUnusable":
    case "InputUnusable":
      return Problem.make("invalid-request", error.message)
    case "GroupNotGranted":
      return Problem.make("forbidden", `This key may not touch target group ${error.targetGroupId}. Nothing of the upload is kept.`)
    default:
      return storage
  }
}

const storage = Problem.make("storage", "The data cannot be written or read just now.", { retryAfterMillis: 5_000 })

/** Stores an upload. */
export const uploaded = (
  jobs: Jobs.Service,
  job: Jobs.NewJob<UploadFailed>
) => jobs.create(job)

/** What can be wrong with a wish for a job, as a problem. */
export const jobProblem = (error: Jobs.DataError | Jobs.JobNotFound | Jobs.WrongJobState): Problem.Problem => {
  if (error._tag === "JobNotFound") return Problem.make("not-found", "There is no such job.")
  return error._tag === "WrongJobState" ? Problem.make("wrong-state", error.message) : storage
}

const dateOf = (millis: number | null): Date | null => millis === null ? null : new Date(millis)

/** A job as it is shown. */
export const documentOf = ({ id, org, progress, standing, state }: Jobs.Job): Document => {
  const { run } = standing
  return {
    id,
    org,
    operation: run.operation,
    state,
    input: run.input.name,
    rows: run.rows,
    badRows: run.badRows,
    duplicates: run.duplicates,
    records: Object.values(run.counts).reduce((sum, records) => sum + records, 0),
    counts: standing.counts,
    open: standing.open,
    calls: run.calls,
    warnings: run.warnings,
    callsPerSecond: progress === null ? null : Math.round(progress.callsPerSecond * 10) / 10,
    limitPerSecond: progress === null ? null : progress.limitPerSecond,
    etaSeconds: progress === null || progress.etaSeconds === null ? null : Math.round(progress.etaSeconds),
    waiting: progress === null ? null : progress.waiting,
    refusals: standing.refusals.toSorted((one, other) => other.records - one.records),
    stop: standing.stop,
    created: new Date(run.createdMillis),
    started: dateOf(run.startedMillis),
    ended: dateOf(run.endedMillis)
  }
}

/** A job that a key may see; one of others' is not found. */
export const visible = (jobs: Jobs.Service, key: ApiKey, id: string): Effect.Effect<Jobs.Job, Problem.Problem> =>
  Effect.gen(function*() {
    const job = yield* jobs.get(id)
    if (!key.orgs.includes(job.org) || !(yield* isGranted(jobs, key, id))) return yield* new Jobs.JobNotFound({ id })
    return job
  }).pipe(Effect.mapError(jobProblem))

/** Whether a key may touch everything that a job touches. */
export const isGranted = (jobs: Jobs.Service, { targetGroups }: ApiKey, id: string): Effect.Effect<boolean, Jobs.DataError | Jobs.JobNotFound> =>
  targetGroups === null
    ? Effect.succeed(true)
    : Effect.map(jobs.targetGroups(id), (groups) => groups.every((group) => targetGroups.includes(group)))

const encoder = new TextEncoder()

/** The rows of a job with their outcomes, page by page as they are read. */
export const results = (
  jobs: Jobs.Service,
  job: Jobs.Job,
  options: { readonly accept: string; readonly outcome: Outcome.Word | undefined }
): HttpServerResponse.HttpServerResponse => {
  const { run } = job.standing
  const names = Results.namesOf(run)
  const pages = Results.rows(jobs.ledger, run, options.outcome)
  const isNdjson = /application\/(?:x-)?ndjson/i.test(options.accept)
  const texts = isNdjson
    ? Stream.map(pages, (page) => Results.documentsOf(names, page).map((line) => `${line}\n`).join(""))
    : Stream.concat(Stream.succeed(Results.csvHead(names)), Stream.map(pages, (page) => Results.csvOf(names, page)))
  return HttpServerResponse.stream(Stream.map(texts, (text) => encoder.encode(text)), {
    contentType: isNdjson ? "application/x-ndjson" : "text/csv; charset=utf-8",
    headers: { "content-disposition": `attachment; filename="${job.id}.${isNdjson ? "ndjson" : "csv"}"`, "x-content-type-options": "nosniff" }
  })
}

/** The failed rows of a job as they were uploaded, page by page as they are read. */
export const failed = (jobs: Jobs.Service, job: Jobs.Job): HttpServerResponse.HttpServerResponse => {
  const { run } = job.standing
  const isNdjson = run.input.format === "ndjson"
  return HttpServerResponse.stream(Results.failed(jobs.ledger, run), {
    contentType: isNdjson ? "application/x-ndjson" : "text/csv; charset=utf-8",
    headers: { "content-disposition": `attachment; filename="${job.id}-failed.${isNdjson ? "ndjson" : "csv"}"`, "x-content-type-options": "nosniff" }
  })
}

/** States in which nothing happens any more by itself. */
const still: ReadonlySet<Jobs.State> = new Set<Jobs.State>(["finished", "stopped", "cancelled"])

/** What an event is named by: whoever knows it knows all that the event says. */
const eventId = ({ standing, state }: Jobs.Job): string => `${standing.run.epoch}-${standing.run.rows}-${standing.open}-${standing.run.calls}-${state}`

interface Beat {
  readonly last: string | undefined
  readonly quiet: number
  readonly isFirst: boolean
}

/**
 * The progress of a job as server-sent events, until nothing changes any more by itself.
 *
 * Every event is the whole standing: who comes again with the id of the last one is told only what is newer.
 */
export const events = (
  jobs: Jobs.Service,
  id: string,
  lastEventId: string | undefined,
  isStopping: () => boolean
): HttpServerResponse.HttpServerResponse => {
  const beats = Stream.unfoldEffect<Beat | null, string, never, never>({ last: lastEventId, quiet: 0, isFirst: true }, (beat) =>
    Effect.gen(function*() {
      if (beat === null) return Option.none()
      if (!beat.isFirst) yield* Effect.sleep("1 second")
      const job = yield* Effect.option(jobs.get(id))
      if (job._tag === "None" || isStopping()) return Option.none()
      const name = eventId(job.value)
      const isEnd = still.has(job.value.state)
      const kind = isEnd ? "end" : "progress"
      if (name !== beat.last || (isEnd && beat.isFirst)) {
        const text = `id: ${name}\nevent: ${kind}\ndata: ${JSON.stringify(documentOf(job.value))}\n\n`
        return Option.some([text, isEnd ? null : { last: name, quiet: 0, isFirst: false }])
      }
      if (isEnd) return Option.none()
      // A comment now and then, so that nobody in between takes the connection for dead.
      return Option.some([beat.quiet % 15 === 14 ? ": still here\n\n" : "", { ...beat, quiet: beat.quiet + 1, isFirst: false }])
    }))
  const texts = Stream.filter(beats, (text) => text !== "")
  return HttpServerResponse.stream(Stream.map(texts, (text) => encoder.encode(text)), {
    contentType: "text/event-stream",
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })
}

/** The request as node:http has it. */
export const incoming = Effect.map(HttpServerRequest.HttpServerRequest, NodeHttpServerRequest.toIncomingMessage)
