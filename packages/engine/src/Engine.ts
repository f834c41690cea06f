/**
 * Runs a ledger: every pending record becomes a call and gets an outcome, or the run stops and can be gone on with.
 *
 * A run is started in a new epoch; what an earlier sitting left claimed is taken back and remembered as perhaps executed;
 * what a fuse or a person had skipped is armed again. Then the lanes work until nothing is pending, or the run stops.
 *
 * Where several processes share a ledger, one of them begins a run, and each joins it with the lanes that it holds.
 */
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as Runners from "@effect/cluster/Runners"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Outcome from "@milepost/core/Outcome"
import type * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import type { Settlement } from "@milepost/ledger/Entry"
import { Ledger } from "@milepost/ledger/Ledger"
import { type RunNotFound, type StorageError, WrongState } from "@milepost/ledger/LedgerError"
import * as Run from "@milepost/ledger/Run"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Concurrency from "./Concurrency.js"
import * as Fuse from "./Fuse.js"
import { create } from "./internal/messageTables.js"
import { isSitting, takePart } from "./internal/part.js"
import { patiently } from "./internal/patiently.js"
import { steadyMillis } from "./internal/steadyMillis.js"
import * as Job from "./Job.js"
import * as LaneEntity from "./LaneEntity.js"
import { Lanes } from "./Lanes.js"
import * as Outage from "./Outage.js"
import * as Pace from "./Pace.js"
import * as Progress from "./Progress.js"
import { Replica } from "./Replica.js"
import * as Settler from "./Settler.js"
import * as Workers from "./Workers.js"

/** How a run is run. */
export interface Options {
  /** Whose quota it uses; runs of one organisation in one cluster share lanes, so that their customers do not meet. */
  readonly org: string
  /** Calls a second at most; `null`, the default, for as many as the upstream bears. */
  readonly callsPerSecond?: number | null
  /** What `RunEnd.learntRate` of an earlier run was. */
  readonly learntRate?: number | null
  /** Calls in flight; `auto` is the default, a function is asked before every call. */
  readonly concurrency?: number | "auto" | (() => number)
  /** The fuse is armed unless this is `false`. */
  readonly fuse?: boolean
  readonly maxErrors?: Fuse.MaxErrors | null
  /** Records that a lane claims at once, at most; 500 by default. */
  readonly chunkSize?: number
  /** How calls are repeated; `Job.policy` by default. Its `abandon` is the engine's. */
  readonly policy?: RetryPolicy.Service
  /** How long a ledger that cannot be written is waited for; 30 seconds by default. */
  readonly patience?: Duration.DurationInput
  /** Completes when a person asks to stop: no new call starts, calls in flight get their answers. */
  readonly cancel?: Effect.Effect<void>
  /** Shows progress for as long as the run goes on; interrupted when it ends. */
  readonly watch?: (progress: Progress.Progress) => Effect.Effect<void>
}

/** How a sitting of a run ended. */
export interface RunEnd {
  readonly state: "finished" | "stopped" | "interrupted"
  /** `null` when it finished. */
  readonly stop: Job.Stop | null
  /** The run as the ledger has it now. */
  readonly run: Run.Run
  /** Calls a second that the upstream bore, for the next run of this organisation; `null` where it never refused. */
  readonly learntRate: number | null
  /** The last picture of this sitting. */
  readonly progress: Progress.Snapshot
}

/** Chunks that wait for workers at a time: while one is worked off, others are being claimed. Few, so that little is claimed. */
const chunksAtOnce = (most: number): number => Math.min(3, Math.ceil(most / 4))

const outcomesOf = ({ already_enrolled, enrolled, rejected, skipped, unenrolled, unknown }: Run.Counts) =>
  ({ already_enrolled, enrolled, rejected, skipped, unenrolled, unknown })

/** What was skipped because a run stopped, and is sent again by its next sitting. */
const rearmed = ["fuse", "cancelled", "unreachable"] as const

/** What a job of the engine is made of, beside what every one has. */
interface Particular {
  readonly id: string
  readonly epoch: number
  readonly counts: Run.Counts
  readonly patience: Duration.Duration
  readonly callsPerSecond: number | null | (() => number | null)
  /** Why nothing may be sent, beside what the job knows itself. */
  readonly trouble: () => string | null
}

