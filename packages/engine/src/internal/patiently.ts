/** Waits out what a ledger can recover from: a full disk that is cleared, a folder that comes back. */
import type { LedgerBusy, LedgerUnwritable } from "@milepost/ledger/LedgerError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** What can pass by itself, or by a person's hand. */
export const canPass = (error: { readonly _tag: string }): boolean =>
  error._tag === ("LedgerUnwritable" satisfies LedgerUnwritable["_tag"]) ||
  error._tag === ("LedgerBusy" satisfies LedgerBusy["_tag"])

/** Repeats what failed for want of room or access, in growing intervals, for as long as told. */
export const patiently = <A, E extends { readonly _tag: string }>(
  effect: Effect.Effect<A, E>,
  patience: Duration.Duration,
  onTrouble: (error: E) => void = () => undefined
): Effect.Effect<A, E> =>
  Effect.tapError(effect, (error) => Effect.sync(() => onTrouble(error))).pipe(
    Effect.retry({
      while: canPass,
      schedule: Schedule.exponential("20 millis").pipe(
        Schedule.union(Schedule.spaced("2 seconds")),
        Schedule.upTo(patience)
      )
    })
  )
