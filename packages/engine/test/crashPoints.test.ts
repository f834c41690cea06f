/**
 * A process that ends at every point at which it can: before and after each statement, and before and after each call.
 *
 * What a process is in this test, is everything that hangs on one connection and one transport. When it ends, nothing of it
 * goes on: its transaction is rolled back, its fibers wait for ever. Then another one takes the file up.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { assert, describe, it } from "@effect/vitest"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import { Engine, Lanes } from "@milepost/engine"
import { Ledger, LibsqlLedger } from "@milepost/ledger"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { entries, imported, milestone } from "./rows.js"
import { keyOf, make, type Upstream } from "./upstream.js"

const policy = RetryPolicy.make({ maxAttempts: 4, postponedCounts: false, base: "1 millis", cap: "5 millis", budget: null })

/** One turn of the event loop. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** A process that ends at its n-th point. */
const mortal = (endsAt: number) => {
  const died = Deferred.unsafeMake<void>(undefined as never)
  let points = 0
  let isDead = false
  const passes = (): boolean => {
    if (isDead) return false
    points += 1
    if (points !== endsAt) return true
    isDead = true
    Deferred.unsafeDone(died, Effect.void)
    return false
  }
  let underWay = 0
  const through = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      if (!passes()) return Effect.never
      underWay += 1
      const done = Effect.ensuring(self, Effect.sync(() => (underWay -= 1)))
      return Effect.flatMap(done, (result) => passes() ? Effect.succeed(result) : Effect.never)
    })
  return {
    /** Completes when it is dead, and the statement that its database was at has ended one way or the other. */
    died: Effect.zipRight(Deferred.await(died), Effect.repeat(turn, { until: () => underWay === 0 })),
    points: () => points,
    around: (connection: Connection): Connection => ({
      execute: (...args) => through(connection.execute(...args)),
      executeRaw: (...args) => through(connection.executeRaw(...args)),
      executeStream: (...args) => connection.executeStream(...args),
      executeUnprepared: (...args) => through(connection.executeUnprepared(...args)),
      executeValues: (...args) => through(connection.executeValues(...args))
    }),
    transport: (upstream: Upstream): Transport["Type"] => ({ send: (request) => through(upstream.transport.send(request)) })
  }
}

/** Lets time pass for as long as something else needs it. */
const meanwhile = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.scoped(Effect.zipRight(
    Effect.forkScoped(Effect.forever(
      Effect.zipRight(TestClock.adjust(100), turn)
    )),
    self
  ))

type Owner = Layer.Layer<Lanes.Lanes, unknown, SqlClient>

/** One process: opens the file, sends until it has ended or dies; says at how many points it could have. */
const live = (path: string, upstream: Upstream, owner: Owner, endsAt: number) =>
  Effect.gen(function*() {
    const process = mortal(endsAt)
    const file = yield* Scope.make()
    const rest = yield* Scope.make()
    const sits = Effect.gen(function*() {
      const context = yield* Scope.extend(LibsqlLedger.make({ path, create: false, around: process.around }), file)
      const lanes = yield* Effect.provide(Layer.buildWithScope(owner, rest), context)
      return yield* Engine.run("a", { org: "1", concurrency: 3, chunkSize: 4, policy }).pipe(
        Effect.provide(Context.merge(context, lanes)),
        Effect.provideService(Transport, process.transport(upstream))
      )
    })
    const fiber = yield* Effect.forkDaemon(sits)
    const ended = yield* Effect.raceFirst(Effect.map(Fiber.await(fiber), (exit) => exit), Effect.as(process.died, null))
    if (ended !== null) {
      yield* Scope.close(rest, Exit.void)
      if (Exit.isFailure(ended)) return yield* Effect.failCause(ended.cause)
    }
    // Of a process that died only the file is let go of; whatever else it had waits for ever.
    yield* Scope.close(file, Exit.void)
    return { points: process.points(), hasDied: ended === null }
  })

const customers = [1, 2, 3, 4, 5, 1, 6, 7, 2, 8]

/** A run over two lanes in which some customers have several records and some answers get lost. */
const begun = (path: string) =>
  Effect.scoped(Effect.gen(function*() {
    const context = yield* LibsqlLedger.make({ path })
    yield* Effect.provide(imported("a", customers.map((customer, index) => milestone(customer, `P${index}`)), 2), context)
  }))

const stands = (path: string) =>
  Effect.scoped(Effect.gen(function*() {
    const context = yield* LibsqlLedger.make({ path, create: false })
    const ledger = Context.get(context, Ledger.Ledger)
    return { run: yield* ledger.run("a"), all: yield* Effect.provide(entries("a"), context) }
  }))

const upstreamOf = (): Upstream => make({ loses: (call, before) => before < 2 && call % 4 === 0 })

/** Dies at a point, is taken up by another process, and everything is as it should be. */
const survives = (owner: Owner, endsAt: number) =>
  Effect.gen(function*() {
    const folder = mkdtempSync(join(tmpdir(), "crash-points-"))
    const path = join(folder, "ledger.db")
    yield* begun(path)
    const upstream = upstreamOf()
    const first = yield* live(path, upstream, owner, endsAt)
    const between = yield* stands(path)
    const claimed = new Set(between.all.filter(({ isClaimed }) => isClaimed).map(({ request }) => request.customerId))
    const sentBefore = new Map(upstream.received)
    if (first.hasDied) yield* live(path, upstream, owner, Number.POSITIVE_INFINITY)
    const { all, run } = yield* stands(path)
    const where = `point ${endsAt}`
    assert.strictEqual(run.state, "finished", where)
    assert.deepInclude(run.counts, { pending: 0, claimed: 0, rejected: 0, unknown: 0, skipped: 0 }, where)
    assert.strictEqual(upstream.overlapped.size, 0, where)
    for (const { outcome, request } of all) {
      const period = "periodName" in request ? request.periodName : ""
      const isIn = [...upstream.executed].some((key) => key.includes(` ${request.customerId} `) && key.includes(`"${period}"`))
      assert.isTrue(isIn, `${where}: ${outcome?.outcome} of ${request.customerId} in ${period}`)
      // Nobody else enrols here: whoever is in already was let in by a call of ours whose answer we do not have.
      if (outcome?.outcome === "already_enrolled") assert.isTrue(outcome.afterAmbiguousAttempt, where)
    }
    // By the second process only what the first had claimed is sent again, or what has lost an answer since.
    for (const request of upstream.order) {
      const key = keyOf(request)
      const before = sentBefore.get(key) ?? 0
      if (before > 0 && (upstream.received.get(key) ?? 0) > before) assert.isTrue(claimed.has(request.customerId), where)
    }
    rmSync(folder, { recursive: true })
    return first
  })

/** Dies once at each point there is, or at every so-manieth of them. */
const everywhere = (owner: Owner, step: number) =>
  meanwhile(Effect.gen(function*() {
    let at = 1
    let deaths = 0
    while ((yield* survives(owner, at)).hasDied) {
      deaths += 1
      at += step
    }
    return deaths
  }))

describe("a process that dies at any statement or call", () => {
  it.effect("of its own lanes: the next one ends the run, and no outcome contradicts the upstream", () =>
    Effect.map(everywhere(Lanes.layerInProcess, 1), (deaths) => {
      assert.isAbove(deaths, 100)
    }), 240_000)

  it.effect("of lanes on the cluster: the same", () =>
    Effect.map(everywhere(Engine.layerSingle, 17), (deaths) => {
      assert.isAbove(deaths, 15)
    }), 240_000)
})
