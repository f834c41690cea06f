/**
 * The upstream's own routes: a client changes its base URL, and gains order, pace, retries and central credentials.
 *
 * Served straight from node:http, ahead of everything else, because it is what is called most. A call is judged as the
 * upstream would, as far as that can be told from here; then it goes out as itself, under the proxy's credentials.
 */
import * as ApiError from "@milepost/core/ApiError"
import * as Attempts from "@milepost/core/Attempts"
import * as Decode from "@milepost/core/Decode"
import type * as Ids from "@milepost/core/Ids"
import * as Outcome from "@milepost/core/Outcome"
import * as TargetGroups from "@milepost/core/TargetGroups"
import type * as Transport from "@milepost/core/Transport"
import * as Wire from "@milepost/core/Wire"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Access from "../keys/Access.js"
import type { Allowance } from "../keys/Allowance.js"
import * as ApiKey from "../keys/ApiKey.js"
import type { Service as Keys } from "../keys/Keys.js"
import type { Metrics } from "../operation/Metrics.js"
import * as Traces from "../operation/Traces.js"
import type { Bodies } from "../server/Bodies.js"
import * as Exchange from "../server/Exchange.js"
import type { Busy, Upstream } from "../upstream/Upstream.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"
import * as Envelope from "./Envelope.js"
import * as Route from "./Route.js"

/** Handles the upstream's own routes. */
export interface DropIn {
  /** Takes a request on where its path is one of the upstream's; `false` where it is not. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => boolean
}

/** What it is made of. */
export interface Options {
  readonly keys: Keys
  readonly upstreams: Upstreams
  readonly allowance: Allowance
  readonly bodies: Bodies
  readonly metrics: Metrics
  readonly nowMillis: () => number
}

/** A request whose key opens its organisation. */
interface Granted<R> {
  readonly key: ApiKey.ApiKey
  readonly route: R
  readonly upstream: Upstream
  /** The caller's trace context, for the upstream; the transport refuses what is none. */
  readonly traceparent: string | undefined
}

/** The largest body that is read: the documented one has some hundred bytes. */
const mostBytes = 65_536

const json = /^application\/json\s*(?:;|$)/i

const write = (res: ServerResponse, { body, headers, status }: Envelope.Answer): void => {
  res.writeHead(status, { "content-type": "application/json", ...headers, "content-length": Buffer.byteLength(body) })
  res.end(body)
}

const badKey = Envelope.own(401, "The API key is missing, unknown or revoked: send Authorization: Bearer <key>.", {
  "www-authenticate": "Bearer realm=\"milepost-proxy\""
})

const noOrg = (none: Access.NoOrg): Envelope.Answer => {
  const { code } = ApiError.ConnectedOrgsNotSet.row
  switch (none._tag) {
    case "Ambiguous":
      return Envelope.refusal(400, code, `This key has several organisations: name one of ${none.orgs.join(", ")} in DATA-SCOPE-ORG.`)
    case "NotGranted":
      return Envelope.own(403, "This key has no such organisation.")
    case "Gone":
      return Envelope.own(503, `The organisation ${none.org} is not configured any more.`, Envelope.retryAfter(30_000))
  }
}

const answerOf = <A>(
  attempted: Attempts.Attempted<A, Outcome.CallError>,
  onSuccess: (value: A) => Envelope.Answer
): Envelope.Answer => Either.match(attempted.result, { onLeft: Envelope.failed, onRight: onSuccess })

/** One call with its retries, judged by core: only what an answer means matters here, and the caller's own words go out. */
const submitted = (request: Transport.Request) =>
  Attempts.run((transport, timeoutMillis) =>
    Effect.flatMap(transport.send({ ...request, timeoutMillis }), (response) => Decode.accepted(response, request.customerId))
  )

/** The record's own words, and nothing beside them. */
const bodyOf = ({ customerId, initialBalance, periodName, resetStreakStatus }: Wire.EnrollRecord): string =>
  JSON.stringify([{ customerId, periodName, initialBalance, resetStreakStatus }])

const recordOf = (route: Route.RecordCall, text: string): { readonly customerId: Ids.CustomerId; readonly body: string } | null => {
  const record = route.operation === "enroll" ? Wire.enrollRecord(text) : Wire.unenrollRecord(text)
  return record === null ? null : { customerId: record.customerId as Ids.CustomerId, body: bodyOf(record) }
}

/** A look-up's answer for a key that may see some target groups only. */
const onlyGranted = (body: string, key: ApiKey.ApiKey): string => {
  if (key.targetGroups === null) return body
  const answer = JSON.parse(body) as { readonly data?: { readonly targetGroups?: ReadonlyArray<{ readonly id?: unknown }> | null } }
  const targetGroups = (answer.data?.targetGroups ?? []).filter(({ id }) => typeof id === "number" && Access.mayTouch(key, id))
  return JSON.stringify({ ...answer, data: { ...answer.data, targetGroups } })
}

/** Routes of the upstream over these services. */
export const make = (options: Options): Effect.Effect<DropIn> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const { allowance, bodies, keys, metrics, nowMillis, upstreams } = options
    const fork = Runtime.runFork(runtime)

