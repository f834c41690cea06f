/**
 * Runs a ledger in a process of its own, to be killed: `node worker.mjs <ledger> <run> cluster|in-process`.
 *
 * Its transport asks the parent, which is the upstream and so survives.
 */
import { Engine, Lanes } from "@milepost/engine"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import * as LibsqlLedger from "@milepost/ledger/LibsqlLedger"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { answered, transport } from "./parent.mjs"

const [, , path, run, owner] = process.argv
process.on("message", answered)
const lanes = owner === "cluster" ? Engine.layerSingle : Lanes.layerInProcess
const end = await Effect.runPromise(
  Engine.run(run, {
    org: "100458",
    concurrency: 32,
    chunkSize: 50,
    policy: RetryPolicy.make({ maxAttempts: 6, postponedCounts: false, base: "1 millis", cap: "5 millis", budget: null })
  }).pipe(
    Effect.provide(lanes.pipe(Layer.provideMerge(LibsqlLedger.layer({ path })))),
    Effect.provideService(Transport, transport)
  )
)
process.send({ state: end.state })
process.disconnect()
