/** Replicas over a real PostgreSQL, each with a client of its own. */
import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import { Replica } from "@milepost/engine"
import { Ledger } from "@milepost/ledger"
import * as PostgresLedger from "@milepost/ledger/PostgresLedger"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import { wireTo } from "./wire.js"

let server: PostgresServer.PostgresServer
beforeAll(async () => {
  server = await PostgresServer.start()
}, 60_000)
afterAll(() => server.close())

const lanes = 16
const all = Array.from({ length: lanes }, (_, lane) => lane)

const times = { lifetime: "1500 millis", refresh: "200 millis", margin: "500 millis", leaveWithin: "2 seconds" } as const

const database = Effect.gen(function*() {
  const url = yield* Effect.promise(() => server.database())
  const ledger = yield* PostgresLedger.make({ url: Redacted.make(url), maxConnections: 2 })
  yield* Effect.provide(Replica.create, ledger)
  return url
})

/** A process: its way to the database can be cut, and it can go in order. */
const start = (
  url: string,
  options: { readonly around?: (connection: Connection) => Connection } = {},
  changed: Partial<Replica.Options> = {}
) =>
  Effect.gen(function*() {
    const wire = yield* Effect.promise(() => wireTo(url))
    const scope = yield* Scope.make()
    const services = yield* Scope.extend(PostgresLedger.make({ url: Redacted.make(wire.url), maxConnections: 4, migrate: false, ...options }), scope)
    const replica = yield* Replica.make({ cluster: "test", address: wire.url, lanes, ...times, ...changed }).pipe(
      Effect.provide(services),
      Scope.extend(scope)
    )
    const close = Effect.zipRight(Scope.close(scope, Exit.void), Effect.promise(() => wire.close()))
    return { replica, wire, close, ledger: Context.get(services, Ledger.Ledger), client: Context.get(services, PgClient.PgClient) }
  })

const until = (isTrue: () => boolean, what: string) =>
  Effect.suspend(() => isTrue() ? Effect.void : Effect.fail(what)).pipe(
    Effect.retry(Schedule.spaced(5)),
    Effect.timeoutFail({ duration: "15 seconds", onTimeout: () => new Error(`not in time: ${what}`) }),
    Effect.orDie
  )

const holdsAll = ({ held }: Replica.Service) => held().length === lanes

const together = (replicas: ReadonlyArray<Replica.Service>) => replicas.flatMap(({ held }) => held()).sort((left, right) => left - right)

/** Looks every few milliseconds whether two hold the same lane; `ends` fails the test if there ever were two. */
const watchOver = (replicas: ReadonlyArray<Replica.Service>) => {
  const doubly = new Set<number>()
  let looks = 0
  const timer = setInterval(() => {
    looks += 1
    for (const lane of all) if (replicas.filter(({ holds }) => holds(lane)).length > 1) doubly.add(lane)
  }, 2)
  return () => {
    clearInterval(timer)
    assert.deepStrictEqual([...doubly], [])
    assert.isAbove(looks, 10)
  }
}

