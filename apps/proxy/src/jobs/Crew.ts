/**
 * Who sends jobs: this process alone, or several that share a database.
 *
 * Everything in which jobs differ between the two is here: alone, a run is begun and ended by whoever sends it; together, it
 * is begun by one, everybody who is there joins with the lanes he has, and it ends when nothing of it is left.
 */
import * as Outcome from "@milepost/core/Outcome"
import type { Transport } from "@milepost/core/Transport"
import * as Engine from "@milepost/engine/Engine"
import type * as EngineProgress from "@milepost/engine/Progress"
import { Replica } from "@milepost/engine/Replica"
import type { Lanes } from "@milepost/engine/Lanes"
import { Ledger } from "@milepost/ledger/Ledger"
import type { RunNotFound, StorageError, WrongState } from "@milepost/ledger/LedgerError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** How a run is sent. */
export interface Options {
  readonly org: string
  /** Calls a second at most; `null` for as many as the organisation's gate lets go. */
  readonly callsPerSecond: number | null
  /** Calls on their way or waiting at the gate at once. */
  readonly concurrency: () => number
  /** Completes when this process is to send nothing more of it. */
  readonly cancel: Effect.Effect<void>
  readonly watch: (progress: EngineProgress.Progress) => Effect.Effect<void>
}

/** What came of it. */
export interface Sent {
  /** `left`: others go on with it, or will. */
  readonly state: "finished" | "interrupted" | "left" | "stopped"
  readonly reason: string | null
  /** Records that this process wrote an outcome of, by word. */
  readonly outcomes: Readonly<Record<Outcome.Word, number>>
  readonly calls: number
}

/** Who sends jobs. */
export interface Crew {
  /** What the others know this process by. */
  readonly id: string
  /** Whether there may be others. */
  readonly isShared: boolean
  /** Whether it falls to this process to do what one of them is to do. */
  readonly isKeeper: () => boolean
  /** Whether a process of this id is still there. */
  readonly isLiving: (id: string) => boolean
  /** Tells the others that something is wished for, so that they need not find it. */
  readonly tell: () => void
  /** Sends what is pending of a run. */
  readonly send: (
    run: string,
    options: Options
  ) => Effect.Effect<Sent, RunNotFound | StorageError | WrongState, Transport>
  /** Makes a run one that is being sent, for all who join; alone, sending it does. */
  readonly begin: (run: string) => Effect.Effect<void, RunNotFound | StorageError | WrongState>
}

const since = (now: Sent["outcomes"], before: Sent["outcomes"]): Sent["outcomes"] =>
  Object.fromEntries(Outcome.words.map((word) => [word, Math.max(0, now[word] - before[word])])) as Record<Outcome.Word, number>

/** This process alone. */
export const alone: Effect.Effect<Crew, never, Lanes | Ledger> = Effect.gen(function*() {
  const context = yield* Effect.context<Lanes | Ledger>()
  const ledger = Context.get(context, Ledger)
  return {
    id: "alone",
    isShared: false,
    isKeeper: () => true,
    isLiving: () => false,
    tell: () => undefined,
    begin: () => Effect.void,
    send: (run, options) =>
      Effect.gen(function*() {
        const { counts: before } = yield* ledger.run(run)
        const { progress, run: { counts }, state, stop } = yield* Effect.mapInputContext(
          Engine.run(run, options),
          (given: Context.Context<Transport>) => Context.merge(context, given)
        )
        return { state, reason: stop?.reason ?? null, outcomes: since(counts, before), calls: progress.calls }
      })
  }
})

/** The lane whose owner does what one is to do. */
const keepersLane = 0

/** With whoever else shares the database. */
export const together = (tell: () => void): Effect.Effect<Crew, never, Ledger | Replica> => Effect.gen(function*() {
  const context = yield* Effect.context<Ledger | Replica>()
  const replica = Context.get(context, Replica)
  const inContext = <A, E>(effect: Effect.Effect<A, E, Ledger | Replica | Transport>): Effect.Effect<A, E, Transport> =>
    Effect.mapInputContext(effect, (given: Context.Context<Transport>) => Context.merge(context, given))
  return {
    id: replica.id,
    isShared: true,
    tell,
    isKeeper: () => replica.holds(keepersLane),
    isLiving: (id) => id === replica.id || replica.members().some((member) => member.id === id),
    begin: (run) => Effect.asVoid(Effect.provide(Engine.begin(run), context)),
    send: (run, options) =>
      Effect.gen(function*() {
        const { left, progress, run: { state }, stop, written } = yield* inContext(Engine.join(run, options))
        return {
          state: left === "cancelled" ? "left" as const : state === "stopped" || state === "finished" ? state : "interrupted" as const,
          reason: stop?.reason ?? null,
          outcomes: written,
          calls: progress.calls
        }
      })
  }
})
