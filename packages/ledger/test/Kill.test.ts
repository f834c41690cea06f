import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as Ledger from "../src/Ledger.js"
import * as LibsqlLedger from "../src/LibsqlLedger.js"
import * as Run from "../src/Run.js"
import { freshPath, worker } from "./workers.js"

const rows = 3000
const kills = 15

/** What a ledger holds after a kill, checked against itself. */
const look = (path: string) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    const sql = yield* SqlClient
    assert.deepStrictEqual(yield* sql`PRAGMA integrity_check`, [{ integrity_check: "ok" }])
    const list = yield* ledger.list
    const run = list[0]
    if (run === undefined) return { run: null, settled: new Map<number, string | null>() }
    const counted = { ...Run.noCounts }
    const settled = new Map<number, string | null>()
    yield* Stream.runForEach(ledger.results("k"), ({ entries }) =>
      Effect.sync(() => {
        for (const { isClaimed, outcome, seq } of entries) {
          const word = outcome?.outcome ?? (isClaimed ? "claimed" : "pending")
          counted[word as keyof Run.Counts] = counted[word as keyof Run.Counts] + 1
          if (outcome?.outcome === "enrolled") settled.set(seq, outcome.requestId)
        }
      }))
    assert.deepStrictEqual(run.counts, counted)
    return { run, settled }
  }).pipe(Effect.provide(LibsqlLedger.layer({ path })))

describe("a killed process", () => {
  it.scopedLive(`loses nothing that it said was durable, ${kills} times over`, () =>
    Effect.gen(function*() {
      const path = yield* freshPath
      const reported = new Map<number, string>()
      let row = 0
      let finished = false
      const note = (lines: ReadonlyArray<string>): void => {
        for (const line of lines) {
          const [kind, value, tag = ""] = line.split(" ")
          if (kind === "I") row = Math.max(row, Number(value))
          if (kind === "S") {
            assert.isFalse(reported.has(Number(value)), `${value} was settled twice`)
            reported.set(Number(value), tag)
          }
          if (kind === "done") finished = true
          assert.notStrictEqual(kind, "E", line)
        }
      }
      const verify = Effect.map(look(path), ({ run, settled }) => {
        if (row > 0) assert.isAtLeast(run?.checkpoint.row ?? 0, row)
        for (const [seq, tag] of reported) assert.strictEqual(settled.get(seq), tag)
        return run
      })
      for (let kill = 0; kill < kills; kill++) {
        const { child, ended } = yield* worker(path, ["work", String(rows), `t${kill}`])
        // Starting takes some 250 ms: the first ones are killed while they import, or before.
        yield* Effect.sleep(yield* Random.nextIntBetween(150, 450))
        child.kill("SIGKILL")
        note(yield* ended)
        yield* verify
      }
      if (!finished) note(yield* (yield* worker(path, ["work", String(rows), "last"])).ended)
      const run = yield* verify
      assert.isTrue(finished)
      assert.strictEqual(run?.state, "finished")
      assert.deepInclude(run?.counts, { enrolled: 700, skipped: rows - 700, pending: 0, claimed: 0 })
    }), 120_000)
})
