import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import { samples } from "../test/EveryError.js"
import * as JumpingClock from "../test/JumpingClock.js"
import { noAnswer, notSent } from "../test/ScriptedTransport.js"
import * as Attempts from "./Attempts.js"
import * as GatewayError from "./GatewayError.js"
import type { CallError } from "./Outcome.js"
import * as RetryPolicy from "./RetryPolicy.js"
import * as Transport from "./Transport.js"

const status = (code: number, retryAfterMillis: number | null = null): CallError =>
  GatewayError.fromStatus(code, { retryAfterMillis, requestId: null })

/** An attempt that lasts so long and then succeeds (`null`) or fails. */
interface Planned {
  readonly lastsMillis: number
  readonly error: CallError | null
}

/** When an attempt began, when it ended, and how long it was allowed to take. */
interface Seen {
  readonly fromMillis: number
  readonly toMillis: number
  readonly timeoutMillis: number
}

const attempt = (...errors: ReadonlyArray<CallError | null>): ReadonlyArray<Planned> =>
  errors.map((error) => ({ lastsMillis: 0, error }))

/** Runs attempts as planned; the last one is repeated for ever. Like a transport, it keeps to the time it is given. */
const running = (planned: ReadonlyArray<Planned>, policy: RetryPolicy.Service, random = Random.fixed([0.5])) => {
  const seen: Array<Seen> = []
  const effect = Attempts.run((_, timeoutMillis) =>
    Effect.gen(function*() {
      const { error, lastsMillis } = planned[Math.min(seen.length, planned.length - 1)]!
      const fromMillis = yield* Clock.currentTimeMillis
      const entry = { fromMillis, toMillis: Number.POSITIVE_INFINITY, timeoutMillis }
      seen.push(entry)
      if (lastsMillis > 0) yield* Effect.sleep(Math.min(lastsMillis, timeoutMillis))
      entry.toMillis = yield* Clock.currentTimeMillis
      return error === null ? "done" : yield* Effect.fail(lastsMillis > timeoutMillis ? noAnswer() : error)
    })
  ).pipe(
    Effect.provide(Transport.layer(() => Effect.dieMessage("not asked"))),
    Effect.provideService(RetryPolicy.RetryPolicy, policy),
    Effect.withRandom(random)
  )
  return { seen, effect }
}

const jumping = (planned: ReadonlyArray<Planned>, policy: RetryPolicy.Service, random?: Random.Random) => {
  const { effect, seen } = running(planned, policy, random)
  const clock = JumpingClock.make(1_700_000_000_000)
  return Effect.map(Effect.withClock(effect, clock), (ended) => ({
    ...ended,
    seen,
    waits: waitsOf(seen),
    /** How long it all took, a wait in vain included. */
    tookMillis: clock.unsafeCurrentTimeMillis() - seen[0]!.fromMillis
  }))
}

const waitsOf = (seen: ReadonlyArray<Seen>): ReadonlyArray<number> =>
  seen.slice(1).map(({ fromMillis }, index) => fromMillis - seen[index]!.toMillis)

/** As {@link jumping}, at once: properties run it hundreds of times. */
const jumped = (planned: ReadonlyArray<Planned>, policy: RetryPolicy.Service, random: Random.Random) =>
  Effect.runSync(jumping(planned, policy, random))

const unbounded = RetryPolicy.make({ maxAttempts: 50, deadline: "10 days", budget: null })

describe("the first attempt", () => {
  it.effect("is the only one where it succeeds", () =>
    Effect.gen(function*() {
      const { attempts, afterAmbiguousAttempt, result, seen } = yield* jumping(attempt(null), unbounded)
      expect(result).toStrictEqual(Either.right("done"))
      expect([attempts, afterAmbiguousAttempt, seen.length]).toEqual([1, false, 1])
      expect(seen[0]?.timeoutMillis).toBe(unbounded.deadlineMillis)
    }))

  it.effect("is the only one where the policy allows no more", () =>
    Effect.gen(function*() {
      const { attempts, result, seen } = yield* jumping(attempt(status(503)), RetryPolicy.never)
      expect(Either.isLeft(result)).toBe(true)
      expect([attempts, seen.length]).toEqual([1, 1])
    }))
})

