import { assert, describe, it } from "@effect/vitest"
import { noCounts, type Refusal, type Run } from "@milepost/ledger/Run"
import * as Standing from "./Standing.js"

const run = (more: Partial<Run>): Run => ({
  id: "20250101-120000-abcd",
  operation: "enroll",
  state: "finished",
  input: { name: "in.csv", format: "csv", header: new Uint8Array(0), size: 0, sha256: "" },
  options: {},
  parent: null,
  lanes: 1,
  epoch: 1,
  createdMillis: 0,
  startedMillis: 0,
  endedMillis: 0,
  checkpoint: { row: 0, line: 0, bytes: 0, sha256: null },
  counts: noCounts,
  rows: 10,
  badRows: 0,
  duplicates: 0,
  warnings: 0,
  calls: 0,
  stop: null,
  ...more
})

const fuse: Refusal = { outcome: "skipped", code: "fuse", message: "310017: gone", records: 3 }

describe("Standing", () => {
  it("what a stop kept from being sent is skipped, for its reason, and can be gone on with", () => {
    const stopped = run({
      state: "interrupted",
      stop: { reason: "cancelled", message: "the run was interrupted" },
      counts: { ...noCounts, enrolled: 4, pending: 5, claimed: 1 }
    })
    const standing = Standing.make(stopped, [])
    assert.deepInclude(standing, { state: "interrupted", open: 6, notSent: 6 })
    assert.deepInclude(standing.counts, { enrolled: 4, skipped: 6 })
    assert.deepStrictEqual(standing.refusals.map(({ code, records }) => [code, records]), [["cancelled", 6]])
    assert.isTrue(Standing.isResumable(standing))
    const entry = {
      seq: 1,
      request: { _tag: "Unenrollment" as const, customerId: 1 as never, targetGroupId: 1 as never, targetId: 1 as never },
      outcome: null,
      isClaimed: false,
      attempts: 0,
      lostAttempts: 0,
      claimedMillis: null,
      endedMillis: null
    }
    assert.deepInclude(Standing.outcomeOf(stopped, entry), { outcome: "skipped", reason: "cancelled" })
    assert.isNull(Standing.outcomeOf({ state: "running", stop: null }, entry))
  })

  it("a finished run of which a fuse kept something back counts as stopped", () => {
    const standing = Standing.make(run({ counts: { ...noCounts, enrolled: 7, skipped: 3 } }), [fuse])
    assert.deepInclude(standing, { state: "stopped", stop: { reason: "fuse", message: "310017: gone" } })
  })
})
