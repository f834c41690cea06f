/** What every engine holds to, whoever owns its lanes. */
import { assert, describe, it } from "@effect/vitest"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import { Engine, type Lanes } from "@milepost/engine"
import { LedgerError, Ledger, type Entry } from "@milepost/ledger"
import type { SqlClient } from "@effect/sql/SqlClient"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { answer, make, refused, type Upstream } from "./upstream.js"
import { entries, imported, ledgerLayer, milestone } from "./rows.js"

const quick = RetryPolicy.make({ maxAttempts: 4, postponedCounts: false, base: "1 millis", cap: "5 millis", deadline: "10 seconds", budget: null })

const options: Engine.Options = { org: "100458", concurrency: 16, policy: quick, chunkSize: 100 }

const customers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index * 7919 + 1)

const outcomeWords = Effect.map(entries("a"), (all) => all.map(({ outcome }) => outcome?.outcome ?? "none"))

const counted = (words: ReadonlyArray<string>): Record<string, number> =>
  words.reduce<Record<string, number>>((counts, word) => ({ ...counts, [word]: (counts[word] ?? 0) + 1 }), {})

/** Outcomes and the upstream's own record say the same. */
const agrees = (upstream: Upstream) =>
  Effect.map(entries("a"), (all) => {
    for (const { outcome, request } of all) {
      const period = "periodName" in request ? request.periodName : ""
      const isIn = [...upstream.executed].some((key) => key.includes(` ${request.customerId} `) && key.includes(period))
      const saysIn = outcome?.outcome === "enrolled" || outcome?.outcome === "already_enrolled"
      if (outcome?.outcome !== "unknown") assert.strictEqual(saysIn, isIn, JSON.stringify({ request, outcome }))
    }
  })

