/** What every transport over HTTP must do, whichever client it uses. */
import * as Credentials from "@milepost/core/Credentials"
import * as DataScope from "@milepost/core/DataScope"
import { Transport } from "@milepost/core/Transport"
import * as BasePath from "../src/BasePath.js"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import {
  atOnce,
  connectionTo,
  enrolment,
  fate,
  inTurn,
  type LayerFor,
  lookUp,
  send,
  till
} from "./calls.js"
import { scenarios } from "./failingUpstreams.js"
import { OAuthSuite } from "./OAuthSuite.js"
import * as Upstreams from "./upstreams.js"

const base = "/api_gateway/intouch-api-v3/v3.1"

export const TransportSuite = (
  name: string,
  layerFor: LayerFor,
  { isInterruptible = true, isPortable }: { readonly isPortable: boolean; readonly isInterruptible?: boolean }
): void => {
  const whereInterruptible = isInterruptible ? it.scopedLive : it.scopedLive.skip
  describe(name, () => {
    describe("on the wire", () => {
      it.scopedLive("sends method, path, body and headers as documented", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          const connection = connectionTo(upstream.url, { userAgent: "suite/1" })
          const response = yield* Effect.provide(send(enrolment), layerFor(connection))
          const [received] = upstream.received
          expect(received?.method).toBe("POST")
          expect(received?.url).toBe(`${base}/targetGroups/2154/targets/2309/enroll`)
          expect(received?.body).toBe(enrolment.body)
          expect(received?.headers).toMatchObject({
            "authorization": "Basic c3RvcmUuc2VydmVyOjhhMTZhNmI3MDUwNWViMWYxZmY3Y2RjMGNkNTU1OWE3",
            "content-type": "application/json",
            "content-length": String(enrolment.body?.length),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "suite/1",
            "x-request-id": response.requestId
          })
          for (const absent of ["data-scope", "data-scope-org", "x-cap-api-oauth-token", "traceparent", "cookie"]) {
            expect(received?.headers[absent]).toBeUndefined()
          }
          expect(response).toMatchObject({ status: 200, body: `{"data":564332013,"errors":null,"warnings":null}` })
          expect(response.headers["content-type"]).toBe("application/json")
          expect(response.headers["date"]).toMatch(/GMT$/)
        }))

      it.scopedLive("sends a look-up as a GET without a body", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          yield* Effect.provide(send(lookUp), layerFor(connectionTo(upstream.url)))
          const [received] = upstream.received
          expect(received?.method).toBe("GET")
          expect(received?.url).toBe(`${base}/users/564332013/targetGroups?includeInactive=true`)
          expect(received?.body).toBe("")
          expect(received?.headers["content-type"]).toBeUndefined()
        }))

      it.scopedLive("sends the second worked example of Basic, from the password and from its hash", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          // The vendor names the password Pass123 beside it, but the hash in its header is that of password1234.
          const plain = Credentials.basic({ username: "store123", password: Redacted.make("password1234") })
          const hashed = Credentials.basicHashed({
            username: "store123",
            passwordMd5: Redacted.make("BDC87B9C894DA5168059E00EBFFB9077")
          })
          for (const credentials of [plain, hashed]) {
            yield* Effect.provide(send(enrolment), layerFor(connectionTo(upstream.url, { credentials })))
          }
          const header = "Basic c3RvcmUxMjM6YmRjODdiOWM4OTRkYTUxNjgwNTllMDBlYmZmYjkwNzc="
          expect(upstream.received.map(({ headers }) => headers.authorization)).toEqual([header, header])
        }))

      it.scopedLive("sends the base path that is set, and the scope of one child organisation", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          const connection = connectionTo(upstream.url, {
            basePath: Either.getOrThrow(BasePath.fromText("/v3.1/")),
            dataScope: Either.getOrThrow(DataScope.other(100458))
          })
          yield* Effect.provide(send(enrolment), layerFor(connection))
          expect(upstream.received[0]?.url).toBe("/v3.1/targetGroups/2154/targets/2309/enroll")
          expect(upstream.received[0]?.headers).toMatchObject({ "data-scope": "OTHER", "data-scope-org": "100458" })
        }))

      it.scopedLive("books a Basic call on the till or store that the attribution names", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          const credentials = Credentials.basic({
            username: "store.server",
            password: Redacted.make("server123"),
            attribution: { lookupType: "STORE_CODE", lookup: "Köln-7" }
          })
          yield* Effect.provide(send(enrolment), layerFor(connectionTo(upstream.url, { credentials })))
          expect(upstream.received[0]?.headers).toMatchObject({
            "x-cap-api-attribution-lookup-type": "STORE_CODE",
            "x-cap-api-attribution-lookup": "Köln-7"
          })
        }))

      it.scopedLive("books an OAuth call on the entity that the attribution names", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting("the-token"))
          const credentials = Credentials.oauth({
            key: Redacted.make("key"),
            secret: Redacted.make("secret"),
            attribution: { entityType: "STORE_EXTERNAL_ID_1", entityCode: "S-7" }
          })
          yield* Effect.provide(send(enrolment), layerFor(connectionTo(upstream.url, { credentials })))
          const [tokenRequest, call] = upstream.received
          expect(tokenRequest).toMatchObject({ method: "POST", body: `{"key":"key","secret":"secret"}` })
          expect(tokenRequest?.headers.authorization).toBeUndefined()
          expect(call?.headers).toMatchObject({
            "x-cap-api-oauth-token": "the-token",
            "x-cap-api-attribution-entity-type": "STORE_EXTERNAL_ID_1",
            "x-cap-api-attribution-entity-code": "S-7"
          })
          expect(call?.headers.authorization).toBeUndefined()
        }))

      it.scopedLive("gives every call an id of its own, also one that is run again", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          const layer = layerFor(connectionTo(upstream.url))
          yield* Effect.provide(
            Effect.zipRight(inTurn(5, send(enrolment)), atOnce(5, send(lookUp))),
            layer
          )
          yield* Effect.provide(send(enrolment), layer)
          expect(new Set(upstream.received.map(({ headers }) => headers["x-request-id"])).size).toBe(11)
        }))

      it.scopedLive("passes a W3C trace context on, and nothing else under its name", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
          yield* Effect.provide(
            Effect.zipRight(
              send({ ...enrolment, traceparent }),
              send({ ...enrolment, traceparent: `${traceparent}\r\nX-Evil: 1` })
            ),
            layerFor(connectionTo(upstream.url))
          )
          expect(upstream.received.map(({ headers }) => headers["traceparent"])).toEqual([traceparent, undefined])
          expect(upstream.received[1]?.headers["x-evil"]).toBeUndefined()
        }))

      it.scopedLive("line breaks in a body stay in the body", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          const body = `[{"customerId":1,"periodName":"x\r\n\r\nPOST /evil HTTP/1.1\r\nX-Evil: 1\r\n\r\n"}]`
          yield* Effect.provide(send({ ...enrolment, body }), layerFor(connectionTo(upstream.url)))
          expect(upstream.received).toHaveLength(1)
          expect(upstream.received[0]?.body).toBe(body)
          expect(upstream.received[0]?.headers["x-evil"]).toBeUndefined()
        }))

      it.scopedLive("a path that ids and operations cannot make never reaches the wire", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http(Upstreams.accepting())
          const paths = [
            "/targetGroups/1\r\nX-Evil: 1/enroll",
            "/targetGroups/1 HTTP/1.1",
            "/targetGroups/../../admin",
            "/targetGroups/%2e%2e/admin",
            "/..",
            "//evil.example/x",
            "targetGroups/1",
            "/targetGroups/ö",
            "/users/1/targetGroups?x=1#y",
            "/"
          ]
          for (const path of paths) {
            const exit = yield* Effect.exit(
              Effect.provide(send({ ...enrolment, path }), layerFor(connectionTo(upstream.url)))
            )
            expect(fate(exit)).toContain("is not a path that can be sent")
          }
          expect(upstream.received).toEqual([])
        }))
    })

    describe("of an answer", () => {
      it.scopedLive("a redirect is an answer, and its target sees nothing", () =>
        Effect.gen(function*() {
          const target = yield* Upstreams.http(Upstreams.accepting())
          const upstream = yield* Upstreams.http((_, response) => {
            response.writeHead(307, { location: `${target.url}/stolen` })
            response.end()
          })
          const response = yield* Effect.provide(send(enrolment), layerFor(connectionTo(upstream.url)))
          expect(response.status).toBe(307)
          expect(target.connections()).toBe(0)
        }))

      it.scopedLive("an empty body, a page, a byte order mark and broken UTF-8 come as text", () =>
        Effect.gen(function*() {
          const bodies = [
            Buffer.from(""),
            Buffer.from("<html></html>"),
            Buffer.from("\ufeff{}"),
            Buffer.from([0x7b, 0xff, 0x7d])
          ]
          const upstream = yield* Upstreams.http((_, response, all) => {
            response.writeHead(200)
            response.end(bodies[all.length - 1])
          })
          const answers = yield* Effect.provide(
            inTurn(bodies.length, send(enrolment)),
            layerFor(connectionTo(upstream.url))
          )
          expect(answers.map(({ body }) => body)).toEqual(["", "<html></html>", "{}", "{\ufffd}"])
        }))

      it.scopedLive("a character that lies across two chunks arrives whole", () =>
        Effect.gen(function*() {
          const bytes = Buffer.from(`{"message":"ünïcödé €"}`)
          const upstream = yield* Upstreams.http((_, response) => {
            response.writeHead(200)
            let at = 0
            const next = (): void => {
              if (at === bytes.length) return void response.end()
              response.write(bytes.subarray(at, ++at), () => setImmediate(next))
            }
            next()
          })
          const { body } = yield* Effect.provide(send(enrolment), layerFor(connectionTo(upstream.url)))
          expect(body).toBe(bytes.toString())
        }))

      it.scopedLive("an informational answer before the real one is passed over", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http((_, response) => {
            response.writeEarlyHints({ link: "</style.css>; rel=preload" })
            Upstreams.json(response, "{}")
          })
          const { body, status } = yield* Effect.provide(send(enrolment), layerFor(connectionTo(upstream.url)))
          expect([status, body]).toEqual([200, "{}"])
        }))

      it.scopedLive("only few headers are handed on", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http((_, response) => {
            response.writeHead(429, { "retry-after": "7", "set-cookie": "session=1", "x-powered-by": "php" })
            response.end()
          })
          const { headers, status } = yield* Effect.provide(send(enrolment), layerFor(connectionTo(upstream.url)))
          expect(status).toBe(429)
          expect(headers["retry-after"]).toBe("7")
          expect(Object.keys(headers)).not.toContain("set-cookie")
          expect(Object.keys(headers)).not.toContain("x-powered-by")
        }))

      it.scopedLive("a look-up may be larger than the answer to a POST, up to a limit of its own", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.http((_, response) => Upstreams.json(response, "x".repeat(1500)))
          const layer = (maxLookupBodyBytes: number) =>
            layerFor(connectionTo(upstream.url, { maxBodyBytes: 1000, maxLookupBodyBytes }))
          expect(fate(yield* Effect.exit(Effect.provide(send(enrolment), layer(1500))))).toBe("MalformedAnswer/TooLarge")
          expect(fate(yield* Effect.exit(Effect.provide(send(lookUp), layer(1500))))).toBe("200")
          expect(fate(yield* Effect.exit(Effect.provide(send(lookUp), layer(1499))))).toBe("MalformedAnswer/TooLarge")
        }))
    })

    describe("what is known of a call after", () => {
      for (const { fate: expected, name, options, portableFate, start } of scenarios) {
        it.scopedLive(name, () =>
          Effect.gen(function*() {
            const connection = connectionTo(yield* start("a-token"), { timeoutMillis: 15_000, ...options })
            const exit = yield* Effect.exit(Effect.provide(send(enrolment), layerFor(connection)))
            expect(fate(exit)).toBe(isPortable ? portableFate ?? expected : expected)
          }))
      }

      it.scopedLive("a connection that the upstream closed while idle: it is not sent a second time", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.tcp((socket, count) =>
            count === 1
              ? socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n{}")
              : socket.resetAndDestroy()
          )
          const layer = layerFor(connectionTo(upstream.url, { connections: 1 }))
          const [first, second] = yield* Effect.provide(
            Effect.all([Effect.exit(send(enrolment)), Effect.exit(send(enrolment))]),
            layer
          )
          expect(fate(first)).toBe("200")
          expect(fate(second)).toBe("NoAnswer/Reset")
          expect(upstream.received).toHaveLength(2)
        }))

      it.scopedLive("the caller's own time limit, where it is the shorter one", () =>
        Effect.gen(function*() {
          const upstream = yield* Upstreams.silent
          const exit = yield* Effect.exit(
            Effect.provide(send({ ...enrolment, timeoutMillis: 100 }), layerFor(connectionTo(upstream.url)))
          )
          expect(fate(exit)).toBe("NoAnswer/Timeout")
        }))

      whereInterruptible("an interruption: the connection is closed at once and the next call goes through", () =>
        Effect.gen(function*() {
          const arrived = yield* Deferred.make<void>()
          const closed = yield* Deferred.make<void>()
          const upstream = yield* Upstreams.http((_, response, all) => {
            if (all.length > 1) return Upstreams.json(response, "{}")
            response.on("close", () => Deferred.unsafeDone(closed, Exit.void))
            Deferred.unsafeDone(arrived, Exit.void)
          })
          yield* Effect.provide(
            Effect.gen(function*() {
              const fiber = yield* Effect.fork(send(enrolment))
              yield* Deferred.await(arrived)
              yield* Fiber.interrupt(fiber)
              yield* Deferred.await(closed)
              expect((yield* send(enrolment)).status).toBe(200)
            }),
            layerFor(connectionTo(upstream.url, { connections: 1 }))
          )
        }))
    })

    OAuthSuite(layerFor)

    it.scopedLive("keeps connections alive and opens no more than it needs", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.http(Upstreams.accepting())
        const connection = connectionTo(upstream.url, { connections: 4, credentials: till })
        yield* Effect.provide(
          Effect.gen(function*() {
            const transport = yield* Transport
            yield* Effect.forEach(Array.from({ length: 100 }), () => transport.send(enrolment), { concurrency: 4 })
          }),
          layerFor(connection)
        )
        expect(upstream.received).toHaveLength(100)
        // The fetch client manages its own connections; that they are reused is all that it promises.
        expect(upstream.connections()).toBeLessThanOrEqual(isPortable ? 20 : 4)
      }))
  })
}
