/**
 * A process's part in a run that several work on: which lanes it works on, when it takes back what others left, and when the
 * run has ended.
 *
 * A lane is worked on once it is known to hold nothing that somebody else had claimed: that is asked once each time the lane
 * comes here, and whenever something of our own may have been left. For the latter a new epoch is taken, because a lane's
 * owner takes back what was claimed under any epoch but the one that it names.
 */
import type * as Run from "@milepost/ledger/Run"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { Failure, Job } from "../Job.js"
import { type Hold, runChunk } from "../LaneRunner.js"
import type { Progress } from "../Progress.js"
import type * as Replica from "../Replica.js"
import { patiently } from "./patiently.js"
import { steadyMillis } from "./steadyMillis.js"

/** What a part is made of. */
export interface Parts {
  readonly job: Job
  readonly joined: { readonly run: Run.Run; readonly epoch: number }
  readonly progress: Progress
  readonly replica: Replica.Service
  /** How often the run is looked at. */
  readonly poll: Duration.Duration
}

/** How it ended. */
export interface PartEnd {
  /** Whether the run was seen to have ended, or to have been started anew. */
  readonly ended: boolean
  readonly isCancelled: boolean
  /** The run as it was seen last. */
  readonly latest: Run.Run
}

/** Whether it still is the sitting that was joined: the same run may have been stopped and started again. */
export const isSitting = (run: Run.Run, joined: Run.Run): boolean => run.state === "running" && run.startedMillis === joined.startedMillis

/** How often it is asked which lanes have something pending, while there is no reason to think so. */
const pendingMillis = 5_000

/** How often the lanes here are searched for what nobody works on, while the run is not done and there is nothing to do. */
const strayMillis = 30_000

