/**
 * From a call to what goes over the wire, and from a 401 to the one renewal: shared by both transports.
 *
 * Headers are built once per identity (a credential and scope, or one OAuth token), not per call.
 */
import type { Basic, OAuth } from "@milepost/core/Credentials"
import * as DataScope from "@milepost/core/DataScope"
import * as Transport from "@milepost/core/Transport"
import { NotSent, type TransportError } from "@milepost/core/TransportError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as BasicAuth from "../BasicAuth.js"
import type { Connection } from "../Connection.js"
import * as OAuthToken from "../OAuthToken.js"
import type { Direct } from "../Direct.js"
import type { Begin, Exchange, Outgoing } from "./exchange.js"
import { scrubber } from "./scrub.js"

/** What every call of one identity carries, and what must not come back. */
interface Identity {
  readonly headers: { readonly POST: ReadonlyArray<string>; readonly GET: ReadonlyArray<string> }
  readonly scrub: (text: string) => string
}

type Headers = Readonly<Record<string, string>>

/** Nothing needs decompressing, and no small answer can unfold into a large one. */
const common = (connection: Connection): Headers => ({
  Accept: "application/json",
  "Accept-Encoding": "identity",
  "User-Agent": connection.userAgent
})

const withContent: Headers = { "Content-Type": "application/json" }

const flat = (...headers: ReadonlyArray<Headers>): ReadonlyArray<string> =>
  headers.flatMap((some) => Object.entries(some).flat())

const identity = (connection: Connection, auth: Headers, secrets: ReadonlyArray<string>): Identity => {
  const headers = [auth, DataScope.headers(connection.dataScope), common(connection)]
  return { headers: { POST: flat(...headers, withContent), GET: flat(...headers) }, scrub: scrubber(secrets) }
}

/** Padding may be cut off or escaped where a credential is echoed, and the URL alphabet used. */
const base64Spellings = (base64: string): ReadonlyArray<string> => {
  const bare = base64.replace(/=+$/, "")
  return [bare, bare.replaceAll("+", "-").replaceAll("/", "_")]
}

const basicIdentity = (connection: Connection, credentials: Basic): Identity => {
  const authorization = Redacted.value(BasicAuth.authorization(credentials))
  const md5 = Redacted.value(BasicAuth.passwordMd5(credentials))
  const secrets = [
    Redacted.value(credentials.password.value),
    md5,
    md5.toUpperCase(),
    ...base64Spellings(authorization.slice("Basic ".length))
  ]
  return identity(connection, { Authorization: authorization, ...BasicAuth.attributionHeaders(credentials) }, secrets)
}

const oauthIdentity = (connection: Connection, credentials: OAuth, token: OAuthToken.Token): Identity => {
  const secrets = [token.value, credentials.key, credentials.secret].map((secret) => Redacted.value(secret))
  return identity(
    connection,
    { [OAuthToken.header]: Redacted.value(token.value), ...OAuthToken.attributionHeaders(credentials) },
    [...secrets, ...secrets.flatMap((secret) => base64Spellings(Encoding.encodeBase64(secret)))]
  )
}

/**
 * The paths that may be sent: what ids, operations and queries are made of. No `.` segments, no empty ones, and nothing
 * that could end the request line.
 */
const sendable = /^(?:\/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9_.~-]+)+(?:\?[A-Za-z0-9_&=.%~-]*)?$/

/** The version, trace id, parent id and flags of W3C Trace Context. */
const traceContext = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Ids that are unique across processes by their prefix, and cheap: `mp-<64 random bits>-<count>`. */
const requestIds = (): () => string => {
  const random = Encoding.encodeHex(globalThis.crypto.getRandomValues(new Uint8Array(8)))
  let count = 0
  return () => `mp-${random}-${++count}`
}

const tokenNotInTime = (millis: number): NotSent =>
  new NotSent({
    reason: "TokenUnavailable",
    message: `The token service gave no token within ${millis} ms. The call was not sent.`
  })

/** What became of asking for a token, as the fate of the call that needs it: that one was not sent. */
const asNotSent = (error: TransportError): NotSent => {
  if (error._tag === "NotSent") return error
  const what = error._tag === "NoAnswer" ? `no whole answer (${error.reason})` : "more than a token"
  return new NotSent({
    reason: "TokenUnavailable",
    message: `The token service gave ${what}. The call was not sent.`
  })
}

/**
 * A transport over an HTTP client.
 *
 * A path that cannot be sent is a defect: programs build paths out of checked ids, so such a path is a program's fault,
 * and neither sending nor retrying can be right.
 */
