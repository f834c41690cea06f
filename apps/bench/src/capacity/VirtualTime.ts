/**
 * Time that passes when nothing is left to do at a moment: days of a run take seconds, and every wait is as long as it was meant.
 *
 * A scheduler and a clock for fibers in this turn of the event loop; what they wait for outside of it would never come.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Scheduler } from "effect/Scheduler"
import TinyQueue from "tinyqueue"

/** A time of its own. */
export interface VirtualTime {
  readonly nowMillis: () => number
  readonly clock: Clock.Clock
  /** Runs an effect to its end, however long that takes; fails when it waits for something that is not of this time. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Exit.Exit<A, E>
}

interface Timer {
  readonly atMillis: number
  readonly order: number
  readonly act: () => void
  isOff: boolean
}

/** The timers that are set, the next one first. */
const timers = (): TinyQueue<Timer> =>
  new TinyQueue<Timer>([], (left, right) => left.atMillis - right.atMillis || left.order - right.order)

/** A time that begins at a moment. */
export const make = (startMillis: number): VirtualTime => {
  const waiting = timers()
  let ready: Array<() => void> = []
  let now = startMillis
  let set = 0

  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(now * 1e6)),
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(now * 1e6))),
    sleep: (duration) =>
      Effect.async((resume) => {
        const millis = Duration.toMillis(duration)
        if (millis === Number.POSITIVE_INFINITY) return
        const timer: Timer = { atMillis: now + Math.max(0, millis), order: ++set, act: () => resume(Effect.void), isOff: false }
        waiting.push(timer)
        return Effect.sync(() => {
          timer.isOff = true
        })
      })
  }

  const scheduler: Scheduler = {
    shouldYield: (fiber) => fiber.currentOpCount > 2048 ? 0 : false,
    scheduleTask: (act) => void ready.push(act)
  }

  const passTime = (): boolean => {
    for (;;) {
      const timer = waiting.pop()
      if (timer === undefined) return false
      if (timer.isOff) continue
      now = timer.atMillis
      timer.act()
      return true
    }
  }

  return {
    nowMillis: () => now,
    clock,
    run: <A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> => {
      let ended: Exit.Exit<A, E> | null = null
      Effect.runFork(Effect.withClock(effect, clock), { scheduler }).addObserver((exit) => {
        ended = exit
      })
      const isOver = (): boolean => ended !== null
      while (!isOver()) {
        if (ready.length === 0 && !passTime()) throw new Error("nothing is left to wait for in this time, and it has not ended")
        const acts = ready
        ready = []
        for (const act of acts) act()
      }
      return ended as unknown as Exit.Exit<A, E>
    }
  }
}
