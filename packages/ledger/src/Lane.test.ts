import { assert, describe, it } from "@effect/vitest"
import * as Entry from "./Entry.js"
import * as Lane from "./Lane.js"

describe("Lane", () => {
  it("deals customers evenly, whether their numbers are dense, spaced or beyond 32 bits", () => {
    for (const customer of [(index: number) => index, (index: number) => index * 64, (index: number) => 2 ** 40 + index * 2 ** 12]) {
      const lanes = Array.from({ length: 64 }, () => 0)
      for (let index = 1; index <= 64_000; index++) {
        const lane = Lane.of(customer(index), 64)
        lanes[lane] = (lanes[lane] ?? 0) + 1
      }
      assert.isAbove(Math.min(...lanes), 850)
      assert.isBelow(Math.max(...lanes), 1150)
    }
  })

  it("never changes: a run is resumed by another version", () => {
    assert.deepStrictEqual([1, 2, 564332013, 2 ** 53 - 1].map((customer) => Lane.of(customer, 64)), [55, 6, 11, 37])
  })

  it("a record's number says its lane and its row, up to the last of both", () => {
    const seq = Entry.seqOf(Entry.mostLanes - 1, 2 ** 33 - 1, Entry.callsPerRow - 1)
    assert.strictEqual(seq, Number.MAX_SAFE_INTEGER)
    assert.deepStrictEqual([Entry.laneOf(seq), Entry.rowOf(seq)], [1023, 2 ** 33 - 1])
  })
})