export const EngineSuite = <E>(name: string, lanes: Layer.Layer<Lanes.Lanes, E, SqlClient>): void => {
  const layer = lanes.pipe(Layer.provideMerge(ledgerLayer))
  const go = (upstream: Upstream, changed: Partial<Engine.Options> = {}) =>
    Engine.run("a", { ...options, ...changed }).pipe(Effect.provideService(Transport, upstream.transport))

  describe(`${name} as the owner of lanes`, () => {
    it.live("every record ends with one outcome that agrees with the upstream, though answers get lost", () =>
      Effect.gen(function*() {
        yield* imported("a", customers(1500).map((customer) => milestone(customer)))
        const upstream = make({ loses: (call, before) => before === 0 && call % 17 === 0 })
        const end = yield* go(upstream)
        assert.strictEqual(end.state, "finished")
        assert.strictEqual(end.run.state, "finished")
        assert.strictEqual(end.progress.done, 1500)
        const words = counted(yield* outcomeWords)
        assert.strictEqual((words["enrolled"] ?? 0) + (words["already_enrolled"] ?? 0), 1500)
        const ambiguous = (yield* entries("a")).filter(({ outcome }) => outcome?.outcome === "already_enrolled" && outcome.afterAmbiguousAttempt)
        assert.strictEqual(ambiguous.length, words["already_enrolled"])
        assert.isAbove(ambiguous.length, 50)
        yield* agrees(upstream)
      }).pipe(Effect.provide(layer)))

    it.live("a customer never has two calls in flight, and gets them in the order of the input", () =>
      Effect.gen(function*() {
        const periods = ["P1", "P2", "P3", "P4", "P5"]
        yield* imported("a", periods.flatMap((period) => customers(40).map((customer) => milestone(customer, period))), 4)
        const upstream = make({ latencyMillis: 2, loses: (call, before) => before === 0 && call % 11 === 0 })
        yield* go(upstream, { chunkSize: 60 })
        assert.strictEqual(upstream.overlapped.size, 0)
        assert.isAbove(upstream.mostInFlight(), 4)
        for (const customer of customers(40)) {
          const sent = upstream.order.filter(({ customerId }) => customerId === customer)
            .map(({ body }) => periods.findIndex((period) => body?.includes(period) === true))
          assert.deepStrictEqual(sent, sent.toSorted((left, right) => left - right))
        }
        yield* agrees(upstream)
      }).pipe(Effect.provide(layer)))

    it.live("a cancelled run sends nothing new, and nothing twice when it goes on", () =>
      Effect.gen(function*() {
        const ledger = yield* imported("a", customers(800).map((customer) => milestone(customer)))
        const asked = yield* Deferred.make<void>()
        const upstream = make({
          latencyMillis: 1,
          refuses: (_, call) => {
            if (call === 300) Deferred.unsafeDone(asked, Effect.void)
            return null
          }
        })
        const end = yield* go(upstream, { cancel: Deferred.await(asked) })
        assert.strictEqual(end.state, "interrupted")
        assert.strictEqual(end.run.state, "interrupted")
        assert.isBelow(upstream.order.length, 340)
        assert.strictEqual(end.run.counts.claimed, 0)
        assert.strictEqual(end.run.counts.pending, 800 - upstream.order.length)
        assert.strictEqual((yield* go(upstream)).state, "finished")
        assert.strictEqual(upstream.order.length, 800)
        assert.strictEqual((yield* ledger.run("a")).counts.enrolled, 800)
      }).pipe(Effect.provide(layer)))

    it.live("an interrupted run leaves nothing in flight and nothing claimed", () =>
      Effect.gen(function*() {
        const ledger = yield* imported("a", customers(800).map((customer) => milestone(customer)))
        const reached = yield* Deferred.make<void>()
        const upstream = make({
          latencyMillis: 1,
          refuses: (_, call) => {
            if (call === 200) Deferred.unsafeDone(reached, Effect.void)
            return null
          }
        })
        yield* Effect.raceFirst(go(upstream), Deferred.await(reached))
        const { counts } = yield* ledger.run("a")
        assert.strictEqual(counts.claimed, 0)
        assert.strictEqual(counts.enrolled, upstream.order.length)
        yield* go(upstream)
        assert.strictEqual(upstream.order.length, 800)
      }).pipe(Effect.provide(layer)))

    it.live("a 429 with Retry-After stops the whole organisation", () =>
      Effect.gen(function*() {
        yield* imported("a", customers(300).map((customer) => milestone(customer)))
        const upstream = make({
          latencyMillis: 1,
          refuses: (_, call) => call === 150 ? answer(429, {}, { "retry-after": "1" }) : null
        })
        const end = yield* go(upstream)
        assert.strictEqual(end.state, "finished")
        const refusedAt = upstream.moments[149] ?? 0
        // What had left before the answer arrived is not called back.
        const within = upstream.moments.filter((moment) => moment > refusedAt + 50 && moment < refusedAt + 950)
        assert.deepStrictEqual(within, [])
        assert.isNotNull(end.learntRate)
        assert.strictEqual((yield* outcomeWords).filter((word) => word === "enrolled").length, 300)
      }).pipe(Effect.provide(layer)))

    it.live("of three groups one that does not exist gets a handful of calls, and the others finish", () =>
      Effect.gen(function*() {
        const missing = 666
        yield* imported("a", customers(900).map((customer, index) => milestone(customer, "C1", [2154, missing, 40][index % 3])))
        const upstream = make({
          latencyMillis: 1,
          refuses: (request) => request.path.includes(`/${missing}/`) ? refused(310017, "no such group") : null
        })
        const end = yield* go(upstream, { concurrency: 64 })
        assert.strictEqual(end.state, "finished")
        assert.isAtMost(upstream.order.filter(({ path }) => path.includes(`/${missing}/`)).length, 6)
        const words = counted(yield* outcomeWords)
        assert.strictEqual(words["enrolled"], 600)
        assert.strictEqual((words["skipped"] ?? 0) + (words["rejected"] ?? 0), 300)
        assert.strictEqual(end.progress.done, 900)

        const mended = make()
        const second = yield* go(mended)
        assert.strictEqual(second.state, "finished")
        assert.strictEqual(mended.order.length, words["skipped"])
      }).pipe(Effect.provide(layer)))

    it.live("refused credentials stop the run with the first answer, and it can be gone on with", () =>
      Effect.gen(function*() {
        yield* imported("a", customers(400).map((customer) => milestone(customer)))
        const end = yield* go(make({ refuses: () => answer(401, {}) }))
        assert.strictEqual(end.state, "stopped")
        assert.strictEqual(end.stop?.reason, "fuse")
        assert.isAtLeast(end.run.counts.pending, 396)
        assert.isAtMost(end.run.counts.rejected, 3)
        assert.strictEqual((yield* go(make())).state, "finished")
      }).pipe(Effect.provide(layer)))

    it.live("too many failures stop the run", () =>
      Effect.gen(function*() {
        yield* imported("a", customers(400).map((customer) => milestone(customer)))
        const end = yield* go(make({ refuses: (_, call) => call % 2 === 0 ? refused(310011) : null }), {
          maxErrors: { _tag: "Count", count: 20 }
        })
        assert.strictEqual(end.stop?.reason, "max-errors")
        assert.isAtLeast(end.run.counts.rejected, 21)
        assert.isAtMost(end.run.counts.rejected, 40)
      }).pipe(Effect.provide(layer)))

    it.live("a ledger that fails every third time it settles, claims or gives back loses nothing", () =>
      Effect.gen(function*() {
        const ledger = yield* imported("a", customers(600).map((customer) => milestone(customer)))
        let statements = 0
        const failing = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E | LedgerError.LedgerUnwritable> =>
          Effect.suspend((): Effect.Effect<A, E | LedgerError.LedgerUnwritable> =>
            statements++ % 3 === 2
              ? Effect.fail(new LedgerError.LedgerUnwritable({ path: "ledger.db", reason: "disk full" }))
              : self)
        const wrapped: Ledger.Service = {
          ...ledger,
          settle: (run, settlements) => failing(ledger.settle(run, settlements)),
          claim: (run, which) => failing(ledger.claim(run, which)),
          release: (run, seqs) => failing(ledger.release(run, seqs)),
          skipWhere: (run, what, why) => failing(ledger.skipWhere(run, what, why))
        }
        const upstream = make()
        const end = yield* go(upstream, { chunkSize: 50 }).pipe(Effect.provideService(Ledger.Ledger, wrapped))
        assert.strictEqual(end.state, "finished")
        assert.strictEqual(end.run.counts.enrolled, 600)
        assert.strictEqual(upstream.order.length, 600)
      }).pipe(Effect.provide(layer)))

    it.live("a ledger that stays unwritable ends the run with its error, and what it lost is repeated as perhaps executed", () =>
      Effect.gen(function*() {
        const ledger = yield* imported("a", customers(200).map((customer) => milestone(customer)))
        const full = new LedgerError.LedgerUnwritable({ path: "ledger.db", reason: "disk full" })
        let written = 0
        const wrapped: Ledger.Service = {
          ...ledger,
          settle: (run, settlements: ReadonlyArray<Entry.Settlement>) =>
            written++ === 0 ? ledger.settle(run, settlements) : Effect.fail(full)
        }
        const upstream = make({ latencyMillis: 1 })
        const error = yield* go(upstream, { chunkSize: 20, patience: "100 millis" }).pipe(
          Effect.provideService(Ledger.Ledger, wrapped),
          Effect.flip
        )
        assert.strictEqual(error._tag, "LedgerUnwritable")
        const sent = new Set(upstream.executed)
        const { counts } = yield* ledger.run("a")
        assert.strictEqual(counts.claimed, sent.size - counts.enrolled)
        const end = yield* go(upstream)
        assert.strictEqual(end.state, "finished")
        assert.strictEqual(end.run.counts.enrolled + end.run.counts.already_enrolled, 200)
        const again = [...upstream.received].filter(([, times]) => times > 1)
        assert.strictEqual(again.length, counts.claimed)
        yield* agrees(upstream)
      }).pipe(Effect.provide(layer)))
  })
}

