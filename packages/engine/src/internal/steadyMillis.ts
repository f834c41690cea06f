/** Moments by a clock that never goes back: somebody who sets the machine's time must not stop a run for as long. */
import type * as Clock from "effect/Clock"

/** Milliseconds of Effect's clock that only ever ascend; under a test clock, the same as its time. */
export const steadyMillis = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
