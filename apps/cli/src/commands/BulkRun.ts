/** `milepost bulk resume`, `retry` and `undo`: what can be done with a run that is there. */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { Operation, Run } from "@milepost/ledger/Run"
import * as Derive from "@milepost/ledger/Derive"
import { Ledger } from "@milepost/ledger/Ledger"
import * as Import from "@milepost/rows/Import"
import * as InputFile from "@milepost/rows/InputFile"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Ledgers, type Opened } from "../bulk/Ledgers.js"
import * as RunFolder from "../bulk/RunFolder.js"
import * as RunOptions from "../bulk/RunOptions.js"
import * as Sitting from "../bulk/Sitting.js"
import * as Summary from "../bulk/Summary.js"
import type { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Flags, Invocation } from "../Invocation.js"
import { Output } from "../output/Output.js"
import { over, Settings } from "../settings/Settings.js"
import * as Upstream from "../settings/Upstream.js"
import { confirmed, maxErrors, type Requirements, showImport, untilCancelled, upstreamOf } from "./Bulk.js"

/** A run that this process holds, with what it was asked to do. */
interface Held {
  readonly folder: RunFolder.RunFolder
  readonly opened: Opened
  readonly run: Run
  readonly options: RunOptions.RunOptions
}


const hold = (
  folder: RunFolder.RunFolder
): Effect.Effect<Held, Failure.Refused, Ledgers | Scope.Scope> =>
  Effect.gen(function*() {
    const ledgers = yield* Ledgers
    const refused = Effect.mapError((error: Parameters<typeof Failure.ledger>[0]) => Failure.ledger(error))
    const opened = yield* refused(ledgers.open(folder.ledger, { create: false }))
    const run = yield* refused(opened.ledger.run(folder.run))
    return { folder, opened, run, options: yield* RunOptions.decode(run.id, run.options) }
  })

/** A run goes on where it began: with another upstream, its customers would be somebody else's. */
const sameUpstream = (
  { options, run }: Held,
  flags: Flags
): Effect.Effect<Upstream.Identity, Failure.Refused, Settings> =>
  Effect.gen(function*() {
    const now = yield* upstreamOf(flags, yield* Settings)
    if (now.name === options.upstream.name) return now
    const mend = options.upstream.name === Upstream.sandbox.name
      ? "give --sandbox"
      : `set MILEPOST_HOST and MILEPOST_DATA_SCOPE as they were`
    return yield* Failure.usage(`run ${run.id} is for ${options.upstream.name}, not for ${now.name}: ${mend}`, "MILEPOST_HOST")
  })

/** Sends what is pending, by the options of the run where no flag says otherwise. */
const sit = (
  held: Held,
  flags: Flags,
  upstream: Upstream.Identity
): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  Effect.gen(function*() {
    const { folder, opened, options } = held
    const kept = (value: string | null) => value === null ? null : { value, origin: `run ${folder.run}` }
    const settings = over(yield* Settings, { rate: kept(options.rate), concurrency: kept(options.concurrency) })
    return yield* Sitting.run({
      folder,
      opened,
      upstream,
      limits: yield* Upstream.limits(settings),
      fuse: flags.fuse !== false && options.fuse,
      maxErrors: yield* maxErrors(flags.maxErrors ?? options.maxErrors)
    })
  })

/** Notices a file that is not the one the run was made from any more; one that is gone is no matter. */
const verified = ({ opened, options, run }: Held): Effect.Effect<void, Failure.Refused, FileSystem.FileSystem | Output> =>
  Effect.gen(function*() {
    const { source } = options
    if (source === null) return
    const files = yield* FileSystem.FileSystem
    const output = yield* Output
    if (!(yield* Effect.orElseSucceed(files.exists(source), () => false))) {
      output.note(`${run.input.name} is gone; the run has all its rows.`)
      return
    }
    yield* Effect.mapError(
      Effect.flatMap(Import.fingerprint(source), (input) => opened.ledger.verifyInput(run.id, input)),
      (error) => Failure.ledger(error)
    )
  })