    /** Runs to the answer; a client that goes away before its call has left takes it back. */
    const respond = (
      res: ServerResponse,
      headers: Envelope.Answer["headers"],
      upstream: Upstream,
      customerId: number,
      program: Effect.Effect<Envelope.Answer, never, Transport.Transport>
    ): void => {
      const fiber = fork(Effect.match(Traces.within(Exchange.of(res.req).span, upstream.call(customerId, program)), {
        onSuccess: (answer) => write(res, { ...answer, headers: { ...headers, ...answer.headers } }),
        onFailure: (busy: Busy) => {
          metrics.refused(upstream.org().id, busy.reason)
          const answer = Envelope.busy(busy)
          write(res, { ...answer, headers: { ...headers, ...answer.headers } })
        }
      }))
      res.on("close", () => {
        if (!res.writableFinished) fiber.unsafeInterruptAsFork(FiberId.none)
      })
    }

    const record = (
      res: ServerResponse,
      headers: Envelope.Answer["headers"],
      { key, route, traceparent, upstream }: Granted<Route.RecordCall>,
      text: string
    ): void => {
      const found = recordOf(route, text)
      const { operation, targetGroupId, targetId } = route
      if (found === null || targetGroupId === null || targetId === null) {
        return write(res, { ...Envelope.documented(ApiError.InvalidInput.row), headers })
      }
      if (!Access.mayTouch(key, targetGroupId)) {
        return write(res, { ...Envelope.own(403, `This key may not touch target group ${targetGroupId}.`), headers })
      }
      const org = upstream.org().id
      respond(
        res,
        headers,
        upstream,
        found.customerId,
        Effect.map(
          submitted({
            operation,
            method: "POST",
            path: `/targetGroups/${targetGroupId}/targets/${targetId}/${operation === "enroll" ? "enroll" : "unEnroll"}`,
            body: found.body,
            customerId: found.customerId,
            traceparent
          }),
          (attempted) => {
            metrics.ended(org, Outcome.fromAttempted(operation === "enroll" ? "enrolled" : "unenrolled", attempted).outcome)
            return answerOf(attempted, Envelope.accepted)
          }
        )
      )
    }

    const lookUp = (
      res: ServerResponse,
      headers: Envelope.Answer["headers"],
      { key, route, traceparent, upstream }: Granted<Route.LookUp>
    ): void => {
      const { customerId, includeInactive, includeInactiveTargets, targetRuleId } = route
      if (customerId === null || targetRuleId === null) return write(res, { ...Envelope.documented(ApiError.InvalidInput.row), headers })
      const request = TargetGroups.request({
        customerId,
        includeInactive,
        includeInactiveTargets,
        targetRuleId: targetRuleId as Ids.TargetId | undefined
      })
      const program = Attempts.run((transport, timeoutMillis) =>
        Effect.flatMap(transport.send({ ...request, timeoutMillis, traceparent }), (response) =>
          Either.map(Decode.envelope(response), () => response.body))
      )
      respond(res, headers, upstream, customerId, Effect.map(program, (attempted) =>
        answerOf(attempted, (body) => ({ status: 200, body: onlyGranted(body, key), headers: {} }))))
    }

    const authorised = (req: IncomingMessage, res: ServerResponse, route: Exclude<Route.Route, { readonly _tag: "Refused" }>): void => {
      const exchange = Exchange.of(req)
      const secret = ApiKey.fromAuthorization(req.headers.authorization)
      const key = secret === null ? null : keys.find(secret)
      if (key === null) return write(res, badKey)
      exchange.key = key.id
      const spent = allowance.spend(key, nowMillis())
      if (!spent.isAllowed) return write(res, Envelope.own(429, `This key may make ${key.perMinute} requests a minute.`, spent.headers))
      const { headers } = spent
      const scope = req.headers["data-scope"]
      if (typeof scope === "string" && scope.trim().toUpperCase() === "ALL") {
        return write(res, { ...Envelope.documented(ApiError.DataScopeNotSupported.row), headers })
      }
      const named = req.headers["data-scope-org"]
      const upstream = Access.orgOf(key, typeof named === "string" ? named.trim() : undefined, upstreams)
      if (Access.isNone(upstream)) {
        const answer = noOrg(upstream)
        return write(res, { ...answer, headers: { ...headers, ...answer.headers } })
      }
      exchange.org = upstream.org().id
      const trace = req.headers["traceparent"]
      const traceparent = typeof trace === "string" ? trace : undefined
      if (route._tag === "LookUp") return lookUp(res, headers, { key, route, traceparent, upstream })
      if (!json.test(req.headers["content-type"] ?? "")) {
        return write(res, Envelope.own(415, "The body must be application/json.", headers))
      }
      bodies.read(req, mostBytes, (body) => {
        if (body._tag === "Whole") return record(res, headers, { key, route, traceparent, upstream }, body.text)
        if (body._tag === "NotUtf8") return write(res, { ...Envelope.documented(ApiError.InvalidInput.row), headers })
        write(res, Envelope.own(413, `The body is larger than ${mostBytes} bytes.`, { ...headers, connection: "close" }))
      })
    }

    const basePathOf = (url: string): string | undefined => {
      for (const upstream of upstreams.all()) {
        const { basePath } = upstream.org().connection
        if (url.startsWith(basePath) && url.charCodeAt(basePath.length) === 0x2f) return basePath
      }
      return undefined
    }

    return {
      handle: (req, res) => {
        const url = req.url ?? ""
        const basePath = basePathOf(url)
        if (basePath === undefined) return false
        const route = Route.of(req.method ?? "", url.slice(basePath.length))
        Exchange.of(req).route = Route.nameOf(route)
        if (route._tag !== "Refused") authorised(req, res, route)
        else if (route.status === 404) write(res, Envelope.own(404, "There is no such operation at this path."))
        else write(res, Envelope.own(405, `Use ${route.allow} here.`, { allow: route.allow }))
        return true
      }
    }
  })