/** Works until the run has ended or `cancel` completes; nothing is in flight or claimed when it returns, also by an interruption. */
export const takePart = (
  { job, joined, poll, progress, replica }: Parts,
  cancel: Effect.Effect<void>
): Effect.Effect<PartEnd, Failure> =>
  Effect.gen(function*() {
    const { ledger, patience, run: id } = job
    const clock = yield* Effect.clock
    const hands = new Map<number, Fiber.RuntimeFiber<void>>()
    /** Lanes without anything that others have claimed, each in the generation in which that was found. */
    const clean = new Map<number, number>()
    /** Lanes in which something of our own may have stayed claimed. */
    const dirty = new Set<number>()
    const isStopped = yield* Deferred.make<void>()
    const broken = yield* Deferred.make<never>()
    let epoch = joined.epoch
    let latest = joined.run
    let ended = false
    let isCancelled = false
    let hasNews = true
    let pendingAt = Number.NEGATIVE_INFINITY
    let strayAt = steadyMillis(clock) + strayMillis
    let wake = Deferred.unsafeMake<void>(FiberId.none)

    const nudge = (): void => {
      hasNews = true
      Deferred.unsafeDone(wake, Effect.void)
    }

    const enter = (lane: number): Hold | null => {
      const generation = replica.generation(lane)
      if (generation === null || clean.get(lane) !== generation || dirty.has(lane)) return null
      const exit = replica.enter(lane)
      if (exit === null) return null
      return {
        epoch,
        isShared: true,
        isHeld: () => replica.generation(lane) === generation && replica.holds(lane),
        onLeave: (callback) => replica.onChange((change) => {
          if (change.lane === lane && change.what !== "acquired") callback()
        }),
        leftClaimed: () => {
          dirty.add(lane)
        },
        exit
      }
    }

    const workOn = (lane: number): Effect.Effect<void> => {
      let hasMore = true
      return Effect.whileLoop({
        while: () => hasMore,
        body: () => runChunk(job, lane, () => enter(lane)),
        step: (more) => {
          hasMore = more
        }
      })
    }

    const start = (lane: number): Effect.Effect<void> =>
      Effect.uninterruptible(Effect.map(
        Effect.forkDaemon(
          Effect.interruptible(workOn(lane)).pipe(
            Effect.tapErrorCause((cause) => Cause.isInterruptedOnly(cause) ? Effect.void : Deferred.failCause(broken, cause)),
            Effect.ensuring(Effect.sync(() => {
              hands.delete(lane)
              if (hands.size === 0 || dirty.has(lane)) nudge()
            }))
          )
        ),
        (fiber) => {
          // Unless it has ended by now.
          if (fiber.unsafePoll() === null) hands.set(lane, fiber)
        }
      ))

    /** Takes back what others have left in lanes; nothing of ours is in flight there. */
    const reclaim = (lanes: ReadonlyArray<number>): Effect.Effect<void, Failure> =>
      Effect.suspend(() => {
        const entered = lanes.flatMap((lane) => {
          const generation = replica.generation(lane)
          const exit = replica.enter(lane)
          return exit === null || generation === null ? [] : [{ exit, generation, lane }]
        })
        // While the database was away, a lane may have gone to somebody whose claims are not to be taken back.
        const takesBack = Effect.suspend(() => {
          const ours = entered.filter(({ generation, lane }) => replica.generation(lane) === generation && replica.holds(lane))
          return ours.length === 0
            ? Effect.succeed({ ours, records: 0 })
            : Effect.map(ledger.reclaim(id, epoch, ours.map(({ lane }) => lane)), (records) => ({ ours, records }))
        })
        return Effect.map(patiently(takesBack, patience), ({ ours, records }) => {
          for (const { generation, lane } of ours) clean.set(lane, generation)
          if (records > 0) hasNews = true
        }).pipe(Effect.ensuring(Effect.sync(() => {
          for (const { exit } of entered) exit()
        })))
      })

    /** What has to be done before lanes are worked on. */
    const tidy = (idle: ReadonlyArray<readonly [lane: number, generation: number | null]>, seen: Run.Run): Effect.Effect<void, Failure> =>
      Effect.gen(function*() {
        const left = idle.filter(([lane]) => dirty.has(lane))
        if (left.length > 0) {
          epoch = (yield* patiently(ledger.join(id), patience)).epoch
          for (const [lane] of left) {
            clean.delete(lane)
            dirty.delete(lane)
          }
        }
        const unclean = idle.flatMap(([lane, generation]) => generation === null || clean.get(lane) === generation ? [] : [{ generation, lane }])
        if (unclean.length > 0) {
          // Whoever had the lane before claims nothing any more, and the run was looked at after the lane had come here.
          if (seen.counts.claimed === 0) for (const { generation, lane } of unclean) clean.set(lane, generation)
          else yield* reclaim(unclean.map(({ lane }) => lane))
          hasNews = true
        }
        const now = steadyMillis(clock)
        if (hands.size > 0 || seen.counts.claimed === 0) strayAt = now + strayMillis
        if (now < strayAt) return
        // A process that was frozen may have claimed in a lane that it had lost, and died.
        strayAt = now + strayMillis
        yield* reclaim(idle.map(([lane]) => lane))
      })

    const look: Effect.Effect<void, Failure> = Effect.gen(function*() {
      const idle = replica.held().filter((lane) => !hands.has(lane)).map((lane) => [lane, replica.generation(lane)] as const)
      latest = yield* patiently(ledger.run(id), patience)
      const { already_enrolled, claimed, enrolled, pending, rejected, skipped, unenrolled, unknown } = latest.counts
      progress.found({ already_enrolled, enrolled, rejected, skipped, unenrolled, unknown })
      if (isSitting(latest, joined.run) && pending === 0 && claimed === 0) latest = yield* patiently(ledger.finishIfDone(id), patience)
      if (!isSitting(latest, joined.run)) {
        ended = true
        return
      }
      yield* tidy(idle, latest)
      const now = steadyMillis(clock)
      if (idle.length === 0 || (pending === 0 && !hasNews) || (!hasNews && now < pendingAt)) return
      hasNews = false
      pendingAt = now + pendingMillis
      for (const lane of yield* patiently(ledger.pendingLanes(id), patience)) {
        if (!hands.has(lane) && !dirty.has(lane) && clean.get(lane) === replica.generation(lane) && replica.holds(lane)) yield* start(lane)
      }
    }).pipe(
      // It has ended in between.
      Effect.catchTag("WrongState", () =>
        Effect.map(patiently(ledger.run(id), patience), (run) => {
          latest = run
          ended = true
        }))
    )

    const goOn = Effect.whileLoop({
      while: () => !ended,
      body: () =>
        Effect.suspend(() => {
          const woken = Deferred.unsafeMake<void>(FiberId.none)
          wake = woken
          return Effect.zipRight(
            look,
            Effect.suspend(() => ended ? Effect.void : Effect.raceFirst(Deferred.await(woken), Effect.sleep(poll)))
          )
        }),
      step: () => undefined
    })

    const forget = replica.onChange(({ what }) => {
      if (what === "acquired") nudge()
    })
    const forgetStop = job.onStop(() => {
      Deferred.unsafeDone(isStopped, Effect.void)
    })
    const cancelled = Effect.map(cancel, () => {
      if (job.stopped() !== null) return
      isCancelled = true
      job.stop({ state: "interrupted", reason: "cancelled", message: "this process takes no part any more" })
    })
    const all = Effect.suspend(() => Fiber.awaitAll([...hands.values()]))

    yield* Effect.raceFirst(
      Effect.raceFirst(goOn, Deferred.await(broken)),
      Effect.zipRight(Effect.raceFirst(cancelled, Deferred.await(isStopped)), Deferred.await(isStopped))
    ).pipe(
      Effect.zipLeft(Effect.suspend(() => {
        // What others have ended is not ours to stop: it only starts nothing any more.
        job.stop({ state: "interrupted", reason: "cancelled", message: "the run has ended" })
        return all
      })),
      Effect.ensuring(Effect.suspend(() => {
        forget()
        forgetStop()
        return Fiber.interruptAll([...hands.values()])
      }))
    )
    if (yield* Deferred.isDone(broken)) yield* Deferred.await(broken)
    return { ended, isCancelled, latest }
  })
