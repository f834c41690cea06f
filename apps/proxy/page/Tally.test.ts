import { assert, describe, it } from "@effect/vitest"
import type { Job } from "./Client.js"
import * as Tally from "./Tally.js"

const job = (more: Partial<Omit<Job, "counts">> & { readonly counts?: Partial<Job["counts"]> }): Job => ({
  id: "job_1",
  org: "brand",
  operation: "enroll",
  state: "running",
  input: "a.csv",
  rows: 10,
  badRows: 0,
  duplicates: 0,
  records: 10,
  open: 0,
  calls: 10,
  warnings: 0,
  callsPerSecond: null,
  limitPerSecond: null,
  etaSeconds: null,
  waiting: null,
  refusals: [],
  stop: null,
  created: "2026-01-01T00:00:00.000Z",
  started: null,
  ended: null,
  ...more,
  counts: { enrolled: 0, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0, ...more.counts }
})

describe("Tally", () => {
  it("tells what is done, what is not, and what waits", () => {
    const tally = Tally.of(job({ open: 4, counts: { enrolled: 3, rejected: 1, unknown: 1, skipped: 1 } }))
    assert.deepStrictEqual([tally.total, tally.ended, tally.failed], [10, 6, 2])
    assert.strictEqual(Tally.sentence(tally), "60 % of 10 records: 3 enrolled, 1 rejected, 1 unknown, 1 skipped, 4 waiting.")
  })

  it("what a pause holds back waits, and what a cancelled job never sent is skipped", () => {
    const counts = { enrolled: 3, skipped: 7 }
    assert.strictEqual(Tally.sentence(Tally.of(job({ state: "paused", open: 6, counts }))), "40 % of 10 records: 3 enrolled, 1 skipped, 6 waiting.")
    assert.strictEqual(Tally.sentence(Tally.of(job({ state: "cancelled", open: 6, counts }))), "100 % of 10 records: 3 enrolled, 7 skipped.")
  })

  it("one failed record of a million is seen, and the bar stays full", () => {
    const { parts } = Tally.of(job({ records: 1_000_000, counts: { enrolled: 999_999, rejected: 1 } }))
    const widths = Tally.widths(parts, 1_000)
    assert.isAbove(widths[1] ?? 0, 5)
    assert.closeTo(widths.reduce((sum, width) => sum + width, 0), 1_000, 0.001)
    assert.strictEqual(Tally.sentence(Tally.of(job({ records: 0 }))), "No records.")
  })
})
