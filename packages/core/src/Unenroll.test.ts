import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { codes, type EveryCallError } from "../test/EveryError.js"
import * as Fixture from "../test/Fixture.js"
import * as JumpingClock from "../test/JumpingClock.js"
import { unenrollment } from "../test/Sample.js"
import * as Scripted from "../test/ScriptedTransport.js"
import type * as Decode from "./Decode.js"
import type * as Outcome from "./Outcome.js"
import type * as Transport from "./Transport.js"
import * as Unenroll from "./Unenroll.js"

const outcomeOf = (...steps: ReadonlyArray<Scripted.Step>) => {
  const upstream = Scripted.make(steps)
  return Unenroll.outcome(unenrollment).pipe(
    Effect.provide(upstream.layer),
    Effect.withClock(JumpingClock.make()),
    Effect.map((outcome) => ({ outcome, calls: upstream.calls.length }))
  )
}

describe("the call of an un-enrolment", () => {
  it("is a POST to unEnroll, with a capital E, of the customer alone", () => {
    expect(Unenroll.request(unenrollment, 1500)).toStrictEqual({
      operation: "unenroll",
      method: "POST",
      path: "/targetGroups/2154/targets/2309/unEnroll",
      body: `[{"customerId":564332013}]`,
      customerId: 564332013,
      timeoutMillis: 1500
    })
  })

  it.effect("is made once by `call`", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.gateway(503)])
      const error = yield* Effect.flip(Unenroll.call(unenrollment)).pipe(Effect.provide(upstream.layer))
      expect(error._tag).toBe("Overloaded")
      expect(upstream.calls.map(({ request }) => request)).toEqual([Unenroll.request(unenrollment)])
    }))
})

describe("un-enrolling", () => {
  it.effect("succeeds with the upstream's yes", () =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.accepted(564332013)])
      expect(yield* Unenroll.run(unenrollment).pipe(Effect.provide(upstream.layer))).toEqual({
        customerId: 564332013,
        warnings: [],
        requestId: "req-1"
      })
    }))

  it.effect.each(codes)("fails with $tag where the upstream says $code", ({ code, tag }) =>
    Effect.gen(function*() {
      const upstream = Scripted.make([Scripted.text(400, Fixture.text(`error-${code}`))])
      const error = yield* Effect.flip(Unenroll.run(unenrollment)).pipe(Effect.provide(upstream.layer))
      expect(error).toMatchObject({ _tag: tag, code, status: 400 })
      expect(upstream.calls).toHaveLength(1)
    }))

  it.effect("is repeated where that may help", () =>
    Effect.gen(function*() {
      expect(yield* outcomeOf(Scripted.gateway(521), Scripted.noAnswer(), Scripted.accepted(564332013))).toMatchObject({
        calls: 3,
        outcome: { outcome: "unenrolled", attempts: 3 }
      })
    }))

  it.effect("that meets an undocumented code after a lost attempt reports it as what it is", () =>
    Effect.gen(function*() {
      expect((yield* outcomeOf(Scripted.noAnswer(), Scripted.refused(319999, "User not enrolled"))).outcome).toStrictEqual({
        outcome: "rejected",
        code: 319999,
        tag: "UndocumentedApiError",
        message: "User not enrolled",
        blastRadius: "record",
        afterAmbiguousAttempt: true,
        attempts: 2,
        requestId: "req-1"
      })
    }))

  it.effect("that is answered 310119 is not done", () =>
    Effect.gen(function*() {
      expect((yield* outcomeOf(Scripted.refused(310119))).outcome).toMatchObject({ outcome: "rejected", code: 310119 })
    }))

  it.effect("is unknown where every attempt was lost", () =>
    Effect.gen(function*() {
      const lost = Array.from({ length: 5 }, () => Scripted.gateway(502))
      expect((yield* outcomeOf(...lost)).outcome).toMatchObject({ outcome: "unknown", code: 502, attempts: 5 })
    }))
})

describe("the types of un-enrolling", () => {
  it("list every error, one by one, and require a transport alone", () => {
    expectTypeOf<Effect.Effect.Error<ReturnType<typeof Unenroll.run>>>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<Effect.Effect.Error<ReturnType<typeof Unenroll.call>>>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<Unenroll.Error>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<Effect.Effect.Context<ReturnType<typeof Unenroll.run>>>().toEqualTypeOf<Transport.Transport>()
    expectTypeOf<Effect.Effect.Success<ReturnType<typeof Unenroll.run>>>().toEqualTypeOf<Decode.Accepted>()
    expectTypeOf<ReturnType<typeof Unenroll.outcome>>().toEqualTypeOf<
      Effect.Effect<Outcome.Outcome, never, Transport.Transport>
    >()
  })

  it("know no tag that does not exist", () => {
    // @ts-expect-error no error has this tag
    const program = Effect.catchTags(Unenroll.run(unenrollment), { NotEnrolled: () => Effect.void })
    expect(Effect.isEffect(program)).toBe(true)
  })
})
