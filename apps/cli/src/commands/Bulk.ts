/** `milepost bulk enroll`: a whole file, from plan to results. */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { PlatformError } from "@effect/platform/Error"
import type { Transport } from "@milepost/core/Transport"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as BulkEnroll from "../bulk/BulkEnroll.js"
import { Cancellation } from "../bulk/Cancellation.js"
import { Meter } from "../bulk/Metered.js"
import * as Plan from "../bulk/Plan.js"
import * as Progress from "../bulk/Progress.js"
import * as RunFolder from "../bulk/RunFolder.js"
import * as Summary from "../bulk/Summary.js"
import * as Tally from "../bulk/Tally.js"
import { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import * as InputFile from "../input/InputFile.js"
import type * as Records from "../input/Records.js"
import type { Invocation } from "../Invocation.js"
import { count, Output } from "../output/Output.js"
import { Settings } from "../settings/Settings.js"
import * as Upstream from "../settings/Upstream.js"
import * as Target from "./Target.js"

const formatOf = (format: string | undefined): Effect.Effect<InputFile.Format | undefined, Failure.Refused> =>
  format === undefined || format === "csv" || format === "ndjson"
    ? Effect.succeed(format)
    : Failure.usage(`--format: ${JSON.stringify(format)} is neither csv nor ndjson`, "--format")

const exitCode = ({ state }: BulkEnroll.Ended, tally: Tally.Tally): ExitCode => {
  if (state === "interrupted") return ExitCode.interrupted
  if (state === "stopped") return ExitCode.stopped
  if (tally.counts.unknown > 0) return ExitCode.unknown
  return tally.counts.rejected + tally.notSent > 0 ? ExitCode.rejected : ExitCode.done
}

const unwritable = (reason: string): Failure.Refused =>
  Failure.usage(`the run's files cannot be written (${reason}): check the disk, or name another folder by --run-dir`, "--run-dir")

const disk = <A, R>(
  self: Effect.Effect<A, Failure.Refused | PlatformError, R>
): Effect.Effect<A, Failure.Refused, R> =>
  Effect.catchTags(self, {
    SystemError: (error) => unwritable(error.description ?? error.reason),
    BadArgument: (error) => unwritable(error.description ?? error.method)
  })

const notes = (plan: Plan.Plan, output: Output["Type"]): void => {
  for (const flag of plan.overruled) output.note(`${flag} is not used: the file has a column for it.`)
  if (plan.rows === 0) output.note("The file has a header and no rows.")
}

interface Prepared {
  readonly file: InputFile.InputFile
  readonly defaults: Records.Defaults
  readonly limits: Upstream.Limits
  readonly folder: RunFolder.RunFolder | null
}

const prepare = (
  { args, flags }: Invocation
): Effect.Effect<Prepared, Failure.Refused, Settings | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const name = args[0] ?? "-"
    const runs = flags.runDir ?? ".milepost/runs"
    const format = yield* formatOf(flags.format)
    const defaults = yield* Target.defaults(flags)
    const limits = yield* Upstream.limits(yield* Settings)
    if (name === "-") {
      // Stdin is read twice, so it is kept in the run's folder first, also for a dry run.
      const folder = yield* RunFolder.make(runs)
      yield* RunFolder.keepStdin(folder)
      const file = yield* InputFile.open({ path: folder.input, name: "-", format })
      return { file, defaults, limits, folder: RunFolder.withFormat(folder, file.format) }
    }
    const file = yield* InputFile.open({ path: name, name, format })
    return { file, defaults, limits, folder: flags.dryRun === true ? null : RunFolder.withFormat(yield* RunFolder.make(runs), file.format) }
  })

/** Reads and checks a file and tells what a run would do; sends nothing. */
export const dryRun = (invocation: Invocation): Effect.Effect<ExitCode, Failure.Refused, Settings | Output | FileSystem.FileSystem | Path.Path> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output
    const { defaults, file, folder, limits } = yield* prepare(invocation)
    const plan = yield* disk(Plan.make(file, defaults))
    if (folder !== null) {
      yield* Effect.flatMap(FileSystem.FileSystem, (files) => Effect.ignore(files.remove(folder.path, { recursive: true })))
    }
    notes(plan, output)
    output.result(
      output.json
        ? JSON.stringify(Summary.planDocument(plan, limits.callsPerSecond))
        : Summary.planText(plan, limits.callsPerSecond)
    )
    return plan.badRows === 0 ? ExitCode.done : ExitCode.rejected
  }))

/** Runs a file and reports how it ended. */
export const liveRun = (
  invocation: Invocation
): Effect.Effect<
  ExitCode,
  Failure.Refused,
  Settings | Output | FileSystem.FileSystem | Path.Path | Transport | Meter | Cancellation
> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output
    const meter = yield* Meter
    const cancellation = yield* Cancellation
    // Until the first call there is nothing to end in order: asking to stop just stops.
    const { defaults, file, folder, limits, plan } = yield* Effect.raceFirst(
      Effect.flatMap(prepare(invocation), (prepared) =>
        Effect.map(disk(Plan.make(prepared.file, prepared.defaults)), (plan) => ({ ...prepared, plan }))),
      Effect.zipRight(Deferred.await(cancellation.requested), Effect.interrupt)
    )
    if (folder === null) return yield* Effect.dieMessage("a run has a folder")
    notes(plan, output)
    output.note(
      `Run ${folder.run}: ${count(plan.calls)} calls for ${count(plan.rows)} rows (${count(plan.duplicates.count)} duplicates, ${count(plan.badRows)} bad rows).`
    )
    const tally = Tally.make()
    const progress = Progress.show({ output, meter, tally, totalRows: plan.rows })
    const startedMillis = yield* Clock.currentTimeMillis
    const ended = yield* BulkEnroll.run({ file, defaults, plan, folder, concurrency: limits.concurrency, tally }).pipe(
      Effect.raceFirst(progress),
      Effect.ensuring(Effect.sync(() => output.redraw(""))),
      disk
    )
    if (ended.stop?.reason === "unreachable" && meter.answered === 0) {
      return yield* Failure.notSent(ended.stop.message, ended.stop.notSent ?? null)
    }
    const seconds = ((yield* Clock.currentTimeMillis) - startedMillis) / 1000
    const finished = { folder, ended, tally, calls: meter.sent, seconds }
    const document = JSON.stringify(Summary.document(finished), null, 2)
    const files = yield* FileSystem.FileSystem
    yield* disk(files.writeFileString(folder.summary, `${document}\n`))
    output.result(output.json ? JSON.stringify(JSON.parse(document)) : Summary.text(finished, output))
    return exitCode(ended, tally)
  }))

