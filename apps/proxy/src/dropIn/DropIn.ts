/**
 * The upstream's own routes: a client changes its base URL, and gains order, pace, retries and central credentials.
 *
 * Served straight from node:http, ahead of everything else, because it is what is called most. A call is judged as the
 * upstream would, as far as that can be told from here; then it goes out as itself, under the proxy's credentials.
 */
import * as ApiError from "@milepost/core/ApiError"
import type * as Attempts from "@milepost/core/Attempts"
import * as Decode from "@milepost/core/Decode"
import type * as Ids from "@milepost/core/Ids"
import * as Outcome from "@milepost/core/Outcome"
import * as TargetGroups from "@milepost/core/TargetGroups"
import type * as Transport from "@milepost/core/Transport"
import * as Wire from "@milepost/core/Wire"
import * as Either from "effect/Either"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Access from "../keys/Access.js"
import type { Allowance } from "../keys/Allowance.js"
import * as ApiKey from "../keys/ApiKey.js"
import type { Service as Keys } from "../keys/Keys.js"
import type { Metrics } from "../operation/Metrics.js"
import * as Traces from "../operation/Traces.js"
import type { Bodies } from "../server/Bodies.js"
import * as Exchange from "../server/Exchange.js"
import type { Upstream } from "../upstream/Upstream.js"
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
  /** Looks for a key that is not known here yet: another replica may have made it. Calls back once, later. */
  readonly seek: (secret: string, then: (key: ApiKey.ApiKey | null) => void) => void
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
  /** Our span's trace context, or the caller's, for the upstream; the transport refuses what is none. */
  readonly traceparent: string | undefined
}

/** The largest body that is read: the documented one has some hundred bytes. */
const mostBytes = 65_536

const json = /^application\/json\s*(?:;|$)/i