export const make = (
  connection: Connection,
  exchange: Exchange,
  begin: Begin | null = null
): Effect.Effect<Direct, never, Scope.Scope> => {
  const nextRequestId = requestIds()

  const outgoing = (request: Transport.Request, from: Identity, requestId: string, timeoutMillis: number): Outgoing => {
    const headers = [...from.headers[request.method], "X-Request-Id", requestId]
    if (request.traceparent !== undefined && traceContext.test(request.traceparent)) {
      headers.push("traceparent", request.traceparent)
    }
    return {
      method: request.method,
      path: connection.basePath + request.path,
      headers,
      body: request.body,
      requestId,
      timeoutMillis,
      maxBodyBytes: request.method === "POST" ? connection.maxBodyBytes : connection.maxLookupBodyBytes,
      scrub: from.scrub
    }
  }

  const timeoutOf = ({ timeoutMillis }: Transport.Request): number =>
    timeoutMillis === undefined ? connection.timeoutMillis : Math.min(connection.timeoutMillis, Math.max(1, timeoutMillis))

  const unsendable = ({ path }: Transport.Request): Error =>
    new Error(`${JSON.stringify(path.slice(0, 200))} is not a path that can be sent`)

  const checked = (send: Transport.Service["send"]): Transport.Service =>
    Transport.make((request) => sendable.test(request.path) ? send(request) : Effect.die(unsendable(request)))

  const overBasic = (credentials: Basic): Direct => {
    const always = basicIdentity(connection, credentials)
    const next = (request: Transport.Request): Outgoing => outgoing(request, always, nextRequestId(), timeoutOf(request))
    return {
      // Suspended, so that an effect that is run again is another call, with another id.
      ...checked((request) => Effect.suspend(() => exchange(next(request)))),
      begin: begin === null ? null : (request, ended) => {
        if (!sendable.test(request.path)) throw unsendable(request)
        begin(next(request), ended)
      }
    }
  }

  const issue = (credentials: OAuth): Effect.Effect<OAuthToken.Issued, NotSent> =>
    Effect.suspend(() => {
      const requestId = nextRequestId()
      return exchange({
        method: "POST",
        path: OAuthToken.path,
        headers: [...flat(common(connection), withContent), "X-Request-Id", requestId],
        body: OAuthToken.requestBody(credentials),
        requestId,
        timeoutMillis: connection.timeoutMillis,
        maxBodyBytes: connection.maxBodyBytes,
        // The answer holds the token itself, and goes no further than the next line.
        scrub: (text) => text
      }).pipe(Effect.mapError(asNotSent), Effect.flatMap(OAuthToken.fromAnswer))
    })

  const overOAuth = (credentials: OAuth, tokens: OAuthToken.Service): Direct => {
    let latest: { readonly token: OAuthToken.Token; readonly identity: Identity } | null = null
    const identityOf = (token: OAuthToken.Token): Identity => {
      if (latest?.token !== token) latest = { token, identity: oauthIdentity(connection, credentials, token) }
      return latest.identity
    }

    const bounded = (wait: Effect.Effect<OAuthToken.Token, NotSent>, millis: number) =>
      Effect.timeoutFail(wait, { duration: millis, onTimeout: () => tokenNotInTime(millis) })

    const service = checked((request) =>
      Clock.clockWith((clock) => {
        const requestId = nextRequestId()
        const timeoutMillis = timeoutOf(request)
        const startedAt = clock.unsafeCurrentTimeMillis()
        const leftMillis = () => Math.max(1, timeoutMillis - (clock.unsafeCurrentTimeMillis() - startedAt))
        const sendWith = (token: OAuthToken.Token) =>
          exchange(outgoing(request, identityOf(token), requestId, leftMillis()))
        // A 401 was not executed, so this is the one answer after which a call is sent again; the second is the answer.
        const sendAndRenewOnce = (token: OAuthToken.Token) =>
          Effect.flatMap(sendWith(token), (response) =>
            response.status === 401
              ? Effect.flatMap(bounded(tokens.renewed(token), leftMillis()), sendWith)
              : Effect.succeed(response))
        const fresh = tokens.fresh(startedAt)
        return fresh !== null
          ? sendAndRenewOnce(fresh)
          : Effect.flatMap(bounded(tokens.current, timeoutMillis), sendAndRenewOnce)
      })
    )
    return { ...service, begin: null }
  }

  const { credentials } = connection
  return credentials._tag === "Basic"
    ? Effect.sync(() => overBasic(credentials))
    : Effect.map(OAuthToken.make(issue(credentials)), (tokens) => overOAuth(credentials, tokens))
}
