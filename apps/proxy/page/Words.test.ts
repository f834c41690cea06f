import { assert, describe, it } from "@effect/vitest"
import * as Words from "./Words.js"

describe("Words", () => {
  it.each([
    [0.4, "0 s"], [59, "59 s"], [61, "1 min 1 s"], [3_600, "1 h 0 min"], [5_430, "1 h 31 min"], [86_370, "1 d 0 h"], [180_000, "2 d 2 h"]
  ])("%d seconds are %s", (seconds, text) => assert.strictEqual(Words.duration(seconds), text))

  it.each([
    [0, 10, "0 %"], [10, 10, "100 %"], [0, 0, "0 %"], [1, 1_000_000, "< 0.1 %"], [999_999, 1_000_000, "> 99.9 %"], [995, 1_000, "99 %"], [15, 1_000, "1.5 %"]
  ])("%d of %d are %s", (part, whole, text) => assert.strictEqual(Words.percent(part, whole), text))

  it.each([[0, "0/s"], [0.5, "30/min"], [1.25, "1.3/s"], [1_234.4, "1,234/s"]])("%d calls a second are %s", (rate, text) =>
    assert.strictEqual(Words.rate(rate), text))

  it("counts, sizes and long texts are as people read them", () => {
    assert.deepStrictEqual(
      [Words.counted(1, "row"), Words.counted(12_000, "row"), Words.size(999), Words.size(4_200), Words.size(12_340_000), Words.short("x".repeat(61))],
      ["1 row", "12,000 rows", "999 B", "4 kB", "12.3 MB", `${"x".repeat(60)}…`]
    )
  })
})