describe("a failed attempt", () => {
  for (const { detail, disposition, error, tag } of samples) {
    const repeated = disposition === "retryLater" || disposition === "outcomeUnknown"
    it.effect(`with ${tag} (${detail}) is ${repeated ? "repeated" : "final"}`, () =>
      Effect.gen(function*() {
        const ended = yield* jumping(attempt(error, null), unbounded)
        expect(ended.seen).toHaveLength(repeated ? 2 : 1)
        expect(ended.attempts).toBe(repeated ? 2 : 1)
        expect(ended.result).toStrictEqual(repeated ? Either.right("done") : Either.left(error))
        expect(ended.afterAmbiguousAttempt).toBe(disposition === "outcomeUnknown")
      }))
  }

  it.effect("is repeated until the attempts are used up, and the last error is what remains", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ maxAttempts: 4, budget: null })
      const ended = yield* jumping(attempt(status(503), status(521), status(461), status(429)), policy)
      expect([ended.attempts, ended.seen.length]).toEqual([4, 4])
      expect(ended.result).toMatchObject({ left: { _tag: "RateLimited" } })
    }))

  it.effect("ends the repeating as soon as one is final", () =>
    Effect.gen(function*() {
      const ended = yield* jumping(attempt(status(503), status(403), null), unbounded)
      expect(ended.attempts).toBe(2)
      expect(ended.result).toMatchObject({ left: { _tag: "PermissionDenied" } })
    }))
})

describe("afterAmbiguousAttempt", () => {
  it.effect.each<{ readonly errors: ReadonlyArray<CallError | null>; readonly ambiguous: boolean; readonly why: string }>([
    { errors: [null], ambiguous: false, why: "nothing failed" },
    { errors: [status(429), null], ambiguous: false, why: "the first was certainly not executed" },
    { errors: [notSent("Dns"), null], ambiguous: false, why: "the first never left" },
    { errors: [noAnswer(), null], ambiguous: true, why: "the first had no answer" },
    { errors: [noAnswer(), status(429), null], ambiguous: true, why: "it stays so" },
    { errors: [status(429), status(500), status(429), null], ambiguous: true, why: "one on the way failed upstream" },
    { errors: [noAnswer(), status(403)], ambiguous: true, why: "one before the last had no answer" },
    { errors: [status(403)], ambiguous: false, why: "the only one was refused" }
  ])("is $ambiguous where $why", ({ ambiguous, errors }) =>
    Effect.gen(function*() {
      const ended = yield* jumping(attempt(...errors), unbounded)
      expect([ended.attempts, ended.afterAmbiguousAttempt]).toEqual([errors.length, ambiguous])
    }))

  it.effect("speaks of the attempts before the last, not of the last", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ maxAttempts: 2, budget: null })
      const lastOnly = yield* jumping(attempt(status(429), noAnswer()), policy)
      expect([lastOnly.attempts, lastOnly.afterAmbiguousAttempt]).toEqual([2, false])
      const both = yield* jumping(attempt(noAnswer(), noAnswer()), policy)
      expect([both.attempts, both.afterAmbiguousAttempt]).toEqual([2, true])
      const never = yield* jumping(attempt(noAnswer()), RetryPolicy.never)
      expect([never.attempts, never.afterAmbiguousAttempt]).toEqual([1, false])
    }))
})

