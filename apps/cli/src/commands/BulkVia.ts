/** `milepost bulk enroll`, `unenroll` and `resume` where a proxy makes the calls: a file is handed over, its job is followed. */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as Path from "@effect/platform/Path"
import * as Import from "@milepost/rows/Import"
import * as InputFile from "@milepost/rows/InputFile"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Cancellation } from "../bulk/Cancellation.js"
import * as Progress from "../bulk/Progress.js"
import * as RunFolder from "../bulk/RunFolder.js"
import * as Sitting from "../bulk/Sitting.js"
import * as Summary from "../bulk/Summary.js"
import { ExitCode, ofRun } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Flags, Invocation } from "../Invocation.js"
import { count, Output } from "../output/Output.js"
import { Settings } from "../settings/Settings.js"
import * as Upstream from "../settings/Upstream.js"
import * as Via from "../settings/Via.js"
import * as Delivery from "../via/Delivery.js"
import * as Follow from "../via/Follow.js"
import * as Job from "../via/Job.js"
import * as Patience from "../via/Patience.js"
import * as ProxyClient from "../via/ProxyClient.js"
import * as Refusal from "../via/Refusal.js"
import * as ViaRun from "../via/ViaRun.js"
import { confirmed, formatOf } from "./Bulk.js"
import * as Target from "./Target.js"

/** What these commands ask for. */
export type Requirements = Cancellation | FileSystem.FileSystem | Output | Path.Path | Settings

type Operation = ViaRun.ViaRun["operation"]

/** A run that is in a proxy's hands, or on the way there. */
interface Held {
  readonly folder: RunFolder.RunFolder
  readonly run: ViaRun.ViaRun
  /** Whether an earlier command may have uploaded it already. */
  readonly isOld: boolean
  readonly via: Via.Via
  readonly client: ProxyClient.ProxyClient
}

/** A run whose job is known. */
interface Following extends Held {
  readonly job: Job.Job
}

/** So long a proxy is sought that has never answered. */
const soughtMillis = 2_000

/** So long a proxy is asked to pause a job while a person waits. */
const pausedWithinMillis = 20_000

/** Whether a new run goes to a proxy: by flag, variable or profile; the sandbox is nearer than a setting. */
export const urlOf = ({ flags }: Invocation): Effect.Effect<string | null, Failure.Refused, Settings> =>
  Effect.gen(function*() {
    if (flags.sandbox === true && flags.via === undefined) {
      yield* Via.absent(flags)
      return null
    }
    const url = yield* Via.urlIn(yield* Settings)
    yield* url === null ? Via.absent(flags) : Via.checked(flags)
    return url
  })

const prepared = (
  { args, flags }: Invocation,
  operation: Operation,
  via: Via.Via,
  /** Where stdin is kept. */
  folder: RunFolder.RunFolder | null
): Effect.Effect<ViaRun.ViaRun, Failure.Refused, FileSystem.FileSystem | Path.Path | Settings> =>
  Effect.gen(function*() {
    const path = yield* Path.Path
    const name = args[0] ?? "-"
    const asked = yield* formatOf(flags.format)
    // What is wrong with a flag is told here, under its name.
    yield* Target.defaults(flags)
    const settings = yield* Settings
    yield* Upstream.limits(settings)
    const isStdin = name === "-"
    if (isStdin && folder !== null) yield* RunFolder.keepStdin(folder)
    const source = isStdin && folder !== null ? folder.input : path.resolve(name)
    const file = yield* Effect.mapError(InputFile.open({ path: source, name, format: asked }), Failure.rows)
    const { sha256, size } = yield* Import.fingerprint(source)
    const query = Delivery.queryOf(flags, { operation, name, org: via.org, rate: settings.get("rate")?.value ?? null })
    const idempotencyKey = isStdin || flags.again === true ? yield* Delivery.newKey : Delivery.keyOf({ sha256, format: file.format, query })
    return {
      url: via.url,
      operation,
      createdMillis: yield* Clock.currentTimeMillis,
      upload: { source, name, format: file.format, size, sha256, isGzipped: file.gzipped, isStdin, query, idempotencyKey },
      job: null,
      isWritten: false
    }
  })

