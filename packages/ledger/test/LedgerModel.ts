/** A ledger as a person would write it: a map of everything, and no file. */
import { assert } from "@effect/vitest"
import * as Enrollment from "@milepost/core/Enrollment"
import type * as Outcome from "@milepost/core/Outcome"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import * as Entry from "../src/Entry.js"
import * as Lane from "../src/Lane.js"
import * as Ledger from "../src/Ledger.js"
import * as Run from "../src/Run.js"
import { already, at, bad, enrolled, fused, good, input, milestone, newRun, rejected, streak, unknown, warned } from "./rows.js"

const lanes = 3

const request = FastCheck.tuple(FastCheck.integer({ min: 1, max: 12 }), FastCheck.constantFrom("", "C1", "C2")).map(
  ([customer, period]) => (period === "" ? streak(customer) : milestone(customer, period))
)

/** Batches of rows: calls, or none for a bad one. */
export const batches = FastCheck.array(FastCheck.array(FastCheck.array(request, { maxLength: 3 }), { maxLength: 6 }), { maxLength: 6 })

const outcomes: ReadonlyArray<Outcome.Outcome> = [enrolled, warned, already, rejected, unknown, fused]

const skipReason = FastCheck.constantFrom("fuse" as const, "cancelled" as const, "unreachable" as const)
const pick = FastCheck.array(FastCheck.nat({ max: 40 }), { maxLength: 8 })

/** Things that happen to a run. */
export const actions = FastCheck.array(
  FastCheck.oneof(
    FastCheck.record({ _tag: FastCheck.constant("claim" as const), lane: FastCheck.nat({ max: lanes - 1 }), limit: FastCheck.integer({ min: 1, max: 6 }) }),
    FastCheck.record({
      _tag: FastCheck.constant("settle" as const),
      pick,
      outcome: FastCheck.constantFrom(...outcomes),
      isFenced: FastCheck.boolean()
    }),
    FastCheck.record({ _tag: FastCheck.constant("release" as const), pick, isFenced: FastCheck.boolean() }),
    FastCheck.record({ _tag: FastCheck.constant("crash" as const) }),
    FastCheck.record({ _tag: FastCheck.constant("takeover" as const), lane: FastCheck.nat({ max: lanes - 1 }) }),
    FastCheck.record({ _tag: FastCheck.constant("skip" as const), period: FastCheck.constantFrom("C1", "C2", "all"), reason: skipReason }),
    FastCheck.record({ _tag: FastCheck.constant("rearm" as const), reason: skipReason })
  ),
  { maxLength: 25 }
)

interface Modelled {
  readonly seq: number
  readonly lane: number
  readonly request: Entry.Request
  state: "pending" | "claimed" | "ended"
  outcome: Outcome.Outcome | null
  lost: number
  /** Under which epoch it was claimed last. */
  epoch: number
}

const periodOf = (request: Entry.Request): string | null =>
  request._tag === "Unenrollment" ? null : Enrollment.periodOf(request)

const recounted = (records: Iterable<Modelled>, badRows: number): Run.Counts => {
  const counts = { ...Run.noCounts, rejected: badRows }
  for (const { outcome, state } of records) counts[state === "ended" ? outcome?.outcome ?? "unknown" : state] += 1
  return counts
}

