/**
 * A process that shares a ledger in PostgreSQL, to be frozen and killed: `node joiner.mjs <url> <run> <lanes>`.
 *
 * Its transport asks the parent, which is the upstream and so survives. It tells how many lanes it has, and joins when told.
 */
import { Engine, Replica } from "@milepost/engine"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import * as PostgresLedger from "@milepost/ledger/PostgresLedger"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { answered, transport } from "./parent.mjs"

const [, , url, run, lanes] = process.argv
let told
const joins = new Promise((resolve) => {
  told = resolve
})
process.on("message", (message) => {
  if (message === "join") told()
  else answered(message)
})
const part = Effect.gen(function*() {
  const replica = yield* Replica.Replica
  const tell = setInterval(() => process.send({ held: replica.held().length }), 20)
  yield* Effect.promise(() => joins)
  clearInterval(tell)
  return yield* Engine.join(run, {
    org: "100458",
    concurrency: 8,
    chunkSize: 50,
    poll: "50 millis",
    policy: RetryPolicy.make({ maxAttempts: 6, postponedCounts: false, base: "1 millis", cap: "5 millis", budget: null })
  })
})
const replica = Replica.layer({
  cluster: "test",
  address: "http://127.0.0.1:1",
  lanes: Number(lanes),
  lifetime: "3 seconds",
  refresh: "200 millis",
  margin: "1 second",
  leaveWithin: "2 seconds"
})
const ledger = PostgresLedger.layer({ url: Redacted.make(url), maxConnections: 6 })
const end = await Effect.runPromise(
  part.pipe(
    Effect.provide(replica.pipe(Layer.provide(Layer.effectDiscard(Replica.create)), Layer.provideMerge(ledger))),
    Effect.provideService(Transport, transport)
  )
)
process.send({ left: end.left, state: end.run.state, calls: end.progress.calls })
process.disconnect()