/** How far an upload is: redrawn on a terminal, said by nobody else, because it is short beside the run. */
const showUpload = (output: Output["Type"], { name, size }: ViaRun.ViaRun["upload"]) => (bytes: number): void => {
  if (output.interactive) output.redraw(`Uploading ${name}: ${Math.floor((bytes * 100) / Math.max(1, size))} %`)
}

const waitLine = (output: Output["Type"], url: string) => (error: ProxyClient.ProxyError, millis: number): Effect.Effect<void> =>
  Effect.sync(() => output.note(`${url}: ${ProxyClient.reason(error)}; trying again in ${Math.max(1, Math.round(millis / 1_000))} s`))

/** Uploads the file of a run; what is answered is the job that the proxy has of it, new or not. */
const delivered = (
  { client, folder, isOld, run, via }: Held
): Effect.Effect<ProxyClient.Stored, Failure.Refused, Cancellation | FileSystem.FileSystem | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const { requested } = yield* Cancellation
    let isUnsure = isOld
    let isOnTheWay = false
    let hasMet = false
    // As long as something of the file is missing there, and after a no, the proxy keeps nothing of it.
    const mayBeThere = (): boolean => isUnsure || isOnTheWay
    const upload = yield* Delivery.uploadOf(run, showUpload(output, run.upload), () => {
      isOnTheWay = true
    })
    const sent = Patience.patiently(client.create(upload), {
      patienceMillis: (error) => {
        isUnsure = isUnsure || (error._tag === "NotAnswered" ? error.mayBeDone : isOnTheWay && error.type === null && error.status >= 500)
        isOnTheWay = false
        hasMet = hasMet || error._tag === "ProxyRefused" || error.wasConnected
        return !ProxyClient.isPassing(error) ? null : hasMet ? Patience.lostAfterMillis : soughtMillis
      },
      waiting: waitLine(output, run.url)
    }).pipe(Effect.ensuring(Effect.sync(() => output.redraw(""))))
    const ended = Effect.zipRight(Deferred.await(requested), Effect.suspend(() => mayBeThere() ? Effect.sleep(pausedWithinMillis) : Effect.void))
    const giveUp = Effect.flatMap(ended, () =>
      mayBeThere()
        ? Effect.fail(new Failure.Refused({
          tag: "Interrupted",
          message: `interrupted; whether ${run.url} has the file is not known: ${Summary.command("resume", folder)} finds out`,
          setting: null,
          code: ExitCode.interrupted
        }))
        : Effect.interrupt)
    return yield* Effect.raceFirst(sent, giveUp).pipe(
      Effect.mapError((error) => {
        if (error._tag === "Refused") return error
        return mayBeThere() && ProxyClient.isPassing(error)
          ? Refusal.of(error, via, ExitCode.stopped, `; whether it has the file is not known: ${Summary.command("resume", folder)} finds out`)
          : Refusal.of(error, via, ExitCode.refused, "; nothing was sent")
      }),
      Effect.tapErrorCause(() => mayBeThere() ? Effect.void : RunFolder.remove(folder))
    )
  })

const ago = (createdAt: string, now: number): string => Progress.duration(Math.max(0, (now - Date.parse(createdAt)) / 1_000))

const kept = ({ folder, run }: Pick<Held, "folder" | "run">, seconds: number | null) => Sitting.disk(ViaRun.write(folder, run, seconds))

/** What goes wrong while the job is with the proxy: it goes on there, and so can whoever follows it. */
const later = ({ folder, via }: Held) => (error: ProxyClient.ProxyError): Failure.Refused => {
  const isGone = error._tag === "ProxyRefused" && error.type === "not-found"
  return Refusal.of(error, via, ExitCode.stopped, isGone ? "" : `; the job is with the proxy: ${Summary.command("resume", folder)} goes on following`)
}

/** Asks until the proxy answers, for as long as that may help. */
const asked = <A, E = never>(held: Held, self: Effect.Effect<A, E | ProxyClient.ProxyError>): Effect.Effect<A, E | ProxyClient.ProxyError, Output> =>
  Effect.flatMap(Output, (output) =>
    Patience.patiently(self, {
      patienceMillis: (error) => ProxyClient.isPassing(error) ? Patience.lostAfterMillis : null,
      waiting: waitLine(output, held.run.url)
    }))

