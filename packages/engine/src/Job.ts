/**
 * A run while it is being run: what its lanes share.
 *
 * One job lives in one process. It stops once, for one reason; from then on no new call starts, calls in flight get their
 * answers, and what was claimed but not sent is given back.
 */
import type * as Outcome from "@milepost/core/Outcome"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import type * as Transport from "@milepost/core/Transport"
import type { Request } from "@milepost/ledger/Entry"
import type * as Ledger from "@milepost/ledger/Ledger"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { Concurrency } from "./Concurrency.js"
import type { Fuse, Verdict } from "./Fuse.js"
import type { Outage } from "./Outage.js"
import type { Pace } from "./Pace.js"
import type { Progress } from "./Progress.js"
import type { Settler } from "./Settler.js"
import type { Workers } from "./Workers.js"

/** Why a run stops before its end. */
export interface Stop {
  readonly state: "stopped" | "interrupted"
  /**
   * - `fuse`: an answer condemned everything. `max-errors`: too many records failed.
   * - `unreachable`: calls do not leave this machine. `refused-too-long`: the upstream kept saying *not now*.
   * - `outage`: it was down for too long, or nothing but unknown outcomes came of it.
   * - `cancelled`: a person asked for it.
   */
  readonly reason: "fuse" | "max-errors" | "unreachable" | "refused-too-long" | "outage" | "cancelled"
  readonly message: string
}

/** A record's place in the queue of what the fuse condemned. */
export type Condemnation = Extract<Verdict, { readonly _tag: "Condemn" }>

/** A run while it is being run. */
export interface Job {
  readonly run: string
  /** Whose quota it uses: part of the name of its lanes. */
  readonly org: string
  readonly epoch: number
  readonly ledger: Ledger.Service
  readonly transport: Transport.Service
  readonly policy: RetryPolicy.Service
  readonly pace: Pace
  readonly concurrency: Concurrency
  readonly fuse: Fuse
  readonly outage: Outage
  readonly progress: Progress
  readonly settler: Settler
  /** Records that a lane claims at once, at most. */
  readonly chunkSize: number
  /** Who makes the calls. */
  readonly workers: Workers
  /** How many chunks wait for workers at a time. */
  readonly chunks: Effect.Semaphore
  /** How long a ledger that cannot be written is waited for. */
  readonly patience: Duration.Duration
  /** Why it stops; `null` while it goes on. */
  readonly stopped: () => Stop | null
  /** Stops it, for the first reason that is given. */
  readonly stop: (stop: Stop) => void
  /** Calls back when it stops, at once if it has; gives back how to forget it. */
  readonly onStop: (callback: () => void) => () => void
  /** Ends it with what went wrong with the ledger; the first one counts. */
  readonly fail: (error: Failure) => void
  /** Fails with what went wrong with the ledger. */
  readonly failed: Effect.Effect<never, Failure>
  /** What was condemned is skipped in the ledger by whoever listens here. */
  readonly condemn: (condemnation: Condemnation) => void
  /** Waits until the fuse may let a call enter. */
  readonly untilFuseMoves: Effect.Effect<void>
  /** Tells the fuse what became of a call, and acts upon it. */
  readonly judge: (request: Request, outcome: Outcome.Outcome) => void
  /** Tells the fuse that a call was not made. */
  readonly giveUp: (request: Request) => void
}

/** What can go wrong with the ledger under a run. */
export type Failure =
  | Effect.Effect.Error<ReturnType<Ledger.Service["claim"]>>
  | Effect.Effect.Error<ReturnType<Ledger.Service["settle"]>>

/** What a job is made of. */
export interface Parts
  extends
    Pick<
      Job,
      | "run" | "org" | "epoch" | "ledger" | "transport" | "policy" | "pace" | "concurrency" | "fuse" | "outage" | "progress" | "settler"
      | "workers" | "chunkSize" | "chunks" | "patience" | "condemn"
    >
{}

/** How a bulk run repeats calls, unless told otherwise. */
export const policy: RetryPolicy.Service = RetryPolicy.make({
  maxAttempts: 8,
  // Bounded concurrency, the pace and backoff are the brake here: counting *not now*, or a budget, would turn a full quota
  // or an outage into a million failures. Who is told to wait waits; after an hour the run stops instead of going on.
  postponedCounts: false,
  cap: "30 seconds",
  deadline: "1 hour",
  budget: null
})

/** Makes a job of its parts. */
export const make = (parts: Parts): Job => {
  let stop: Stop | null = null
  const listeners = new Set<() => void>()
  const failure = Deferred.unsafeMake<never, Failure>(FiberId.none)
  let held: Array<Deferred.Deferred<void>> = []

  const letEnter = (): void => {
    if (held.length === 0) return
    const all = held
    held = []
    for (const one of all) Deferred.unsafeDone(one, Effect.void)
  }

  const stopFor = (why: Stop): void => {
    if (stop !== null) return
    stop = why
    for (const listener of listeners) listener()
    listeners.clear()
    letEnter()
  }

  const act = (verdict: Verdict): void => {
    if (verdict._tag === "Stop") stopFor({ state: "stopped", reason: verdict.reason, message: verdict.message })
    if (verdict._tag === "Condemn") parts.condemn(verdict)
  }

  return {
    ...parts,
    stopped: () => stop,
    stop: stopFor,
    onStop: (callback) => {
      if (stop !== null) {
        callback()
        return () => undefined
      }
      listeners.add(callback)
      return () => {
        listeners.delete(callback)
      }
    },
    fail: (error) => {
      Deferred.unsafeDone(failure, Effect.fail(error))
      stopFor({ state: "stopped", reason: "unreachable", message: error.message })
    },
    failed: Deferred.await(failure),
    untilFuseMoves: Effect.suspend(() => {
      if (stop !== null) return Effect.void
      const moved = Deferred.unsafeMake<void>(FiberId.none)
      held.push(moved)
      return Deferred.await(moved)
    }),
    judge: (request, outcome) => {
      act(parts.fuse.leave(request, outcome))
      letEnter()
    },
    giveUp: (request) => {
      parts.fuse.giveUp(request)
      letEnter()
    }
  }
}