describe("replicas over PostgreSQL", () => {
  it.scopedLive("divide the lanes, and refuse another cluster's name", () =>
    Effect.gen(function*() {
      const url = yield* database
      const one = yield* start(url)
      assert.deepStrictEqual(one.replica.held(), all)
      const [two, three] = [yield* start(url), yield* start(url)]
      yield* until(() => [one, two, three].every(({ replica }) => replica.held().length > 0) && together([one.replica, two.replica, three.replica]).length === lanes, "all lanes are held")
      assert.deepStrictEqual(together([one.replica, two.replica, three.replica]), all)
      assert.strictEqual(one.replica.members().length, 3)
      for (const lane of two.replica.held()) {
        yield* one.replica.refreshNow
        assert.deepStrictEqual(one.replica.ownerOf(lane), { id: two.replica.id, address: two.wire.url })
      }
      const error = yield* Effect.flip(Effect.scoped(Effect.provideService(
        Replica.make({ cluster: "other", address: "x", lanes }),
        SqlClient,
        one.client
      )))
      assert.strictEqual(error._tag, "ClusterMismatch")
      yield* Effect.all([one.close, two.close, three.close], { concurrency: 3 })
    }))

  it.scopedLive("one that is cut off stops by itself before anybody takes over, and comes back with other lanes or none", () =>
    Effect.gen(function*() {
      const url = yield* database
      const one = yield* start(url)
      const two = yield* start(url)
      const ends = watchOver([one.replica, two.replica])
      yield* until(() => two.replica.held().length > 0 && together([one.replica, two.replica]).length === lanes, "both have lanes")
      one.wire.cut()
      yield* until(() => one.replica.held().length === 0, "it has stopped")
      assert.match(one.replica.trouble() ?? "", /no answer in time/)
      yield* until(() => holdsAll(two.replica), "the other one has taken over")
      assert.strictEqual(two.replica.members().length, 1)
      one.wire.mend()
      yield* until(() => one.replica.held().length > 0 && together([one.replica, two.replica]).length === lanes, "both have lanes again")
      assert.isNull(one.replica.trouble())
      ends()
      yield* Effect.all([one.close, two.close], { concurrency: 2 })
    }))

  it.scopedLive("one that goes has given everything back when it has gone", () =>
    Effect.gen(function*() {
      const url = yield* database
      const one = yield* start(url)
      const two = yield* start(url)
      yield* until(() => two.replica.held().length > 0 && together([one.replica, two.replica]).length === lanes, "both have lanes")
      yield* one.replica.leave
      assert.deepStrictEqual(one.replica.held(), [])
      const owners = yield* two.client<{ readonly owner: string | null }>`SELECT DISTINCT owner FROM lane_leases WHERE owner IS NOT NULL`
      assert.deepStrictEqual(owners, [{ owner: two.replica.id }])
      const members = yield* two.client<{ readonly id: string }>`SELECT id FROM replicas`
      assert.deepStrictEqual(members, [{ id: two.replica.id }])
      yield* until(() => holdsAll(two.replica), "the other one has taken over")
      yield* Effect.all([one.close, two.close], { concurrency: 2 })
    }))

  it.scopedLive("a database that crashes and comes back is ridden out: nobody sends meanwhile, and nobody's lanes are mixed up", () =>
    Effect.gen(function*() {
      const url = yield* database
      const one = yield* start(url)
      const two = yield* start(url)
      const ends = watchOver([one.replica, two.replica])
      yield* until(() => two.replica.held().length > 0 && together([one.replica, two.replica]).length === lanes, "both have lanes")
      yield* Effect.promise(() => server.stop("immediate"))
      yield* until(() => together([one.replica, two.replica]).length === 0, "both have stopped")
      assert.isNotNull(one.replica.trouble())
      yield* Effect.promise(() => server.start())
      yield* until(
        () => together([one.replica, two.replica]).length === lanes && one.replica.trouble() === null && two.replica.trouble() === null,
        "all lanes are held again"
      )
      ends()
      yield* Effect.all([one.close, two.close], { concurrency: 2 })
    }), 40_000)

  it.scopedLive("a lane never has two holders, whoever comes, goes or is cut off", () =>
    Effect.gen(function*() {
      const url = yield* database
      const everybody: Array<Replica.Service> = []
      const ends = watchOver(everybody)
      const join = Effect.tap(start(url), ({ replica }) => Effect.sync(() => everybody.push(replica)))
      let here = [yield* join, yield* join]
      const seed = Math.floor(Math.random() * 2 ** 31)
      let state = seed
      const next = (below: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
        return (state >>> 8) % below
      }
      for (let step = 0; step < 10; step++) {
        const one = here[next(here.length)]
        const what = next(4)
        if (what === 0 && here.length < 5) here.push(yield* join)
        else if (what === 1 && here.length > 1 && one !== undefined) {
          here = here.filter((other) => other !== one)
          one.wire.mend()
          yield* one.close
        } else if (what === 2) one?.wire.cut()
        else one?.wire.mend()
        // Now and then longer than a lease.
        yield* Effect.sleep(next(5) === 0 ? 2_000 : next(400))
      }
      for (const { wire } of here) wire.mend()
      yield* until(() => together(here.map(({ replica }) => replica)).length === lanes, `all lanes are held, seed ${seed}`)
      ends()
      yield* Effect.all(here.map(({ close }) => close), { concurrency: "unbounded" })
    }), 90_000)

  it.scopedLive("a look at the database is two statements", () =>
    Effect.gen(function*() {
      const url = yield* database
      const seen: Array<string> = []
      const around = (connection: Connection): Connection => {
        const noted: Connection["execute"] = (sql, params, transform) => {
          seen.push(sql)
          return connection.execute(sql, params, transform)
        }
        return Object.assign(Object.create(connection) as Connection, { execute: noted })
      }
      const one = yield* start(url, { around }, { lifetime: "10 minutes", refresh: "1 minute" })
      seen.length = 0
      yield* one.replica.refreshNow
      assert.strictEqual(seen.length, 2, seen.join("\n"))
      yield* one.close
    }))
})
