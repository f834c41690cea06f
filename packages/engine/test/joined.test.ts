/** Several processes that work on one run of a shared ledger; here all in one, each with its own replica, transport and way to the ledger. */
import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import { Engine, Replica } from "@milepost/engine"
import { Lane, Ledger, LedgerError, MemoryLedger } from "@milepost/ledger"
import type { Connection } from "@effect/sql/SqlConnection"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { answer, make, refused, type Upstream } from "./upstream.js"
import { entries, imported, milestone } from "./rows.js"

const lanes = 16

const quick = RetryPolicy.make({ maxAttempts: 4, postponedCounts: false, base: "1 millis", cap: "5 millis", deadline: "10 seconds", budget: null })

const joining: Engine.JoinOptions = { org: "100458", concurrency: 8, policy: quick, chunkSize: 20, poll: "20 millis" }

const customers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index * 7919 + 1)

/** A process that can stop dead: from then on nothing of it gets anywhere, and nothing comes back to it. */
interface Process {
  readonly replica: Replica.Service
  readonly join: (upstream: Upstream, changed?: Partial<Engine.JoinOptions>) => Effect.Effect<Engine.JoinEnd, unknown>
  /** Goes in order. */
  readonly close: Effect.Effect<void>
  readonly die: () => void
}

/** Where the leases lie: beside the ledger, so that each process has a client of its own. */
class Leases extends Context.Tag("test/Leases")<Leases, MemoryLedger.Memory>() {}

const start = (changed: Partial<Replica.Options> = {}) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    const scope = yield* Scope.make()
    let isDead = false
    const alive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => isDead ? Effect.never : Effect.flatMap(effect, (value) => isDead ? Effect.never : Effect.succeed(value)))
    const own = new Proxy(ledger, {
      get: (target, name: keyof Ledger.Service) => {
        const member = target[name]
        return typeof member === "function"
          ? (...args: ReadonlyArray<unknown>) => alive(Reflect.apply(member, target, args) as Effect.Effect<unknown>)
          : member
      }
    })
    const around = (connection: Connection): Connection => ({
      ...connection,
      execute: (sql, params, transform) => alive(connection.execute(sql, params, transform)),
      executeRaw: (sql, params) => alive(connection.executeRaw(sql, params)),
      executeStream: (sql, params, transform) => connection.executeStream(sql, params, transform),
      executeValues: (sql, params) => alive(connection.executeValues(sql, params)),
      executeUnprepared: (sql, params, transform) => alive(connection.executeUnprepared(sql, params, transform))
    })
    const statement = Context.get(yield* MemoryLedger.make(yield* Leases, { around }), SqlClient)
    yield* Effect.provideService(Replica.create, SqlClient, statement)
    const replica = yield* Scope.extend(
      Effect.provideService(
        Replica.make({
          cluster: "test",
          address: "http://127.0.0.1:1",
          lanes,
          lifetime: "15 seconds",
          refresh: "50 millis",
          leaveWithin: "2 seconds",
          ...changed
        }),
        SqlClient,
        statement
      ),
      scope
    )
    const process: Process = {
      replica,
      join: (upstream, changedOptions = {}) =>
        Engine.join("a", { ...joining, ...changedOptions }).pipe(
          Effect.provideService(Transport, { send: (request) => alive(upstream.transport.send(request)) }),
          Effect.provideService(Ledger.Ledger, own),
          Effect.provideService(Replica.Replica, replica)
        ),
      close: Scope.close(scope, Exit.void),
      die: () => {
        isDead = true
      }
    }
    return process
  })

const until = (isTrue: () => boolean) =>
  Effect.suspend(() => isTrue() ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.spaced(5)),
    Effect.timeout("10 seconds"),
    Effect.orDie
  )

/** Both have lanes, and together all. */
const areSettled = (one: Process, two: Process) =>
  until(() => one.replica.held().length > 0 && two.replica.held().length > 0 && one.replica.held().length + two.replica.held().length === lanes)

const run = <A>(test: Effect.Effect<A, unknown, Ledger.Ledger | Leases>) =>
  Effect.provide(test, Layer.merge(MemoryLedger.layer, Layer.effect(Leases, MemoryLedger.memory)))

