/** The native routes as a contract: what `/openapi.json` is made of, and what the handlers must keep. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Outcome from "@milepost/core/Outcome"
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import manifest from "../../package.json" with { type: "json" }
import type { ApiKey } from "../keys/ApiKey.js"
import * as Payload from "./Payload.js"
import { Problem } from "./Problem.js"

/** Whose key a request came with. */
export class Caller extends Context.Tag("@milepost/proxy/Caller")<Caller, ApiKey>() {}

/** Shows a request's key, or that it has none. */
export class Authorization extends HttpApiMiddleware.Tag<Authorization>()("@milepost/proxy/Authorization", {
  failure: Problem,
  provides: Caller,
  security: { apiKey: HttpApiSecurity.bearer }
}) {}

const idempotent = Schema.Struct({
  "idempotency-key": Schema.optional(Schema.String.pipe(Schema.maxLength(255))).annotations({
    description: "The same key and body within 24 hours get the first answer again."
  })
})

const org = Schema.optional(Schema.String).annotations({ description: "The organisation's id; not needed where the key has only one." })

/** What generators call it, and what people read. */
const named = (identifier: string, summary: string) => OpenApi.annotations({ identifier, summary })

const records = HttpApiGroup.make("records")
  .add(
    HttpApiEndpoint.post("enroll", "/v1/enrollments").setPayload(Payload.EnrollmentRequest).setHeaders(idempotent).addSuccess(Payload.Result)
      .annotateContext(named("enroll", "Enrol or re-enrol one customer"))
  )
  .add(
    HttpApiEndpoint.post("unenroll", "/v1/unenrollments").setPayload(Payload.UnenrollmentRequest).setHeaders(idempotent).addSuccess(Payload.Result)
      .annotateContext(named("unenroll", "Un-enrol one customer"))
  )
  .add(
    HttpApiEndpoint.post("batch", "/v1/enrollments/batch").setPayload(Payload.BatchRequest).setHeaders(idempotent).addSuccess(Payload.BatchResult)
      .annotateContext(named("enrollBatch", "Enrol up to 1,000 records, answered together"))
  )
  .add(
    HttpApiEndpoint.get("targetGroups", "/v1/customers/:id/target-groups")
      .setPath(Schema.Struct({ id: Payload.Id }))
      .setUrlParams(Schema.Struct({
        org,
        includeInactive: Schema.optional(Payload.Flag),
        targetId: Schema.optional(Payload.Id)
      }))
      .addSuccess(Payload.TargetGroups)
      .annotateContext(named("getTargetGroups", "The target groups that a customer is in"))
  )
  .middleware(Authorization)

const jobId = Schema.Struct({ id: Schema.String })

