import { NotSent } from "@milepost/core/TransportError"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as OAuthToken from "./OAuthToken.js"

const down = new NotSent({ reason: "TokenUnavailable", message: "down" })

/** A token service under the test's thumb: counts, fails when told to, and waits where a gate is closed. */
const service = (lifetimeMillis = 3_600_000) => {
  const state = { asked: 0, isDown: false, gate: Effect.void as Effect.Effect<void> }
  const issue = Effect.suspend(() => {
    state.asked += 1
    const value = Redacted.make(`token-${state.asked}`)
    return Effect.zipRight(state.gate, Effect.suspend(() => state.isDown ? down : Effect.succeed({ value, lifetimeMillis })))
  })
  return { state, issue }
}

const text = (token: OAuthToken.Token) => Redacted.value(token.value)

describe("OAuthToken", () => {
  it.scoped("a token is renewed when a tenth of its life is left, but no more than a minute early", () =>
    Effect.gen(function*() {
      for (const [lifetime, renewAt] of [[3_600_000, 3_540_000], [300_000, 270_000], [10_000, 9000]] as const) {
        const tokens = yield* OAuthToken.make(service(lifetime).issue)
        const token = yield* tokens.current
        const start = token.expiresAtMillis - lifetime
        expect(tokens.fresh(start + renewAt - 1)).toBe(token)
        expect(tokens.fresh(start + renewAt)).toBeNull()
      }
    }))

  it.scoped("while an early renewal runs, the old token serves", () =>
    Effect.gen(function*() {
      const { issue, state } = service()
      const tokens = yield* OAuthToken.make(issue)
      yield* tokens.current
      const gate = yield* Deferred.make<void>()
      state.gate = Deferred.await(gate)
      yield* TestClock.adjust("3545 seconds")
      expect(text(yield* tokens.current)).toBe("token-1")
      expect(text(yield* tokens.current)).toBe("token-1")
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.yieldNow()
      expect(text(yield* tokens.current)).toBe("token-2")
      expect(state.asked).toBe(2)
    }))

  it.scoped("an early renewal that fails is not repeated by every call, and the old token serves to its end", () =>
    Effect.gen(function*() {
      const { issue, state } = service()
      const tokens = yield* OAuthToken.make(issue)
      yield* tokens.current
      state.isDown = true
      yield* TestClock.adjust("3540 seconds")
      for (let call = 0; call < 100; call++) {
        expect(text(yield* tokens.current)).toBe("token-1")
        yield* Effect.yieldNow()
      }
      expect(state.asked).toBe(2)
      yield* TestClock.adjust("15 seconds")
      expect(text(yield* tokens.current)).toBe("token-1")
      yield* Effect.yieldNow()
      expect(state.asked).toBe(3)
      yield* TestClock.adjust("45 seconds")
      expect(yield* Effect.flip(tokens.current)).toBe(down)
      state.isDown = false
      expect(text(yield* tokens.current)).toBe("token-5")
    }))

  it.scoped("a failure is not kept: the next call asks again", () =>
    Effect.gen(function*() {
      const { issue, state } = service()
      state.isDown = true
      const tokens = yield* OAuthToken.make(issue)
      expect(yield* Effect.flip(tokens.current)).toBe(down)
      state.isDown = false
      expect(text(yield* tokens.current)).toBe("token-2")
    }))

  it.scoped("after a refusal there is one renewal, however often the same token is reported", () =>
    Effect.gen(function*() {
      const { issue, state } = service()
      const tokens = yield* OAuthToken.make(issue)
      const first = yield* tokens.current
      const renewed = yield* Effect.all(Array.from({ length: 50 }, () => tokens.renewed(first)), {
        concurrency: "unbounded"
      })
      expect(new Set(renewed.map(text))).toEqual(new Set(["token-2"]))
      expect(text(yield* tokens.renewed(first))).toBe("token-2")
      expect(state.asked).toBe(2)
    }))

  it.scoped("interrupting every call that waits leaves the renewal to the next", () =>
    Effect.gen(function*() {
      const { issue, state } = service()
      const gate = yield* Deferred.make<void>()
      state.gate = Deferred.await(gate)
      const tokens = yield* OAuthToken.make(issue)
      const waiting = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.fork(tokens.current))
      yield* Effect.yieldNow()
      yield* Fiber.interruptAll(waiting)
      yield* Deferred.succeed(gate, undefined)
      expect(text(yield* tokens.current)).toBe("token-1")
      expect(state.asked).toBe(1)
    }))

  it.effect("the end of the scope lets nobody wait for ever", () =>
    Effect.gen(function*() {
      const { issue, state } = service()
      state.gate = Effect.never
      const scope = yield* Scope.make()
      const tokens = yield* Scope.extend(OAuthToken.make(issue), scope)
      const waiting = yield* Effect.fork(Effect.flip(tokens.current))
      yield* Effect.yieldNow()
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "NotSent", reason: "Closed" })
      expect(yield* Effect.flip(tokens.current)).toMatchObject({ _tag: "NotSent", reason: "Closed" })
    }))

  it("reads the token service's answer, its lifetime as number or text and never above an hour", () => {
    const lifetime = (ttlSeconds: unknown) =>
      Either.map(
        OAuthToken.fromAnswer({ status: 200, body: JSON.stringify({ data: { accessToken: "t", ttlSeconds }, errors: [] }) }),
        ({ lifetimeMillis }) => lifetimeMillis
      )
    expect(lifetime(1800)).toEqual(Either.right(1_800_000))
    expect(lifetime("1800")).toEqual(Either.right(1_800_000))
    expect(lifetime(999_999)).toEqual(Either.right(3_600_000))
    for (const wrong of [0, -5, "", "soon", null, undefined, true, [60]]) expect(Either.isLeft(lifetime(wrong))).toBe(true)
  })

  it("tells a refusal from a service in trouble", () => {
    const reason = (status: number, body: unknown) =>
      Either.match(OAuthToken.fromAnswer({ status, body: typeof body === "string" ? body : JSON.stringify(body) }), {
        onLeft: (error) => error.reason,
        onRight: () => "issued"
      })
    const errors = { data: null, errors: [{ code: 7, message: "no" }] }
    expect([400, 401, 403].map((status) => reason(status, ""))).toEqual(Array(3).fill("CredentialsRefused"))
    expect([200, 404, 422].map((status) => reason(status, errors))).toEqual(Array(3).fill("CredentialsRefused"))
    expect([408, 429, 500, 503].map((status) => reason(status, errors))).toEqual(Array(4).fill("TokenUnavailable"))
    expect([302, 404].map((status) => reason(status, "<html>"))).toEqual(Array(2).fill("TokenUnavailable"))
    for (const body of ["", "<html>", "null", "[]", { data: null }, { data: { accessToken: 5, ttlSeconds: 5 } }]) {
      expect(reason(200, body)).toBe("TokenUnavailable")
    }
    for (const accessToken of ["", "a b", "a\r\nX-Evil: 1", "ä", "x".repeat(8193)]) {
      expect(reason(200, { data: { accessToken, ttlSeconds: 60 } })).toBe("TokenUnavailable")
    }
  })
})