/** The job as it stands by now, gone on with where somebody has to say so. */
const awake = (following: Following): Effect.Effect<Following, Failure.Refused, Output> =>
  Effect.gen(function*() {
    const { client } = following
    const output = yield* Output
    const job = yield* asked(following, client.job(following.job.id))
    if (!Job.waitsForResume(job)) return { ...following, job }
    output.note(`Job ${job.id} was ${job.state}; it goes on.`)
    // Somebody else may have been quicker.
    const resumed = Effect.catchIf(client.wish(job.id, "resume"), (error) => error._tag === "ProxyRefused" && error.type === "wrong-state", () => client.job(job.id))
    return { ...following, job: yield* asked(following, resumed) }
  }).pipe(Effect.mapError(later(following)))

/** Hands the file of a run over, and keeps which job it became. */
const handedOver = (held: Held): Effect.Effect<Following, Failure.Refused, Cancellation | FileSystem.FileSystem | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const files = yield* FileSystem.FileSystem
    yield* kept(held, null)
    const { isReplayed, job } = yield* delivered(held)
    const run = { ...held.run, job }
    yield* kept({ ...held, run }, null)
    if (run.upload.isStdin) yield* Effect.ignore(files.remove(held.folder.input))
    const following = { ...held, run, job }
    if (!isReplayed) return following
    const now = yield* Clock.currentTimeMillis
    return yield* awake(following).pipe(
      Effect.tap(({ job }) =>
        Effect.sync(() => output.note(`The proxy has had this file for ${ago(job.created, now)}, as job ${job.id}; --again makes a new one.`))),
      Effect.mapError((error) =>
        error.tag === "not-found"
          ? Failure.usage(`the proxy has had this file as job ${job.id}, which is there no more; --again makes a new one`, "--again")
          : error),
      Effect.tapError(({ setting }) => setting === "--again" ? RunFolder.remove(held.folder) : Effect.void)
    )
  })

const waitingOf = ({ state, waiting }: Job.Job, silence: string | null): string | null => {
  if (silence !== null) return `no word from the proxy: ${silence}`
  if (state === "paused") return "paused on the proxy"
  return state === "queued" ? "waits for its turn" : waiting
}

const shownOf = (job: Job.Job, silence: string | null): Progress.Shown => {
  const { counts, open, records, state } = job
  // A pause counts what is left as skipped; to go on, it is not.
  const isLeftCounted = state === "paused" || state === "stopped"
  return {
    callsPerSecond: job.callsPerSecond ?? 0,
    limitPerSecond: job.limitPerSecond,
    etaSeconds: state === "running" && silence === null ? job.etaSeconds : null,
    done: records - open,
    total: records,
    outcomes: isLeftCounted ? { ...counts, skipped: counts.skipped - open } : counts,
    waiting: waitingOf(job, silence),
    calling: null
  }
}

const announced = ({ folder, job, run }: Following): string =>
  `Run ${folder.run}: job ${job.id} at ${run.url}, ${count(job.open)} calls to make for ${count(job.rows)} rows (${count(job.duplicates)} duplicates, ${
    count(job.badRows)
  } bad rows).`

/** Asks the proxy to pause the job; what is in flight gets its answer. */
const paused = (following: Following): Effect.Effect<Job.Job, Failure.Refused, Output> =>
  Effect.flatMap(Output, (output) => {
    const { client, folder, job, run, via } = following
    const pause = Effect.catchIf(client.wish(job.id, "pause"), (error) => error._tag === "ProxyRefused" && error.type === "wrong-state", () => client.job(job.id))
    return Patience.patiently(pause, {
      patienceMillis: (error) => ProxyClient.isPassing(error) ? pausedWithinMillis : null,
      waiting: waitLine(output, run.url)
    }).pipe(
      Effect.mapError((error) =>
        Refusal.of(error, via, ExitCode.interrupted, `; the job could not be paused and may go on: ${Summary.command("resume", folder)} follows it`))
    )
  })

/** Brings results and failed rows from the proxy, as far as the job is. */
const fetched = (following: Following): Effect.Effect<void, Failure.Refused, FileSystem.FileSystem | Output> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const { client, folder, job, run } = following
    const save = (path: string, accept: string, file: string) =>
      Effect.zipRight(
        asked<void, PlatformError>(following, Stream.run(client.rows(job.id, path, accept), files.sink(`${file}.new`))),
        files.rename(`${file}.new`, file)
      )
    yield* save("/results", "text/csv", folder.results)
    yield* save("/failed", "*/*", RunFolder.failed(folder, run.upload.format))
  }).pipe(
    Sitting.disk,
    Effect.mapError((error) => error._tag === "Refused" ? error : later(following)(error))
  )

