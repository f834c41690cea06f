/**
 * A clock that jumps: a sleep ends at once and moves the time by its length.
 *
 * Properties run hundreds of virtual minutes with it, without a fiber that adjusts a `TestClock` step by step. It is
 * for one fiber at a time; where two run, or one is interrupted, use the `TestClock`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface JumpingClock extends Clock.Clock {
  /** Every sleep so far, in milliseconds. */
  readonly sleeps: ReadonlyArray<number>
  /** Moves the time without a sleep. */
  readonly advance: (millis: number) => void
}

export const make = (startMillis = 0): JumpingClock => {
  let now = startMillis
  const sleeps: Array<number> = []
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    sleeps,
    advance: (millis) => {
      now += millis
    },
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(now * 1e6)),
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(now * 1e6))),
    sleep: (duration) =>
      Effect.sync(() => {
        sleeps.push(Duration.toMillis(duration))
        now += Duration.toMillis(duration)
      })
  }
}
