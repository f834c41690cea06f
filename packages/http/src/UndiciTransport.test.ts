import { make, type Response, Transport } from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { createRequire } from "node:module"
import type * as Tls from "node:tls"
import { atOnce, connectionTo, enrolment, fate, inTurn, send } from "../test/calls.js"
import { certificate } from "../test/selfSigned.js"
import { TransportSuite } from "../test/TransportSuite.js"
import * as Upstreams from "../test/upstreams.js"
import * as UndiciTransport from "./UndiciTransport.js"

TransportSuite("UndiciTransport", UndiciTransport.layer, { isPortable: false })

/** Calls without a fiber wherever that can be. */
const withoutFibers = (connection: Parameters<typeof UndiciTransport.make>[0]): Layer.Layer<Transport> =>
  Layer.scoped(Transport, Effect.map(UndiciTransport.make(connection), ({ begin, send }) =>
    begin === null ? make(send) : make((request) => Effect.async<Response, TransportError>((resume) => begin(request, resume)))))

TransportSuite("UndiciTransport without fibers", withoutFibers, { isPortable: false, isInterruptible: false })

/** Holds every request until it is let go. */
const holding = Effect.gen(function*() {
  const arrived = yield* Deferred.make<void>()
  const held: Array<() => void> = []
  let isHolding = true
  const upstream = yield* Upstreams.http((_, response) => {
    const answer = () => Upstreams.json(response, "{}")
    if (!isHolding) return answer()
    held.push(answer)
    Deferred.unsafeDone(arrived, Exit.void)
  })
  const letGo = Effect.sync(() => {
    isHolding = false
    for (const answer of held) answer()
  })
  return { upstream, arrived: Deferred.await(arrived), letGo }
})

/** Runs something while the only connection is taken, then sees two calls arrive over it: the held one and a last one. */
const behindAHeldCall = <E>(during: Effect.Effect<void, E, Transport>) =>
  Effect.gen(function*() {
    const { arrived, letGo, upstream } = yield* holding
    yield* Effect.provide(
      Effect.gen(function*() {
        const held = yield* Effect.fork(send(enrolment))
        yield* arrived
        yield* during
        yield* letGo
        expect((yield* Fiber.join(held)).status).toBe(200)
        expect((yield* send(enrolment)).status).toBe(200)
      }),
      UndiciTransport.layer(connectionTo(upstream.url, { connections: 1 }))
    )
    expect(upstream.received).toHaveLength(2)
    // Dropping what had waited did not cost the connection.
    expect(upstream.connections()).toBe(1)
  })

describe("UndiciTransport", () => {
  it.scopedLive("header names go over the wire as they are documented", () =>
    Effect.gen(function*() {
      const upstream = yield* Upstreams.http(Upstreams.accepting())
      yield* Effect.provide(send(enrolment), UndiciTransport.layer(connectionTo(upstream.url)))
      const names = upstream.received[0]?.rawHeaders.filter((_, index) => index % 2 === 0)
      expect(names).toEqual([
        "host",
        "connection",
        "Authorization",
        "Accept",
        "Accept-Encoding",
        "User-Agent",
        "Content-Type",
        "X-Request-Id",
        "content-length"
      ])
    }))

  it.scopedLive("a call whose time is up while it waits for a connection was not sent, and never is", () =>
    behindAHeldCall(Effect.gen(function*() {
      const waiting = Effect.exit(send({ ...enrolment, timeoutMillis: 50 }))
      expect(yield* atOnce(20, Effect.map(waiting, fate))).toEqual(Array(20).fill("NotSent/ConnectTimeout"))
    })))

  it.scopedLive("a call that is interrupted while it waits for a connection is never sent", () =>
    behindAHeldCall(Effect.gen(function*() {
      const waiting = yield* Effect.fork(send(enrolment))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
    })))

  it.scopedLive("a host that never gets through the handshake ends as not sent after the time limit for connecting", () =>
    Effect.gen(function*() {
      const { port } = yield* Upstreams.silent
      const connection = connectionTo(`https://127.0.0.1:${port}`, { connectTimeoutMillis: 100 })
      const exit = yield* Effect.exit(Effect.provide(send(enrolment), UndiciTransport.layer(connection)))
      expect(fate(exit)).toBe("NotSent/ConnectTimeout")
      expect(String(exit)).toContain("UND_ERR_CONNECT_TIMEOUT")
    }))

  it.scopedLive("many more calls than connections to a port on which nothing listens all end", () =>
    Effect.gen(function*() {
      const port = yield* Upstreams.unusedPort
      const fates = yield* Effect.provide(
        atOnce(50, Effect.map(Effect.exit(send(enrolment)), fate)),
        UndiciTransport.layer(connectionTo(`http://127.0.0.1:${port}`, { connections: 2 }))
      )
      expect(fates).toEqual(Array(50).fill("NotSent/Refused"))
    }))

  it.scopedLive("closing the scope ends calls in flight as unanswered and waiting ones as not sent", () =>
    Effect.gen(function*() {
      const { arrived, upstream } = yield* holding
      const scope = yield* Scope.make()
      const connection = connectionTo(upstream.url, { connections: 1 })
      const transport = yield* Scope.extend(UndiciTransport.make(connection), scope)
      const inFlight = yield* Effect.fork(Effect.exit(transport.send(enrolment)))
      yield* arrived
      const waiting = yield* Effect.fork(Effect.exit(transport.send(enrolment)))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      expect(fate(yield* Fiber.join(inFlight))).toBe("NoAnswer/Reset")
      expect(fate(yield* Fiber.join(waiting))).toBe("NotSent/Closed")
      expect(fate(yield* Effect.exit(transport.send(enrolment)))).toBe("NotSent/Closed")
      expect(upstream.received).toHaveLength(1)
    }))

  it.scopedLive("talks TLS to a host whose certificate is trusted", () =>
    Effect.gen(function*() {
      // Trust cannot be set for one test alone in Node 20, so the certificate is slipped in where undici connects.
      const tls = createRequire(import.meta.url)("node:tls") as {
        connect: (options: Tls.ConnectionOptions) => Tls.TLSSocket
      }
      const connect = tls.connect
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          tls.connect = (options) => connect({ ...options, ca: certificate })
        }),
        () =>
          Effect.sync(() => {
            tls.connect = connect
          })
      )
      const upstream = yield* Upstreams.https(Upstreams.accepting())
      const layer = UndiciTransport.layer(connectionTo(`https://localhost:${upstream.port}`, { connections: 1 }))
      const answers = yield* Effect.provide(inTurn(3, send(enrolment)), layer)
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
      expect(upstream.connections()).toBe(1)
    }))
})
