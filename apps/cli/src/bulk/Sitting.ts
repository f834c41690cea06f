/**
 * One sitting of a run: from a ledger with pending records to their outcomes, or to where it had to stop.
 *
 * The first sitting comes after the import; `bulk resume` is another one. Whatever ends it, the ledger is as far as it
 * was told, and the files beside it say so.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import type * as Path from "@effect/platform/Path"
import type { Transport } from "@milepost/core/Transport"
import type { MaxErrors } from "@milepost/engine/Fuse"
import type { Progress as EngineProgress } from "@milepost/engine/Progress"
import type * as Ledger from "@milepost/ledger/Ledger"
import type { RunNotFound, StorageError } from "@milepost/ledger/LedgerError"
import type * as Run from "@milepost/ledger/Run"
import * as Results from "@milepost/rows/Results"
import * as Standing from "@milepost/rows/Standing"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { ExitCode, ofRun } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import { count, Output } from "../output/Output.js"
import type * as Upstream from "../settings/Upstream.js"
import { Cancellation } from "./Cancellation.js"
import type { Opened } from "./Ledgers.js"
import * as Progress from "./Progress.js"
import * as Rates from "./Rates.js"
import * as RunFolder from "./RunFolder.js"
import * as Summary from "./Summary.js"

/** What a sitting needs to know. */
export interface Options {
  readonly folder: RunFolder.RunFolder
  readonly opened: Opened
  readonly upstream: Upstream.Identity
  readonly limits: Upstream.Limits
  readonly fuse: boolean
  readonly maxErrors: MaxErrors | null
}

/** A person who interrupts a run waits for its files only as long as they take a second or two. */
export const rowsWrittenAtInterruption = 100_000

const unwritable = (reason: string): Failure.Refused =>
  new Failure.Refused({
    tag: "Unwritable",
    message: `the run's files cannot be written (${reason}): check the disk; no outcome is lost, milepost bulk results prints them`,
    setting: "--run-dir",
    code: ExitCode.stopped
  })

/** Tells what the disk refuses as one line. */
export const disk = <A, E, R>(self: Effect.Effect<A, E | PlatformError, R>): Effect.Effect<A, Exclude<E, PlatformError> | Failure.Refused, R> =>
  Effect.catchAll(self, (error): Effect.Effect<never, Exclude<E, PlatformError> | Failure.Refused> => {
    const met = error as { readonly _tag?: unknown; readonly description?: string; readonly reason?: string; readonly method?: string }
    return met._tag === "SystemError" || met._tag === "BadArgument"
      ? Effect.fail(unwritable(met.description ?? met.reason ?? met.method ?? "no reason given"))
      : Effect.fail(error as Exclude<E, PlatformError>)
  })

/** How the run stands in its ledger. */
export const standingOf = (
  ledger: Ledger.Service,
  id: string
): Effect.Effect<Standing.Standing, RunNotFound | StorageError> =>
  Effect.zipWith(ledger.run(id), ledger.refusals(id), Standing.make)

/** Writes `run.json`: whoever reads it finds the old one or the new one. */
const writeSummary = (told: Summary.Told): Effect.Effect<void, PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const text = JSON.stringify(Summary.document(told), null, 2)
    yield* files.writeFileString(`${told.folder.summary}.new`, `${text}\n`)
    yield* files.rename(`${told.folder.summary}.new`, told.folder.summary)
  })

/** Keeps `run.json` up to date while the run goes on, for whoever asks meanwhile. */
const keepSummary = (
  { folder, opened: { ledger } }: Options,
  seconds: Effect.Effect<number>
): Effect.Effect<void, never, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const told = { folder, standing: yield* standingOf(ledger, folder.run), seconds: yield* seconds, learntRate: null, isWritten: false }
    yield* writeSummary(told)
  }).pipe(Effect.ignore, Effect.repeat(Schedule.spaced("5 seconds")), Effect.asVoid)

const removeOld = ({ folder }: Options, format: string): Effect.Effect<void, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Effect.forEach([folder.results, RunFolder.failed(folder, format)], (file) => Effect.ignore(files.remove(file)), { discard: true }))

const announce = (before: Run.Run, learntBefore: number | null, { limits }: Options, output: Output["Type"]): void => {
  const open = before.counts.pending + before.counts.claimed + before.counts.skipped - before.duplicates
  output.note(
    `Run ${before.id}: ${count(open)} calls to make for ${count(before.rows)} rows (${count(before.duplicates)} duplicates, ${count(before.badRows)} bad rows).`
  )
  if (learntBefore !== null && limits.callsPerSecond === null) {
    output.note(`Starting at ${Progress.rate(learntBefore)}, which this upstream bore last time.`)
  }
}

