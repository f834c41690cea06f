/** How a transport comes by its token, keeps it and renews it, whichever HTTP client it uses. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as OAuthToken from "../src/OAuthToken.js"
import { atOnce, client, connectionTo, enrolment, fate, type LayerFor, send } from "./calls.js"
import { tokenScenarios } from "./failingUpstreams.js"
import * as Upstreams from "./upstreams.js"

const tokenRequests = (received: ReadonlyArray<Upstreams.Received>) =>
  received.filter(({ url }) => url === OAuthToken.path)

const calls = (received: ReadonlyArray<Upstreams.Received>) => received.filter(({ url }) => url !== OAuthToken.path)

const tokenOf = ({ headers }: Upstreams.Received) => headers["x-cap-api-oauth-token"]

/** Issues `token-1`, `token-2`, … and refuses with 401 whatever token `isValid` does not like. */
const numbering = (isValid: (token: string, issued: number) => boolean, ttlSeconds = 3600): Upstreams.Answer => {
  let issued = 0
  return (request, response) => {
    if (request.url === OAuthToken.path) {
      issued += 1
      return Upstreams.json(response, { data: { accessToken: `token-${issued}`, ttlSeconds }, errors: null })
    }
    return isValid(String(tokenOf(request)), issued)
      ? Upstreams.json(response, { data: 564332013, errors: null, warnings: null })
      : Upstreams.json(response, { errors: null }, 401)
  }
}

