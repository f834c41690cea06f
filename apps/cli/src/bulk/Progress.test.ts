import { assert, describe, it } from "@effect/vitest"
import type { Snapshot } from "@milepost/engine/Progress"
import * as Progress from "./Progress.js"

const snapshot: Snapshot = {
  atMillis: 1_000,
  done: 1_234,
  total: 10_000,
  outcomes: { enrolled: 1_200, unenrolled: 0, already_enrolled: 0, rejected: 34, unknown: 0, skipped: 0 },
  calls: 1_300,
  callsPerSecond: 57.4,
  limitPerSecond: null,
  inFlight: 16,
  concurrency: 64,
  latency: { p50: 12.4, p95: 30.1, p99: 81 },
  etaSeconds: 153,
  waiting: null
}

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

  it.each([[10, "600/min"], [0.5, "30/min"], [20, "20/s"], [1500.4, "1,500/s"]])("%d calls a second are %s", (perSecond, words) => {
    assert.strictEqual(Progress.rate(perSecond), words)
  })

  it("a line tells share, records, speed, time to go, outcomes, latencies and calls in flight", () => {
    assert.strictEqual(
      Progress.line(snapshot, false).trim(),
      "12 %  1,234/10,000  57/s  3 min to go  enrolled 1,200 · rejected 34  p50 12 p95 30 p99 81 ms  16/64 in flight"
    )
  })

  it("a line tells the limit, and what is waited for", () => {
    const line = Progress.line({ ...snapshot, limitPerSecond: 10, waiting: { untilMillis: 13_000, why: "429" } }, false)
    assert.include(line, "57/s of 600/min")
    assert.include(line, "paused 12 s: 429")
  })
})
