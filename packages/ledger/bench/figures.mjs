/**
 * Measures the ledger on this machine: import, claim and settle, reading back, bytes a record.
 *
 * `node bench/figures.mjs [records] [folder]`, after `pnpm build`. One lane's chunk is claimed and settled at a time.
 */
import { Ledger, LibsqlLedger } from "@milepost/ledger"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import process from "node:process"
import { mkdtempSync, rmSync, statSync, fsyncSync, openSync, closeSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { print, rawBytes, row, timed } from "./sample.mjs"

const records = Number(process.argv[2] ?? 100_000)
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), "ledger-bench-"))
const path = join(folder, "ledger.db")
const lanes = 64
const batch = Number(process.env["BATCH"] ?? 4096)
const chunk = Number(process.env["CHUNK"] ?? 512)

const probe = () => {
  const file = openSync(join(folder, "probe"), "w")
  const start = performance.now()
  for (let index = 0; index < 200; index++) {
    writeSync(file, Buffer.alloc(4096))
    fsyncSync(file)
  }
  closeSync(file)
  return (performance.now() - start) / 200
}
print(`records ${records}, one fsync of 4 kB ${probe().toFixed(3)} ms, batches of ${batch}, chunks of ${chunk}`)

const outcome = { outcome: "enrolled", warnings: [], attempts: 1, requestId: "0f8fad5b-d9cb-469f-a165-70867728950e" }

const program = Effect.gen(function*() {
  const ledger = yield* Ledger.Ledger
  yield* ledger.begin({
    id: "bench", operation: "enroll", options: {}, lanes, parent: null,
    input: { name: "bench.csv", format: "csv", header: Buffer.from("customerId,periodName,initialBalance\n"), size: null }
  })
  yield* timed("import", records, Effect.gen(function*() {
    for (let from = 1; from <= records; from += batch) {
      const rows = Array.from({ length: Math.min(batch, records - from + 1) }, (_, index) => row(from + index))
      yield* ledger.append("bench", rows, { line: from + batch, bytes: rawBytes(), sha256: null })
    }
    yield* ledger.finishImport("bench", { size: rawBytes(), sha256: "" })
  }))
  const { epoch } = yield* ledger.start("bench")
  yield* timed("first pending lanes and claim", 1, Effect.gen(function*() {
    const [lane] = yield* ledger.pendingLanes("bench")
    const claimed = yield* ledger.claim("bench", { epoch, lane, limit: chunk })
    yield* ledger.release("bench", claimed.map(({ seq }) => seq))
  }))
  yield* timed("skip all pending", records, ledger.skipWhere("bench", { targetId: 2309 }, { reason: "fuse", message: "310017" }))
  yield* timed("re-arm", records, ledger.rearm("bench", "fuse"))
  let claiming = 0
  yield* timed("claim and settle", records, Effect.gen(function*() {
    let lane = 0
    while (true) {
      const start = performance.now()
      const claimed = yield* ledger.claim("bench", { epoch, lane, limit: chunk })
      claiming += performance.now() - start
      if (claimed.length === 0) {
        const rest = yield* ledger.pendingLanes("bench")
        if (rest.length === 0) break
      } else {
        yield* ledger.settle("bench", claimed.map(({ seq }) => ({ seq, outcome })))
      }
      lane = (lane + 1) % lanes
    }
  }))
  print(`  of which claiming ${(claiming / 1000).toFixed(2)} s`)
  yield* ledger.end("bench", "finished", null)
  yield* timed("read results", records, Stream.runDrain(ledger.results("bench")))
  yield* timed("read failed rows", records, Stream.runDrain(ledger.failedRows("bench")))
  const run = yield* ledger.run("bench")
  print(JSON.stringify(run.counts))
})

await Effect.runPromise(timed("all, with opening and closing", records, program.pipe(Effect.provide(LibsqlLedger.layer({ path })))))
const size = statSync(path).size
print(`file ${(size / 2 ** 20).toFixed(1)} MB, rows ${(rawBytes() / 2 ** 20).toFixed(1)} MB: ${((size - rawBytes()) / records).toFixed(1)} bytes a record beside its row`)
await Effect.runPromise(timed("open again and look", 1, Effect.gen(function*() {
  const ledger = yield* Ledger.Ledger
  return yield* ledger.run("bench")
}).pipe(Effect.provide(LibsqlLedger.layer({ path })))))
rmSync(folder, { recursive: true })