describe("a wait", () => {
  it.prop("is drawn from zero to its ceiling, which doubles up to the cap", [
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    fc.integer({ min: 1, max: 1000 }),
    fc.integer({ min: 1, max: 20_000 })
  ], ([random, base, cap]) => {
    const policy = RetryPolicy.make({ maxAttempts: 9, base, cap, deadline: "10 days", budget: null })
    const { waits } = jumped(attempt(status(503)), policy, Random.fixed([random]))
    expect(waits).toHaveLength(8)
    waits.forEach((wait, index) => {
      const ceiling = Math.min(cap, base * 2 ** index)
      expect(wait).toBeGreaterThanOrEqual(0)
      expect(wait).toBeLessThanOrEqual(ceiling)
      expect(wait).toBeCloseTo(random * ceiling, 2)
    })
  })

  it.prop("is spread over the whole range, not bunched", [fc.integer()], ([seed]) => {
    const policy = RetryPolicy.make({ maxAttempts: 201, base: 1000, cap: 1000, deadline: "10 days", budget: null })
    const { waits } = jumped(attempt(status(503)), policy, Random.make(seed))
    const quarters = [0, 0, 0, 0]
    for (const wait of waits) quarters[Math.min(3, Math.floor(wait / 250))]! += 1
    for (const quarter of quarters) expect(quarter).toBeGreaterThan(15)
  }, { fastCheck: { numRuns: 10 } })

  it.effect("passes on the clock, not before", () =>
    Effect.gen(function*() {
      const { effect, seen } = running(attempt(status(503), null), RetryPolicy.make({ base: "10 seconds" }))
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("4999 millis")
      expect(seen).toHaveLength(1)
      yield* TestClock.adjust("1 millis")
      expect((yield* Fiber.join(fiber)).attempts).toBe(2)
      expect(waitsOf(seen)).toEqual([5000])
    }))

  it.effect("that is interrupted starts no further attempt", () =>
    Effect.gen(function*() {
      const { effect, seen } = running(attempt(status(503)), RetryPolicy.make({ base: "10 seconds" }))
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("1 second")
      expect(seen).toHaveLength(1)
      const exit = yield* Fiber.interrupt(fiber)
      expect(Exit.isInterrupted(exit)).toBe(true)
      yield* TestClock.adjust("1 hour")
      expect(seen).toHaveLength(1)
    }))
})

describe("Retry-After", () => {
  it.prop("is honoured whole: never earlier, and later by the jitter of one base at most", [
    fc.integer({ min: 0, max: 3_600_000 }),
    fc.constantFrom(429, 461, 503, 521, 500, 502, 504, 520),
    fc.double({ min: 0, max: 0.999, noNaN: true })
  ], ([asked, code, random]) => {
    const policy = RetryPolicy.make({ base: 200, cap: 10_000, deadline: "10 days", budget: null })
    const ended = jumped(attempt(status(code, asked), status(code, asked), null), policy, Random.fixed([random]))
    expect(ended.waits).toHaveLength(2)
    for (const wait of ended.waits) {
      expect(wait).toBeGreaterThanOrEqual(asked)
      expect(wait).toBeLessThanOrEqual(asked + 200)
    }
  })

  it.effect("beyond the deadline is not waited for", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ deadline: "1 minute", budget: null })
      const ended = yield* jumping(attempt(status(429, 60_000)), policy)
      expect([ended.attempts, ended.seen.length]).toEqual([1, 1])
      expect(ended.result).toMatchObject({ left: { _tag: "RateLimited", retryAfterMillis: 60_000 } })
      expect(ended.tookMillis).toBe(0)
    }))

  it.effect("costs no budget, another wait does", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ maxAttempts: 50, deadline: "10 days", budget: RetryPolicy.budget({ capacity: 2 }) })
      const free = yield* jumping(attempt(...Array.from({ length: 20 }, () => status(429, 10)), null), policy)
      expect(free.attempts).toBe(21)
      const paid = yield* jumping(attempt(status(429)), policy)
      expect(paid.attempts).toBe(3)
    }))
})