interface Assembled {
  readonly job: Job.Job
  /** Outcomes that this process has written, by word. */
  readonly written: Readonly<Record<Outcome.Word, number>>
  readonly pace: Pace.Pace
  readonly progress: Progress.Progress
}

/** Puts a job together; its settler and what skips for it work until the scope ends. */
const assemble = (
  { callsPerSecond, counts, epoch, id, patience, trouble }: Particular,
  options: Omit<Options, "callsPerSecond" | "cancel" | "patience">
): Effect.Effect<Assembled, never, Ledger | Scope.Scope | Transport> =>
  Effect.gen(function*() {
    const ledger = yield* Ledger
    const transport = yield* Transport
    const nowMillis = steadyMillis(yield* Effect.clock)
    const pace = Pace.make({ nowMillis, callsPerSecond, learntBefore: options.learntRate ?? null })
    const concurrency = Concurrency.make(options.concurrency ?? "auto")
    const condemned = yield* Queue.unbounded<Job.Condemnation>()
    const written = { enrolled: 0, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0 }
    const settler: Settler.Settler = Settler.make({
      ledger,
      run: id,
      patience,
      groupSize: 256,
      delayMillis: 100,
      onSettled: (settlements: ReadonlyArray<Settlement>) => {
        for (const { outcome } of settlements) {
          progress.settled(outcome.outcome)
          written[outcome.outcome] += 1
        }
      }
    })
    const progress = Progress.make({
      total: Run.total(counts),
      outcomes: outcomesOf(counts),
      limitPerSecond: () => pace.rate() ?? pace.learnt(),
      inFlight: concurrency.inFlight,
      concurrency: concurrency.limit,
      waiting: (now) => {
        const why = settler.trouble() ?? trouble()
        return why === null ? pace.waiting(now) : { untilMillis: now + 1000, why }
      }
    }, nowMillis)
    const job = Job.make({
      run: id,
      org: options.org,
      epoch,
      ledger,
      transport,
      policy: options.policy ?? Job.policy,
      pace,
      concurrency,
      fuse: Fuse.make({ isArmed: options.fuse ?? true, maxErrors: options.maxErrors ?? null }),
      outage: Outage.make({ isArmed: options.fuse ?? true }),
      progress,
      settler,
      patience,
      chunkSize: Math.max(1, options.chunkSize ?? 500),
      workers: yield* Workers.make(concurrency),
      chunks: yield* Effect.makeSemaphore(chunksAtOnce(concurrency.most)),
      condemn: (condemnation) => {
        condemned.unsafeOffer(condemnation)
      }
    })

    const skip = Effect.flatMap(Queue.take(condemned), ({ condemned: what, message }) =>
      Effect.uninterruptible(
        Effect.map(patiently(ledger.skipWhere(id, what, { reason: "fuse", message }), patience), (records) => {
          progress.settled("skipped", records)
          written.skipped += records
        })
      ))
    const ends = <A>(self: Effect.Effect<A, Job.Failure>): Effect.Effect<void> =>
      Effect.asVoid(Effect.catchAll(self, (error) => Effect.sync(() => job.fail(error))))
    yield* Effect.forkScoped(ends(settler.run))
    yield* Effect.forkScoped(ends(Effect.forever(skip)))
    if (options.watch !== undefined) yield* Effect.forkScoped(options.watch(progress))
    return { job, pace, progress, written }
  })

/**
 * Runs a run of the ledger until every record has an outcome or it stops; can be called again to go on.
 *
 * Fails only with what is wrong with the ledger; what had not been written by then is found by the next start.
 *
 * @example
 * ```ts
 * import { Transport } from "@milepost/core"
 * import { Engine, Progress } from "@milepost/engine"
 * import { LibsqlLedger } from "@milepost/ledger"
 * import { Effect, Layer, Stream } from "effect"
 *
 * const accepting = Transport.layer((request) =>
 *   Effect.succeed({ status: 200, headers: {}, body: `{"data":${request.customerId}}`, requestId: null })
 * )
 *
 * const end = Engine.run("20250101-120000-abcd", {
 *   org: "100458",
 *   callsPerSecond: 10,
 *   watch: (progress) => Stream.runForEach(Progress.changes(progress, "5 seconds"), ({ done }) => Effect.log(`${done} done`))
 * }).pipe(
 *   Effect.provide(Engine.layerSingle.pipe(Layer.provideMerge(LibsqlLedger.layer({ path: "ledger.db" })))),
 *   Effect.provide(accepting)
 * )
 * ```
 */