/** Follows the job to where it stands still, or until a person asks to stop; then its results are fetched and told. */
const sit = (first: Following): Effect.Effect<ExitCode, Failure.Refused, Cancellation | FileSystem.FileSystem | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const files = yield* FileSystem.FileSystem
    const { requested } = yield* Cancellation
    const { client, folder } = first
    const startedMillis = yield* Clock.currentTimeMillis
    const seconds = Effect.map(Clock.currentTimeMillis, (now) => (now - startedMillis) / 1000)
    let job = first.job
    let silence: string | null = null
    const withJob = (): Following => ({ ...first, job, run: { ...first.run, job, isWritten: false } })
    yield* Effect.forEach([folder.results, RunFolder.failed(folder, first.run.upload.format)], (file) => Effect.ignore(files.remove(file)), { discard: true })
    output.note(announced(first))

    const keep = Effect.flatMap(seconds, (now) => Effect.ignore(ViaRun.write(folder, withJob().run, now)))
    const follow = Effect.mapError(
      Follow.run(client, first.job, {
        standing: (now) =>
          Effect.sync(() => {
            job = now
          }),
        silent: (why) =>
          Effect.sync(() => {
            silence = why
          })
      }),
      later(first)
    )
    const watched = Effect.raceFirst(
      follow,
      Effect.zipRight(
        Effect.all([Progress.keepShowing(output, () => shownOf(job, silence)), Effect.repeat(keep, Schedule.spaced("5 seconds"))], { concurrency: 2 }),
        Effect.never
      )
    ).pipe(Effect.ensuring(Effect.sync(() => output.redraw(""))))
    const isAsked = yield* Effect.raceFirst(Effect.as(watched, false), Effect.as(Deferred.await(requested), true)).pipe(Effect.tapError(() => keep))
    if (isAsked) job = yield* Effect.tapError(paused(first), () => keep)

    // A person who interrupts a run waits for its files only as long as they take a second or two.
    const isWanted = Job.isStill(job) || job.rows <= Sitting.rowsWrittenAtInterruption
    yield* keep
    const isWritten = !isWanted
      ? false
      : isAsked
      ? yield* Effect.as(fetched(withJob()), true)
      : yield* Effect.raceFirst(Effect.as(fetched(withJob()), true), Effect.as(Deferred.await(requested), false))
    const run = { ...withJob().run, isWritten }
    const tookSeconds = yield* seconds
    yield* kept({ folder, run }, tookSeconds)
    const told = ViaRun.told(folder, run, tookSeconds)
    output.result(output.json ? JSON.stringify(Summary.document(told)) : Summary.text(told, output, job.calls - first.job.calls))
    return ofRun(told.standing)
  })

/** Tells which job it is, and leaves it to the proxy. */
const detached = ({ folder, job, run }: Following): Effect.Effect<ExitCode, Failure.Refused, FileSystem.FileSystem | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const now = { ...run, job }
    yield* kept({ folder, run: now }, null)
    output.result(
      output.json
        ? JSON.stringify(Summary.document(ViaRun.told(folder, now, null)))
        : `Run ${folder.run}: job ${job.id} at ${run.url} has ${count(job.rows)} rows and goes on by itself.\nFollow   ${Summary.command("resume", folder)}`
    )
    return ExitCode.done
  })

const ended = (following: Following, flags: Flags) => flags.detach === true ? detached(following) : sit(following)

/** Hands a file over to a proxy, and tells how its job ended. */
export const liveRun = (
  invocation: Invocation,
  operation: Operation,
  url: string
): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  Effect.gen(function*() {
    const { args, flags } = invocation
    const { requested } = yield* Cancellation
    const via = yield* Via.at(url, yield* Settings)
    if (operation === "unenroll") yield* confirmed(flags, `Un-enrol the customers of ${args[0] ?? "-"}: their current period and all later ones?`)
    const folder = yield* RunFolder.make(flags.runDir ?? RunFolder.runsByDefault)
    const run = yield* Effect.raceFirst(
      prepared(invocation, operation, via, folder),
      Effect.zipRight(Deferred.await(requested), Effect.interrupt)
    ).pipe(Effect.tapErrorCause(() => RunFolder.remove(folder)))
    const following = yield* handedOver({ folder, run, isOld: false, via, client: ProxyClient.make(via) })
    return yield* ended(following, flags)
  })

