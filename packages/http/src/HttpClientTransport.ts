/**
 * The portable transport: over whatever `HttpClient` of `@effect/platform` is provided, for browsers, edge and tests.
 *
 * It behaves like the transport of Node, except where an HTTP client does not tell: a call is `NotSent` only where the
 * error proves it, else `NoAnswer`. The pool and its limits (`connections`, `connectTimeoutMillis`) are the client's own.
 */
import { type Response, type Service, Transport } from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as BaseUrl from "./BaseUrl.js"
import type { Connection } from "./Connection.js"
import * as caller from "./internal/caller.js"
import { announcesTooMuch, answer, type Exchange, type Outgoing } from "./internal/exchange.js"
import * as failures from "./internal/failures.js"

type Headers = Record<string, string>

const headersOf = ({ headers }: Outgoing): Headers => {
  const record: Headers = {}
  for (let at = 0; at < headers.length; at += 2) record[headers[at] ?? ""] = headers[at + 1] ?? ""
  return record
}

const requestOf = (origin: string, outgoing: Outgoing): HttpClientRequest.HttpClientRequest => {
  const request = HttpClientRequest.make(outgoing.method)(origin + outgoing.path)
  return HttpClientRequest.setHeaders(
    outgoing.body === null ? request : HttpClientRequest.bodyText(request, outgoing.body),
    headersOf(outgoing)
  )
}

const failureOf = (where: string, requestId: string) => (error: HttpClientError.HttpClientError): TransportError => {
  const code = failures.codeOf(error)
  // Encode and InvalidUrl are raised before anything is sent.
  const wasNotSent = error._tag === "RequestError" && (error.reason !== "Transport" || failures.provesNotSent(error))
  return wasNotSent ? failures.notSent(where, code) : failures.reset(where, code, requestId)
}

/** A browser hides which redirect it did not follow, and shows status 0; any 3xx says that it was one. */
const statusOf = ({ status }: HttpClientResponse.HttpClientResponse): number => status === 0 ? 302 : status

const read = (
  response: HttpClientResponse.HttpClientResponse,
  outgoing: Outgoing
): Effect.Effect<Response, TransportError | HttpClientError.ResponseError> => {
  const status = statusOf(response)
  const isAnnounced = announcesTooMuch(outgoing, response.headers)
  return Effect.suspend(() => {
    const decoder = new TextDecoder()
    let bytes = 0
    let body = ""
    const take = (chunk: Uint8Array) => {
      bytes += chunk.length
      // Failing inside of the stream is what lets go of the connection.
      if (isAnnounced || bytes > outgoing.maxBodyBytes) {
        return Effect.fail(failures.tooLarge(status, outgoing.maxBodyBytes, outgoing.requestId))
      }
      body += decoder.decode(chunk, { stream: true })
      return Effect.void
    }
    return Stream.runForEach(response.stream, take).pipe(
      Effect.catchTag("ResponseError", (error) => error.reason === "EmptyBody" ? Effect.void : Effect.fail(error)),
      Effect.map(() => answer(outgoing, status, response.headers, body + decoder.decode()))
    )
  })
}

const exchangeOver = (
  client: HttpClient.HttpClient,
  origin: string,
  where: string,
  init: RequestInit
): Exchange =>
(outgoing) =>
  client.execute(requestOf(origin, outgoing)).pipe(
    // A setting of the fetch client, read from the context by it; other clients ignore it.
    Effect.provideService(FetchHttpClient.RequestInit, init),
    Effect.flatMap((response) => read(response, outgoing)),
    Effect.catchTags({
      RequestError: (error) => Effect.fail(failureOf(where, outgoing.requestId)(error)),
      ResponseError: (error) => Effect.fail(failureOf(where, outgoing.requestId)(error))
    }),
    Effect.timeoutFail({
      duration: outgoing.timeoutMillis,
      onTimeout: () => failures.timedOut(where, outgoing.timeoutMillis, outgoing.requestId)
    })
  )

/**
 * A transport over the provided HTTP client.
 *
 * With the fetch client redirects are not followed; otherwise a `FetchHttpClient.RequestInit` of the context is kept.
 * Provide no client that follows redirects or repeats calls by itself: XMLHttpRequest does, and `HttpClient.retry`. The
 * client's own spans are off, because they record headers.
 */
export const make = (
  connection: Connection
): Effect.Effect<Service, never, HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function*() {
    const client = HttpClient.withTracerDisabledWhen(yield* HttpClient.HttpClient, () => true)
    const given = Option.getOrUndefined(yield* Effect.serviceOption(FetchHttpClient.RequestInit))
    const where = BaseUrl.hostAndPort(connection.baseUrl)
    const init: RequestInit = { credentials: "omit", ...given, redirect: "manual" }
    return yield* caller.make(connection, exchangeOver(client, connection.baseUrl, where, init))
  })

/**
 * The portable transport as a layer; see {@link make}. `FetchHttpClient.layer` of `@effect/platform` is what to provide.
 *
 * @example
 * ```ts
 * import { Credentials } from "@milepost/core"
 * import { BaseUrl, Connection, HttpClientTransport } from "@milepost/http"
 * import { Effect, Either, Layer, Redacted } from "effect"
 *
 * const credentials = Credentials.oauth({ key: Redacted.make("a key"), secret: Redacted.make("a secret") })
 * const connection = Either.flatMap(BaseUrl.fromText("eu"), (baseUrl) => Connection.make({ baseUrl, credentials }))
 * const portable = Layer.unwrapEffect(Effect.map(connection, HttpClientTransport.layer))
 * ```
 */
export const layer = (connection: Connection): Layer.Layer<Transport, never, HttpClient.HttpClient> =>
  Layer.scoped(Transport, make(connection))
