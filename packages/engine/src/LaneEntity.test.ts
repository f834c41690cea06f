import { assert, describe, it } from "@effect/vitest"
import { SqlClient } from "@effect/sql/SqlClient"
import { Transport } from "@milepost/core/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { entries, imported, ledgerLayer, milestone } from "../test/rows.js"
import { make } from "../test/upstream.js"
import * as Engine from "./Engine.js"
import { create } from "./internal/messageTables.js"
import { idOf } from "./LaneEntity.js"

const layer = Engine.layerSingle.pipe(Layer.provideMerge(ledgerLayer))

const count = (table: string) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(sql.unsafe<{ readonly records: number }>(`SELECT count(*) AS records FROM ${table}`), ([row]) => row?.records))

describe("lanes as persisted entities", () => {
  it("are named after organisation and lane", () => {
    assert.strictEqual(idOf({ org: "100458" }, 7), "100458/7")
  })

  it.live("leave no message behind, and the next start no reply", () =>
    Effect.gen(function*() {
      yield* imported("a", Array.from({ length: 300 }, (_, index) => milestone(index + 1)))
      const upstream = make()
      yield* Engine.run("a", { org: "1", concurrency: 8, chunkSize: 10 }).pipe(Effect.provideService(Transport, upstream.transport))
      assert.strictEqual(upstream.order.length, 300)
      // The reply to the last message of each lane is written after its lane has ended.
      yield* Effect.repeat(Effect.sleep("10 millis"), { times: 5 })
      assert.strictEqual(yield* count("cluster_messages"), 0)
      yield* create
      assert.strictEqual(yield* count("cluster_replies"), 0)
    }).pipe(Effect.provide(layer)))

  it.live("end leftovers of a killed process at once, and work on their own", () =>
    Effect.gen(function*() {
      yield* imported("a", Array.from({ length: 50 }, (_, index) => milestone(index + 1)), 1)
      const sql = yield* SqlClient
      yield* create
      yield* sql`INSERT INTO cluster_messages ${
        sql.insert({
          id: "200000000000000001",
          message_id: "old",
          shard_id: "default:1",
          entity_type: "@milepost/engine/Lane",
          entity_id: "9/0",
          kind: 0,
          tag: "Chunk",
          payload: JSON.stringify({ run: "a", epoch: 1, lane: 0, turn: 1 }),
          headers: "{}",
          request_id: "200000000000000001"
        })
      }`
      const upstream = make({ latencyMillis: 5 })
      const end = yield* Effect.provide(
        Engine.run("a", { org: "1", concurrency: 2 }).pipe(Effect.provideService(Transport, upstream.transport)),
        Engine.layerSingle
      )
      assert.strictEqual(end.state, "finished")
      assert.strictEqual(upstream.order.length, 50)
      assert.strictEqual(upstream.overlapped.size, 0)
      assert.deepStrictEqual((yield* entries("a")).filter(({ outcome }) => outcome?.outcome !== "enrolled"), [])
    }).pipe(Effect.provide(ledgerLayer)))
})

describe("the upstream of these tests", () => {
  it.live("notices two calls at once for one customer, and a call that is repeated", () =>
    Effect.gen(function*() {
      const upstream = make({ latencyMillis: 2 })
      const call = { operation: "enroll", method: "POST", path: "/x", body: "{}", customerId: 7 as never } as const
      yield* Effect.all([upstream.transport.send(call), upstream.transport.send(call)], { concurrency: "unbounded" })
      assert.deepStrictEqual([...upstream.overlapped], [7])
      assert.deepStrictEqual([...upstream.received.values()], [2])
    }))
})
