/** The native routes at work: the contract's handlers, and problems for everything that goes wrong. */
import type * as Etag from "@effect/platform/Etag"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import type * as HttpPlatform from "@effect/platform/HttpPlatform"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Path from "@effect/platform/Path"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as Ids from "@milepost/core/Ids"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Service as Jobs } from "../jobs/Jobs.js"
import type { Allowance } from "../keys/Allowance.js"
import * as ApiKey from "../keys/ApiKey.js"
import type { Service as Keys } from "../keys/Keys.js"
import type { Service as Log } from "../operation/Log.js"
import type { Metrics } from "../operation/Metrics.js"
import * as Traces from "../operation/Traces.js"
import type { Bodies } from "../server/Bodies.js"
import * as Exchange from "../server/Exchange.js"
import type { Patience } from "../server/Patience.js"
import type { Snapshot } from "../upstream/Gate.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"
import { api, Authorization, Caller } from "./Api.js"
import * as Document from "./Document.js"
import * as Idempotency from "./Idempotency.js"
import * as JobRoutes from "./JobRoutes.js"
import * as Payload from "./Payload.js"
import * as Problem from "./Problem.js"
import * as Reading from "./Reading.js"
import * as Records from "./Records.js"

/** What the routes are made of. */
export interface Options {
  readonly keys: Keys
  readonly upstreams: Upstreams
  readonly allowance: Allowance
  readonly bodies: Bodies
  readonly metrics: Metrics
  readonly jobs: Jobs
  readonly idempotency: Idempotency.Service
  readonly log: Log
  readonly uploadBytes: number
  readonly uploadPatience: Patience
  readonly nowMillis: () => number
  readonly isDraining: () => boolean
  /** Why it may not send, though it serves; `null` while it may. */
  readonly trouble: () => string | null
  /** How many lanes of customers it sends for. */
  readonly lanes: () => number
}

/** What the platform provides. */
export type Platform = Etag.Generator | FileSystem.FileSystem | HttpPlatform.HttpPlatform | Path.Path

const named = (route: string): Effect.Effect<Exchange.Exchange, never, HttpServerRequest.HttpServerRequest> =>
  Effect.map(JobRoutes.incoming, (req) => {
    const exchange = Exchange.of(req)
    exchange.route = route
    return exchange
  })

const answerOf = (value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Idempotency.Answer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(value)
})

const responseOf = ({ body, headers, status }: Idempotency.Answer): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(body, { status, contentType: headers["content-type"] ?? "application/json", headers })

const problemAnswer = (problem: Problem.Problem): Idempotency.Answer => ({
  status: problem.status,
  headers: { "content-type": "application/problem+json", ...(problem.retryAfterSeconds === undefined ? {} : { "retry-after": String(problem.retryAfterSeconds) }) },
  body: JSON.stringify(problem)
})

const authorization = ({ allowance, keys, nowMillis }: Options) =>
  Layer.succeed(Authorization, {
    apiKey: (presented) =>
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        const secret = ApiKey.fromAuthorization(`Bearer ${Redacted.value(presented)}`)
        const key = secret === null ? null : keys.find(secret) ?? (yield* keys.seek(secret))
        if (key === null) return yield* Effect.fail(Problem.make("unauthenticated", "Send Authorization: Bearer <key>."))
        Exchange.of(NodeHttpServerRequest.toIncomingMessage(request)).key = key.id
        const spent = allowance.spend(key, nowMillis())
        const res = NodeHttpServerRequest.toServerResponse(request)
        for (const [name, value] of Object.entries(spent.headers)) res.setHeader(name, value)
        if (!spent.isAllowed) {
          const retryAfterMillis = Number(spent.headers["retry-after"]) * 1000
          return yield* Effect.fail(Problem.make("rate-limited", `This key may make ${key.perMinute} requests a minute.`, { retryAfterMillis }))
        }
        return key
      })
  })

