/**
 * A process with a ledger, to be killed, refused or cut off. It runs on the build of this package, and says on stdout
 * what is durable: `I <row>` an imported row, `S <seq> <tag>` an outcome, `E <tag> <message>` an error.
 *
 * `worker.mjs <path> hold | fill | work <rows> <tag>`, or with the address of a PostgreSQL `share <lanes, e.g. 0,2> <tag>`.
 */
import { writeSync } from "node:fs"
import process from "node:process"
import { Ledger, LibsqlLedger } from "@milepost/ledger"
import * as PostgresLedger from "@milepost/ledger/PostgresLedger"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const [path = "", mode = "", rows = "0", tag = ""] = process.argv.slice(2)
const lanes = 4
const say = (line) => Effect.sync(() => writeSync(1, `${line}\n`))

const row = (number) => ({
  row: number,
  line: number + 1,
  bytes: Buffer.from(`${number % 700},${"x".repeat(50)}\n`),
  problem: null,
  calls: [{ request: { _tag: "Streak", targetGroupId: 40, targetId: 41, customerId: (number % 700) + 1, resetStreakStatus: undefined } }]
})

const begun = (ledger) =>
  ledger.begin({
    id: "k",
    operation: "enroll",
    options: null,
    lanes,
    parent: null,
    input: { name: "k.csv", format: "csv", header: new Uint8Array(0), size: null }
  })

const imported = (ledger, from, total) =>
  Effect.gen(function*() {
    for (let first = from + 1; first <= total; first += 100) {
      const batch = Array.from({ length: Math.min(100, total - first + 1) }, (_, index) => row(first + index))
      yield* ledger.append("k", batch, { line: first + 100, bytes: 0, sha256: null })
      yield* say(`I ${first + batch.length - 1}`)
    }
  })

const worked = (ledger) =>
  Effect.gen(function*() {
    const { epoch } = yield* ledger.start("k")
    yield* ledger.reclaim("k", epoch)
    while (true) {
      const open = yield* ledger.pendingLanes("k")
      if (open.length === 0) break
      for (const lane of open) {
        const claimed = yield* ledger.claim("k", { epoch, lane, limit: 5 })
        yield* Effect.sleep("1 millis")
        const settlements = claimed.map(({ seq }) => ({
          seq,
          outcome: { outcome: "enrolled", warnings: [], attempts: 1, requestId: tag }
        }))
        yield* ledger.settle("k", settlements)
        for (const { seq } of settlements) yield* say(`S ${seq} ${tag}`)
      }
    }
    yield* ledger.end("k", "finished", null)
    yield* say("done")
  })

/** Works in some lanes of a run that others work on as well. */
const shared = (ledger, own) =>
  Effect.gen(function*() {
    const { epoch } = yield* ledger.join("k")
    for (const lane of own) yield* ledger.reclaim("k", epoch, lane)
    while ((yield* ledger.finishIfDone("k")).state === "running") {
      for (const lane of own) {
        // The other one may have ended it since it was looked at.
        const claimed = yield* Effect.catchTag(ledger.claim("k", { epoch, lane, limit: 5 }), "WrongState", () => Effect.succeed([]))
        yield* Effect.sleep("1 millis")
        const settlements = claimed.map(({ seq }) => ({
          seq,
          outcome: { outcome: "enrolled", warnings: [], attempts: 1, requestId: tag }
        }))
        yield* ledger.settle("k", settlements, epoch)
        for (const { seq } of settlements) yield* say(`S ${seq} ${tag}`)
      }
    }
    yield* say("done")
  })

const program = Effect.gen(function*() {
  const ledger = yield* Ledger.Ledger
  switch (mode) {
    case "hold":
      yield* say("held")
      return yield* Effect.never
    case "share":
      return yield* shared(ledger, rows.split(",").map(Number))
    case "fill": {
      const { checkpoint } = yield* begun(ledger)
      return yield* imported(ledger, checkpoint.row, Infinity)
    }
    default: {
      const run = yield* Effect.catchTag(begun(ledger), "WrongState", () => ledger.run("k"))
      if (run.state === "importing") {
        yield* imported(ledger, run.checkpoint.row, Number(rows))
        yield* ledger.finishImport("k", { size: 1, sha256: "" })
      }
      return yield* worked(ledger)
    }
  }
})

const keepAlive = setInterval(() => {}, 1000)
await Effect.runPromise(
  program.pipe(
    Effect.provide(path.startsWith("postgres:") ? PostgresLedger.layer({ url: Redacted.make(path) }) : LibsqlLedger.layer({ path })),
    Effect.catchAll((error) => say(`E ${error._tag} ${error.message}`))
  )
)
clearInterval(keepAlive)
