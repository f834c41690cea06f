import { assert, describe, it } from "@effect/vitest"
import * as Progress from "./Progress.js"
import * as Tally from "./Tally.js"

describe("Progress", () => {
  it.each([
    [0.4, "0 s"],
    [119, "119 s"],
    [180, "3 min"],
    [7_200, "2 h"],
    [9_000, "2 h 30 min"],
    [356_400, "4 d 3 h"]
  ])("%d seconds are %s", (seconds, words) => {
    assert.strictEqual(Progress.duration(seconds), words)
  })

  it("a line tells share, rows, speed, time to go and what came of the records so far", () => {
    const tally = Tally.make()
    tally.counts.enrolled = 1200
    tally.counts.rejected = 34
    const text = Progress.line(
      { rows: 1234, totalRows: 10_000, sent: 1300, callsPerSecond: 57.4, etaSeconds: 153, tally },
      false
    )
    assert.strictEqual(text.trim(), "12 %  1,234/10,000 rows  57 calls/s, 3 min to go  enrolled 1,200 · rejected 34")
  })
})
