/** What every ledger does for several processes that share a run; part of `LedgerSuite`. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import type * as Ledger from "../src/Ledger.js"
import * as Run from "../src/Run.js"
import { already, enrolled, good, rejected, started, streak } from "./rows.js"

/** Runs against a ledger that the layer makes anew, and empty, each time that it is built. */
export const SharedSuite = <E>(fresh: Layer.Layer<Ledger.Ledger, E>) =>
  describe("for several processes", () => {
    it.effect("processes that join a run claim under epochs of their own, until the run is started anew or ends", () =>
      Effect.gen(function*() {
        const rows = Array.from({ length: 40 }, (_, index) => good(index + 1, streak(index + 1)))
        const { claim, epoch, ledger } = yield* started("a", rows, 2)
        const second = yield* ledger.join("a")
        const third = yield* ledger.join("a")
        assert.deepStrictEqual([second.epoch, third.epoch], [epoch + 1, epoch + 2])
        assert.deepInclude(third.run, { id: "a", state: "running", epoch: epoch + 2 })
        const mine = yield* claim(5, 0)
        const theirs = yield* ledger.claim("a", { epoch: third.epoch, lane: 1, limit: 5 })
        assert.deepStrictEqual([mine.length, theirs.length], [5, 5])
        assert.strictEqual((yield* Effect.flip(ledger.claim("a", { epoch: third.epoch + 1, lane: 1, limit: 5 })))._tag, "WrongState")
        // Another sitting: nobody of the one before claims any more.
        const again = yield* ledger.start("a")
        for (const old of [epoch, second.epoch, third.epoch]) {
          assert.strictEqual((yield* Effect.flip(ledger.claim("a", { epoch: old, lane: 0, limit: 5 })))._tag, "WrongState")
        }
        assert.strictEqual((yield* ledger.claim("a", { epoch: again.epoch, lane: 0, limit: 5 })).length, 5)
        yield* ledger.end("a", "stopped", { reason: "asked", message: "" })
        assert.strictEqual((yield* Effect.flip(ledger.join("a"))).message, "run a is stopped and cannot be joined")
        assert.strictEqual((yield* Effect.flip(ledger.claim("a", { epoch: again.epoch, lane: 0, limit: 5 })))._tag, "WrongState")
        assert.strictEqual((yield* Effect.flip(ledger.join("none")))._tag, "RunNotFound")
      }).pipe(Effect.provide(fresh)))

    it.effect("the new owner of a lane takes back what the old one had claimed, who then writes over nothing", () =>
      Effect.gen(function*() {
        const rows = Array.from({ length: 60 }, (_, index) => good(index + 1, streak(index + 1)))
        const { claim, epoch, ledger } = yield* started("a", rows, 2)
        const old = yield* claim(6, 0)
        const elsewhere = yield* claim(4, 1)
        const seqs = old.map(({ seq }) => seq)
        const other = yield* ledger.join("a")
        yield* ledger.settle("a", [{ seq: seqs[5] ?? 0, outcome: enrolled }], epoch)
        assert.strictEqual(yield* ledger.reclaim("a", other.epoch, 0), 5)
        assert.strictEqual(yield* ledger.reclaim("a", other.epoch, 0), 0)
        assert.deepInclude((yield* ledger.run("a")).counts, { claimed: 4, pending: 55, enrolled: 1 })
        const claimed = yield* ledger.claim("a", { epoch: other.epoch, lane: 0, limit: 6 })
        assert.deepStrictEqual(claimed.slice(0, 5).map(({ lostAttempts, seq }) => [seq, lostAttempts]), seqs.slice(0, 5).map((seq) => [seq, 1]))
        // What it holds itself is not lost.
        assert.strictEqual(yield* ledger.reclaim("a", other.epoch, 0), 0)
        // The old owner wakes up.
        assert.deepStrictEqual(
          yield* ledger.settle("a", seqs.map((seq) => ({ seq, outcome: rejected })), epoch),
          { settled: 0, ignored: seqs }
        )
        assert.strictEqual(yield* ledger.release("a", seqs, epoch), 0)
        assert.strictEqual((yield* ledger.settle("a", claimed.map(({ seq }) => ({ seq, outcome: already })), other.epoch)).settled, 6)
        assert.strictEqual((yield* ledger.settle("a", elsewhere.map(({ seq }) => ({ seq, outcome: enrolled })), epoch)).settled, 4)
        const run = yield* ledger.run("a")
        assert.deepInclude(run.counts, { claimed: 0, pending: 49, enrolled: 5, already_enrolled: 6, rejected: 0 })
        assert.strictEqual(Run.total(run.counts), 60)
      }).pipe(Effect.provide(fresh)))

    it.effect("a run is finished by whoever sees that it is done, and not before", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1000)
        const { claim, ledger } = yield* started("a", [good(1, streak(1)), good(2, streak(2))])
        assert.strictEqual((yield* ledger.finishIfDone("a")).state, "running")
        const claimed = yield* claim()
        assert.strictEqual((yield* ledger.finishIfDone("a")).state, "running")
        yield* ledger.settle("a", claimed.map(({ seq }) => ({ seq, outcome: enrolled })))
        yield* TestClock.setTime(2000)
        assert.deepInclude(yield* ledger.finishIfDone("a"), { state: "finished", endedMillis: 2000, stop: null })
        yield* TestClock.setTime(3000)
        assert.deepInclude(yield* ledger.finishIfDone("a"), { state: "finished", endedMillis: 2000 })
        yield* ledger.start("a")
        yield* ledger.end("a", "interrupted", { reason: "asked", message: "" })
        assert.deepInclude(yield* ledger.finishIfDone("a"), { state: "interrupted" })
        assert.strictEqual((yield* Effect.flip(ledger.finishIfDone("none")))._tag, "RunNotFound")
      }).pipe(Effect.provide(fresh)))
  })
