/**
 * Runs a ledger: every pending record becomes a call and gets an outcome, or the run stops and can be gone on with.
 *
 * A run is started in a new epoch; what an earlier sitting left claimed is taken back and remembered as perhaps executed;
 * what a fuse or a person had skipped is armed again. Then the lanes work until nothing is pending, or the run stops.
 */
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as Runners from "@effect/cluster/Runners"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import type { Settlement } from "@milepost/ledger/Entry"
import { Ledger } from "@milepost/ledger/Ledger"
import type { RunNotFound, StorageError, WrongState } from "@milepost/ledger/LedgerError"
import * as Run from "@milepost/ledger/Run"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Concurrency from "./Concurrency.js"
import * as Fuse from "./Fuse.js"
import { create } from "./internal/messageTables.js"
import { patiently } from "./internal/patiently.js"
import { steadyMillis } from "./internal/steadyMillis.js"
import * as Job from "./Job.js"
import * as LaneEntity from "./LaneEntity.js"
import { Lanes } from "./Lanes.js"
import * as Outage from "./Outage.js"
import * as Pace from "./Pace.js"
import * as Progress from "./Progress.js"
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
  /** Calls in flight; `auto` is the default. */
  readonly concurrency?: number | "auto"
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
    const transport = yield* Transport
    const clock = yield* Effect.clock
    const nowMillis = steadyMillis(clock)
    const patience = Duration.decode(options.patience ?? "30 seconds")

    const { epoch } = yield* ledger.start(id)
    yield* ledger.reclaim(id, epoch)
    for (const reason of ["fuse", "cancelled", "unreachable"] as const) yield* ledger.rearm(id, reason)
    const { counts } = yield* ledger.run(id)

    const pace = Pace.make({
      nowMillis,
      callsPerSecond: options.callsPerSecond ?? null,
      learntBefore: options.learntRate ?? null
    })
    const concurrency = Concurrency.make(options.concurrency ?? "auto")
    const condemned = yield* Queue.unbounded<Job.Condemnation>()
    const settler: Settler.Settler = Settler.make({
      ledger,
      run: id,
      patience,
      groupSize: 256,
      delayMillis: 100,
      onSettled: (settlements: ReadonlyArray<Settlement>) => {
        for (const { outcome } of settlements) progress.settled(outcome.outcome)
      }
    })
    const progress = Progress.make({
      total: Run.total(counts),
      outcomes: outcomesOf(counts),
      limitPerSecond: () => pace.rate() ?? pace.learnt(),
      inFlight: concurrency.inFlight,
      concurrency: concurrency.limit,
      waiting: (now) => {
        const trouble = settler.trouble()
        return trouble === null ? pace.waiting(now) : { untilMillis: now + 1000, why: trouble }
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
        Effect.map(patiently(ledger.skipWhere(id, what, { reason: "fuse", message }), patience), (records) =>
          progress.settled("skipped", records))
      ))
    const cancel = Effect.map(options.cancel ?? Effect.never, () =>
      job.stop({ state: "interrupted", reason: "cancelled", message: "the run was interrupted" }))

    const ends = <A>(self: Effect.Effect<A, Job.Failure>): Effect.Effect<void> =>
      Effect.asVoid(Effect.catchAll(self, (error) => Effect.sync(() => job.fail(error))))
    yield* Effect.forkScoped(ends(settler.run))
    yield* Effect.forkScoped(ends(Effect.forever(skip)))
    yield* Effect.forkScoped(cancel)
    if (options.watch !== undefined) yield* Effect.forkScoped(options.watch(progress))

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
