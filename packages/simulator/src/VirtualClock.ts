/**
 * The upstream's calendar: a clock that stands still until it is told to move, or one that runs from where it was set.
 *
 * Which period is current, whether a token has expired and which minute a rate limit counts in are read from it, so that a
 * test decides the time. Waiting, as in a latency fault, is not calendar time: that follows Effect's own clock.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A clock that is set and moved by hand; whether it moves by itself as well is decided where it is made. */
export interface VirtualClock {
  /** Virtual time. */
  readonly now: Effect.Effect<DateTime.Utc>
  /** Moves to an instant, also backwards. */
  readonly set: (to: DateTime.DateTime) => Effect.Effect<void>
  /** Moves forward, and answers the new time. */
  readonly advance: (by: Duration.DurationInput) => Effect.Effect<DateTime.Utc>
  /** Virtual time at this moment, in milliseconds since the epoch: for adapters that answer synchronously. */
  readonly unsafeMillis: () => number
  /** Whether it moves on by itself. */
  readonly runs: Effect.Effect<boolean>
}

/**
 * A clock that stands at an instant, given in milliseconds since the epoch. With `realMillis`, a clock of real time, it
 * runs on from that instant as that one does.
 *
 * @example
 * ```ts
 * import { VirtualClock } from "@milepost/simulator"
 * import { Effect } from "effect"
 *
 * const nextMonth = VirtualClock.make(Date.parse("2026-01-15")).advance("31 days")
 * const instant = Effect.runSync(nextMonth)
 * ```
 */
export const make = (startMillis: number, realMillis?: () => number): VirtualClock => {
  const elapsed = realMillis ?? (() => 0)
  let atZero = startMillis - elapsed()
  const unsafeMillis = (): number => atZero + elapsed()
  return {
    now: Effect.sync(() => DateTime.unsafeMake(unsafeMillis())),
    set: (to) =>
      Effect.sync(() => {
        atZero = to.epochMillis - elapsed()
      }),
    advance: (by) =>
      Effect.sync(() => {
        atZero += Duration.toMillis(by)
        return DateTime.unsafeMake(unsafeMillis())
      }),
    unsafeMillis,
    runs: Effect.succeed(realMillis !== undefined)
  }
}

/** A clock that can be put in another's place, and is the same to who holds it. */
export const replaceable = (
  first: VirtualClock
): { readonly clock: VirtualClock; readonly unsafeReplace: (by: VirtualClock) => void } => {
  let current = first
  return {
    clock: {
      now: Effect.suspend(() => current.now),
      set: (to) => Effect.suspend(() => current.set(to)),
      advance: (by) => Effect.suspend(() => current.advance(by)),
      unsafeMillis: () => current.unsafeMillis(),
      runs: Effect.suspend(() => current.runs)
    },
    unsafeReplace: (by) => {
      current = by
    }
  }
}