/** Has the proxy read and check a file, and tells what a run would do; nothing is kept, nothing is sent. */
export const dryRun = (
  invocation: Invocation,
  operation: Operation,
  url: string
): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output
    const { flags } = invocation
    const via = yield* Via.at(url, yield* Settings)
    const folder = invocation.args[0] === "-"
      ? yield* Effect.acquireRelease(RunFolder.make(flags.runDir ?? RunFolder.runsByDefault), RunFolder.remove)
      : null
    const run = yield* prepared(invocation, operation, via, folder)
    const upload = yield* Delivery.uploadOf(run, showUpload(output, run.upload), () => undefined)
    const asking = ProxyClient.make(via).plan({ ...upload, query: `${upload.query}&dryRun=true`, idempotencyKey: null })
    const plan = yield* Patience.patiently(asking, {
      patienceMillis: (error) => ProxyClient.isPassing(error) ? soughtMillis : null,
      waiting: waitLine(output, url)
    }).pipe(
      Effect.ensuring(Effect.sync(() => output.redraw(""))),
      Effect.mapError((error) => error._tag === "Refused" ? error : Refusal.of(error, via, ExitCode.refused, "; nothing was sent"))
    )
    if (plan.rows === 0) output.note("The file has a header and no rows.")
    const planned = {
      ...plan,
      badExamples: plan.badExamples.map(({ column, line, reason, value }) => ({
        message: `line ${line}${column === null ? "" : ` (${column})`}: ${value === null ? "" : `${JSON.stringify(value)} `}${reason}`
      }))
    }
    output.result(output.json ? JSON.stringify(Summary.planDocument(planned, plan.callsPerSecond)) : Summary.planText(planned, plan.callsPerSecond))
    return plan.badRows === 0 ? ExitCode.done : ExitCode.rejected
  }))

/** The proxy of a run: where it was handed to, and nowhere else, because its key is another's secret. */
export const proxyOf = ({ url }: ViaRun.ViaRun, folder: RunFolder.RunFolder): Effect.Effect<Via.Via, Failure.Refused, Settings> =>
  Effect.gen(function*() {
    const settings = yield* Settings
    const set = settings.get("via")
    const now = yield* Via.urlIn(settings)
    if (now !== null && set !== undefined && now !== url) {
      return yield* Failure.usage(`run ${folder.run} is with ${url}, not with ${now}: set ${set.origin} as it was`, set.origin)
    }
    return yield* Via.at(url, settings)
  })

/** Follows a run that was handed to a proxy, and has its job go on where it was paused or stopped. */
export const resume = (
  { flags }: Invocation,
  folder: RunFolder.RunFolder,
  run: ViaRun.ViaRun
): Effect.Effect<ExitCode, Failure.Refused, Requirements> =>
  Effect.gen(function*() {
    yield* Via.checked(flags)
    if (flags.rate !== undefined) return yield* Failure.usage("--rate: a job keeps the rate that it was begun with", "--rate")
    const via = yield* proxyOf(run, folder)
    const held = { folder, run, isOld: true, via, client: ProxyClient.make(via) }
    const following = run.job === null ? yield* handedOver(held) : yield* awake({ ...held, job: run.job })
    return yield* ended(following, flags)
  })

/** Refuses flags of a proxy's runs for one that is none. */
export const refused = ({ flags }: Invocation): Effect.Effect<void, Failure.Refused> =>
  flags.via === undefined ? Via.absent(flags) : Failure.usage("--via: this run was not handed to a proxy; bulk resume goes on with it here", "--via")

/** A retry or an undo is made out of a ledger, which only the proxy has: tells what comes to the same. */
export const underived = (verb: "retry" | "undo", folder: RunFolder.RunFolder, { upload, url }: ViaRun.ViaRun): Failure.Refused =>
  Failure.usage(
    `run ${folder.run} is with ${url}: ${
      verb === "retry"
        ? `for a retry, feed in ${RunFolder.failed(folder, upload.format)}`
        : `for an undo, feed ${Summary.command("results", folder)} --outcome enrolled into bulk unenroll - --via ${url}`
    }`,
    "RUN"
  )