export const OAuthSuite = (layerFor: LayerFor): void => {
  describe("over OAuth", () => {
    const oauth = (url: string) => layerFor(connectionTo(url, { credentials: client }))

    it.scoped("a token serves until shortly before it expires, and calls do not wait for the next one", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.http(numbering(() => true, 3600))
        yield* Effect.provide(
          Effect.gen(function*() {
            yield* send(enrolment)
            yield* TestClock.adjust("3539 seconds")
            yield* send(enrolment)
            expect(tokenRequests(upstream.received)).toHaveLength(1)
            yield* TestClock.adjust("1 second")
            expect((yield* send(enrolment)).status).toBe(200)
            // The renewal runs beside the call; the first call after it carries the new token.
            yield* Effect.repeat(send(enrolment), {
              until: () => tokenOf(upstream.received.at(-1) as Upstreams.Received) === "token-2"
            })
            expect(tokenRequests(upstream.received)).toHaveLength(2)
          }),
          oauth(upstream.url)
        )
      }))

    it.scoped("an expired token is never sent", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.http(numbering(() => true, 300))
        yield* Effect.provide(
          Effect.zipRight(send(enrolment), Effect.zipRight(TestClock.adjust("300 seconds"), send(enrolment))),
          oauth(upstream.url)
        )
        expect(calls(upstream.received).map(tokenOf)).toEqual(["token-1", "token-2"])
      }))

    it.scopedLive("a hundred calls at once wait for one token", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.http(numbering(() => true))
        const answers = yield* Effect.provide(
          atOnce(100, send(enrolment)),
          oauth(upstream.url)
        )
        expect(answers).toHaveLength(100)
        expect(tokenRequests(upstream.received)).toHaveLength(1)
      }))

    it.scopedLive("a 401 renews the token once and sends the call once more, under the same id", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.http(numbering((token) => token !== "token-1"))
        const response = yield* Effect.provide(send(enrolment), oauth(upstream.url))
        expect(response.status).toBe(200)
        expect(tokenRequests(upstream.received)).toHaveLength(2)
        expect(calls(upstream.received).map(tokenOf)).toEqual(["token-1", "token-2"])
        expect(calls(upstream.received).map(({ headers }) => headers["x-request-id"])).toEqual(
          Array(2).fill(response.requestId)
        )
      }))

    it.scopedLive("a second 401 is the answer", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.http(numbering(() => false))
        const response = yield* Effect.provide(send(enrolment), oauth(upstream.url))
        expect(response.status).toBe(401)
        expect(tokenRequests(upstream.received)).toHaveLength(2)
        expect(calls(upstream.received)).toHaveLength(2)
      }))

    it.scopedLive("fifty calls that are refused with one token share one renewal", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.http(numbering((token) => token !== "token-1"))
        const answers = yield* Effect.provide(
          atOnce(50, send(enrolment)),
          oauth(upstream.url)
        )
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
        expect(tokenRequests(upstream.received)).toHaveLength(2)
      }))

    it.scopedLive("fifty calls in flight at the moment of a revocation share one renewal", () =>
      Effect.gen(function*() {
        // All fifty are held until the last has arrived, so that every one of them carries the first token.
        const held: Array<() => void> = []
        let issued = 0
        const upstream = yield* Upstreams.http((request, response) => {
          if (request.url === OAuthToken.path) {
            issued += 1
            return Upstreams.json(response, { data: { accessToken: `token-${issued}`, ttlSeconds: 60 } })
          }
          if (tokenOf(request) !== "token-1") return Upstreams.json(response, "{}")
          held.push(() => Upstreams.json(response, "{}", 401))
          if (held.length === 50) for (const refuse of held) refuse()
        })
        const answers = yield* Effect.provide(
          atOnce(50, send(enrolment)),
          oauth(upstream.url)
        )
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
        expect(issued).toBe(2)
        expect(calls(upstream.received)).toHaveLength(100)
      }))

    it.scopedLive("a failing token service is asked once for all that wait, and again by the next call", () =>
      Effect.gen(function*() {
        let isUp = false
        const upstream = yield* Upstreams.http((request, response, all) =>
          isUp ? Upstreams.accepting()(request, response, all) : Upstreams.json(response, "{}", 503)
        )
        yield* Effect.provide(
          Effect.gen(function*() {
            const fates = yield* atOnce(20, Effect.map(Effect.exit(send(enrolment)), fate))
            expect(fates).toEqual(Array(20).fill("NotSent/TokenUnavailable"))
            expect(upstream.received).toHaveLength(1)
            isUp = true
            expect((yield* send(enrolment)).status).toBe(200)
          }),
          oauth(upstream.url)
        )
      }))

    it.scopedLive("interrupting the call that began a renewal leaves it to the others", () =>
      Effect.gen(function*() {
        const asked = yield* Deferred.make<void>()
        let release = (): void => {}
        const upstream = yield* Upstreams.http((request, response, all) => {
          if (request.url !== OAuthToken.path) return Upstreams.json(response, "{}")
          release = () => Upstreams.accepting()(request, response, all)
          Deferred.unsafeDone(asked, Exit.void)
        })
        yield* Effect.provide(
          Effect.gen(function*() {
            const first = yield* Effect.fork(send(enrolment))
            yield* Deferred.await(asked)
            const second = yield* Effect.fork(send(enrolment))
            yield* Effect.yieldNow()
            yield* Fiber.interrupt(first)
            release()
            expect((yield* Fiber.join(second)).status).toBe(200)
            expect(tokenRequests(upstream.received)).toHaveLength(1)
          }),
          oauth(upstream.url)
        )
      }))

    it.scopedLive("waiting for a token counts towards the call's time limit", () =>
      Effect.gen(function*() {
        const upstream = yield* Upstreams.silent
        const exit = yield* Effect.exit(
          Effect.provide(send({ ...enrolment, timeoutMillis: 100 }), oauth(upstream.url))
        )
        expect(fate(exit)).toBe("NotSent/TokenUnavailable")
      }))

    for (const { fate: expected, name, options, start } of tokenScenarios) {
      it.scopedLive(name, () =>
        Effect.gen(function*() {
          const connection = connectionTo(yield* start("a-token"), { credentials: client, ...options })
          expect(fate(yield* Effect.exit(Effect.provide(send(enrolment), layerFor(connection))))).toBe(expected)
        }))
    }
  })
}
