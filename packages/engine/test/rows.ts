/** Ledgers with records for tests. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Enrollment from "@milepost/core/Enrollment"
import { type Entry, Ledger, LibsqlLedger } from "@milepost/ledger"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

export const milestone = (customerId: number, periodName = "C1", targetGroupId = 2154): Entry.Request =>
  Either.getOrThrow(Enrollment.milestone({ targetGroupId, targetId: 2309, customerId, periodName, initialBalance: undefined }))

/** One row a request. */
export const rows = (requests: ReadonlyArray<Entry.Request>): ReadonlyArray<Entry.ImportRow> =>
  requests.map((request, index) => ({
    row: index + 1,
    line: index + 2,
    bytes: Buffer.from(`${request.customerId}\n`),
    problem: null,
    calls: [{ request }]
  }))

/** A run of these requests that is ready to start. */
export const imported = (run: string, requests: ReadonlyArray<Entry.Request>, lanes = 8) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    yield* ledger.begin({
      id: run,
      operation: "enroll",
      input: { name: "input.csv", format: "csv", header: Buffer.from("customerId\n"), size: null },
      options: null,
      lanes,
      parent: null
    })
    const all = rows(requests)
    for (let from = 0; from < all.length; from += 500) {
      const batch = all.slice(from, from + 500)
      yield* ledger.append(run, batch, { line: from + batch.length + 2, bytes: from + batch.length, sha256: null })
    }
    yield* ledger.finishImport(run, { size: all.length, sha256: "ab".repeat(32) })
    return ledger
  })

/** Every record of a run with how it ended. */
export const entries = (run: string) =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    const found = yield* Stream.runCollect(ledger.results(run))
    return Chunk.toReadonlyArray(found).flatMap((row) => row.entries)
  })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "engine-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** A ledger in a new file, and the SQL client over it. */
export const ledgerLayer = Layer.unwrapScoped(
  Effect.map(folder, (path) => Layer.fresh(LibsqlLedger.layer({ path: join(path, "ledger.db") })))
)
