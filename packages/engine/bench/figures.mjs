/**
 * Measures the engine on this machine against an upstream that answers at once: core's calls alone, then through a ledger.
 *
 * `node bench/figures.mjs [records] [latencyMillis]`, after `pnpm build`.
 */
import { Engine, Lanes } from "@milepost/engine"
import * as Enroll from "@milepost/core/Enroll"
import { Transport } from "@milepost/core/Transport"
import { Ledger, LibsqlLedger } from "@milepost/ledger"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const records = Number(process.argv[2] ?? 50_000)
const latency = Number(process.argv[3] ?? 0)
const folder = mkdtempSync(join(tmpdir(), "engine-bench-"))
const answer = { status: 200, headers: {}, body: `{"data":1,"errors":[],"warnings":[]}`, requestId: null }
const transport = {
  send: ({ customerId }) => {
    const response = { ...answer, body: `{"data":${customerId},"errors":[],"warnings":[]}` }
    return latency === 0 ? Effect.as(Effect.yieldNow(), response) : Effect.as(Effect.sleep(latency), response)
  }
}
const requestOf = (row) => ({
  _tag: "Milestone", targetGroupId: 2154, targetId: 2309, customerId: (row * 611_953) % 999_999_937 + 1, periodName: "Cycle_1", initialBalance: 100
})
const timed = (name, effect) =>
  Effect.gen(function*() {
    const start = performance.now()
    yield* effect
    const seconds = (performance.now() - start) / 1000
    process.stdout.write(`${name.padEnd(40)} ${seconds.toFixed(2).padStart(7)} s ${Math.round(records / seconds).toLocaleString("en").padStart(9)}/s\n`)
  })

const alone = Effect.suspend(() => {
  let next = 0
  const worker = Effect.whileLoop({
    while: () => next < records,
    body: () => Enroll.outcome(requestOf(++next)),
    step: () => undefined
  })
  return Effect.all(Array.from({ length: 64 }, () => worker), { concurrency: "unbounded", discard: true })
})

const through = (name, lanes) => {
  const run = name.replaceAll(/\W/g, "")
  return Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    yield* ledger.begin({
      id: run, operation: "enroll", options: {}, lanes: 64, parent: null,
      input: { name: "bench.csv", format: "csv", header: Buffer.from("customerId\n"), size: null }
    })
    for (let from = 1; from <= records; from += 512) {
      const rows = Array.from({ length: Math.min(512, records - from + 1) }, (_, index) => ({
        row: from + index, line: from + index + 1, bytes: Buffer.from(`${from + index}\n`), problem: null, calls: [{ request: requestOf(from + index) }]
      }))
      yield* ledger.append(run, rows, { line: from + 512, bytes: from + 512, sha256: null })
    }
    yield* ledger.finishImport(run, { size: records, sha256: "" })
    yield* timed(name, Engine.run(run, { org: "1", concurrency: 64 }))
  }).pipe(Effect.provide(lanes.pipe(Layer.provideMerge(LibsqlLedger.layer({ path: join(folder, `${run}.db`) })))))
}

await Effect.runPromise(Effect.provideService(
  Effect.gen(function*() {
    yield* timed("core's calls alone, warming up", alone)
    yield* timed("core's calls alone", alone)
    yield* through("warm-up", Lanes.layerInProcess)
    yield* through("engine, lanes in process", Lanes.layerInProcess)
    yield* through("engine, lanes on the cluster", Engine.layerSingle)
  }),
  Transport,
  transport
))
rmSync(folder, { recursive: true })
