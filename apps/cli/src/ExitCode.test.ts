import { assert, describe, it } from "@effect/vitest"
import { noCounts, type Run } from "@milepost/ledger/Run"
import * as Standing from "@milepost/rows/Standing"
import { ExitCode, ofRun } from "./ExitCode.js"

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

describe("ExitCode", () => {
  it("of a finished run of which a fuse kept something back is the one of a stopped run", () => {
    const standing = Standing.make(run({ counts: { ...noCounts, enrolled: 7, skipped: 3 } }), [
      { outcome: "skipped", code: "fuse", message: "310017: gone", records: 3 }
    ])
    assert.strictEqual(ofRun(standing), ExitCode.stopped)
  })

  it.each([
    ["all done", run({ counts: { ...noCounts, enrolled: 5, already_enrolled: 5 } }), ExitCode.done],
    ["duplicates alone", run({ duplicates: 2, counts: { ...noCounts, enrolled: 8, skipped: 2 } }), ExitCode.done],
    ["some rejected", run({ counts: { ...noCounts, enrolled: 9, rejected: 1 } }), ExitCode.rejected],
    ["some unknown, which outweighs rejected", run({ counts: { ...noCounts, rejected: 1, unknown: 1 } }), ExitCode.unknown],
    ["interrupted", run({ state: "interrupted", counts: { ...noCounts, rejected: 1, pending: 1 } }), ExitCode.interrupted],
    ["stopped", run({ state: "stopped", counts: { ...noCounts, unknown: 1, pending: 1 } }), ExitCode.stopped]
  ])("%s: the exit code says so", (_, ended, code) => {
    assert.strictEqual(ofRun(Standing.make(ended, [])), code)
  })
})