/** Header fields as node:http takes them without another look at each: name, value, name, value. */
const write = (res: ServerResponse, { body, headers, status }: Envelope.Answer, more: Envelope.Answer["headers"] = Envelope.none): void => {
  const fields = ["content-type", "application/json", "content-length", String(Buffer.byteLength(body)), "x-request-id", Exchange.of(res.req).id]
  for (const some of [more, headers]) {
    for (const name in some) fields.push(name, some[name] ?? "")
  }
  res.writeHead(status, fields)
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

const recordOf = (route: Route.RecordCall, text: string): { readonly customerId: Ids.CustomerId; readonly body: string } | null => {
  const record = route.operation === "enroll" ? Wire.enrollRecord(text) : Wire.unenrollRecord(text)
  return record === null ? null : { customerId: record.customerId as Ids.CustomerId, body: Wire.recordBody(record) }
}

/** A look-up's answer for a key that may see some target groups only. */
const onlyGranted = (body: string, key: ApiKey.ApiKey): string => {
  if (key.targetGroups === null) return body
  const answer = JSON.parse(body) as { readonly data?: { readonly targetGroups?: ReadonlyArray<{ readonly id?: unknown }> | null } }
  const targetGroups = (answer.data?.targetGroups ?? []).filter(({ id }) => typeof id === "number" && Access.mayTouch(key, id))
  return JSON.stringify({ ...answer, data: { ...answer.data, targetGroups } })
}

/** Routes of the upstream over these services. */
export const make = ({ allowance, bodies, keys, metrics, nowMillis, seek, upstreams }: Options): DropIn => {
  /** Makes the call and answers; a client that goes away before its call has left takes it back. */
  const respond = <A>(
    res: ServerResponse,
    headers: Envelope.Answer["headers"],
    upstream: Upstream,
    request: Transport.Request,
    judge: (response: Transport.Response) => Either.Either<A, Decode.AnswerError>,
    answer: (attempted: Attempts.Attempted<A, Outcome.CallError>) => Envelope.Answer
  ): void => {
    const begun = upstream.attempt(request, judge, (attempted) => write(res, answer(attempted), headers))
    if (typeof begun !== "function") {
      metrics.refused(upstream.org().id, begun.reason)
      return write(res, Envelope.busy(begun), headers)
    }
    res.on("close", () => {
      if (!res.writableFinished) begun()
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
      return write(res, Envelope.documented(ApiError.InvalidInput.row), headers)
    }
    if (!Access.mayTouch(key, targetGroupId)) {
      return write(res, Envelope.own(403, `This key may not touch target group ${targetGroupId}.`), headers)
    }
    const { body, customerId } = found
    const path = `/targetGroups/${targetGroupId}/targets/${targetId}/${operation === "enroll" ? "enroll" : "unEnroll"}`
    respond(
      res,
      headers,
      upstream,
      { operation, method: "POST", path, body, customerId, traceparent },
      (response) => Decode.accepted(response, customerId),
      (attempted) => {
        metrics.ended(upstream.org().id, Outcome.fromAttempted(operation === "enroll" ? "enrolled" : "unenrolled", attempted).outcome)
        return answerOf(attempted, Envelope.accepted)
      }
    )
  }

  const lookUp = (
    res: ServerResponse,
    headers: Envelope.Answer["headers"],
    { key, route, traceparent, upstream }: Granted<Route.LookUp>
  ): void => {
    const { customerId, includeInactive, includeInactiveTargets, targetRuleId } = route
    if (customerId === null || targetRuleId === null) return write(res, Envelope.documented(ApiError.InvalidInput.row), headers)
    const request = TargetGroups.request({
      customerId,
      includeInactive,
      includeInactiveTargets,
      targetRuleId: targetRuleId as Ids.TargetId | undefined
    })
    respond(
      res,
      headers,
      upstream,
      { ...request, traceparent },
      (response) => Either.map(Decode.envelope(response), () => response.body),
      (attempted) => answerOf(attempted, (body) => ({ status: 200, body: onlyGranted(body, key), headers: {} }))
    )
  }

  const authorised = (req: IncomingMessage, res: ServerResponse, route: Exclude<Route.Route, { readonly _tag: "Refused" }>): void => {
    const secret = ApiKey.fromAuthorization(req.headers.authorization)
    if (secret === null) return write(res, badKey)
    const key = keys.find(secret)
    if (key !== null) return withKey(req, res, route, key)
    seek(secret, (found) => found === null ? write(res, badKey) : withKey(req, res, route, found))
  }

  const withKey = (
    req: IncomingMessage,
    res: ServerResponse,
    route: Exclude<Route.Route, { readonly _tag: "Refused" }>,
    key: ApiKey.ApiKey
  ): void => {
    const exchange = Exchange.of(req)
    exchange.key = key.id
    const spent = allowance.spend(key, nowMillis())
    if (!spent.isAllowed) return write(res, Envelope.own(429, `This key may make ${key.perMinute} requests a minute.`, spent.headers))
    const { headers } = spent
    const scope = req.headers["data-scope"]
    if (typeof scope === "string" && scope.trim().toUpperCase() === "ALL") {
      return write(res, Envelope.documented(ApiError.DataScopeNotSupported.row), headers)
    }
    const named = req.headers["data-scope-org"]
    const upstream = Access.orgOf(key, typeof named === "string" ? named.trim() : undefined, upstreams)
    if (Access.isNone(upstream)) {
      return write(res, noOrg(upstream), headers)
    }
    exchange.org = upstream.org().id
    const trace = req.headers["traceparent"]
    const traceparent = exchange.span !== null ? Traces.contextOf(exchange.span) : typeof trace === "string" ? trace : undefined
    if (route._tag === "LookUp") return lookUp(res, headers, { key, route, traceparent, upstream })
    if (!json.test(req.headers["content-type"] ?? "")) {
      return write(res, Envelope.own(415, "The body must be application/json.", headers))
    }
    bodies.read(req, mostBytes, (body) => {
      if (body._tag === "Whole") return record(res, headers, { key, route, traceparent, upstream }, body.text)
      if (body._tag === "NotUtf8") return write(res, Envelope.documented(ApiError.InvalidInput.row), headers)
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
}
