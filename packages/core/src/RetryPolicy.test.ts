import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as RetryPolicy from "./RetryPolicy.js"

describe("a retry policy", () => {
  it("has the defaults that its documentation tells", () => {
    const { budget, ...numbers } = RetryPolicy.make()
    expect(numbers).toEqual({
      maxAttempts: 5,
      postponedCounts: true,
      isExcused: null,
      baseMillis: 200,
      capMillis: 10_000,
      deadlineMillis: 120_000,
      abandon: null
    })
    expect(budget).not.toBeNull()
  })

  it("reads durations", () => {
    expect(
      RetryPolicy.make({ maxAttempts: 8, base: "1 second", cap: 30_000, deadline: "5 minutes", budget: null })
    ).toMatchObject({ maxAttempts: 8, baseMillis: 1000, capMillis: 30_000, deadlineMillis: 300_000, budget: null })
  })

  it.each([[0, 1], [-3, 1], [1, 1], [2.9, 2]])("with %d attempts makes %d", (maxAttempts, expected) => {
    expect(RetryPolicy.make({ maxAttempts }).maxAttempts).toBe(expected)
  })

  it("never makes one attempt", () => {
    expect(RetryPolicy.never.maxAttempts).toBe(1)
  })

  it.effect("is there without a layer, one for the process, and can be another for one call", () =>
    Effect.gen(function*() {
      const byDefault = yield* RetryPolicy.RetryPolicy
      expect(byDefault).toBe(yield* RetryPolicy.RetryPolicy)
      expect(byDefault.maxAttempts).toBe(5)
      const provided = yield* Effect.provideService(
        RetryPolicy.RetryPolicy,
        RetryPolicy.RetryPolicy,
        RetryPolicy.never
      )
      expect(provided).toBe(RetryPolicy.never)
    }))
})

describe("the ceiling of a wait", () => {
  it("doubles up to the cap", () => {
    const policy = RetryPolicy.make()
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((attempts) => RetryPolicy.ceilingMillis(policy, attempts))).toEqual([
      200,
      400,
      800,
      1600,
      3200,
      6400,
      10_000,
      10_000
    ])
  })

  it.prop("never exceeds the cap, never shrinks, and is a number for any attempt", [
    fc.nat(5000),
    fc.nat(100_000),
    fc.integer({ min: 1, max: 5000 })
  ], ([base, cap, attempts]) => {
    const policy = RetryPolicy.make({ base, cap })
    const ceiling = RetryPolicy.ceilingMillis(policy, attempts)
    expect(ceiling).toBeGreaterThanOrEqual(Math.min(base, cap))
    expect(ceiling).toBeLessThanOrEqual(cap)
    expect(RetryPolicy.ceilingMillis(policy, attempts + 1)).toBeGreaterThanOrEqual(ceiling)
  })

  it("of a policy without waits is zero however often it tries", () => {
    expect(RetryPolicy.ceilingMillis(RetryPolicy.make({ base: 0 }), 2000)).toBe(0)
  })
})

describe("a retry budget", () => {
  it("is spent one retry at a time", () => {
    const budget = RetryPolicy.budget({ capacity: 2 })
    expect([budget.take(), budget.take(), budget.take(), budget.take()]).toEqual([true, true, false, false])
  })

  it.prop("earns one retry out of as many successes as make up one", [
    fc.constantFrom(0.1, 0.2, 0.25, 0.3, 0.5, 1 / 3, 1 / 7, 1),
    fc.nat(60)
  ], ([perSuccess, successes]) => {
    const budget = RetryPolicy.budget({ capacity: 100, perSuccess })
    while (budget.take());
    for (let success = 0; success < successes; success++) budget.earn()
    let retries = 0
    while (budget.take()) retries += 1
    expect(retries).toBe(Math.floor(successes * perSuccess + 1e-6))
  })

  it("never holds more than its capacity", () => {
    const budget = RetryPolicy.budget({ capacity: 2, perSuccess: 1 })
    for (let success = 0; success < 50; success++) budget.earn()
    expect([budget.take(), budget.take(), budget.take()]).toEqual([true, true, false])
  })

  it("holds a hundred retries and earns a fifth of one by default", () => {
    const budget = RetryPolicy.budget()
    let retries = 0
    while (budget.take()) retries += 1
    expect(retries).toBe(100)
    for (let success = 0; success < 4; success++) budget.earn()
    expect(budget.take()).toBe(false)
    budget.earn()
    expect(budget.take()).toBe(true)
  })

  it("of its own has every policy that is given none", () => {
    expect(RetryPolicy.make().budget).not.toBe(RetryPolicy.make().budget)
  })
})