export const run = (
  id: string,
  options: Options
): Effect.Effect<RunEnd, RunNotFound | StorageError | WrongState, Lanes | Ledger | Transport> =>
  Effect.scoped(Effect.gen(function*() {
    const ledger = yield* Ledger
    const lanes = yield* Lanes
    const clock = yield* Effect.clock
    const patience = Duration.decode(options.patience ?? "30 seconds")

    const { epoch } = yield* ledger.start(id)
    yield* ledger.reclaim(id, epoch)
    for (const reason of rearmed) yield* ledger.rearm(id, reason)
    const { counts } = yield* ledger.run(id)

    const { job, pace, progress } = yield* assemble(
      { id, epoch, counts, patience, callsPerSecond: options.callsPerSecond ?? null, trouble: () => null },
      options
    )
    yield* Effect.forkScoped(Effect.map(options.cancel ?? Effect.never, () =>
      job.stop({ state: "interrupted", reason: "cancelled", message: "the run was interrupted" })))

    // What is skipped under way may have been claimed by then, and what is given back is pending again: so look again.
    let pending = yield* ledger.pendingLanes(id)
    while (pending.length > 0 && job.stopped() === null) {
      yield* lanes.work(job, pending)
      pending = yield* ledger.pendingLanes(id)
    }

    const stop = job.stopped()
    const failure = yield* Effect.either(Effect.raceFirst(job.failed, Effect.void))
    if (failure._tag === "Left") return yield* failure.left
    const state = stop?.state ?? "finished"
    const ended = yield* patiently(
      ledger.end(id, state, stop === null ? null : { reason: stop.reason, message: stop.message }),
      patience
    )
    return {
      state,
      stop,
      run: ended,
      learntRate: pace.learnt(),
      progress: progress.snapshot(steadyMillis(clock))
    }
  }))

/**
 * Starts a sitting of a run of a shared ledger: it is `running`, and what a fuse or a person had skipped is pending again.
 *
 * Nothing is sent: every process that shares the ledger may {@link join} the run from here on. What an earlier sitting left
 * claimed is taken back by whoever has its lane.
 */
export const begin = (id: string): Effect.Effect<Run.Run, RunNotFound | StorageError | WrongState, Ledger> =>
  Effect.gen(function*() {
    const ledger = yield* Ledger
    const arm = Effect.forEach(rearmed, (reason) => ledger.rearm(id, reason), { discard: true })
    // Before it runs: whoever sees a run without anything to do ends it.
    const { state } = yield* ledger.run(id)
    if (state === "stopped" || state === "interrupted") yield* arm
    yield* ledger.start(id)
    // What somebody had skipped meanwhile.
    yield* arm
    return yield* ledger.run(id)
  })

/** How a process takes part in a run. */
export interface JoinOptions extends Omit<Options, "patience"> {
  /** Calls a second of all processes together, divided evenly among those that are alive; `null`, the default, for no limit. */
  readonly callsPerSecond?: number | null
  /** How long a ledger that cannot be reached is waited for; an hour by default. Nothing is sent meanwhile. */
  readonly patience?: Duration.DurationInput
  /** Completes when this process shall take no part any more: no new call starts, and the run goes on elsewhere. */
  readonly cancel?: Effect.Effect<void>
  /** How often it is looked whether the run goes on; a second by default. */
  readonly poll?: Duration.DurationInput
}

/** How a process's part in a run ended. */
export interface JoinEnd {
  /** Whether the run has ended, by whomever, or only this process's part in it. */
  readonly left: "ended" | "cancelled"
  /** The run as this process saw it last. */
  readonly run: Run.Run
  /** Why it stopped, if it did. */
  readonly stop: Run.Stop | null
  /** Calls a second that the upstream bore from here; `null` where it never refused. */
  readonly learntRate: number | null
  /** Outcomes that this process has written, by word. */
  readonly written: Readonly<Record<Outcome.Word, number>>
  /** The last picture: outcomes of all processes, calls of this one. */
  readonly progress: Progress.Snapshot
}

