/**
 * Writes outcomes to the ledger in groups: one transaction for whatever has come in since the last one.
 *
 * Offering is synchronous, so that nothing comes between an answer and its record. A ledger that cannot be written is
 * waited for; meanwhile nobody starts a call. What cannot be written at all stays claimed and is found at the next start.
 */
import type { Settlement } from "@milepost/ledger/Entry"
import type * as Ledger from "@milepost/ledger/Ledger"
import type { RunNotFound, StorageError } from "@milepost/ledger/LedgerError"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import { patiently } from "./internal/patiently.js"
import { steadyMillis } from "./internal/steadyMillis.js"

/** Writes the outcomes of one run. */
export interface Settler {
  /**
   * Hands an outcome over to be written; with the epoch that its record was claimed under where others write to the ledger
   * as well: what somebody has claimed since is not written over.
   */
  readonly offer: (settlement: Settlement, epoch?: number) => void
  /** Completes when everything offered before is on disk, or cannot be written at all. */
  readonly flushed: Effect.Effect<void>
  /** Why outcomes cannot be written at the moment; `null` while they can. */
  readonly trouble: () => string | null
  /** Waits until there is no trouble, or none that passes. */
  readonly untilReady: Effect.Effect<void>
  /** Writes until it is interrupted, or fails with what does not pass. */
  readonly run: Effect.Effect<never, RunNotFound | StorageError>
}

/** What a settler needs to know. */
export interface Options {
  readonly ledger: Pick<Ledger.Service, "settle">
  readonly run: string
  /** Outcomes that are worth a transaction of their own. */
  readonly groupSize: number
  /** The longest that an outcome waits for company, in milliseconds. */
  readonly delayMillis: number
  /** How long a ledger that cannot be written is waited for. */
  readonly patience: Duration.Duration
  /** Told of outcomes once they are on disk. */
  readonly onSettled: (settlements: ReadonlyArray<Settlement>) => void
}

/** Outcomes with the epochs of their claims; mostly there is one. */
const byEpoch = (
  group: ReadonlyArray<Settlement>,
  epochs: ReadonlyArray<number | undefined>
): ReadonlyArray<readonly [epoch: number | undefined, part: ReadonlyArray<Settlement>]> =>
  [...new Set(epochs)].map((epoch) => [epoch, group.filter((_, index) => epochs[index] === epoch)])

/** Makes a settler; somebody has to let it `run`. */
export const make = ({ delayMillis, groupSize, ledger, onSettled, patience, run }: Options): Settler => {
  let waiting: Array<Settlement> = []
  let epochs: Array<number | undefined> = []
  let offered = 0
  let written = 0
  let trouble: string | null = null
  let hasEnded = false
  let isHurried = false
  let wake: Deferred.Deferred<void> | null = null
  let flushes: Array<{ readonly upTo: number; readonly done: Deferred.Deferred<void> }> = []
  let blocked: Array<Deferred.Deferred<void>> = []

  const nudge = (): void => {
    if (wake !== null) Deferred.unsafeDone(wake, Effect.void)
  }

  const letGo = (isOver: boolean): void => {
    for (const { done } of flushes.filter(({ upTo }) => isOver || upTo <= written)) Deferred.unsafeDone(done, Effect.void)
    flushes = isOver ? [] : flushes.filter(({ upTo }) => upTo > written)
    if (trouble !== null && !isOver) return
    for (const one of blocked) Deferred.unsafeDone(one, Effect.void)
    blocked = []
  }

  const isDue = (): boolean => waiting.length >= groupSize || (isHurried && waiting.length > 0)

  /** Suspends until there is something to write, and a little longer for company. */
  const gather = Effect.gen(function*() {
    while (waiting.length === 0) {
      wake = yield* Deferred.make<void>()
      yield* Deferred.await(wake)
    }
    if (isDue()) return
    const clock = yield* Effect.clock
    const since = steadyMillis(clock)
    while (!isDue()) {
      wake = yield* Deferred.make<void>()
      const left = since + delayMillis - steadyMillis(clock)
      if (left <= 0) return
      yield* Effect.raceFirst(Deferred.await(wake), Effect.sleep(left))
    }
  })

  const write = Effect.uninterruptible(Effect.suspend(() => {
    const group = waiting
    const parts = byEpoch(group, epochs)
    waiting = []
    epochs = []
    isHurried = false
    const settle = ([epoch, part]: typeof parts[number]) =>
      patiently(epoch === undefined ? ledger.settle(run, part) : ledger.settle(run, part, epoch), patience, (error) => {
        trouble = error.message
      })
    return Effect.forEach(parts, settle, { discard: true }).pipe(
      Effect.map(() => {
        trouble = null
        written += group.length
        onSettled(group)
        letGo(false)
      })
    )
  }))

  return {
    offer: (settlement, epoch) => {
      offered += 1
      waiting.push(settlement)
      epochs.push(epoch)
      if (waiting.length === 1 || waiting.length === groupSize) nudge()
    },
    flushed: Effect.suspend(() => {
      if (written >= offered || hasEnded) return Effect.void
      const done = Deferred.unsafeMake<void>(FiberId.none)
      flushes.push({ upTo: offered, done })
      isHurried = true
      nudge()
      return Deferred.await(done)
    }),
    trouble: () => trouble,
    untilReady: Effect.suspend(() => {
      if (trouble === null || hasEnded) return Effect.void
      const ready = Deferred.unsafeMake<void>(FiberId.none)
      blocked.push(ready)
      return Deferred.await(ready)
    }),
    run: Effect.forever(Effect.zipRight(gather, write)).pipe(
      Effect.ensuring(Effect.sync(() => {
        hasEnded = true
        letGo(true)
      }))
    )
  }
}
