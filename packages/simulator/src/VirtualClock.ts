/**
 * The upstream's calendar: a clock that stands still until it is told to move.
 *
 * Which period is current and whether a token has expired are read from it, so that a test decides the time. Waiting,
 * as in a latency fault, is not calendar time: that follows Effect's own clock.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A clock that stands still until it is told to move. */
export interface VirtualClock {
  /** Virtual time. */
  readonly now: Effect.Effect<DateTime.Utc>
  /** Moves to an instant, also backwards. */
  readonly set: (to: DateTime.DateTime) => Effect.Effect<void>
  /** Moves forward, and answers the new time. */
  readonly advance: (by: Duration.DurationInput) => Effect.Effect<DateTime.Utc>
  /** Virtual time at this moment, in milliseconds since the epoch: for adapters that answer synchronously. */
  readonly unsafeMillis: () => number
}

/**
 * A clock that stands at an instant, given in milliseconds since the epoch.
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
export const make = (startMillis: number): VirtualClock => {
  let millis = startMillis
  return {
    now: Effect.sync(() => DateTime.unsafeMake(millis)),
    set: (to) =>
      Effect.sync(() => {
        millis = to.epochMillis
      }),
    advance: (by) =>
      Effect.sync(() => {
        millis += Duration.toMillis(by)
        return DateTime.unsafeMake(millis)
      }),
    unsafeMillis: () => millis
  }
}