describe("the deadline", () => {
  const anyAttempt = fc.record({
    lastsMillis: fc.oneof(fc.constant(0), fc.nat(40_000)),
    error: fc.constantFrom<CallError | null>(
      status(503),
      status(429, 3000),
      status(429, 20_000),
      status(500),
      noAnswer(),
      notSent("Dns"),
      null
    )
  })

  it.prop("is never exceeded, and every attempt is told what is left of it", [
    fc.array(anyAttempt, { minLength: 1, maxLength: 12 }),
    fc.integer({ min: 1, max: 120_000 }),
    fc.integer()
  ], ([planned, deadline, seed]) => {
    const policy = RetryPolicy.make({ maxAttempts: 30, deadline, budget: null })
    const { seen, tookMillis } = jumped(planned, policy, Random.make(seed))
    expect(tookMillis).toBeLessThanOrEqual(deadline + 1e-3)
    const started = seen[0]!.fromMillis
    for (const { fromMillis, timeoutMillis, toMillis } of seen) {
      expect(timeoutMillis).toBeGreaterThan(0)
      expect(timeoutMillis).toBeCloseTo(deadline - (fromMillis - started), 2)
      expect(toMillis - started).toBeLessThanOrEqual(deadline + 1e-3)
    }
    const timeouts = seen.map(({ timeoutMillis }) => timeoutMillis)
    expect(timeouts).toEqual([...timeouts].sort((one, two) => two - one))
  }, { fastCheck: { numRuns: 300 } })

  it.effect("shrinks with what attempts and waits have taken", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ base: "2 seconds", deadline: "10 seconds", budget: null })
      const planned = [{ lastsMillis: 3000, error: status(503) }, { lastsMillis: 1000, error: status(503) }]
      const { effect, seen } = running(planned, policy)
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("1 minute")
      const ended = yield* Fiber.join(fiber)
      // 3 s of attempt and 1 s of wait, 1 s and 2 s; the third attempt ends at 8 s and a wait of 4 s has no room.
      expect(seen.map(({ timeoutMillis }) => timeoutMillis)).toEqual([10_000, 6000, 3000])
      expect(ended.attempts).toBe(3)
    }))

  it.effect("that passes leaves no time for a wait that would end on it", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ base: 2000, deadline: 1000, budget: null })
      const ended = yield* jumping(attempt(status(503), null), policy)
      expect([ended.attempts, Either.isLeft(ended.result)]).toEqual([1, true])
    }))
})

describe("the budget", () => {
  it.effect("is shared by every call under one policy; without a token a failure is final", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ maxAttempts: 3, budget: RetryPolicy.budget({ capacity: 3 }) })
      const attempts: Array<number> = []
      for (let call = 0; call < 4; call++) attempts.push((yield* jumping(attempt(status(503)), policy)).attempts)
      expect(attempts).toEqual([3, 2, 1, 1])
    }))

  it.effect("earns from successes, at the first attempt and after retries", () =>
    Effect.gen(function*() {
      const budget = RetryPolicy.budget({ capacity: 2, perSuccess: 0.5 })
      const policy = RetryPolicy.make({ maxAttempts: 5, budget })
      expect((yield* jumping(attempt(status(503)), policy)).attempts).toBe(3)
      for (let success = 0; success < 2; success++) yield* jumping(attempt(null), policy)
      expect((yield* jumping(attempt(status(503), null), policy)).attempts).toBe(2)
      expect((yield* jumping(attempt(status(503)), policy)).attempts).toBe(1)
      yield* jumping(attempt(null), policy)
      expect((yield* jumping(attempt(status(503)), policy)).attempts).toBe(2)
    }))

  it.effect("is not paid for failures that are final anyway", () =>
    Effect.gen(function*() {
      const budget = RetryPolicy.budget({ capacity: 1 })
      const policy = RetryPolicy.make({ budget })
      yield* jumping(attempt(status(403)), policy)
      yield* jumping(attempt(status(503)), { ...policy, maxAttempts: 1 })
      expect(budget.take()).toBe(true)
    }))

  it.effect("that is null sets no bound", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ maxAttempts: 300, deadline: "10 days", budget: null })
      expect((yield* jumping(attempt(status(503)), policy)).attempts).toBe(300)
    }))
})

