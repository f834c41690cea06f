import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Ids from "@milepost/core/Ids"
import { Ledger } from "@milepost/ledger/Ledger"
import * as LibsqlLedger from "@milepost/ledger/LibsqlLedger"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Import from "./Import.js"
import * as InputFile from "./InputFile.js"
import * as Plan from "./Plan.js"
import type * as Records from "./Records.js"

const defaults: Records.Defaults = {
  targetGroupId: Either.getOrThrow(Ids.targetGroupId(1)),
  targetId: Either.getOrThrow(Ids.targetId(2)),
  periodNames: ["P", "Q"],
  initialBalance: undefined,
  resetStreakStatus: undefined
}

/** A folder with a ledger in it. */
const withLedger = <A, E>(use: (folder: string) => Effect.Effect<A, E, FileSystem.FileSystem | Ledger>) =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    return yield* Effect.provide(use(folder), LibsqlLedger.layer({ path: `${folder}/ledger.db` }))
  })).pipe(Effect.provide(NodeFileSystem.layer))

const opened = (path: string) => InputFile.open({ path, name: "in.csv", format: undefined })

const imported = (file: InputFile.InputFile, watch: (rows: number) => Effect.Effect<void> = () => Effect.void) =>
  Effect.flatMap(Ledger, (ledger) =>
    Import.run({ ledger, run: "r", operation: "enroll", source: file, defaults, options: null, watch, overruled: () => undefined }))

const line = FastCheck.oneof(
  FastCheck.integer({ min: 1, max: 9 }).map(String),
  FastCheck.constantFrom("x", "", "\"open", "9007199254740993", "5,too many")
)

describe("Import", () => {
  it.effect.prop(
    "counts calls, duplicates and bad rows exactly as a dry run does",
    [FastCheck.array(line, { maxLength: 40 })],
    ([lines]) =>
      withLedger((folder) =>
        Effect.gen(function*() {
          const files = yield* FileSystem.FileSystem
          yield* files.writeFileString(`${folder}/in.csv`, `customerId\n${lines.join("\n")}\n`)
          const file = yield* opened(`${folder}/in.csv`)
          const plan = yield* Effect.scoped(Plan.make(file, "enroll", defaults))
          const run = yield* imported(file)
          assert.deepStrictEqual(
            { rows: run.rows, calls: run.counts.pending, duplicates: run.duplicates, badRows: run.badRows },
            { rows: plan.rows, calls: plan.calls, duplicates: plan.duplicates, badRows: plan.badRows }
          )
        })
      ),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect("goes on where it was cut off, and ends as if it had not been", () =>
    withLedger((folder) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const ledger = yield* Ledger
        const path = `${folder}/in.csv`
        yield* files.writeFileString(path, `customerId\n${Array.from({ length: 20_000 }, (_, index) => 1 + index).join("\n")}\n`)
        const file = yield* opened(path)
        const cut = yield* Effect.exit(imported(file, (rows) => rows > 8_000 ? Effect.dieMessage("cut off") : Effect.void))
        assert.strictEqual(cut._tag, "Failure")
        const before = yield* ledger.run("r")
        assert.strictEqual(before.state, "importing")
        assert.isAbove(before.checkpoint.row, 8_000)
        const run = yield* imported(file)
        assert.deepInclude(run, { state: "ready", rows: 20_000, duplicates: 0, badRows: 0 })
        assert.deepStrictEqual(
          { size: run.input.size, sha256: run.input.sha256 },
          yield* Import.fingerprint(path)
        )
      })
    ))

  it.effect("a file that has changed since it was cut off is refused", () =>
    withLedger((folder) =>
      Effect.gen(function*() {
        const files = yield* FileSystem.FileSystem
        const path = `${folder}/in.csv`
        const text = `customerId\n${Array.from({ length: 20_000 }, (_, index) => 100_000 + index).join("\n")}\n`
        yield* files.writeFileString(path, text)
        const file = yield* opened(path)
        yield* Effect.exit(imported(file, (rows) => rows > 8_000 ? Effect.dieMessage("cut off") : Effect.void))
        // As long as before, and another customer at its beginning.
        yield* files.writeFileString(path, text.replace("100000", "900000"))
        const error = yield* Effect.flip(imported(file))
        assert.deepInclude(error, { _tag: "InputChanged", difference: "sha256" })
        yield* files.writeFileString(path, `${text}1\n`)
        assert.deepInclude(yield* Effect.flip(imported(file)), { _tag: "InputChanged", difference: "size" })
      })
    ))
})