/** Why nothing is sent at all: bad rows are failures that are known beforehand. */
const tooManyBadRows = ({ badRows, rows }: Run.Run, maxErrors: MaxErrors | null): string | null => {
  if (maxErrors === null) return null
  if (maxErrors._tag === "Count") {
    return badRows > maxErrors.count ? `${count(badRows)} rows cannot be sent, more than ${maxErrors.count}` : null
  }
  return rows >= maxErrors.minimumRecords && badRows * 100 > maxErrors.percent * rows
    ? `${count(badRows)} of ${count(rows)} rows cannot be sent, more than ${maxErrors.percent} %`
    : null
}

/** Nobody has ever answered this run: as good as not begun. */
const wasNeverAnswered = ({ counts, run }: Standing.Standing): boolean =>
  counts.enrolled + counts.unenrolled + counts.already_enrolled + counts.unknown + counts.rejected - run.badRows === 0

/** Sends what is pending and tells how it ended. */
export const run = (
  options: Options
): Effect.Effect<
  ExitCode,
  Failure.Refused,
  Cancellation | FileSystem.FileSystem | Output | Path.Path | Transport
> =>
  Effect.gen(function*() {
    const { folder, fuse, limits, maxErrors, opened, upstream } = options
    const { ledger } = opened
    const output = yield* Output
    const cancellation = yield* Cancellation
    const startedMillis = yield* Clock.currentTimeMillis
    const seconds = Effect.map(Clock.currentTimeMillis, (now) => (now - startedMillis) / 1000)
    const before = yield* ledger.run(folder.run)
    yield* removeOld(options, before.input.format)
    const learntBefore = yield* Rates.read(folder.runs, upstream.key)
    announce(before, learntBefore, options, output)

    const services = yield* Effect.context<FileSystem.FileSystem>()
    const watch = (progress: EngineProgress): Effect.Effect<void> =>
      Effect.asVoid(Effect.all([Progress.show(output, progress), keepSummary(options, seconds)], { concurrency: 2 })).pipe(
        Effect.provide(services)
      )
    const send = opened.send(folder.run, {
      org: upstream.key,
      callsPerSecond: limits.callsPerSecond,
      learntRate: learntBefore,
      concurrency: limits.concurrency,
      fuse,
      maxErrors,
      cancel: Deferred.await(cancellation.requested),
      watch
    }).pipe(
      Effect.ensuring(Effect.sync(() => output.redraw(""))),
      Effect.map(({ learntRate, progress }) => ({ learntRate, calls: progress.calls }))
    )
    const bad = tooManyBadRows(before, maxErrors)
    const end = bad === null
      ? yield* send
      : yield* Effect.as(ledger.end(folder.run, "stopped", { reason: "max-errors", message: bad }), { learntRate: null, calls: 0 })

    const standing = yield* standingOf(ledger, folder.run)
    if (end.learntRate !== null && upstream.key !== "sandbox") yield* Rates.write(folder.runs, upstream.key, end.learntRate)
    const isWritten = standing.state !== "interrupted" || standing.run.rows <= rowsWrittenAtInterruption
    if (isWritten) {
      const failed = RunFolder.failed(folder, standing.run.input.format)
      yield* disk(Results.write(ledger, standing.run, { results: folder.results, failed }))
    }
    const told = { folder, standing, seconds: yield* seconds, learntRate: end.learntRate, isWritten }
    yield* disk(writeSummary(told))
    if (standing.stop?.reason === "unreachable" && wasNeverAnswered(standing)) {
      return yield* Failure.notSent(`${standing.stop.message}; when that is mended: ${Summary.command("resume", folder)}`, null)
    }
    output.result(
      output.json
        ? JSON.stringify(Summary.document(told))
        : Summary.text(told, output, end.calls)
    )
    return ofRun(standing)
  }).pipe(
    Effect.catchTags({
      LedgerBusy: (error) => Failure.ledger(error, ExitCode.stopped),
      LedgerDamaged: (error) => Failure.ledger(error, ExitCode.stopped),
      LedgerUnwritable: (error) => Failure.ledger(error, ExitCode.stopped),
      RunNotFound: (error) => Failure.ledger(error),
      WrongState: (error) => Failure.ledger(error)
    })
  )