describe("an abandoned policy", () => {
  it.effect("ends the wait that is on, and the last error is final", () =>
    Effect.gen(function*() {
      const gaveUp = yield* Deferred.make<void>()
      const policy = RetryPolicy.make({ base: "10 seconds", abandon: Deferred.await(gaveUp) })
      const { effect, seen } = running(attempt(noAnswer(), status(503)), policy)
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("6 seconds")
      expect(seen).toHaveLength(2)
      yield* Deferred.succeed(gaveUp, undefined)
      const ended = yield* Fiber.join(fiber)
      expect(yield* Clock.currentTimeMillis).toBe(6000)
      expect([ended.attempts, ended.afterAmbiguousAttempt, seen.length]).toEqual([2, true, 2])
      expect(ended.result).toMatchObject({ left: { _tag: "Overloaded" } })
    }))

  it.effect("lets the call in flight have its answer", () =>
    Effect.gen(function*() {
      const gaveUp = yield* Deferred.make<void>()
      const policy = RetryPolicy.make({ base: "10 seconds", abandon: Deferred.await(gaveUp) })
      const { effect, seen } = running([{ lastsMillis: 0, error: status(503) }, { lastsMillis: 3000, error: null }], policy)
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("6 seconds")
      yield* Deferred.succeed(gaveUp, undefined)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ result: Either.right("done"), attempts: 2 })
      expect(seen).toHaveLength(2)
    }))

  it.effect("from the start makes one attempt", () =>
    Effect.gen(function*() {
      const policy = RetryPolicy.make({ abandon: Effect.void })
      const { effect, seen } = running(attempt(status(503), null), policy)
      expect((yield* effect).attempts).toBe(1)
      expect(seen).toHaveLength(1)
    }))

  it.effect("that is never abandoned waits as any other", () =>
    Effect.gen(function*() {
      const { effect } = running(attempt(status(503), null), RetryPolicy.make({ abandon: Effect.never }))
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("1 second")
      expect((yield* Fiber.join(fiber)).attempts).toBe(2)
    }))
})

describe("unwrapping", () => {
  const attempted = <A, E>(result: Either.Either<A, E>) =>
    Effect.succeed({ result, attempts: 2, afterAmbiguousAttempt: true })

  it.effect("gives the success or fails with the last error", () =>
    Effect.gen(function*() {
      expect(yield* Attempts.unwrap(attempted(Either.right(1)))).toBe(1)
      expect(yield* Effect.flip(Attempts.unwrap(attempted(Either.left("no"))))).toBe("no")
    }))
})

describe("a policy under which postponed calls do not count", () => {
  const patient = RetryPolicy.make({ maxAttempts: 2, postponedCounts: false, deadline: "1 hour", budget: null })

  it.effect("waits a full quota out, however often it is told so", () =>
    Effect.gen(function*() {
      const refusals = Array.from({ length: 40 }, () => status(429, 30_000))
      const ended = yield* jumping(attempt(...refusals, null), patient)
      expect(ended).toMatchObject({ result: { right: "done" }, attempts: 41, afterAmbiguousAttempt: false })
    }))

  it.effect("still ends with its deadline, and after its attempts where nobody knows what became of a call", () =>
    Effect.gen(function*() {
      const forever = yield* jumping(attempt(status(503)), patient)
      expect(forever).toMatchObject({ result: { left: { status: 503 } } })
      const mixed = yield* jumping(attempt(status(429), status(502), status(521), noAnswer()), patient)
      expect(mixed).toMatchObject({ result: { left: { _tag: "NoAnswer" } }, attempts: 4, afterAmbiguousAttempt: true })
      const unreachable = yield* jumping(attempt(notSent("Dns")), patient)
      expect(unreachable.attempts).toBe(2)
    }))
})

describe("the types of attempts", () => {
  it("need a transport alone, and never fail", () => {
    const run = () => Attempts.run(() => Effect.succeed(1) as Effect.Effect<number, GatewayError.RateLimited>)
    expectTypeOf<ReturnType<typeof run>>().toEqualTypeOf<
      Effect.Effect<Attempts.Attempted<number, GatewayError.RateLimited>, never, Transport.Transport>
    >()
  })
})
