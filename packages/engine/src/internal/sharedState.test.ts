import { assert, describe, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as PaceState from "../PaceState.js"
import * as shared from "./sharedState.js"

const nothing: shared.Told = { callsPerSecond: undefined, accepted: 0, sinceMillis: 0, refused: [], paused: null, crawl: undefined, triedMillis: null }

/** Everything that somebody was given, in any order of asking. */
const given = (state: shared.SharedState, asks: ReadonlyArray<readonly [taker: string, atMillis: number, wanted: number]>) => {
  const turns: Array<{ readonly taker: string; readonly at: number; readonly turn: number }> = []
  let row = state
  for (const [taker, nowMillis, wanted] of asks) {
    const lease = shared.leased(row, { nowMillis, taker, wanted })
    row = lease.state
    if (lease.grant === null) continue
    for (let turn = 0; turn < lease.grant.count; turn++) {
      turns.push({ taker, at: nowMillis, turn: lease.grant.firstMillis + turn * lease.grant.spacingMillis })
    }
  }
  return { row, turns }
}

describe("a row that replicas share", () => {
  it("never gives away more turns than the rate allows, whoever asks and tells in whatever order", () => {
    const ask = fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.nat(400), fc.integer({ min: 1, max: 100 }), fc.constantFrom("", "", "", "pause", "crawl", "over", "refused"))
    fc.assert(fc.property(fc.array(ask, { minLength: 1, maxLength: 200 }), fc.constantFrom(0.2, 1, 10, 137.5, 2_000), (asks, rate) => {
      let row = shared.make(0, rate)
      let now = 0
      const turns: Array<number> = []
      const spacing = 1000 / (rate * shared.fraction)
      for (const [taker, after, wanted, event] of asks) {
        now += after
        if (event === "pause") row = shared.moved(row, { ...nothing, paused: { untilMillis: now + 2_000, why: "429" } }, now)
        if (event === "crawl") row = shared.moved(row, { ...nothing, crawl: { everyMillis: Math.max(1_000, spacing), why: "502" } }, now)
        if (event === "over") row = shared.moved(row, { ...nothing, crawl: null }, now)
        if (event === "refused") row = shared.moved(row, { ...nothing, refused: [{ atMillis: now, sentMillis: now, retryAfterMillis: 1_500 }] }, now)
        const isDown = row.pace.crawl !== null
        const pausedUntil = row.pace.pause.untilMillis
        const lease = shared.leased(row, { nowMillis: now, taker, wanted })
        row = lease.state
        if (lease.grant === null) {
          assert.isAbove(lease.againMillis, now)
          continue
        }
        const { count, firstMillis, spacingMillis } = lease.grant
        assert.isAtMost(count, wanted)
        assert.isAtLeast(firstMillis, Math.max(now - 100, pausedUntil))
        assert.isAtMost(firstMillis + (count - 1) * spacingMillis, now + shared.reachMillis + 1e-6)
        if (!isDown) for (let turn = 0; turn < count; turn++) turns.push(firstMillis + turn * spacingMillis)
      }
      for (let turn = 1; turn < turns.length; turn++) assert.isAtLeast((turns[turn] ?? 0) - (turns[turn - 1] ?? 0), spacing - 1e-6)
    }))
  })

  it("keeps to the limit of a minute, whatever it is", () => {
    for (const perMinute of [1, 2, 7, 60, 599, 600, 60_000]) {
      const spacing = 60_000 / (perMinute * shared.fraction)
      assert.isAtMost(Math.floor((60_000 + shared.lateMillis) / spacing) + 1, perMinute)
    }
  })

  it("gives turns in turn, where there are few of them", () => {
    // All ask at once, and always in this order.
    const asks = Array.from({ length: 4_000 }, (_, tick) => ["a", "b", "c"].map((taker) => [taker, tick * 10, 64] as const)).flat()
    const { turns } = given(shared.make(0, 1), asks)
    const of = (taker: string): number => turns.filter((one) => one.taker === taker).length
    assert.isAtLeast(turns.length, 39)
    for (const taker of ["a", "b", "c"]) assert.isAtLeast(of(taker), 12)
  })

  it("serves one who comes late behind what the others were given already, which is little", () => {
    const asks = Array.from({ length: 500 }, (_, index) => [["a", "b"][index % 2] ?? "a", index * 10, 64] as const)
    const { turns } = given(shared.make(0, 10), [...asks, ["late", 5_000, 1]])
    const own = turns.find(({ taker }) => taker === "late")
    assert.isAtMost((own?.turn ?? Number.POSITIVE_INFINITY) - 5_000, shared.reachMillis)
  })

  it("gives one turn at a time in an outage, and after it none that somebody may still have", () => {
    const busy = given(shared.make(0, 10), [["a", 1_000, 64], ["b", 1_000, 64], ["c", 1_000, 64]])
    const down = shared.moved(busy.row, { ...nothing, crawl: { everyMillis: 1_000, why: "502" } }, 1_010)
    const tries = given(down, [["a", 1_020, 5], ["b", 1_020, 5], ["c", 1_020, 5]])
    assert.deepStrictEqual(tries.turns.map(({ taker, turn }) => [taker, turn]), [["a", 1_020], ["b", 2_020]])
    const up = shared.moved(tries.row, { ...nothing, crawl: null }, 1_030)
    const after = given(up, [["c", 1_030, 5]])
    const last = Math.max(...busy.turns.map(({ turn }) => turn))
    assert.isAbove(after.turns[0]?.turn ?? 0, last)
  })

  it("counts a call that was late from when it was made", () => {
    const down = shared.moved(shared.make(0, null), { ...nothing, crawl: { everyMillis: 1_000, why: "502" } }, 0)
    const tried = shared.moved(given(down, [["a", 0, 1]]).row, { ...nothing, triedMillis: 9_000 }, 9_001)
    assert.isAtLeast(given(tried, [["b", 9_100, 1]]).turns[0]?.turn ?? 0, 10_000)
  })

  it("learns one rate from what all have told, in whatever order", () => {
    const refusal: shared.Told = { ...nothing, accepted: 100, refused: [{ atMillis: 1_000, sentMillis: 990, retryAfterMillis: 59_000 }] }
    const other: shared.Told = { ...nothing, accepted: 500, sinceMillis: 200 }
    const first = shared.moved(shared.moved(shared.make(0, null), refusal, 1_001), other, 1_400)
    const second = shared.moved(shared.moved(shared.make(0, null), other, 900), refusal, 1_001)
    assert.strictEqual(first.pace.learnt, 10)
    assert.strictEqual(second.pace.learnt, 10)
  })

  it("learns nothing new from a refusal of a call that left before the pause of another", () => {
    const refusal = (atMillis: number, sentMillis: number): shared.Told => ({ ...nothing, accepted: 50, refused: [{ atMillis, sentMillis, retryAfterMillis: 5_000 }] })
    const one = shared.moved(shared.make(0, null), refusal(1_000, 950), 1_000)
    const two = shared.moved(one, { ...refusal(1_100, 990), accepted: 0 }, 1_100)
    assert.strictEqual(two.pace.learnt, one.pace.learnt)
    assert.strictEqual(two.pace.pause.untilMillis, 6_100)
  })

  it("is the same object where nothing is told, so that nothing is written", () => {
    const row = shared.make(0, 10)
    assert.strictEqual(shared.moved(row, nothing, 5_000), row)
  })

  it("reads what it has written, and moves with a clock that was set back", () => {
    const { row } = given(shared.make(1_000_000, 10), [["a", 1_000_000, 4]])
    assert.deepStrictEqual(shared.read(shared.encode(row), 1_000_000, 1_000_500), row)
    const back = shared.read(shared.encode(row), 1_000_000, 400_000)
    assert.isAtMost(PaceState.peek(back.pace, 400_000).firstMillis, 400_400)
  })

  it("begins anew behind whatever may be out, where a row cannot be read", () => {
    const row = shared.read("{\"pace\":7}", 0, 5_000)
    assert.strictEqual(shared.moved(row, { ...nothing, callsPerSecond: 10 }, 5_000).pace.nextMillis, 5_000 + shared.reachMillis)
  })
})
