import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { job } from "../../test/job.js"
import { ExitCode, ofRun } from "../ExitCode.js"
import * as Job from "./Job.js"

const { counts } = job()

const standing = (more: Partial<Job.Job>) => Job.standing(job(more), { id: "run", name: "in.csv", format: "csv" })

describe("Job", () => {
  it.each<readonly [string, Partial<Job.Job>, ExitCode]>([
    ["finished", {}, ExitCode.done],
    ["finished with duplicates alone", { duplicates: 3, counts: { ...counts, skipped: 3 } }, ExitCode.done],
    ["finished with some rejected", { counts: { ...counts, rejected: 3 } }, ExitCode.rejected],
    ["finished with some unknown", { counts: { ...counts, rejected: 2, unknown: 1 } }, ExitCode.unknown],
    ["stopped with some left", { state: "stopped", open: 3, counts: { ...counts, skipped: 3 }, stop: { reason: "fuse", message: "403" } }, ExitCode.stopped],
    ["cut short by a fuse", { state: "stopped", counts: { ...counts, skipped: 3 }, stop: { reason: "fuse", message: "310017" } }, ExitCode.stopped],
    ["paused", { state: "paused", open: 3, counts: { ...counts, skipped: 3 } }, ExitCode.interrupted],
    ["cancelled", { state: "cancelled", open: 3, counts: { ...counts, skipped: 3 } }, ExitCode.interrupted]
  ])("%s: the exit code is the one of such a run", (_, more, code) => {
    assert.strictEqual(ofRun(standing(more)), code)
  })

  it("counts what was never sent, and not what a job still has to send", () => {
    const paused = standing({ state: "paused", open: 3, duplicates: 1, counts: { ...counts, skipped: 4 } })
    assert.deepInclude(paused.run.counts, { pending: 3, skipped: 1 })
    assert.deepInclude(paused, { notSent: 3, open: 3, stop: { reason: "cancelled", message: "the job was paused" } })
    assert.strictEqual(standing({ state: "stopped", counts: { ...counts, skipped: 3 } }).run.state, "finished")
  })

  it("is read from a newer proxy and from an older one, but not where its id would lead elsewhere", () => {
    const decode = Schema.decodeUnknownEither(Job.Job)
    const { warnings: _, ...older } = job({})
    assert.strictEqual(decode({ ...job({}), priority: "high" })._tag, "Right")
    assert.strictEqual(decode(older)._tag, "Right")
    assert.strictEqual(decode(job({ id: "../../keys" }))._tag, "Left")
  })
})