/**
 * Takes part in a run of a shared ledger that is `running`: works on the lanes that this process holds, until the run has
 * ended or `cancel` completes. Nothing is in flight, nothing claimed when it returns.
 *
 * Who finds a reason to stop the whole run ends it in the ledger; the others see it there. Fails with `WrongState` where the
 * run is not running, or its customers are dealt to another number of lanes than the replicas'.
 *
 * @example
 * ```ts
 * import { Engine, Replica } from "@milepost/engine"
 * import { Effect } from "effect"
 *
 * const part = Effect.gen(function*() {
 *   yield* Engine.begin("20250101-120000-abcd")
 *   const { left, run } = yield* Engine.join("20250101-120000-abcd", { org: "100458", callsPerSecond: 10 })
 *   yield* Effect.log(left === "ended" ? `the run is ${run.state}` : "others go on")
 * })
 * ```
 */
export const join = (
  id: string,
  options: JoinOptions
): Effect.Effect<JoinEnd, RunNotFound | StorageError | WrongState, Ledger | Replica | Transport> =>
  Effect.scoped(Effect.gen(function*() {
    const ledger = yield* Ledger
    const replica = yield* Replica
    const clock = yield* Effect.clock
    const patience = Duration.decode(options.patience ?? "1 hour")
    const most = options.callsPerSecond ?? null

    const joined = yield* patiently(ledger.join(id), patience)
    if (joined.run.lanes !== replica.lanes) {
      return yield* new WrongState({
        run: id,
        state: `dealt to ${joined.run.lanes} lanes`,
        wanted: `be worked on by replicas that share ${replica.lanes}`
      })
    }
    const { job, pace, progress, written } = yield* assemble({
      id,
      epoch: joined.epoch,
      counts: joined.run.counts,
      patience,
      callsPerSecond: most === null ? null : () => most / Math.max(1, replica.members().length),
      trouble: replica.trouble
    }, options)
    const { ended, isCancelled, latest } = yield* takePart({ job, joined, poll: Duration.decode(options.poll ?? "1 second"), progress, replica }, options.cancel ?? Effect.never)

    const failure = yield* Effect.either(Effect.raceFirst(job.failed, Effect.void))
    // The run has ended while records were being claimed.
    const isElsewhere = ended || (failure._tag === "Left" && failure.left._tag === "WrongState")
    if (failure._tag === "Left" && !isElsewhere) return yield* failure.left
    const stop = job.stopped()
    const seen = ended ? latest : yield* patiently(ledger.run(id), patience)
    const isOurs = !isElsewhere && !isCancelled && stop !== null && isSitting(seen, joined.run)
    const run = isOurs ? yield* patiently(ledger.end(id, "stopped", { reason: stop.reason, message: stop.message }), patience) : seen
    progress.found(outcomesOf(run.counts))
    return {
      left: isCancelled && isSitting(run, joined.run) ? "cancelled" : "ended",
      run,
      stop: run.stop,
      learntRate: pace.learnt(),
      written,
      progress: progress.snapshot(steadyMillis(clock))
    }
  }))

/**
 * Lanes on Effect Cluster with one runner, its messages in the ledger's own database: for one process.
 *
 * The same as `SingleRunner` of `@effect/cluster`, without settings from the environment. The runner itself is kept in
 * memory: the ledger's file lets no second process in, and after a crash no lock has to expire.
 */
export const layerSingle: Layer.Layer<Lanes, SqlError, SqlClient> = LaneEntity.layer.pipe(
  Layer.provide(
    Sharding.layer.pipe(
      Layer.provide(Runners.layerNoop),
      Layer.provideMerge(SqlMessageStorage.layer),
      Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
      Layer.provide(ShardingConfig.layer({
        shardsPerGroup: 64,
        entityMessagePollInterval: "2 seconds",
        // A call in flight gets its answer before its lane is left.
        entityTerminationTimeout: "35 seconds",
        simulateRemoteSerialization: false
      }))
    )
  ),
  Layer.provide(Layer.effectDiscard(create))
)