const jobs = HttpApiGroup.make("jobs")
  .add(
    HttpApiEndpoint.post("create", "/v1/jobs")
      .setPayload(HttpApiSchema.Text({ contentType: "text/csv" }))
      .setHeaders(idempotent)
      .setUrlParams(Schema.Struct({
        org,
        operation: Schema.optional(Schema.Literal("enroll", "unenroll")),
        name: Schema.optional(Schema.String.pipe(Schema.maxLength(200))),
        group: Schema.optional(Payload.Id),
        target: Schema.optional(Payload.Id),
        period: Schema.optional(Schema.Array(Schema.String)),
        initialBalance: Schema.optional(Schema.String),
        resetStreak: Schema.optional(Payload.Flag),
        rate: Schema.optional(Schema.String),
        dryRun: Schema.optional(Payload.Flag).annotations({
          description: "true reads the body as a job would, and answers 200 with what it asks for: nothing is stored, nothing is sent."
        })
      }))
      .addSuccess(Payload.Job, { status: 202 })
      .addSuccess(Payload.Plan)
      .annotateContext(named("createJob", "Store a file of records, and send them in the background"))
      .annotate(OpenApi.Description, "The body is text/csv or application/x-ndjson. Answered when all of it is stored; Location names the job. With dryRun=true it is only read.")
  )
  .add(HttpApiEndpoint.get("list", "/v1/jobs").addSuccess(Payload.Jobs).annotateContext(named("listJobs", "Jobs of the key's organisations, the latest first")))
  .add(HttpApiEndpoint.get("get", "/v1/jobs/:id").setPath(jobId).addSuccess(Payload.Job).annotateContext(named("getJob", "A job as it stands")))
  .add(
    HttpApiEndpoint.get("results", "/v1/jobs/:id/results")
      .setPath(jobId)
      .setUrlParams(Schema.Struct({ outcome: Schema.optional(Schema.Literal(...Outcome.words)) }))
      .addSuccess(HttpApiSchema.Text({ contentType: "text/csv" }))
      .annotateContext(named("getJobResults", "Rows with their outcomes, as CSV or by Accept as NDJSON"))
  )
  .add(
    HttpApiEndpoint.get("failed", "/v1/jobs/:id/failed")
      .setPath(jobId)
      .addSuccess(HttpApiSchema.Text({ contentType: "text/csv" }))
      .annotateContext(named("getJobFailed", "Failed rows byte for byte, to mend and upload again"))
      .annotate(OpenApi.Description, "The header and every row of which something was rejected, is unknown, or was kept back by a fuse, in the format that was uploaded.")
  )
  .add(
    HttpApiEndpoint.get("events", "/v1/jobs/:id/events")
      .setPath(jobId)
      .setHeaders(Schema.Struct({ "last-event-id": Schema.optional(Schema.String) }))
      .addSuccess(HttpApiSchema.Text({ contentType: "text/event-stream" }))
      .annotateContext(named("getJobEvents", "Progress as server-sent events, resumable with Last-Event-ID"))
  )
  .add(
    HttpApiEndpoint.del("remove", "/v1/jobs/:id").setPath(jobId).addSuccess(Schema.Void).annotateContext(named("deleteJob", "Forget a job that is not being sent"))
  )
  .add(HttpApiEndpoint.post("pause", "/v1/jobs/:id/pause").setPath(jobId).addSuccess(Payload.Job).annotateContext(named("pauseJob", "Send nothing more for now")))
  .add(HttpApiEndpoint.post("resume", "/v1/jobs/:id/resume").setPath(jobId).addSuccess(Payload.Job).annotateContext(named("resumeJob", "Go on")))
  .add(HttpApiEndpoint.post("cancel", "/v1/jobs/:id/cancel").setPath(jobId).addSuccess(Payload.Job).annotateContext(named("cancelJob", "Never send what is left")))
  .middleware(Authorization)

const orgs = HttpApiGroup.make("orgs")
  .add(
    HttpApiEndpoint.get("orgs", "/v1/orgs").addSuccess(Payload.Orgs)
      .annotateContext(named("listOrgs", "The key's organisations, and how fast each may be called"))
  )
  .middleware(Authorization)

const text = (contentType: string) => HttpApiSchema.Text({ contentType })

const service = HttpApiGroup.make("service")
  .add(HttpApiEndpoint.get("healthz", "/healthz").addSuccess(text("text/plain")).annotateContext(named("getHealth", "The process is alive")))
  .add(HttpApiEndpoint.get("readyz", "/readyz").addSuccess(text("text/plain")).annotateContext(named("getReadiness", "It takes requests")))
  .add(HttpApiEndpoint.get("metrics", "/metrics").addSuccess(text("text/plain")).annotateContext(named("getMetrics", "Metrics in the text format of Prometheus")))
  .add(HttpApiEndpoint.get("openapi", "/openapi.json").addSuccess(text("application/json")).annotateContext(named("getOpenApi", "This document")))
  .add(HttpApiEndpoint.get("docs", "/docs").addSuccess(text("text/html")).annotateContext(named("getDocs", "This document for people")))

/** All native routes. */
export const api = HttpApi.make("milepost-proxy")
  .add(records)
  .add(jobs)
  .add(orgs)
  .add(service)
  .addError(Problem)
  .annotate(OpenApi.Title, "milepost-proxy")
  .annotate(OpenApi.Version, manifest.version)
  .annotate(OpenApi.Description, "Enrolment into milestones and streaks: one record, a batch, or a job. Problems are told as RFC 9457; see docs/problems.md.")