/** Answers once for an `Idempotency-Key`; problems are answers as well. */
const once = <R>(
  idempotency: Idempotency.Service,
  key: ApiKey.ApiKey,
  parts: ReadonlyArray<string>,
  answer: Effect.Effect<Idempotency.Answer, Problem.Problem, R>,
  content?: Effect.Effect<string, Problem.Problem>
): Effect.Effect<HttpServerResponse.HttpServerResponse, Problem.Problem, HttpServerRequest.HttpServerRequest | R> =>
  Effect.gen(function*() {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const given = headers["idempotency-key"]
    const whole = Effect.catchAll(answer, (problem) => Effect.succeed(problemAnswer(problem)))
    if (given === undefined) return responseOf(yield* whole)
    if (!Idempotency.isKey(given)) return yield* Effect.fail(Problem.make("invalid-request", "Idempotency-Key: 1 to 255 visible characters are needed"))
    const request = { owner: key.id, key: given, fingerprint: Idempotency.fingerprint(...parts) }
    return responseOf(yield* idempotency.once(content === undefined ? request : { ...request, content }, whole))
  })

/** Below the span of the request, where it has one. */
const below = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, HttpServerRequest.HttpServerRequest | R> =>
  Effect.flatMap(JobRoutes.incoming, (req) => Traces.within(Exchange.of(req).span, effect))

const recordRoutes = (options: Options) => {
  const { bodies, idempotency, metrics, upstreams } = options
  const atOrg = (key: ApiKey.ApiKey, org: string | undefined) =>
    Effect.gen(function*() {
      const upstream = yield* Records.orgOf(key, org, upstreams)
      const exchange = Exchange.of(yield* JobRoutes.incoming)
      exchange.org = upstream.org().id
      return { key, metrics, upstream }
    })
  return HttpApiBuilder.group(api, "records", (handlers) =>
    handlers
      .handleRaw("enroll", () =>
        Effect.gen(function*() {
          yield* named("/v1/enrollments")
          const key = yield* Caller
          const text = yield* Reading.text(bodies)
          return yield* once(idempotency, key, ["enroll", text], Effect.gen(function*() {
            const { org, ...record } = yield* Reading.decoded(Payload.EnrollmentRequest, text)
            return answerOf(yield* below(Records.one(yield* atOrg(key, org), record, Records.enrollmentOf(record))))
          }))
        }))
      .handleRaw("unenroll", () =>
        Effect.gen(function*() {
          yield* named("/v1/unenrollments")
          const key = yield* Caller
          const text = yield* Reading.text(bodies)
          return yield* once(idempotency, key, ["unenroll", text], Effect.gen(function*() {
            const { org, ...record } = yield* Reading.decoded(Payload.UnenrollmentRequest, text)
            return answerOf(yield* below(Records.one(yield* atOrg(key, org), record, Records.unenrollmentOf(record))))
          }))
        }))
      .handleRaw("batch", () =>
        Effect.gen(function*() {
          yield* named("/v1/enrollments/batch")
          const key = yield* Caller
          const text = yield* Reading.text(bodies)
          return yield* once(idempotency, key, ["batch", text], Effect.gen(function*() {
            const { org, records } = yield* Reading.decoded(Payload.BatchRequest, text)
            return answerOf(yield* below(Records.batch(yield* atOrg(key, org), records)))
          }))
        }))
      .handle("targetGroups", ({ path, urlParams }) =>
        Effect.gen(function*() {
          yield* named("/v1/customers/{id}/target-groups")
          const key = yield* Caller
          const { upstream } = yield* atOrg(key, urlParams.org)
          const targetGroups = yield* below(Records.lookUp(key, upstream, {
            customerId: path.id as Ids.CustomerId,
            includeInactive: urlParams.includeInactive,
            targetRuleId: urlParams.targetId as Ids.TargetId | undefined
          }))
          return { customerId: path.id, targetGroups }
        })))
}