/** Does the same to a ledger and to the model, and compares after every step. */
export const check = (
  imported: ReadonlyArray<ReadonlyArray<ReadonlyArray<Entry.Request>>>,
  steps: ReadonlyArray<typeof actions extends FastCheck.Arbitrary<Array<infer A>> ? A : never>
) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    const records: Array<Modelled> = []
    const lines = new Map<string, number>()
    let row = 0
    let badRows = 0
    let calls = 0
    yield* ledger.begin(newRun("m", lanes))
    for (const batch of imported) {
      const rows = batch.map((requests) => {
        row += 1
        if (requests.length === 0) {
          badRows += 1
          return bad(row, `line ${row + 1}: bad`)
        }
        for (const [place, request] of requests.entries()) {
          const key = request._tag === "Unenrollment" ? "" : Enrollment.key(request)
          const first = lines.get(key)
          if (first === undefined) lines.set(key, row + 1)
          const lane = Lane.of(request.customerId, lanes)
          records.push({
            seq: Entry.seqOf(lane, row, place),
            lane,
            request,
            state: first === undefined ? "pending" : "ended",
            outcome: first === undefined ? null : { outcome: "skipped", reason: "duplicate", message: `of line ${first}`, notSent: null },
            lost: 0,
            epoch: 0
          })
        }
        return good(row, ...requests)
      })
      yield* ledger.append("m", rows, at(row))
      // A batch that is sent again, because nobody heard that it had arrived.
      yield* ledger.append("m", rows, at(row))
    }
    yield* ledger.finishImport("m", input)
    let { epoch } = yield* ledger.start("m")

    const picked = (pick: ReadonlyArray<number>): ReadonlyArray<Modelled> => {
      const claimed = records.filter(({ state }) => state === "claimed")
      // Claimed ones mostly, others as well.
      const pool = [...claimed, ...claimed, ...records]
      return [...new Set(pick.flatMap((index) => pool[index % Math.max(1, pool.length)] ?? []))]
    }

    for (const step of steps) {
      switch (step._tag) {
        case "claim": {
          const expected = records.filter(({ lane, state }) => lane === step.lane && state === "pending").slice(0, step.limit)
          const found = yield* ledger.claim("m", { epoch, lane: step.lane, limit: step.limit })
          assert.deepStrictEqual(
            found.map(({ lostAttempts, request, seq }) => ({ seq, request, lostAttempts })),
            expected.map(({ lost, request, seq }) => ({ seq, request, lostAttempts: lost }))
          )
          for (const record of expected) Object.assign(record, { state: "claimed", epoch })
          break
        }
        case "settle": {
          const chosen = picked(step.pick)
          const open = chosen.filter((record) => record.state === "claimed" && (!step.isFenced || record.epoch === epoch))
          const fence = step.isFenced ? [epoch] : []
          const found = yield* ledger.settle("m", chosen.map(({ seq }) => ({ seq, outcome: step.outcome })), ...fence)
          assert.strictEqual(found.settled, open.length)
          assert.sameMembers([...found.ignored], chosen.filter((record) => !open.includes(record)).map(({ seq }) => seq))
          for (const record of open) {
            record.state = "ended"
            record.outcome = "afterAmbiguousAttempt" in step.outcome
              ? { ...step.outcome, afterAmbiguousAttempt: record.lost > 0 }
              : step.outcome
            calls += "attempts" in step.outcome ? step.outcome.attempts : 0
          }
          break
        }
        case "release": {
          const chosen = picked(step.pick)
          const open = chosen.filter((record) => record.state === "claimed" && (!step.isFenced || record.epoch === epoch))
          assert.strictEqual(yield* ledger.release("m", chosen.map(({ seq }) => seq), ...(step.isFenced ? [epoch] : [])), open.length)
          for (const record of open) record.state = "pending"
          break
        }
        case "crash": {
          epoch = (yield* ledger.start("m")).epoch
          const lost = records.filter(({ state }) => state === "claimed")
          assert.strictEqual(yield* ledger.reclaim("m", epoch), lost.length)
          for (const record of lost) Object.assign(record, { state: "pending", lost: record.lost + 1 })
          break
        }
        case "takeover": {
          // Another process, which goes on from here: it owns one lane, and the others are still those of the one before.
          epoch = (yield* ledger.join("m")).epoch
          const lost = records.filter(({ lane, state }) => lane === step.lane && state === "claimed")
          assert.strictEqual(yield* ledger.reclaim("m", epoch, step.lane), lost.length)
          for (const record of lost) Object.assign(record, { state: "pending", lost: record.lost + 1 })
          break
        }
        case "skip": {
          const condemned = step.period === "all" ? "all" : { periodName: step.period }
          const hit = records.filter(({ lost, request, state }) =>
            state === "pending" && lost === 0 && (step.period === "all" || periodOf(request) === step.period))
          const why = { reason: step.reason, message: "because" }
          assert.strictEqual(yield* ledger.skipWhere("m", condemned, why), hit.length)
          for (const record of hit) Object.assign(record, { state: "ended", outcome: { outcome: "skipped", ...why, notSent: null } })
          break
        }
        case "rearm": {
          const hit = records.filter(({ outcome }) => outcome?.outcome === "skipped" && outcome.reason === step.reason)
          assert.strictEqual(yield* ledger.rearm("m", step.reason), hit.length)
          for (const record of hit) Object.assign(record, { state: "pending", outcome: null })
          break
        }
      }
      const run = yield* ledger.run("m")
      assert.deepStrictEqual(run.counts, recounted(records, badRows))
      assert.strictEqual(run.calls, calls)
      const open = records.filter(({ state }) => state === "pending").map(({ lane }) => lane)
      assert.deepStrictEqual(yield* ledger.pendingLanes("m"), [...new Set(open)].sort((left, right) => left - right))
    }

    const rows = [...(yield* Stream.runCollect(ledger.results("m")))]
    assert.strictEqual(rows.length, row)
    assert.deepStrictEqual(
      rows.flatMap(({ entries }) => entries).map(({ isClaimed, outcome, request, seq }) => ({ seq, request, outcome, isClaimed })),
      records.map(({ outcome, request, seq, state }) => ({ seq, request, outcome, isClaimed: state === "claimed" }))
    )
    const refused = yield* ledger.refusals("m")
    const counts = recounted(records, badRows)
    for (const word of ["rejected", "unknown", "skipped"] as const) {
      const sum = refused.filter(({ outcome }) => outcome === word).reduce((total, { records: times }) => total + times, 0)
      assert.strictEqual(sum, counts[word])
    }
  })