describe("processes that joined a run", () => {
  it.live("share it: each record ends once, and no customer has two calls in flight", () =>
    run(Effect.gen(function*() {
      const periods = ["P1", "P2", "P3"]
      const ledger = yield* imported("a", periods.flatMap((period) => customers(300).map((customer) => milestone(customer, period))), lanes)
      const [one, two] = [yield* start(), yield* start()]
      yield* areSettled(one, two)
      yield* Engine.begin("a")
      const upstream = make({ latencyMillis: 2, loses: (call, before) => before === 0 && call % 17 === 0 })
      const [first, second] = yield* Effect.all([one.join(upstream), two.join(upstream)], { concurrency: 2 })
      for (const end of [first, second]) {
        assert.strictEqual(end.left, "ended")
        assert.strictEqual(end.run.state, "finished")
        assert.isNull(end.stop)
        assert.strictEqual(end.progress.done, 900)
        assert.isAbove(end.progress.calls, 100)
      }
      const { counts } = yield* ledger.run("a")
      assert.strictEqual(counts.enrolled + counts.already_enrolled, 900)
      assert.strictEqual(upstream.overlapped.size, 0)
      for (const customer of customers(300)) {
        const sent = upstream.order.filter(({ customerId }) => customerId === customer).map(({ body }) => /P\d/.exec(body ?? "")?.[0] ?? "")
        assert.deepStrictEqual(sent, sent.toSorted())
      }
      yield* Effect.all([one.close, two.close])
    })))

  it.live("go on without one that dies: what it had claimed is repeated as perhaps executed, nothing else is sent twice", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(600).map((customer) => milestone(customer)), lanes)
      const short = { lifetime: "1500 millis", margin: "500 millis" } as const
      const [one, two] = [yield* start(short), yield* start(short)]
      yield* areSettled(one, two)
      yield* Engine.begin("a")
      let ofOne = 0
      const upstream = make({ latencyMillis: 2 })
      const counting: Upstream = {
        ...upstream,
        transport: {
          send: (request) =>
            Effect.suspend(() => {
              ofOne += 1
              if (ofOne === 100) one.die()
              return upstream.transport.send(request)
            })
        }
      }
      const dying = yield* Effect.forkDaemon(one.join(counting))
      const end = yield* two.join(upstream)
      assert.strictEqual(end.run.state, "finished")
      const all = yield* entries("a")
      for (const { outcome } of all) assert.include(["enrolled", "already_enrolled"], outcome?.outcome ?? "none")
      const twice = [...upstream.received.values()].filter((times) => times > 1).length
      const repeated = all.filter(({ outcome }) => outcome?.outcome === "already_enrolled" && outcome.afterAmbiguousAttempt).length
      assert.strictEqual(twice, repeated)
      assert.isAbove(twice, 0)
      // Three chunks of twenty: calls in flight, and outcomes that waited for company on their way to the disk.
      assert.isAtMost(twice, 60)
      assert.isTrue([...upstream.received.values()].every((times) => times <= 2))
      assert.strictEqual((yield* ledger.run("a")).counts.claimed, 0)
      assert.isNull(dying.unsafePoll())
      yield* two.close
    })))

  it.live("one that goes hands its lanes over: nothing is sent twice, and nothing of it stays claimed", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(600).map((customer) => milestone(customer)), lanes)
      const [one, two] = [yield* start(), yield* start()]
      yield* areSettled(one, two)
      yield* Engine.begin("a")
      const asked = yield* Deferred.make<void>()
      const upstream = make({
        latencyMillis: 3,
        refuses: (_, call) => {
          if (call === 150) Deferred.unsafeDone(asked, Effect.void)
          return null
        }
      })
      const going = yield* Effect.fork(one.join(upstream, { cancel: Deferred.await(asked) }))
      const staying = yield* Effect.fork(two.join(upstream))
      const gone = yield* Fiber.join(going)
      assert.strictEqual(gone.left, "cancelled")
      assert.strictEqual(gone.run.state, "running")
      yield* one.close
      const end = yield* Fiber.join(staying)
      assert.strictEqual(end.run.state, "finished")
      assert.strictEqual((yield* ledger.run("a")).counts.enrolled, 600)
      assert.strictEqual(upstream.order.length, 600)
      assert.strictEqual(upstream.overlapped.size, 0)
      yield* two.close
    })))

  it.live("lanes move under a run when a process comes, without a call lost or repeated", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(600).map((customer) => milestone(customer)), lanes)
      const one = yield* start()
      yield* Engine.begin("a")
      const come = yield* Deferred.make<void>()
      const upstream = make({
        latencyMillis: 3,
        refuses: (_, call) => {
          if (call === 100) Deferred.unsafeDone(come, Effect.void)
          return null
        }
      })
      const first = yield* Effect.fork(one.join(upstream))
      yield* Deferred.await(come)
      const two = yield* start()
      const second = yield* two.join(upstream)
      assert.isAbove(second.progress.calls, 50)
      assert.strictEqual((yield* Fiber.join(first)).left, "ended")
      assert.strictEqual((yield* ledger.run("a")).counts.enrolled, 600)
      assert.strictEqual(upstream.order.length, 600)
      assert.strictEqual(upstream.overlapped.size, 0)
      yield* Effect.all([one.close, two.close])
    })))

  it.live("stop together when one of them has a reason to, and can be begun again", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(600).map((customer) => milestone(customer)), lanes)
      let ends = 0
      const counting: Ledger.Service = {
        ...ledger,
        end: (...args) => Effect.zipRight(Effect.sync(() => ends += 1), ledger.end(...args))
      }
      const counted = Effect.provideService(start(), Ledger.Ledger, counting)
      const [one, two] = [yield* counted, yield* counted]
      yield* areSettled(one, two)
      yield* Engine.begin("a")
      const refusing = make({ latencyMillis: 2, refuses: () => answer(401, {}) })
      const slow = make({ latencyMillis: 20 })
      const [first, second] = yield* Effect.all([one.join(refusing), two.join(slow)], { concurrency: 2 })
      assert.strictEqual(first.run.state, "stopped")
      assert.strictEqual(first.stop?.reason, "fuse")
      assert.strictEqual(second.left, "ended")
      assert.strictEqual(second.stop?.reason, "fuse")
      assert.strictEqual(ends, 1)
      const { counts } = yield* ledger.run("a")
      assert.strictEqual(counts.claimed, 0)
      assert.isBelow(slow.order.length, 300)

      yield* Engine.begin("a")
      const mended = make()
      yield* Effect.all([one.join(mended), two.join(mended)], { concurrency: 2 })
      assert.strictEqual((yield* ledger.run("a")).counts.enrolled, 600)
      yield* Effect.all([one.close, two.close])
    })))

  it.live("a place that does not exist is skipped for everybody, and the rest finishes", () =>
    run(Effect.gen(function*() {
      const missing = 666
      const ledger = yield* imported("a", customers(600).map((customer, index) => milestone(customer, "C1", [2154, missing][index % 2])), lanes)
      const [one, two] = [yield* start(), yield* start()]
      yield* areSettled(one, two)
      yield* Engine.begin("a")
      const upstream = make({ latencyMillis: 2, refuses: ({ path }) => path.includes(`/${missing}/`) ? refused(310017, "no such group") : null })
      yield* Effect.all([one.join(upstream), two.join(upstream)], { concurrency: 2 })
      const { counts, state } = yield* ledger.run("a")
      assert.strictEqual(state, "finished")
      assert.strictEqual(counts.enrolled, 300)
      assert.isAtMost(upstream.order.filter(({ path }) => path.includes(`/${missing}/`)).length, 12)
      yield* Effect.all([one.close, two.close])
    })))

  it.live("what a fuse had skipped is pending again before anybody can find nothing left to do", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(40).map((customer) => milestone(customer)), lanes)
      yield* ledger.start("a")
      yield* ledger.skipWhere("a", "all", { reason: "fuse", message: "no such group" })
      yield* ledger.end("a", "stopped", { reason: "fuse", message: "no such group" })
      // Another process looks at the run as soon as it is running.
      const watched = { ...ledger, start: (id: string) => Effect.tap(ledger.start(id), () => ledger.finishIfDone(id)) }
      const begun = yield* Effect.provideService(Engine.begin("a"), Ledger.Ledger, watched)
      assert.strictEqual(begun.state, "running")
      assert.strictEqual(begun.counts.pending, 40)
    })))

  it.live("what a crash of everybody left claimed is taken back by whoever has its lane", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(40).map((customer) => milestone(customer)), lanes)
      const { epoch } = yield* ledger.start("a")
      const claimed = yield* Effect.forEach(yield* ledger.pendingLanes("a"), (lane) => ledger.claim("a", { epoch, lane, limit: 100 }))
      assert.strictEqual(claimed.flat().length, 40)
      const one = yield* start()
      const upstream = make()
      const end = yield* one.join(upstream)
      assert.strictEqual(end.run.counts.enrolled, 40)
      yield* one.close
    })))

  it.live("who loses a lane while the database is away takes nothing back of what its next owner has claimed", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(40).map((customer) => milestone(customer)), lanes)
      const { epoch } = yield* ledger.start("a")
      for (const lane of yield* ledger.pendingLanes("a")) yield* ledger.claim("a", { epoch, lane, limit: 100 })
      const one = yield* start()
      let isLost = false
      const away = new LedgerError.LedgerUnwritable({ path: "a", reason: "the database cannot be reached" })
      const cutOff: Ledger.Service = {
        ...ledger,
        reclaim: (...args) =>
          Effect.suspend(() => {
            if (isLost) return ledger.reclaim(...args)
            isLost = true
            return away
          })
      }
      const losing: Replica.Service = {
        ...one.replica,
        holds: (lane) => !isLost && one.replica.holds(lane),
        enter: (lane) => isLost ? null : one.replica.enter(lane),
        held: () => isLost ? [] : one.replica.held()
      }
      const end = yield* Engine.join("a", { ...joining, cancel: Effect.sleep("300 millis") }).pipe(
        Effect.provideService(Transport, make().transport),
        Effect.provideService(Ledger.Ledger, cutOff),
        Effect.provideService(Replica.Replica, losing)
      )
      assert.isTrue(isLost)
      assert.strictEqual(end.left, "cancelled")
      assert.strictEqual((yield* ledger.run("a")).counts.claimed, 40)
      yield* one.close
    })))

  it.live("an interrupted part leaves nothing in flight and nothing claimed", () =>
    run(Effect.gen(function*() {
      const ledger = yield* imported("a", customers(400).map((customer) => milestone(customer)), lanes)
      const one = yield* start()
      yield* Engine.begin("a")
      const reached = yield* Deferred.make<void>()
      const upstream = make({
        latencyMillis: 2,
        refuses: (_, call) => {
          if (call === 100) Deferred.unsafeDone(reached, Effect.void)
          return null
        }
      })
      yield* Effect.raceFirst(one.join(upstream), Deferred.await(reached))
      const { counts, state } = yield* ledger.run("a")
      assert.strictEqual(state, "running")
      assert.strictEqual(counts.claimed, 0)
      assert.strictEqual(counts.enrolled, upstream.order.length)
      yield* one.join(upstream)
      assert.strictEqual(upstream.order.length, 400)
      yield* one.close
    })))

  it.live("one that has nothing to do only looks at the run", () =>
    run(Effect.gen(function*() {
      const [one, two] = [yield* start(), yield* start()]
      yield* areSettled(one, two)
      const ofTwo = two.replica.held()
      const theirs = Array.from({ length: 200 }, (_, index) => index + 1).find((customer) => ofTwo.includes(Lane.of(customer, lanes))) ?? 0
      const ledger = yield* imported("a", [milestone(theirs)], lanes)
      yield* Engine.begin("a")
      const asked: Record<string, number> = {}
      const counting = new Proxy(ledger, {
        get: (target, name: keyof Ledger.Service) => {
          asked[name] = (asked[name] ?? 0) + 1
          return target[name]
        }
      })
      const idle = Effect.provide(
        Engine.join("a", { ...joining, poll: "100 millis" }),
        Context.make(Ledger.Ledger, counting).pipe(Context.add(Transport, make().transport), Context.add(Replica.Replica, one.replica))
      )
      const [end] = yield* Effect.all([idle, two.join(make({ latencyMillis: 1_000 }))], { concurrency: 2 })
      assert.strictEqual(end.run.state, "finished")
      assert.isAtMost(asked["pendingLanes"] ?? 0, 2)
      assert.deepStrictEqual([asked["claim"], asked["reclaim"]], [undefined, undefined])
      yield* Effect.all([one.close, two.close])
    })))

  it.live("a run of other lanes than the replicas' is refused, and so is one that does not run", () =>
    run(Effect.gen(function*() {
      yield* imported("a", [milestone(1)], 8)
      const one = yield* start()
      const notRunning = yield* Effect.flip(one.join(make()))
      assert.match(String((notRunning as Error).message), /run a is ready/)
      yield* Engine.begin("a")
      const dealt = yield* Effect.flip(one.join(make()))
      assert.strictEqual((dealt as Error).message, "run a is dealt to 8 lanes and cannot be worked on by replicas that share 16")
      yield* one.close
    })))
})
