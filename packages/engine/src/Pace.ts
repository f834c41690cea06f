/**
 * How fast an organisation is called: a token bucket at a given rate, which a 429 stops for everybody and teaches.
 *
 * A turn is taken synchronously as long as there is one; only who has to wait pays for waiting. The rate that the
 * upstream bears is learnt from the calls it accepted between two refusals, the pause that it asked for included.
 */
import * as Effect from "effect/Effect"
import { steadyMillis } from "./internal/steadyMillis.js"
import type { Crawl, Pause } from "./PaceState.js"
import * as PaceState from "./PaceState.js"

export type { Crawl, Pause } from "./PaceState.js"

/** The pace of one organisation. Moments are milliseconds of the clock. */
export interface Pace {
  /**
   * Reserves the next turn and says when it is: now or earlier means go. `Infinity`, and nothing is reserved, where nobody
   * knows yet: ask again.
   */
  readonly turn: (nowMillis: number) => number
  /** Whether a turn that has come may still be taken, or a new one is needed. */
  readonly holds: (turnMillis: number, nowMillis: number) => boolean
  /** A turn was taken now. In an outage the next one is counted from here, or two calls would try an upstream that is down. */
  readonly taken: (turnMillis: number, nowMillis: number) => void
  /** Stops everybody until then; a pause is never shortened. */
  readonly pause: (untilMillis: number, why: string) => void
  /** The pause that is on; `null` while calls may go. */
  readonly paused: (nowMillis: number) => Pause | null
  /** What people are told is waited for: a pause, or the next call of an outage. */
  readonly waiting: (nowMillis: number) => Pause | null
  /** Lets one call go every so often, for as long as an outage lasts; `null` ends that, and wakes everybody. */
  readonly crawl: (everyMillis: number | null, why: string) => void
  /** The outage that is on; `null` while there is none. */
  readonly crawling: () => Crawl | null
  /** Changes with the end of an outage: a turn that was reserved before counts no more. */
  readonly era: () => number
  /** Counts a call that the upstream did not refuse for its number. */
  readonly accepted: (nowMillis: number) => void
  /**
   * A call that left at `sentMillis` was answered 429: stops everybody for as long as was asked for, or for a second that
   * doubles with every refusal in a row, and learns. Refusals of calls that left before the last one teach nothing new.
   */
  readonly refused: (nowMillis: number, sentMillis: number, retryAfterMillis: number | null) => void
  /** Calls a second that are let go; `null` without a limit. */
  readonly rate: () => number | null
  /** Those of them that this process may count on; `null` without a limit. */
  readonly share: () => number | null
  /** How many turns could be taken at once; `null` without a limit. */
  readonly left: (nowMillis: number) => number | null
  /** Calls a second that the upstream bore, to be kept for the next run; `null` where it never refused. */
  readonly learnt: () => number | null
}

/**
 * A pace that starts now.
 *
 * @param callsPerSecond never faster; `null` for as fast as the upstream bears; a function where that changes
 * @param learntBefore what an earlier run learnt: where this one starts
 *
 * @example
 * ```ts
 * import { Pace } from "@milepost/engine"
 *
 * const pace = Pace.make({ nowMillis: 0, callsPerSecond: 10 })
 * const goesAtOnce = pace.turn(0) <= 0
 * ```
 */
export const make = (options: {
  readonly nowMillis: number
  readonly callsPerSecond?: number | null | (() => number | null)
  readonly learntBefore?: number | null
}): Pace => {
  const given = options.callsPerSecond ?? null
  const most = typeof given === "function" ? given : () => given
  let ceiling = most()
  let state = PaceState.make({
    nowMillis: options.nowMillis,
    callsPerSecond: ceiling,
    learntBefore: options.learntBefore ?? null
  })

  /** Asked before every turn and every question about the rate. */
  const follow = (): void => {
    const now = most()
    if (now === ceiling) return
    ceiling = now
    state = PaceState.limited(state, now)
  }

  /** Accepted calls that the state does not count yet: before a refusal has taught anything, the moments of them do not matter. */
  let uncounted = 0

  const counted = (): PaceState.PaceState => {
    const calls = uncounted
    uncounted = 0
    return calls === 0 ? state : PaceState.accepted(state, options.nowMillis, calls)
  }

  const turn = (now: number): number => {
    follow()
    const turns = PaceState.peek(state, now)
    state = PaceState.reserved(state, turns, 1)
    return turns.firstMillis
  }

  return {
    turn,
    holds: (_, now) => state.pause.untilMillis <= now,
    taken: (taken, now) => {
      if (taken < now && state.crawl !== null) turn(now)
    },
    pause: (until, why) => {
      state = PaceState.paused(state, until, why)
    },
    crawl: (everyMillis, why) => {
      state = PaceState.crawling(state, everyMillis === null ? null : { everyMillis, why })
    },
    crawling: () => state.crawl,
    era: () => state.era,
    paused: (now) => PaceState.pauseAt(state, now),
    waiting: (now) => PaceState.waiting(state, now),
    accepted: (now) => {
      if (state.learnt === null) uncounted += 1
      else state = PaceState.accepted(state, now)
    },
    refused: (now, sent, retryAfterMillis) => {
      state = PaceState.refused(counted(), now, sent, retryAfterMillis)
    },
    rate: () => {
      follow()
      return state.rate
    },
    share: () => {
      follow()
      return state.rate
    },
    left: (now) => {
      follow()
      return PaceState.left(state, now)
    },
    learnt: () => state.learnt
  }
}

/** The longest sleep of somebody who waits, so that the end of an outage is noticed. */
const longestSleepMillis = 1_000

/**
 * Waits for a turn that was reserved, and for every pause that begins meanwhile; `false` when `abandon` completes first.
 */
export const wait = (pace: Pace, turnMillis: number, abandon: Effect.Effect<void>): Effect.Effect<boolean> =>
  Effect.clockWith((clock) => {
    const abandoned = Effect.as(abandon, false)
    const until = (turn: number, era: number): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const now = steadyMillis(clock)
        // An outage has begun or is over: what was reserved before belongs to another time.
        if (pace.era() !== era) return until(pace.turn(now), pace.era())
        if (turn > now) {
          return Effect.flatMap(
            Effect.raceFirst(abandoned, Effect.as(Effect.sleep(Math.min(turn - now, longestSleepMillis)), true)),
            (goesOn) => goesOn ? until(turn, era) : Effect.succeed(false)
          )
        }
        // The reservation is older than the pause: a new one, or everybody would return at once.
        return pace.paused(now) === null ? Effect.succeed(true) : until(pace.turn(now), era)
      })
    return until(turnMillis, pace.era())
  })
