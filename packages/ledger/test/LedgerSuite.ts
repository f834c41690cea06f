/** What every ledger does, whatever database it lies in. */
import { assert, describe, it } from "@effect/vitest"
import type * as Outcome from "@milepost/core/Outcome"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Derive from "../src/Derive.js"
import * as Entry from "../src/Entry.js"
import * as Lane from "../src/Lane.js"
import * as Ledger from "../src/Ledger.js"
import * as Run from "../src/Run.js"
import * as LedgerModel from "./LedgerModel.js"
import {
  already,
  at,
  bad,
  enrolled,
  fused,
  good,
  input,
  milestone,
  newRun,
  rejected,
  started,
  streak,
  unenrollment,
  unknown,
  warned
} from "./rows.js"
import { SharedSuite } from "./SharedSuite.js"

const collect = <A, E>(stream: Stream.Stream<A, E>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const outcomes = (ledger: Ledger.Service, id: string) =>
  Effect.map(collect(ledger.results(id)), (rows) => rows.flatMap(({ entries }) => entries.map(({ outcome }) => outcome)))

/** Runs against a ledger that the layer makes anew, and empty, each time that it is built; the model, so many times. */
export const LedgerSuite = <E>(name: string, fresh: Layer.Layer<Ledger.Ledger, E>, numRuns = 60) =>
  describe(`${name} as a ledger`, () => {
    SharedSuite(fresh)

    it.effect("a run that is removed leaves nothing behind, and its neighbour as it was", () =>
      Effect.gen(function*() {
        yield* started("r", Array.from({ length: 30 }, (_, index) => good(index + 1, milestone(index + 1, "C1"))))
        const { ledger } = yield* started("s", [good(1, milestone(1, "C1"))])
        yield* ledger.remove("r")
        assert.strictEqual((yield* Effect.flip(ledger.run("r")))._tag, "RunNotFound")
        assert.deepStrictEqual((yield* ledger.list).map(({ id }) => id), ["s"])
        assert.strictEqual((yield* Effect.flip(ledger.remove("r")))._tag, "RunNotFound")
        assert.strictEqual((yield* collect(ledger.results("s"))).length, 1)
        // The same name is free again.
        const { claim } = yield* started("r", [good(1, milestone(1, "C1"))])
        assert.strictEqual((yield* claim()).length, 1)
      }).pipe(Effect.provide(fresh)))

    it.effect("what is asked for comes back as it went in: absent, null and zero are three things", () =>
      Effect.gen(function*() {
        const requests = [
          milestone(1, "C1"),
          milestone(1, "C2", null),
          milestone(1, "C3", 0),
          milestone(2, "Zyklus \"é\"; DROP", -(2 ** 53 - 1)),
          milestone(2 ** 53 - 1, "C1", 2 ** 53 - 1),
          streak(1),
          streak(2, false),
          streak(3, true)
        ]
        const { claim } = yield* started("a", [good(1, ...requests.slice(0, 3)), ...requests.slice(3).map((request, index) => good(index + 2, request))])
        const claimed = yield* claim()
        assert.deepStrictEqual(claimed.map(({ request }) => request), requests)
        assert.deepStrictEqual(claimed.map(({ seq }) => Entry.rowOf(seq)), [1, 1, 1, 2, 3, 4, 5, 6])
      }).pipe(Effect.provide(fresh)))

    it.effect("un-enrolments come back as such", () =>
      Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        yield* ledger.begin({ ...newRun("u", 1), operation: "unenroll" })
        yield* ledger.append("u", [good(1, unenrollment(7)), good(2, unenrollment(7))], at(3))
        yield* ledger.finishImport("u", input)
        const { epoch } = yield* ledger.start("u")
        const claimed = yield* ledger.claim("u", { epoch, lane: 0, limit: 9 })
        assert.deepStrictEqual(claimed.map(({ request }) => request), [unenrollment(7)])
      }).pipe(Effect.provide(fresh)))

    it.effect("a repetition is skipped and names the line that it repeats, in the same batch or a later one", () =>
      Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        yield* ledger.begin(newRun("a"))
        const first = yield* ledger.append("a", [good(1, milestone(1, "C1")), good(2, milestone(2, "C1")), good(3, milestone(1, "C1", 5))], at(5))
        assert.deepStrictEqual(first, { rows: 3, records: 3, duplicates: 1, badRows: 0 })
        yield* ledger.append("a", [good(4, milestone(1, "C2"), milestone(2, "C1")), bad(5, "line 6: x"), bad(6, "line 7: y")], at(8))
        const run = yield* ledger.finishImport("a", input)
        assert.deepInclude(run.counts, { pending: 3, skipped: 2, rejected: 2 })
        assert.deepInclude(run, { rows: 6, badRows: 2, duplicates: 2, state: "ready" })
        assert.deepStrictEqual((yield* outcomes(ledger, "a")).filter((outcome) => outcome !== null), [
          { outcome: "skipped", reason: "duplicate", message: "of line 2", notSent: null },
          { outcome: "skipped", reason: "duplicate", message: "of line 3", notSent: null }
        ])
        assert.deepStrictEqual(yield* ledger.destinations("a"), [
          { targetGroupId: 2154, targetId: 2309, periodName: "C1", records: 2 },
          { targetGroupId: 2154, targetId: 2309, periodName: "C2", records: 1 }
        ])
        assert.deepStrictEqual(yield* ledger.refusals("a"), [
          { outcome: "skipped", code: "duplicate", message: "repeats an earlier row", records: 2 },
          { outcome: "rejected", code: "input", message: "line 6: x", records: 2 }
        ])
      }).pipe(Effect.provide(fresh)))

    it.effect("a row keeps the line that it begins on, whether rows span one line or several", () =>
      Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        yield* ledger.begin(newRun("a", 1))
        const lines = [2, 3, 7, 5_000_000_000 % 2 ** 31, 9]
        const rows = lines.map((line, index) => ({ ...good(index + 1, streak(index === 4 ? 3 : index + 1)), line }))
        yield* ledger.append("a", rows, at(10))
        assert.deepStrictEqual((yield* collect(ledger.results("a"))).map(({ line }) => line), lines)
        assert.deepInclude((yield* outcomes(ledger, "a")).at(-1), { message: "of line 7" })
      }).pipe(Effect.provide(fresh)))

    it.effect("the same customer in two runs is no repetition", () =>
      Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        for (const id of ["a", "b"]) {
          yield* ledger.begin(newRun(id))
          yield* ledger.append(id, [good(1, milestone(1, "C1"))], at(2))
        }
        assert.deepStrictEqual((yield* ledger.list).map(({ id, duplicates }) => [id, duplicates]), [["b", 0], ["a", 0]])
      }).pipe(Effect.provide(fresh)))

    it.effect("an import that was cut off goes on from its checkpoint, and a batch sent again adds nothing", () =>
      Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        yield* ledger.begin(newRun("a"))
        const rows = Array.from({ length: 1200 }, (_, index) => good(index + 1, milestone(index + 1, "C")))
        yield* ledger.append("a", rows.slice(0, 700), { line: 702, bytes: 9000, sha256: "aa" })
        const again = yield* ledger.begin(newRun("a"))
        assert.deepStrictEqual(again.checkpoint, { row: 700, line: 702, bytes: 9000, sha256: "aa" })
        assert.strictEqual(again.state, "importing")
        assert.deepStrictEqual(yield* ledger.append("a", rows.slice(0, 700), at(9)), { rows: 0, records: 0, duplicates: 0, badRows: 0 })
        assert.strictEqual((yield* ledger.append("a", rows, at(1202))).rows, 500)
        const run = yield* ledger.finishImport("a", input)
        assert.strictEqual(run.counts.pending, 1200)
        assert.deepStrictEqual(yield* ledger.finishImport("a", input), run)
      }).pipe(Effect.provide(fresh)))

    it.effect("what a run is not ready for is refused by name", () =>
      Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        assert.strictEqual((yield* Effect.flip(ledger.run("none")))._tag, "RunNotFound")
        assert.strictEqual((yield* Effect.flip(ledger.settle("none", [])))._tag, "RunNotFound")
        yield* ledger.begin(newRun("a"))
        assert.strictEqual((yield* Effect.flip(ledger.start("a")))._tag, "WrongState")
        yield* ledger.finishImport("a", input)
        assert.strictEqual((yield* Effect.flip(ledger.begin(newRun("a")))).message, "run a is ready and cannot be imported again")
        assert.strictEqual((yield* Effect.flip(ledger.append("a", [bad(1, "x")], at(1))))._tag, "WrongState")
        assert.strictEqual((yield* Effect.flip(ledger.claim("a", { epoch: 0, lane: 0, limit: 1 })))._tag, "WrongState")
        yield* ledger.start("a")
        assert.strictEqual((yield* Effect.flip(ledger.claim("a", { epoch: 0, lane: 0, limit: 1 })))._tag, "WrongState")
        assert.strictEqual((yield* Effect.flip(ledger.derivable("a", "retry", 0)))._tag, "WrongState")
      }).pipe(Effect.provide(fresh)))

    it.effect("a changed input is refused, by size and by hash", () =>
      Effect.gen(function*() {
        const ledger = yield* Ledger.Ledger
        const known = { ...newRun("a"), input: { ...newRun("a").input, size: input.size } }
        yield* ledger.begin(known)
        const other = yield* Effect.flip(ledger.begin({ ...known, input: { ...known.input, size: 1 } }))
        assert.strictEqual(other._tag, "InputChanged")
        yield* ledger.finishImport("a", input)
        yield* ledger.verifyInput("a", input)
        const size = yield* Effect.flip(ledger.verifyInput("a", { ...input, size: 1 }))
        const hash = yield* Effect.flip(ledger.verifyInput("a", { ...input, sha256: "cd" }))
        assert.strictEqual(size.message, "input.csv: is not the file that run a was made from: its size differs")
        assert.strictEqual(hash.message, "input.csv: is not the file that run a was made from: its sha256 differs")
      }).pipe(Effect.provide(fresh)))

    it.effect("a run keeps what it was begun with, and its times", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1000)
        const { ledger } = yield* started("a", [good(1, streak(1))])
        yield* TestClock.setTime(5000)
        const run = yield* ledger.end("a", "stopped", { reason: "fuse", message: "310144: blown" })
        assert.deepInclude(run, { createdMillis: 1000, startedMillis: 1000, endedMillis: 5000, epoch: 1, state: "stopped", lanes: 1 })
        assert.deepStrictEqual(run.options, { rate: "600/min" })
        assert.deepStrictEqual(run.stop, { reason: "fuse", message: "310144: blown" })
        assert.strictEqual(Buffer.from(run.input.header).toString(), "customerId\r\n")
        const again = yield* ledger.start("a")
        assert.deepInclude(again, { epoch: 2, state: "running", stop: null, endedMillis: null })
      }).pipe(Effect.provide(fresh)))

    it.effect("records are claimed once, lane by lane, each customer's in the order of the input", () =>
      Effect.gen(function*() {
        const lanes = 4
        const rows = Array.from({ length: 300 }, (_, index) => good(index + 1, milestone((index * 7) % 20 + 1, `C${index}`)))
        const { ledger, claim } = yield* started("a", rows, lanes)
        assert.deepStrictEqual(yield* ledger.pendingLanes("a"), [0, 1, 2, 3])
        const seen: Array<Entry.Claimed> = []
        for (let lane = 0; lane < lanes; lane++) {
          while (true) {
            const chunk = yield* claim(17, lane)
            if (chunk.length === 0) break
            assert.isTrue(chunk.every(({ request, seq }) => Lane.of(request.customerId, lanes) === lane && Entry.laneOf(seq) === lane))
            seen.push(...chunk)
          }
        }
        assert.strictEqual(new Set(seen.map(({ seq }) => seq)).size, 300)
        for (let customer = 1; customer <= 20; customer++) {
          const order = seen.filter(({ request }) => request.customerId === customer).map(({ seq }) => Entry.rowOf(seq))
          assert.deepStrictEqual(order, [...order].sort((left, right) => left - right))
        }
        assert.deepStrictEqual(yield* ledger.pendingLanes("a"), [])
        assert.deepInclude((yield* ledger.run("a")).counts, { pending: 0, claimed: 300 })
      }).pipe(Effect.provide(fresh)))

    it.effect("outcomes come back as they were settled", () =>
      Effect.gen(function*() {
        const all: ReadonlyArray<Outcome.Outcome> = [
          enrolled,
          warned,
          already,
          rejected,
          { ...rejected, code: "E-7", blastRadius: "everything" },
          { ...rejected, code: null },
          unknown,
          { ...unknown, code: 502 },
          fused,
          { outcome: "skipped", reason: "unreachable", message: "ENOTFOUND", notSent: "Dns" }
        ]
        const { claim, ledger } = yield* started("a", all.map((_, index) => good(index + 1, milestone(index + 1, "C"))))
        const claimed = yield* claim()
        const settled = yield* ledger.settle("a", claimed.map(({ seq }, index) => ({ seq, outcome: all[index] ?? enrolled })))
        assert.deepStrictEqual(settled, { settled: all.length, ignored: [] })
        assert.deepStrictEqual(yield* outcomes(ledger, "a"), [...all])
        const run = yield* ledger.run("a")
        assert.deepStrictEqual(run.counts, { ...Run.noCounts, enrolled: 2, already_enrolled: 1, rejected: 3, unknown: 2, skipped: 2 })
        assert.deepInclude(run, { calls: 1 + 2 + 1 + 3 + 16, warnings: 2 })
        const refused = yield* ledger.refusals("a")
        assert.deepInclude(refused, { outcome: "rejected", code: "E-7", message: "no such target", records: 1 })
        assert.deepInclude(refused, { outcome: "rejected", code: null, message: "no such target", records: 1 })
        assert.deepInclude(refused, { outcome: "skipped", code: "fuse", message: "310018", records: 1 })
      }).pipe(Effect.provide(fresh)))

    it.effect("an outcome is never written over, not even within a batch", () =>
      Effect.gen(function*() {
        const { claim, ledger } = yield* started("a", [good(1, streak(1)), good(2, streak(2)), good(3, streak(3))])
        const [first, second] = yield* claim(2)
        const seqs = [first?.seq ?? 0, second?.seq ?? 0] as const
        yield* ledger.settle("a", [{ seq: seqs[0], outcome: enrolled }, { seq: seqs[0], outcome: unknown }])
        const late = yield* ledger.settle("a", [
          { seq: seqs[0], outcome: rejected },
          { seq: seqs[1], outcome: already },
          { seq: Entry.seqOf(0, 3, 0), outcome: rejected },
          { seq: 12345, outcome: rejected }
        ])
        assert.deepStrictEqual(late, { settled: 1, ignored: [seqs[0], Entry.seqOf(0, 3, 0), 12345] })
        assert.deepStrictEqual(yield* outcomes(ledger, "a"), [enrolled, already, null])
        assert.deepInclude((yield* ledger.run("a")).counts, { enrolled: 1, already_enrolled: 1, rejected: 0, pending: 1, claimed: 0 })
      }).pipe(Effect.provide(fresh)))

    it.effect("after a crash, what was claimed is pending again and its 310119 counts as after an ambiguous attempt", () =>
      Effect.gen(function*() {
        const { claim, ledger } = yield* started("a", [good(1, streak(1)), good(2, streak(2)), good(3, streak(3))])
        const before = yield* claim(2)
        const { epoch } = yield* ledger.start("a")
        assert.strictEqual(yield* ledger.reclaim("a", epoch), 2)
        assert.strictEqual(yield* ledger.reclaim("a", epoch), 0)
        const after = yield* ledger.claim("a", { epoch, lane: 0, limit: 10 })
        assert.deepStrictEqual(after.map(({ lostAttempts, seq }) => [Entry.rowOf(seq), lostAttempts]), [[1, 1], [2, 1], [3, 0]])
        assert.strictEqual(yield* ledger.reclaim("a", epoch), 0)
        yield* ledger.settle("a", after.map(({ seq }) => ({ seq, outcome: already })))
        assert.deepStrictEqual(before.map(({ seq }) => seq), after.slice(0, 2).map(({ seq }) => seq))
        assert.deepStrictEqual(yield* outcomes(ledger, "a"), [
          { ...already, afterAmbiguousAttempt: true },
          { ...already, afterAmbiguousAttempt: true },
          already
        ])
      }).pipe(Effect.provide(fresh)))

    it.effect("what was claimed and not sent is given back without a mark, and in its place", () =>
      Effect.gen(function*() {
        const { claim, ledger } = yield* started("a", [good(1, streak(1)), good(2, streak(2)), good(3, streak(3))])
        const claimed = yield* claim(2)
        assert.strictEqual(yield* ledger.release("a", claimed.map(({ seq }) => seq)), 2)
        assert.strictEqual(yield* ledger.release("a", claimed.map(({ seq }) => seq)), 0)
        const again = yield* claim(2)
        assert.deepStrictEqual(again, claimed)
      }).pipe(Effect.provide(fresh)))

    it.effect("a fuse skips what is condemned and pending, a resume arms it again", () =>
      Effect.gen(function*() {
        const rows = Array.from({ length: 60 }, (_, index) =>
          good(index + 1, index % 3 === 0 ? streak(index + 1) : milestone(index + 1, index % 3 === 1 ? "C1" : "C2")))
        const { claim, ledger } = yield* started("a", rows, 4)
        const held = yield* claim(3, 1)
        const why = { reason: "fuse", message: "310019: no such period" } as const
        const heldC1 = held.filter(({ request }) => request._tag === "Milestone" && request.periodName === "C1").length
        assert.strictEqual(yield* ledger.skipWhere("a", { targetId: 2309, periodName: "C1" }, why), 20 - heldC1)
        assert.strictEqual(yield* ledger.skipWhere("a", { targetGroupId: 9 }, why), 0)
        assert.strictEqual(yield* ledger.skipWhere("a", "all", { reason: "cancelled", message: "Ctrl-C" }), 60 - 3 - (20 - heldC1))
        assert.deepInclude((yield* ledger.run("a")).counts, { pending: 0, claimed: 3, skipped: 57 })
        assert.strictEqual(yield* ledger.rearm("a", "fuse"), 20 - heldC1)
        assert.strictEqual(yield* ledger.rearm("a", "fuse"), 0)
        assert.deepInclude((yield* ledger.run("a")).counts, { pending: 20 - heldC1, claimed: 3 })
        assert.deepStrictEqual(yield* ledger.refusals("a"), [
          { outcome: "skipped", code: "cancelled", message: "Ctrl-C", records: 37 + heldC1 }
        ])
      }).pipe(Effect.provide(fresh)))

    it.effect("what may have been executed is never skipped: it stays pending, whatever condemns it", () =>
      Effect.gen(function*() {
        const { claim, ledger } = yield* started("a", [1, 2, 3, 4].map((row) => good(row, milestone(row, "C1"))))
        yield* claim(2)
        const { epoch } = yield* ledger.start("a")
        yield* ledger.reclaim("a", epoch)
        const why = { reason: "fuse", message: "310018: no such target" } as const
        assert.strictEqual(yield* ledger.skipWhere("a", { targetId: 2309 }, why), 2)
        assert.strictEqual(yield* ledger.skipWhere("a", "all", { reason: "cancelled", message: "Ctrl-C" }), 0)
        assert.deepInclude((yield* ledger.run("a")).counts, { pending: 2, skipped: 2 })
        const left = yield* ledger.claim("a", { epoch, lane: 0, limit: 10 })
        assert.deepStrictEqual(left.map(({ lostAttempts, seq }) => [Entry.rowOf(seq), lostAttempts]), [[1, 1], [2, 1]])
      }).pipe(Effect.provide(fresh)))

    it.effect("a batch of outcomes of every kind, with some that are not claimed, is written all the same", () =>
      Effect.gen(function*() {
        const { claim, ledger } = yield* started("a", Array.from({ length: 60 }, (_, index) => good(index + 1, streak(index + 1))))
        const claimed = yield* claim(50)
        const outcomeOf = (index: number): Outcome.Outcome =>
          index % 3 === 0 ? { ...rejected, message: `no ${index}` } : { ...enrolled, requestId: index % 2 === 0 ? `r-${index}` : null }
        const settlements = [...claimed.map(({ seq }, index) => ({ seq, outcome: outcomeOf(index) })), { seq: Entry.seqOf(0, 55, 0), outcome: enrolled }]
        const found = yield* ledger.settle("a", settlements)
        assert.deepStrictEqual(found, { settled: 50, ignored: [Entry.seqOf(0, 55, 0)] })
        assert.deepStrictEqual((yield* outcomes(ledger, "a")).slice(0, 50), claimed.map((_, index) => outcomeOf(index)))
        assert.deepInclude((yield* ledger.run("a")).counts, { enrolled: 33, rejected: 17, pending: 10, claimed: 0 })
        assert.deepInclude(yield* ledger.run("a"), { calls: 50 })
        assert.deepStrictEqual((yield* ledger.refusals("a")).map(({ records }) => records), [17])
      }).pipe(Effect.provide(fresh)))

    it.effect("results are in the order of the input, over many pages, by outcome and from a row on", () =>
      Effect.gen(function*() {
        const rows = Array.from({ length: 2500 }, (_, index) =>
          index % 10 === 9 ? bad(index + 1, `line ${index + 2}: x`) : good(index + 1, milestone(index + 1, "C"), milestone(index + 1, "D")))
        const { claim, ledger } = yield* started("a", rows, 8)
        const claimed = yield* claim(50, 3)
        yield* ledger.settle("a", claimed.map(({ seq }, index) => ({ seq, outcome: index % 2 === 0 ? enrolled : unknown })))
        const all = yield* collect(ledger.results("a"))
        assert.deepStrictEqual(all.map(({ row }) => row), rows.map(({ row }) => row))
        assert.isTrue(all.every(({ bytes }, index) => Buffer.from(bytes).equals(rows[index]?.bytes ?? new Uint8Array())))
        assert.deepStrictEqual(all.map(({ entries }) => entries.length), rows.map(({ calls }) => calls.length))
        assert.deepStrictEqual(all[9]?.rejected, {
          outcome: "rejected",
          code: "input",
          tag: "InvalidRecord",
          message: "line 11: x",
          blastRadius: "record",
          afterAmbiguousAttempt: false,
          attempts: 0,
          requestId: null
        })
        assert.strictEqual((yield* collect(ledger.results("a", { outcome: "rejected", after: 1000 }))).length, 150)
        const unknowns = yield* collect(ledger.results("a", { outcome: "unknown" }))
        assert.strictEqual(unknowns.flatMap(({ entries }) => entries).length, 25)
        assert.isTrue(unknowns.every(({ entries, rejected }) => rejected === null && entries.every(({ outcome }) => outcome?.outcome === "unknown")))
        assert.strictEqual((yield* collect(ledger.failedRows("a"))).length, 250 + unknowns.length)
      }).pipe(Effect.provide(fresh)))

    it.effect("failed rows are the original bytes of what is neither done nor a duplicate", () =>
      Effect.gen(function*() {
        const rows = [
          good(1, streak(1)),
          good(2, streak(2)),
          bad(3, "line 4: x"),
          good(4, streak(1)),
          good(5, streak(5)),
          good(6, milestone(6, "C1"), milestone(6, "C2")),
          good(7, streak(7))
        ]
        const { claim, ledger } = yield* started("a", rows)
        const claimed = yield* claim(5)
        const ends = [enrolled, rejected, fused, enrolled, unknown]
        yield* ledger.settle("a", claimed.map(({ seq }, index) => ({ seq, outcome: ends[index] ?? enrolled })))
        const failed = yield* collect(ledger.failedRows("a"))
        assert.deepStrictEqual(failed.map(({ line, row }) => [row, line]), [[2, 3], [3, 4], [5, 6], [6, 7]])
        assert.deepStrictEqual(
          Buffer.concat(failed.map(({ bytes }) => bytes)),
          Buffer.concat([1, 2, 4, 5].map((index) => Buffer.from(rows[index]?.bytes ?? [])))
        )
      }).pipe(Effect.provide(fresh)))

    it.effect("a retry holds the rejected and unknown records, and remembers which may have been executed", () =>
      Effect.gen(function*() {
        const rows = [good(1, milestone(1, "C1"), milestone(1, "C2", null)), good(2, streak(2)), bad(3, "line 4: x"), good(4, streak(4)), good(5, streak(5))]
        const { claim, ledger } = yield* started("a", rows)
        const ends = [enrolled, unknown, rejected, already, fused]
        const claimed = yield* claim()
        yield* ledger.settle("a", claimed.map(({ seq }, index) => ({ seq, outcome: ends[index] ?? enrolled })))
        yield* ledger.end("a", "finished", null)
        const retry = yield* Derive.run({ from: "a", id: "b", kind: "retry" })
        assert.deepInclude(retry, { state: "ready", operation: "enroll", rows: 2, badRows: 0 })
        assert.deepStrictEqual(retry.parent, { run: "a", kind: "retry" })
        assert.strictEqual(retry.input.sha256, input.sha256)
        const { epoch } = yield* ledger.start("b")
        const again = yield* ledger.claim("b", { epoch, lane: 0, limit: 10 })
        assert.deepStrictEqual(again.map(({ lostAttempts, request }) => [request, lostAttempts]), [[milestone(1, "C2", null), 1], [streak(2), 0]])
        const failed = yield* collect(ledger.results("b"))
        assert.deepStrictEqual(failed.map(({ line, row }) => [row, line]), [[1, 2], [2, 3]])
        assert.strictEqual((yield* Effect.flip(Derive.run({ from: "a", id: "b", kind: "retry" })))._tag, "WrongState")
      }).pipe(Effect.provide(fresh)))

    it.effect("an undo un-enrols what the run enrolled, and only that, even after it was cut off", () =>
      Effect.gen(function*() {
        const rows = Array.from({ length: 2100 }, (_, index) => good(index + 1, milestone(index + 1, "C1"), milestone(index + 1, "C2")))
        const { claim, ledger } = yield* started("a", rows)
        const ends = [enrolled, enrolled, already, enrolled, rejected, unknown]
        const claimed = yield* claim(5000)
        yield* ledger.settle("a", claimed.map(({ seq }, index) => ({ seq, outcome: ends[index % 6] ?? enrolled })))
        yield* ledger.end("a", "finished", null)
        const first = yield* ledger.derivable("a", "undo", 0)
        yield* ledger.begin({ ...newRun("b", 1), operation: "unenroll", parent: { run: "a", kind: "undo" } })
        yield* ledger.append("b", first.rows, at(1))
        const undo = yield* Derive.run({ from: "a", id: "b", kind: "undo" })
        assert.strictEqual(undo.counts.pending, 1400)
        assert.strictEqual(undo.duplicates, 700)
        const { epoch } = yield* ledger.start("b")
        const [one, two, three] = yield* ledger.claim("b", { epoch, lane: 0, limit: 3 })
        assert.deepStrictEqual([one?.request, two?.request, three?.request], [unenrollment(1), unenrollment(2), unenrollment(4)])
        yield* ledger.end("b", "finished", null)
        assert.strictEqual((yield* Effect.flip(Derive.run({ from: "b", id: "c", kind: "undo" })))._tag, "WrongState")
        assert.deepStrictEqual((yield* ledger.list).map(({ id }) => id), ["b", "a"])
      }).pipe(Effect.provide(fresh)))

    it.effect("texts of others are stored whatever is in them", () =>
      Effect.gen(function*() {
        const { claim, ledger } = yield* started("a", [good(1, streak(1)), good(2, streak(2))])
        const [first, second] = yield* claim()
        const message = "a \0 in \"{quotes}\", \\ and \ud800 alone, é"
        yield* ledger.settle("a", [
          { seq: first?.seq ?? 0, outcome: { ...rejected, message, requestId: "{x}" } },
          { seq: second?.seq ?? 0, outcome: { ...warned, requestId: "0F8FAD5B-d9cb-469f-a165-70867728950e" } }
        ])
        yield* ledger.end("a", "stopped", { reason: "fuse", message })
        const [found, other] = yield* outcomes(ledger, "a")
        assert.deepInclude(found, { requestId: "{x}" })
        assert.include(found?.outcome === "rejected" ? found.message : "", " in \"{quotes}\", \\ and ")
        assert.deepStrictEqual(other, { ...warned, requestId: "0F8FAD5B-d9cb-469f-a165-70867728950e" })
        assert.include((yield* ledger.run("a")).stop?.message ?? "", " in \"{quotes}\"")
      }).pipe(Effect.provide(fresh)))

    it.live("fibers that write at the same time take turns, and an interruption leaves nothing half done", () =>
      Effect.gen(function*() {
        const rows = Array.from({ length: 400 }, (_, index) => good(index + 1, streak(index + 1)))
        const { epoch, ledger } = yield* started("a", rows, 8)
        const fibers = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], (lane) =>
          Effect.fork(Effect.forever(Effect.gen(function*() {
            const claimed = yield* ledger.claim("a", { epoch, lane, limit: 7 })
            yield* Effect.sleep("1 millis")
            yield* ledger.settle("a", claimed.map(({ seq }) => ({ seq, outcome: enrolled })))
          }))))
        yield* Effect.sleep("15 millis")
        yield* Fiber.interruptAll(fibers)
        const { counts } = yield* ledger.run("a")
        const found = yield* outcomes(ledger, "a")
        assert.strictEqual(counts.enrolled, found.filter((outcome) => outcome?.outcome === "enrolled").length)
        assert.strictEqual(Run.total(counts), 400)
      }).pipe(Effect.provide(fresh)))

    it.effect.prop(
      "whatever happens in whatever order, it is what a plain model says, and the counters equal a recount",
      [LedgerModel.batches, LedgerModel.actions],
      ([batches, actions]) => LedgerModel.check(batches, actions).pipe(Effect.provide(fresh)),
      { fastCheck: { numRuns } satisfies FastCheck.Parameters<unknown>, timeout: 120_000 }
    )
  })