const jobRoutes = (options: Options) => {
  const { idempotency, isDraining, jobs, uploadBytes, uploadPatience, upstreams } = options
  const seen = (route: string, id: string) =>
    Effect.gen(function*() {
      const exchange = yield* named(route)
      const job = yield* JobRoutes.visible(jobs, yield* Caller, id)
      exchange.org = job.org
      return job
    })
  const wished = (verb: "cancel" | "pause" | "resume") => ({ path }: { readonly path: { readonly id: string } }) =>
    Effect.gen(function*() {
      const { id } = yield* seen(`/v1/jobs/{id}/${verb}`, path.id)
      return JobRoutes.documentOf(yield* Effect.mapError(jobs[verb](id), JobRoutes.jobProblem))
    })
  return HttpApiBuilder.group(api, "jobs", (handlers) =>
    handlers
      .handleRaw("create", ({ urlParams }) =>
        Effect.gen(function*() {
          const exchange = yield* named("/v1/jobs")
          const key = yield* Caller
          const { url } = yield* HttpServerRequest.HttpServerRequest
          const req = yield* JobRoutes.incoming
          const upstream = yield* Records.orgOf(key, urlParams.org, upstreams)
          const org = upstream.org().id
          exchange.org = org
          const defaults = yield* JobRoutes.defaultsOf(urlParams)
          const callsPerSecond = yield* JobRoutes.rateOf(urlParams)
          const upload = yield* JobRoutes.uploadOf(req, urlParams.name ?? "upload", uploadBytes, uploadPatience)
          const { source } = upload
          // The content itself is known when it has been read.
          const parts = ["job", url, req.headers["content-type"] ?? "", req.headers["content-length"] ?? ""]
          const { operation = "enroll" } = urlParams
          const failed = (error: Parameters<typeof JobRoutes.uploadProblem>[0]) => JobRoutes.uploadProblem(error, uploadBytes)
          const content = Effect.mapError(upload.content, failed)
          if (urlParams.dryRun === true) {
            const limits = [callsPerSecond, upstream.gate.snapshot().callsPerSecond].filter((limit) => limit !== null)
            const lowest = limits.length === 0 ? null : Math.min(...limits)
            const planned = JobRoutes.planned({ operation, source, defaults, callsPerSecond: lowest, targetGroups: key.targetGroups })
            return yield* once(idempotency, key, parts, Effect.mapBoth(planned, { onSuccess: (plan) => answerOf(plan), onFailure: failed }), content)
          }
          const stored = JobRoutes.uploaded(jobs, { org, key: key.id, operation, source, defaults, callsPerSecond, targetGroups: key.targetGroups })
          return yield* once(idempotency, key, parts, Effect.mapBoth(stored, {
            onSuccess: (job) => answerOf(JobRoutes.documentOf(job), 202, { location: `/v1/jobs/${job.id}` }),
            onFailure: failed
          }), content)
        }))
      .handle("list", () =>
        Effect.gen(function*() {
          yield* named("/v1/jobs")
          const key = yield* Caller
          const all = yield* jobs.list(key.orgs)
          const granted = yield* Effect.filter(all, ({ id }) => JobRoutes.isGranted(jobs, key, id))
          return { jobs: granted.map(JobRoutes.documentOf) }
        }).pipe(Effect.catchAll((error) => Effect.fail(JobRoutes.jobProblem(error)))))
      .handle("get", ({ path }) => Effect.map(seen("/v1/jobs/{id}", path.id), JobRoutes.documentOf))
      .handleRaw("results", ({ path, request, urlParams }) =>
        Effect.map(seen("/v1/jobs/{id}/results", path.id), (job) =>
          JobRoutes.results(jobs, job, { accept: request.headers["accept"] ?? "", outcome: urlParams.outcome })))
      .handleRaw("failed", ({ path }) => Effect.map(seen("/v1/jobs/{id}/failed", path.id), (job) => JobRoutes.failed(jobs, job)))
      .handleRaw("events", ({ headers, path }) =>
        Effect.map(seen("/v1/jobs/{id}/events", path.id), ({ id }) => JobRoutes.events(jobs, id, headers["last-event-id"], isDraining)))
      .handle("pause", wished("pause"))
      .handle("resume", wished("resume"))
      .handle("cancel", wished("cancel"))
      .handleRaw("remove", ({ path }) =>
        Effect.gen(function*() {
          const { id } = yield* seen("/v1/jobs/{id}", path.id)
          yield* Effect.mapError(jobs.remove(id), JobRoutes.jobProblem)
          return HttpServerResponse.empty({ status: 204 })
        })))
}

const orgRoutes = ({ upstreams }: Options) =>
  HttpApiBuilder.group(api, "orgs", (handlers) =>
    handlers.handle("orgs", () =>
      Effect.gen(function*() {
        yield* named("/v1/orgs")
        const { orgs } = yield* Caller
        return { orgs: orgs.map((id) => standingOf(id, upstreams.get(id)?.gate.snapshot())) }
      })))

