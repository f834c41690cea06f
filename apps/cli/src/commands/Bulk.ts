/** `milepost bulk enroll` and `bulk unenroll`: a whole file, from its plan or its import to its results. */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as Path from "@effect/platform/Path"
import type { Transport } from "@milepost/core/Transport"
import type { MaxErrors } from "@milepost/engine/Fuse"
import type { Operation } from "@milepost/ledger/Run"
import * as Import from "@milepost/rows/Import"
import * as InputFile from "@milepost/rows/InputFile"
import * as Plan from "@milepost/rows/Plan"
import type * as Records from "@milepost/rows/Records"
import type { RowsError } from "@milepost/rows/RowsError"
import type * as Source from "@milepost/rows/Source"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Cancellation } from "../bulk/Cancellation.js"
import { Ledgers, type Opened } from "../bulk/Ledgers.js"
import * as Rates from "../bulk/Rates.js"
import * as RunFolder from "../bulk/RunFolder.js"
import type { RunOptions } from "../bulk/RunOptions.js"
import * as Sitting from "../bulk/Sitting.js"
import * as Summary from "../bulk/Summary.js"
import { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Flags, Invocation } from "../Invocation.js"
import { count, Output } from "../output/Output.js"
import { byFlag, type Service as SettingsService, Settings } from "../settings/Settings.js"
import * as Amount from "@milepost/engine/Amount"
import * as Upstream from "../settings/Upstream.js"
import * as Target from "./Target.js"

/** What a bulk command asks for. */
export type Requirements = Cancellation | FileSystem.FileSystem | Ledgers | Output | Path.Path | Settings | Transport

/** What `--format` names. */
export const formatOf = (format: string | undefined): Effect.Effect<Source.Format | undefined, Failure.Refused> =>
  format === undefined || format === "csv" || format === "ndjson"
    ? Effect.succeed(format)
    : Failure.usage(`--format: ${JSON.stringify(format)} is neither csv nor ndjson`, "--format")

/** How many failures are too many, by flag or as the run was begun. */
export const maxErrors = (text: string | null | undefined): Either.Either<MaxErrors | null, Failure.Refused> => {
  if (text === undefined || text === null) return Either.right(null)
  return Option.match(Amount.maxErrors(text), {
    onNone: () => Either.left(Failure.usage(`--max-errors: ${JSON.stringify(text)} is neither a count such as 100 nor a percentage such as 5%`, "--max-errors")),
    onSome: Either.right
  })
}

/** Which upstream a command calls. */
export const upstreamOf = (flags: Flags, settings: SettingsService): Either.Either<Upstream.Identity, Failure.Refused> =>
  flags.sandbox === true ? Either.right(Upstream.sandbox) : Upstream.identity(settings)

/** Runs something until a person asks to stop, which ends it at once: nothing has been sent yet. */
export const untilCancelled = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Cancellation> =>
  Effect.flatMap(Cancellation, ({ requested }) =>
    Effect.raceFirst(self, Effect.zipRight(Deferred.await(requested), Effect.interrupt)))

const importLineMillis = 5_000

/** Shows how far an import is: at once on a terminal, else a line every five seconds. */
export const showImport = (output: Output["Type"], name: string) => {
  let said: number | null = null
  return (rows: number, share: number): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const text = `Reading ${name}: ${count(rows)} rows, ${Math.floor(share * 100)} %`
      if (output.interactive) {
        output.redraw(text)
        return
      }
      said ??= now
      if (now - said < importLineMillis) return
      said = now
      output.note(text)
    })
}

/** Whether a person who can be asked says yes; where nobody can be asked, the command itself is the yes. */
export const confirmed = (flags: Flags, question: string): Effect.Effect<void, Failure.Refused, Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    if (flags.yes === true || !output.interactive) return
    if (!(yield* output.ask(`${question} [y/N] `))) return yield* Failure.usage("not confirmed; nothing was sent", "--yes")
  })

interface Prepared {
  readonly file: InputFile.InputFile
  readonly defaults: Records.Defaults
  readonly limits: Upstream.Limits
}

const prepare = (
  { args, flags }: Invocation,
  folder: RunFolder.RunFolder | null
): Effect.Effect<Prepared, Failure.Refused, Settings | FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const name = args[0] ?? "-"
    const format = yield* formatOf(flags.format)
    const defaults = yield* Target.defaults(flags)
    const limits = yield* Upstream.limits(yield* Settings)
    if (name !== "-") return { file: yield* Effect.mapError(InputFile.open({ path: name, name, format }), Failure.rows), defaults, limits }
    // Stdin can be read once: it is kept until it is in the ledger.
    if (folder === null) return yield* Effect.dieMessage("stdin is kept in a folder")
    yield* RunFolder.keepStdin(folder)
    return { file: yield* Effect.mapError(InputFile.open({ path: folder.input, name: "-", format }), Failure.rows), defaults, limits }
  })

const unreadable = <A, R>(
  self: Effect.Effect<A, RowsError | PlatformError, R>
): Effect.Effect<A, Failure.Refused, R> =>
  Effect.catchTags(self, {
    SystemError: (error) => Failure.usage(`the temporary folder cannot be written (${error.description ?? error.reason})`, "TMPDIR"),
    BadArgument: (error) => Failure.usage(`the temporary folder cannot be written (${error.method})`, "TMPDIR"),
    ColumnMissing: Failure.rows,
    HeaderUnusable: Failure.rows,
    InputUnusable: Failure.rows
  })

