import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Faults from "./Faults.js"

const enroll = { operation: "enroll", customerId: 7, targetGroupId: 1 } as const
const busy = { kind: "customerBusy" } as const

const struck = (faults: Faults.Injector, count: number): ReadonlyArray<boolean> =>
  Array.from({ length: count }, () => faults.unsafeStrike(enroll).effect !== null)

describe("Faults", () => {
  it("strike the nth, the first so many, or at most so often", () => {
    expect(struck(Faults.make(0, [{ nth: 2, effect: busy }]), 3)).toEqual([false, true, false])
    expect(struck(Faults.make(0, [{ first: 2, effect: busy }]), 3)).toEqual([true, true, false])
    expect(struck(Faults.make(0, [{ times: 1, effect: busy }]), 3)).toEqual([true, false, false])
  })

  it("count only the calls that they match", () => {
    const faults = Faults.make(0, [{ operation: "enroll", customerId: 7, targetGroupId: 1, nth: 1, effect: busy }])
    for (const other of [{ operation: "unenroll" as const }, { customerId: 8 }, { customerId: null }, { targetGroupId: 2 }]) {
      expect(faults.unsafeStrike({ ...enroll, ...other }).effect).toBe(null)
    }
    expect(struck(faults, 1)).toEqual([true])
  })

  it("draw the same lots under the same seed, whatever other faults there are", () => {
    const lottery = { probability: 0.5, effect: busy }
    const one = struck(Faults.make(7, [lottery]), 200)
    expect(struck(Faults.make(7, [lottery]), 200)).toEqual(one)
    expect(struck(Faults.make(8, [lottery]), 200)).not.toEqual(one)
    expect(one.filter(Boolean).length).toBeGreaterThan(70)
    expect(one.filter(Boolean).length).toBeLessThan(130)
  })

  it("add their latencies, and the first other effect decides", () => {
    const faults = Faults.make(0, [
      { effect: { kind: "latency", millis: 20 } },
      { effect: busy },
      { effect: { kind: "latency", millis: 5 } },
      { effect: { kind: "tokenExpiry" } }
    ])
    expect(faults.unsafeStrike(enroll)).toEqual({ delayMillis: 25, effect: busy })
  })

  it.effect("are added, listed with what they did, taken away and cleared", () =>
    Effect.gen(function*() {
      const faults = Faults.make(0, [{ effect: busy }])
      const id = yield* faults.add({ nth: 9, effect: busy })
      faults.unsafeStrike(enroll)
      expect(yield* faults.list).toEqual([
        { id: 1, fault: { effect: busy }, matched: 1, struck: 1 },
        { id: 2, fault: { nth: 9, effect: busy }, matched: 1, struck: 0 }
      ])
      expect([yield* faults.remove(id), yield* faults.remove(id)]).toEqual([true, false])
      yield* faults.clear
      expect(yield* faults.list).toEqual([])
    }))

  it("are read from JSON, and every mistake has a path", () => {
    const read = Faults.fromText(`[{"operation":"enrol","effect":{"kind":"latency","millis":-1}},{"nth":0,"effect":{"kind":"boom"}}]`)
    const paths = Either.isLeft(read) ? read.left.issues.map(({ path }) => path) : []
    expect(new Set(paths)).toEqual(new Set(["[0].operation", "[0].effect.millis", "[1].nth", "[1].effect.kind"]))
    expect(Either.isRight(Faults.fromText(`[{"effect":{"kind":"reset","when":"after"}}]`))).toBe(true)
  })
})
