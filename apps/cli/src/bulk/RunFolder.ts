/**
 * The folders of runs: `.milepost/runs/<run>/` with `ledger.db`, `run.json`, and at the end `results.csv` and `failed.csv`
 * (`failed.ndjson` for NDJSON).
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeStream from "@effect/platform-node-shared/NodeStream"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as Failure from "../Failure.js"

/** Where runs lie, unless told otherwise. */
export const runsByDefault = ".milepost/runs"

/** Where a run keeps its files. */
export interface RunFolder {
  /** The run's id: the moment it began, and four characters against collisions. */
  readonly run: string
  /** The folder that it lies in, beside other runs. */
  readonly runs: string
  readonly path: string
  readonly ledger: string
  readonly results: string
  readonly summary: string
  /** What is kept of a run that was handed to a proxy, in place of a ledger. */
  readonly via: string
  /** Where input from stdin is kept until it is in the ledger, or with the proxy. */
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

const idShape = /^\d{8}-\d{6}-[0-9a-z]{4}$/

const at = (path: Path.Path, runs: string, run: string): RunFolder => {
  const folder = path.join(runs, run)
  return {
    run,
    runs,
    path: folder,
    ledger: path.join(folder, "ledger.db"),
    results: path.join(folder, "results.csv"),
    summary: path.join(folder, "run.json"),
    via: path.join(folder, "via.json"),
    input: path.join(folder, "input")
  }
}

/** Where the failed rows go, in the format that they came in. */
export const failed = ({ results }: RunFolder, format: string): string =>
  results.replace(/results\.csv$/, `failed.${format}`)

/** Makes the folder of a new run under `runs`; fails when it cannot be written. */
export const make = (
  runs: string
): Effect.Effect<RunFolder, Failure.Refused, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const folder = at(yield* Path.Path, runs, yield* newId)
    yield* files.makeDirectory(folder.path, { recursive: true }).pipe(
      Effect.mapError(() => Failure.usage(`--run-dir: the folder ${folder.path} cannot be written`, "--run-dir"))
    )
    return folder
  })

/** The folders of all runs under `runs`, the latest first. */
export const all = (runs: string): Effect.Effect<ReadonlyArray<RunFolder>, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const names = yield* Effect.orElseSucceed(files.readDirectory(runs), () => [])
    return names.filter((name) => idShape.test(name)).toSorted().toReversed().map((name) => at(path, runs, name))
  })

/** The folder of a run, or of the latest one; fails naming the runs that there are. */
export const find = (
  runs: string,
  run: string | undefined
): Effect.Effect<RunFolder, Failure.Refused, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const folders = yield* all(runs)
    const found = run === undefined ? folders[0] : folders.find((folder) => folder.run === run)
    if (found !== undefined) return found
    if (folders.length === 0) return yield* Failure.usage(`there is no run in ${runs}; --run-dir names another folder`, "--run-dir")
    const latest = folders.slice(0, 3).map((folder) => folder.run).join(", ")
    return yield* Failure.usage(`there is no run ${run} in ${runs}; the latest are ${latest}`, "RUN")
  })

/** Removes a run of which nothing was sent and nothing can be gone on with. */
export const remove = ({ path }: RunFolder): Effect.Effect<void, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) => Effect.ignore(files.remove(path, { recursive: true, force: true })))

/** Keeps stdin in the folder, byte for byte. */
export const keepStdin = (folder: RunFolder): Effect.Effect<void, Failure.Refused, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Stream.run(NodeStream.stdin, files.sink(folder.input)).pipe(
      Effect.mapError(() => Failure.input("-: stdin cannot be read or kept", "FILE"))
    ))
