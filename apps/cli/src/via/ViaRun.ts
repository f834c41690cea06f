/**
 * What is kept of a run that was handed to a proxy: `via.json` in its folder, enough to go on following days later.
 *
 * Where the proxy is, what was uploaded and how, and the job as it last stood; never the key.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import { noCounts } from "@milepost/ledger/Run"
import type { Standing } from "@milepost/rows/Standing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RunFolder } from "../bulk/RunFolder.js"
import * as Summary from "../bulk/Summary.js"
import * as Failure from "../Failure.js"
import * as Job from "./Job.js"

const ViaRun = Schema.Struct({
  url: Schema.String,
  operation: Schema.Literal("enroll", "unenroll"),
  createdMillis: Schema.Number,
  upload: Schema.Struct({
    /** The file, as an absolute path. */
    source: Schema.String,
    /** What messages call it. */
    name: Schema.String,
    format: Schema.Literal("csv", "ndjson"),
    /** Of the file as it lies there. */
    size: Schema.Number,
    sha256: Schema.String,
    isGzipped: Schema.Boolean,
    isStdin: Schema.Boolean,
    query: Schema.String,
    idempotencyKey: Schema.String
  }),
  /** As it last stood; `null` as long as the proxy has not said that it has it. */
  job: Schema.NullOr(Job.Job),
  /** Whether `results.csv` and the failed rows are as the job stood. */
  isWritten: Schema.Boolean
})

/** What is kept of a run that was handed to a proxy. */
export interface ViaRun extends Schema.Schema.Type<typeof ViaRun> {}

const text = Schema.parseJson(ViaRun, { space: 2 })

/** The run in this folder, or `null` where it is none of a proxy's. */
export const read = (folder: RunFolder): Effect.Effect<ViaRun | null, Failure.Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    if (!(yield* Effect.orElseSucceed(files.exists(folder.via), () => false))) return null
    return yield* Effect.mapError(Effect.flatMap(files.readFileString(folder.via), Schema.decode(text)), () =>
      Failure.usage(`run ${folder.run}: ${folder.via} cannot be read, or is of another version`, "RUN"))
  })

/** How a run stands of which no job is known. */
const unheard = ({ createdMillis, operation, upload }: ViaRun, id: string): Standing => ({
  run: {
    id,
    operation,
    state: "ready",
    input: { name: upload.name, format: upload.format, header: new Uint8Array(0), size: upload.size, sha256: upload.sha256 },
    options: {},
    parent: null,
    lanes: 1,
    epoch: 0,
    createdMillis,
    startedMillis: null,
    endedMillis: null,
    checkpoint: { row: 0, line: 0, bytes: 0, sha256: null },
    counts: noCounts,
    rows: 0,
    badRows: 0,
    duplicates: 0,
    warnings: 0,
    calls: 0,
    stop: null
  },
  state: "ready",
  stop: null,
  counts: { enrolled: 0, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0 },
  open: 0,
  notSent: 0,
  refusals: []
})

/** What can be told of the run. */
export const told = (folder: RunFolder, run: ViaRun, seconds: number | null): Summary.Told => ({
  folder,
  standing: run.job === null ? unheard(run, folder.run) : Job.standing(run.job, { id: folder.run, name: run.upload.name, format: run.upload.format }),
  seconds,
  learntRate: null,
  isWritten: run.isWritten,
  via: { url: run.url, job: run.job?.id ?? null, isOver: run.job?.state === "cancelled" }
})

/** Keeps the run, and `run.json` for whoever asks; whoever reads them finds the old ones or the new ones. */
export const write = (folder: RunFolder, run: ViaRun, seconds: number | null): Effect.Effect<void, PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const replace = (file: string, content: string) =>
      Effect.zipRight(files.writeFileString(`${file}.new`, `${content}\n`), files.rename(`${file}.new`, file))
    yield* replace(folder.via, JSON.stringify(run, null, 2))
    yield* replace(folder.summary, JSON.stringify(Summary.document(told(folder, run, seconds)), null, 2))
  })