/** Goes on with an import that was cut off. */
const importRest = (
  held: Held
): Effect.Effect<void, Failure.Refused, FileSystem.FileSystem | Output> =>
  Effect.gen(function*() {
    const { opened, options, run } = held
    const output = yield* Output
    const { source } = options
    if (source === null) return yield* Failure.input(`run ${run.id} was cut off while it read its input, which is gone: run the file again`, "FILE")
    const file = yield* Effect.mapError(
      InputFile.open({ path: source, name: run.input.name, format: run.input.format === "ndjson" ? "ndjson" : "csv" }),
      Failure.rows
    )
    yield* Import.run({
      ledger: opened.ledger,
      run: run.id,
      operation: run.operation,
      source: file,
      defaults: RunOptions.defaultsOf(options),
      options,
      watch: showImport(output, file.name),
      overruled: () => undefined
    }).pipe(
      Effect.mapError(Failure.imported),
      Effect.ensuring(Effect.sync(() => output.redraw("")))
    )
  })

/** Goes on with the rest of a derivation that was cut off, out of the run that it is made of. */
const deriveRest = (
  { folder, opened, run }: Held,
  parent: NonNullable<Run["parent"]>
): Effect.Effect<void, Failure.Refused, Ledgers | FileSystem.FileSystem | Path.Path> =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* hold(yield* RunFolder.find(folder.runs, parent.run))
    yield* Derive.run({ from: parent.run, id: run.id, kind: parent.kind, source: source.opened.ledger }).pipe(
      Effect.provideService(Ledger, opened.ledger),
      Effect.mapError((error) => Failure.ledger(error))
    )
  }))

/** Brings a run to where it can be sent. */
const readied = (
  held: Held
): Effect.Effect<void, Failure.Refused, FileSystem.FileSystem | Ledgers | Output | Path.Path> => {
  if (held.run.state !== "importing") return verified(held)
  return held.run.parent === null ? importRest(held) : deriveRest(held, held.run.parent)
}

/** Goes on with a run after a crash, Ctrl-C, a fuse or new credentials. */
export const resume = ({ args, flags }: Invocation): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  Effect.scoped(Effect.gen(function*() {
    const held = yield* hold(yield* RunFolder.find(flags.runDir ?? RunFolder.runsByDefault, args[0]))
    const upstream = yield* sameUpstream(held, flags)
    yield* untilCancelled(readied(held))
    return yield* sit(held, flags, upstream)
  }))

/** What is asked of the person before a run is undone. */
const undoQuestion = (run: string): string =>
  `Un-enrol everybody whom run ${run} has enrolled? The upstream removes the current period and all later ones.`

/** Makes a new run out of an earlier one and sends it. */
const derived = (
  { args, flags }: Invocation,
  kind: "retry" | "undo"
): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  Effect.scoped(Effect.gen(function*() {
    const ledgers = yield* Ledgers
    const output = yield* Output
    const source = yield* RunFolder.find(flags.runDir ?? RunFolder.runsByDefault, args[0])
    const from = yield* hold(source)
    const upstream = yield* sameUpstream(from, flags)
    if (kind === "undo") {
      yield* confirmed(flags, undoQuestion(source.run))
      output.note("Un-enrolling removes the current period and all later ones, also those that another run has enrolled.")
    }
    const folder = yield* RunFolder.make(source.runs)
    const opened = yield* Effect.mapError(ledgers.open(folder.ledger, { create: true }), (error) => Failure.ledger(error))
    const operation: Operation = kind === "undo" ? "unenroll" : from.run.operation
    const options: RunOptions.RunOptions = { ...from.options, source: null }
    const run = yield* untilCancelled(
      Derive.run({ from: source.run, id: folder.run, kind, options, source: from.opened.ledger }).pipe(
        Effect.provideService(Ledger, opened.ledger),
        Effect.mapError((error) => Failure.ledger(error)),
        Effect.tapError(() => RunFolder.remove(folder)),
        Effect.onInterrupt(() =>
          Effect.sync(() => output.note(`The new run was made in part: ${Summary.command("resume", folder)} goes on.`))
        )
      )
    )
    if (run.rows === 0) {
      output.note(
        operation === "unenroll" && kind === "undo"
          ? `Run ${source.run} has enrolled nobody.`
          : `Nothing of run ${source.run} was rejected or is unknown.`
      )
    }
    return yield* sit({ folder, opened, run, options }, flags, upstream)
  }))

/** The rejected and unknown records of a run once more, as a new run. */
export const retry = (invocation: Invocation): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  derived(invocation, "retry")

/** Un-enrols what a run enrolled, and only that, as a new run. */
export const undo = (invocation: Invocation): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  derived(invocation, "undo")