const standingOf = (id: string, gate: Snapshot | undefined): Payload.Orgs["orgs"][number] => ({
  id,
  isConfigured: gate !== undefined,
  callsPerSecond: gate?.callsPerSecond ?? null,
  inFlight: gate?.inFlight ?? 0,
  places: gate?.places ?? 0,
  waiting: gate === undefined ? 0 : gate.waitingInteractive + gate.waitingJobs,
  isPaused: gate !== undefined && gate.pausedMillis !== null,
  down: gate?.breaker?.why ?? null
})

/** Why nothing should be sent here; `null` while it may be. */
const notReady = ({ isDraining, trouble, upstreams }: Options): string | null =>
  isDraining() ? "stopping" : upstreams.all().length === 0 ? "no organisation" : trouble()

const serviceRoutes = (options: Options) => {
  const { jobs, metrics, upstreams } = options
  const text = (body: string, contentType: string, status = 200, headers: Readonly<Record<string, string>> = {}) =>
    HttpServerResponse.text(body, { status, contentType, headers })
  return HttpApiBuilder.group(api, "service", (handlers) =>
    handlers
      .handleRaw("healthz", () => Effect.as(named("/healthz"), text("ok\n", "text/plain")))
      .handleRaw("readyz", () =>
        Effect.map(named("/readyz"), () => {
          const why = notReady(options)
          return why === null ? text("ready\n", "text/plain") : text(`${why}\n`, "text/plain", 503)
        }))
      .handleRaw("metrics", () =>
        Effect.map(named("/metrics"), () => text(metrics.render({ upstreams, jobs: jobs.counts(), lanes: options.lanes() }), "text/plain; version=0.0.4; charset=utf-8")))
      .handleRaw("openapi", () => Effect.map(named("/openapi.json"), () => text(JSON.stringify(Document.openApi()), "application/json")))
      .handleRaw("docs", () =>
        Effect.map(named("/docs"), () => text(Document.page(), "text/html; charset=utf-8", 200, { "content-security-policy": Document.policy }))))
}

const isProblem = (value: unknown): value is Problem.Problem => value instanceof Problem.Problem

/** Whatever went wrong as a problem; a defect is logged, and told without its words. */
const problemOf = (log: Log, cause: Cause.Cause<unknown>): Effect.Effect<Problem.Problem, never, HttpServerRequest.HttpServerRequest> =>
  Effect.map(JobRoutes.incoming, (req) => {
    const error = Option.getOrUndefined(Cause.failureOption(cause)) ?? Option.getOrUndefined(Cause.dieOption(cause))
    if (isProblem(error)) return error
    if (Predicate.isTagged(error, "RouteNotFound")) return Problem.make("not-found", "There is no such route; see /openapi.json.")
    if (Predicate.isTagged(error, "HttpApiDecodeError")) {
      const { issues } = error as unknown as { readonly issues: ReadonlyArray<{ readonly path: ReadonlyArray<PropertyKey>; readonly message: string }> }
      const [issue] = issues
      return Problem.make("invalid-request", `${issue?.path.map(String).join(".") ?? ""}: ${issue?.message.split("\n")[0] ?? "is not as documented"}`)
    }
    log.write("error", "defect", { id: Exchange.of(req).id, what: error instanceof Error ? error.stack ?? error.message : "unknown" })
    return Problem.make("internal", `Report it with the request id ${Exchange.of(req).id}.`)
  })

/** The handler of the native routes. */
export const make = (
  options: Options
): Effect.Effect<(req: IncomingMessage, res: ServerResponse) => void, never, Platform> =>
  Effect.gen(function*() {
    const groups = Layer.mergeAll(recordRoutes(options), jobRoutes(options), orgRoutes(options), serviceRoutes(options)).pipe(
      Layer.provide(authorization(options))
    )
    const problems = HttpApiBuilder.middleware((app) =>
      Effect.catchAllCause(app, (cause) =>
        Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : Effect.map(problemOf(options.log, cause), Problem.response)) as HttpApp.Default
    )
    const built = HttpApiBuilder.api(api).pipe(
      Layer.provide(groups),
      Layer.merge(problems),
      Layer.provideMerge(Layer.merge(HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer))
    )
    const context = yield* Layer.build(built)
    const app = yield* Effect.provide(HttpApiBuilder.httpApp, context)
    // Spans of every request cost more than the request.
    return yield* Effect.locally(NodeHttpServer.makeHandler(app), HttpMiddleware.currentTracerDisabledWhen, () => true)
  }).pipe(Effect.scoped)
