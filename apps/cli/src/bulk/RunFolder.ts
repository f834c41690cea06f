/**
 * The folder of a run: `.milepost/runs/<run>/` with `results.csv`, `failed.csv` (`failed.ndjson` for NDJSON) and `run.json`.
 *
 * Input from stdin is kept there too, because a run reads its input twice.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as Failure from "../Failure.js"
import type { Format } from "../input/InputFile.js"

/** Where a run keeps its files. */
export interface RunFolder {
  /** The run's id: the moment it began, and four characters against collisions. */
  readonly run: string
  readonly path: string
  readonly results: string
  readonly failed: string
  readonly summary: string
  /** Where input from stdin is kept. */
  readonly input: string
}

const digits = "23456789abcdefghjkmnpqrstvwxyz"

const newId: Effect.Effect<string> = Effect.gen(function*() {
  const millis = yield* Clock.currentTimeMillis
  const stamp = new Date(millis).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")
  let suffix = ""
  for (let index = 0; index < 4; index++) suffix += digits[yield* Random.nextIntBetween(0, digits.length)]
  return `${stamp}-${suffix}`
})

/** Makes the folder of a new run under `runs`; fails when it cannot be written. */
export const make = (
  runs: string
): Effect.Effect<RunFolder, Failure.Refused, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const run = yield* newId
    const folder = path.join(runs, run)
    yield* files.makeDirectory(folder, { recursive: true }).pipe(
      Effect.mapError(() => Failure.usage(`--run-dir: the folder ${folder} cannot be written`, "--run-dir"))
    )
    const inside = (name: string): string => path.join(folder, name)
    return {
      run,
      path: folder,
      results: inside("results.csv"),
      failed: inside("failed.csv"),
      summary: inside("run.json"),
      input: inside("input")
    }
  })

/** The same folder for input of a format: failed rows keep theirs. */
export const withFormat = (folder: RunFolder, format: Format): RunFolder => ({
  ...folder,
  failed: folder.failed.replace(/csv$/, format)
})

/** Keeps stdin in the folder, byte for byte. */
export const keepStdin = (folder: RunFolder): Effect.Effect<void, Failure.Refused, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Stream.run(NodeStream.stdin, files.sink(folder.input)).pipe(
      Effect.mapError(() => Failure.input("-: stdin cannot be read or kept", "FILE"))
    ))
