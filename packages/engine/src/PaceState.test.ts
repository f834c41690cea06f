import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as PaceState from "./PaceState.js"

const start = (callsPerSecond: number | null): PaceState.PaceState => PaceState.make({ nowMillis: 0, callsPerSecond, learntBefore: null })

describe("the state of a pace", () => {
  it("spaces what is reserved at once, and goes on behind it", () => {
    const turns = PaceState.peek(start(100), 1_000)
    assert.deepStrictEqual(turns, { firstMillis: 900, spacingMillis: 10 })
    const after = PaceState.reserved(start(100), turns, 20)
    assert.strictEqual(PaceState.peek(after, 1_000).firstMillis, 1_100)
  })

  it("counts calls of before the last refusal to what was learnt of it", () => {
    const refused = PaceState.refused(PaceState.accepted(start(null), 900, 200), 1_000, 990, 59_000)
    assert.closeTo(refused.learnt ?? 0, 200 / 60, 1e-9)
    const all = PaceState.acceptedBefore(PaceState.acceptedBefore(refused, 250), 150)
    assert.strictEqual(all.learnt, 10)
    assert.strictEqual(all.rate, 10)
    assert.strictEqual(all.calls, 0)
  })

  it("learns from others' calls even where the one that was refused had made none", () => {
    const refused = PaceState.refused(start(null), 1_000, 990, 9_000)
    assert.isNull(refused.learnt)
    assert.strictEqual(PaceState.acceptedBefore(refused, 50).learnt, 5)
  })

  it("keeps to a new limit, and below it to what was learnt", () => {
    const learnt = PaceState.refused(PaceState.accepted(start(null), 900, 100), 1_000, 990, 9_000)
    assert.strictEqual(PaceState.limited(learnt, 20).rate, 10)
    assert.strictEqual(PaceState.limited(learnt, 5).rate, 5)
    assert.strictEqual(PaceState.limited(PaceState.limited(start(10), 5), null).rate, null)
  })

  it("by a shifted clock says the same at the shifted moment, and survives JSON", () => {
    const event = fc.tuple(fc.constantFrom("accept", "refuse", "pause", "crawl", "over", "reserve"), fc.nat(2_000), fc.nat(5_000))
    fc.assert(fc.property(fc.array(event, { maxLength: 40 }), fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.constantFrom(null, 10, 300), (events, by, rate) => {
      const play = (offset: number): PaceState.PaceState => {
        let now = offset
        let state = PaceState.make({ nowMillis: now, callsPerSecond: rate, learntBefore: null })
        for (const [what, after, millis] of events) {
          now += after
          if (what === "accept") state = PaceState.accepted(state, now, millis)
          else if (what === "refuse") state = PaceState.refused(state, now, now - millis, millis)
          else if (what === "pause") state = PaceState.paused(state, now + millis, "429")
          else if (what === "crawl") state = PaceState.crawling(state, { everyMillis: 1_000, why: "502" })
          else if (what === "over") state = PaceState.crawling(state, null)
          else state = PaceState.reserved(state, PaceState.peek(state, now), 3)
        }
        return state
      }
      const close = (one: unknown): unknown =>
        JSON.parse(JSON.stringify(one), (_, value: unknown) => typeof value === "number" && value !== PaceState.never ? Math.round(value * 1_000) / 1_000 : value)
      const there = play(by)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(there)), there)
      assert.deepStrictEqual(close(there), close(PaceState.shifted(play(0), by)))
    }))
  })
})