/** Reads and checks a file and tells what a run would do; sends nothing and keeps nothing. */
export const dryRun = (
  invocation: Invocation,
  operation: Operation
): Effect.Effect<ExitCode, Failure.Refused, Settings | Output | FileSystem.FileSystem | Path.Path> =>
  Effect.scoped(Effect.gen(function*() {
    const { args, flags } = invocation
    const output = yield* Output
    const runs = flags.runDir ?? RunFolder.runsByDefault
    const folder = args[0] === "-"
      ? yield* Effect.acquireRelease(RunFolder.make(runs), RunFolder.remove)
      : null
    yield* maxErrors(flags.maxErrors)
    const { defaults, file, limits } = yield* prepare(invocation, folder)
    const plan = yield* unreadable(Plan.make(file, operation, defaults))
    for (const flag of Target.flagsOf(plan.overruled)) output.note(`${flag} is not used: the file has a column for it.`)
    if (plan.rows === 0) output.note("The file has a header and no rows.")
    const upstream = upstreamOf(flags, yield* Settings)
    const learnt = Either.isRight(upstream) ? yield* Rates.read(runs, upstream.right.key) : null
    const rate = limits.callsPerSecond ?? learnt
    output.result(output.json ? JSON.stringify(Summary.planDocument(plan, rate)) : Summary.planText(plan, rate))
    return plan.badRows === 0 ? ExitCode.done : ExitCode.rejected
  }))

/** Brings the file into the run's ledger; a run of which nothing can be read is given up again. */
const imported = (
  invocation: Invocation,
  operation: Operation,
  folder: RunFolder.RunFolder,
  opened: Effect.Effect<Opened, Failure.Refused>
): Effect.Effect<Opened, Failure.Refused, FileSystem.FileSystem | Output | Path.Path | Settings> =>
  Effect.gen(function*() {
    const { args, flags } = invocation
    const output = yield* Output
    const settings = yield* Settings
    const path = yield* Path.Path
    const files = yield* FileSystem.FileSystem
    const { defaults, file } = yield* prepare(invocation, folder)
    const isStdin = args[0] === "-"
    const upstream = yield* upstreamOf(flags, settings)
    yield* maxErrors(flags.maxErrors)
    const held = yield* opened
    const options: RunOptions = {
      source: isStdin ? null : path.resolve(file.path),
      upstream,
      defaults,
      rate: byFlag(settings, "rate"),
      concurrency: byFlag(settings, "concurrency"),
      maxErrors: flags.maxErrors ?? null,
      fuse: flags.fuse !== false
    }
    const run = yield* Import.run({
      ledger: held.ledger,
      run: folder.run,
      operation,
      source: file,
      defaults,
      options,
      watch: showImport(output, file.name),
      overruled: (columns) => {
        for (const flag of Target.flagsOf(columns)) output.note(`${flag} is not used: the file has a column for it.`)
      }
    }).pipe(
      Effect.mapError(Failure.imported),
      Effect.ensuring(Effect.sync(() => output.redraw("")))
    )
    if (run.rows === 0) output.note("The file has a header and no rows.")
    if (isStdin) yield* Effect.ignore(files.remove(folder.input))
    return held
  })

/** Runs a file and tells how it ended. */
export const liveRun = (
  invocation: Invocation,
  operation: Operation
): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  Effect.scoped(Effect.gen(function*() {
    const { flags } = invocation
    const output = yield* Output
    const settings = yield* Settings
    const ledgers = yield* Ledgers
    const scope = yield* Effect.scope
    const limits = yield* Upstream.limits(settings)
    const upstream = yield* upstreamOf(flags, settings)
    const tooMany = yield* maxErrors(flags.maxErrors)
    if (operation === "unenroll") {
      yield* confirmed(flags, `Un-enrol the customers of ${invocation.args[0] ?? "-"}: their current period and all later ones?`)
    }
    const folder = yield* RunFolder.make(flags.runDir ?? RunFolder.runsByDefault)
    let isBegun = false
    let isGivenUp = false
    // Behind the ledger's own end: the scope ends in reverse order.
    yield* Effect.addFinalizer(() => Effect.suspend(() => isGivenUp ? RunFolder.remove(folder) : Effect.void))
    const canGoOn = (): boolean => isBegun && invocation.args[0] !== "-"
    const giveUp = Effect.sync(() => {
      isGivenUp = true
    })
    const open = ledgers.open(folder.ledger, { create: true }).pipe(
      Effect.provideService(Scope.Scope, scope),
      Effect.mapError((error) => Failure.ledger(error)),
      Effect.tap(() =>
        Effect.sync(() => {
          isBegun = true
        })
      )
    )
    const opened = yield* untilCancelled(imported(invocation, operation, folder, open)).pipe(
      // A file that cannot be read leaves nothing to go on with, and neither does half of stdin; a full disk does.
      Effect.tapError(({ tag }) => tag === "LedgerUnwritable" && canGoOn() ? Effect.void : giveUp),
      Effect.onInterrupt(() =>
        canGoOn()
          ? Effect.sync(() => output.note(`The file was read in part: ${Summary.command("resume", folder)} goes on.`))
          : giveUp
      )
    )
    return yield* Sitting.run({ folder, opened, upstream, limits, fuse: flags.fuse !== false, maxErrors: tooMany })
  }))
