import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { LedgerSuite } from "../test/LedgerSuite.js"
import { at, enrolled, good, input, newRun, streak } from "../test/rows.js"
import { Ledger } from "./Ledger.js"
import * as MemoryLedger from "./MemoryLedger.js"

LedgerSuite("MemoryLedger", Layer.fresh(MemoryLedger.layer))

describe("a database in memory", () => {
  it.effect("outlives who works with it, without what was not committed", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryLedger.memory
      const first = Context.get(yield* MemoryLedger.make(memory), Ledger)
      yield* first.begin(newRun("a", 1))
      yield* memory.connection.executeUnprepared("BEGIN", [], undefined)
      yield* memory.connection.execute("UPDATE runs SET id = 'b'", [], undefined)
      yield* memory.crash
      const second = Context.get(yield* MemoryLedger.make(memory), Ledger)
      assert.deepStrictEqual((yield* second.list).map(({ id }) => id), ["a"])
    }))

  it.live("is shared by processes that take turns, and one that is killed in the middle of a transaction holds nobody up", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryLedger.memory
      const kills = yield* Deferred.make<void>()
      let isMortal = false
      const mortal = yield* memory.session
      const services = yield* MemoryLedger.make(mortal, {
        around: (connection) => ({
          execute: (...args) => connection.execute(...args),
          executeStream: (...args) => connection.executeStream(...args),
          executeValues: (...args) => connection.executeValues(...args),
          executeRaw: (...args) =>
            isMortal ? Effect.zipRight(Deferred.succeed(kills, undefined), Effect.never) : Effect.zipRight(Effect.yieldNow(), connection.executeRaw(...args)),
          executeUnprepared: (...args) => connection.executeUnprepared(...args)
        })
      })
      const one = Context.get(services, Ledger)
      const two = Context.get(yield* MemoryLedger.make(yield* memory.session), Ledger)
      yield* one.begin(newRun("a", 2))
      yield* one.append("a", Array.from({ length: 200 }, (_, index) => good(index + 1, streak(index + 1))), at(202))
      yield* one.finishImport("a", input)
      const { epoch } = yield* one.start("a")
      const joined = yield* two.join("a")
      const worked = (ledger: Ledger["Type"], epoch: number, lane: number, times: number) =>
        Effect.gen(function*() {
          for (let time = 0; time < times; time++) {
            const claimed = yield* ledger.claim("a", { epoch, lane, limit: 10 })
            yield* Effect.yieldNow()
            yield* ledger.settle("a", claimed.map(({ seq }) => ({ seq, outcome: enrolled })), epoch)
          }
        })
      yield* Effect.all([worked(one, epoch, 0, 3), worked(two, joined.epoch, 1, 3)], { concurrency: "unbounded" })
      isMortal = true
      const dying = yield* Effect.forkDaemon(one.claim("a", { epoch, lane: 0, limit: 10 }))
      const waiting = yield* Effect.forkDaemon(one.claim("a", { epoch, lane: 0, limit: 10 }))
      yield* Deferred.await(kills)
      yield* mortal.end
      assert.strictEqual(yield* two.reclaim("a", joined.epoch, 0), 0)
      yield* Effect.all([worked(two, joined.epoch, 0, 20), worked(two, joined.epoch, 1, 20)], { concurrency: "unbounded" })
      const run = yield* two.finishIfDone("a")
      assert.deepInclude(run, { state: "finished" })
      assert.deepInclude(run.counts, { enrolled: 200, claimed: 0, pending: 0 })
      yield* Fiber.interruptFork(dying)
      yield* Fiber.interruptFork(waiting)
    }))

  it.live("rolls back what a session was at when it ended; what is left of the transaction fails, and the next one is well", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryLedger.memory
      const session = yield* memory.session
      let isToEnd = false
      const one = Context.get(
        yield* MemoryLedger.make(session, {
          around: (connection) => ({
            execute: (...args) => connection.execute(...args),
            executeStream: (...args) => connection.executeStream(...args),
            executeValues: (...args) => connection.executeValues(...args),
            executeRaw: (...args) => connection.executeRaw(...args),
            executeUnprepared: (sql, ...args) =>
              isToEnd && sql === "COMMIT"
                ? Effect.zipRight(session.end, connection.executeUnprepared(sql, ...args))
                : connection.executeUnprepared(sql, ...args)
          })
        }),
        Ledger
      )
      const two = Context.get(yield* MemoryLedger.make(yield* memory.session), Ledger)
      isToEnd = true
      assert.strictEqual((yield* Effect.flip(one.begin(newRun("a", 1))))._tag, "LedgerUnwritable")
      isToEnd = false
      assert.deepStrictEqual(yield* two.list, [])
      yield* one.begin(newRun("b", 1))
      assert.deepStrictEqual((yield* two.list).map(({ id }) => id), ["b"])
    }))
})
