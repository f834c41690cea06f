import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Ids from "@milepost/core/Ids"
import * as Transport from "@milepost/core/Transport"
import * as SharedPace from "@milepost/engine/SharedPace"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as TestClock from "effect/TestClock"
import type { Org } from "./Org.js"
import * as Upstreams from "./Upstreams.js"

const request = (customer: number): Transport.Request => ({
  operation: "enroll",
  method: "POST",
  path: "/x",
  body: "[]",
  customerId: Either.getOrThrow(Ids.customerId(customer)),
  timeoutMillis: 60_000
})

const brand = (callsPerSecond: number | null) =>
  ({ id: "brand", connection: { timeoutMillis: 1_000 }, limits: { callsPerSecond, concurrency: 64 } }) as unknown as Org

/** Two processes that call one organisation, and what its upstream answers. */
const two = (callsPerSecond: number | null) =>
  Effect.gen(function*() {
    const memory = yield* MemoryLedger.memory
    const upstream = { status: 200, calls: 0 }
    const inner = Transport.make(() =>
      Effect.sync((): Transport.Response => {
        upstream.calls += 1
        return { status: upstream.status, headers: upstream.status === 429 ? { "retry-after": "30" } : {}, body: "", requestId: null }
      })
    )
    const processes = yield* Effect.forEach(["one", "other"], (replica) =>
      Effect.gen(function*() {
        const sql = Context.get(yield* MemoryLedger.make(memory), SqlClient)
        yield* SharedPace.create(sql)
        return yield* Upstreams.make({
          orgs: [brand(callsPerSecond)],
          queue: 100,
          watch: () => undefined,
          connect: () => Effect.succeed(inner),
          pace: Upstreams.sharedPaces(sql, replica)
        })
      }))
    yield* TestClock.adjust("10 millis")
    const [one, other] = processes.map((process) => process.get("brand")?.gate)
    return one === undefined || other === undefined ? yield* Effect.dieMessage("no gates") : { one, other, processes, upstream }
  })

describe("Upstreams of two processes", () => {
  it.effect("call an organisation no faster together than one would alone", () =>
    Effect.gen(function*() {
      const { one, other, upstream } = yield* two(10)
      for (let customer = 0; customer < 200; customer++) yield* Effect.fork((customer % 2 === 0 ? one : other).interactive.send(request(customer + 1)))
      for (let tenth = 0; tenth < 50; tenth++) yield* TestClock.adjust("100 millis")
      assert.isAtMost(upstream.calls, 55)
      assert.isAtLeast(upstream.calls, 45)
      assert.strictEqual(one.snapshot().callsPerSecond, 10)
      assert.isAbove(one.expectedWaitMillis(), one.snapshot().waitingInteractive * 150)
    }).pipe(Effect.scoped))

  it.effect("go on at another limit together", () =>
    Effect.gen(function*() {
      const { other, processes } = yield* two(10)
      yield* processes[0]?.replace([brand(20)]) ?? Effect.void
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(other.snapshot().callsPerSecond, 20)
    }).pipe(Effect.scoped))

  it.effect("stop together for a 429, and take the upstream for down and up together", () =>
    Effect.gen(function*() {
      const { one, other, upstream } = yield* two(null)
      yield* one.interactive.send(request(1))
      yield* other.interactive.send(request(2))
      upstream.status = 502
      for (let id = 3; id < 40 && one.closed() === null; id++) yield* one.interactive.send(request(id))
      assert.isNotNull(one.snapshot().breaker)
      yield* TestClock.adjust("6 seconds")
      assert.deepInclude(other.closed(), { why: "502" })
      upstream.status = 200
      // Whoever comes is told so while it is found out whether he may try.
      yield* TestClock.adjust("2 seconds")
      assert.isNull(other.closed())
      yield* other.interactive.send(request(50))
      assert.isNull(other.snapshot().breaker)
      yield* TestClock.adjust("2 seconds")
      assert.isNull(one.snapshot().breaker)
      upstream.status = 429
      yield* other.interactive.send(request(51))
      yield* TestClock.adjust("6 seconds")
      assert.isNotNull(one.snapshot().pausedMillis)
    }).pipe(Effect.scoped))
})
