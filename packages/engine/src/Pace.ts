/**
 * How fast an organisation is called: a token bucket at a given rate, which a 429 stops for everybody and teaches.
 *
 * A turn is taken synchronously as long as there is one; only who has to wait pays for waiting. The rate that the
 * upstream bears is learnt from the calls it accepted between two refusals, the pause that it asked for included.
 */
import * as Effect from "effect/Effect"
import { steadyMillis } from "./internal/steadyMillis.js"

/** A stop of the whole organisation. */
export interface Pause {
  readonly untilMillis: number
  /** For people, e.g. `429`. */
  readonly why: string
}

/** The pace of one organisation. Moments are milliseconds of the clock. */
export interface Pace {
  /** Reserves the next turn and says when it is: now or earlier means go. */
  readonly turn: (nowMillis: number) => number
  /** Stops everybody until then; a pause is never shortened. */
  readonly pause: (untilMillis: number, why: string) => void
  /** The pause that is on; `null` while calls may go. */
  readonly paused: (nowMillis: number) => Pause | null
  /** What people are told is waited for: a pause, or the next call of an outage. */
  readonly waiting: (nowMillis: number) => Pause | null
  /** Lets one call go every so often, for as long as an outage lasts; `null` ends that, and wakes everybody. */
  readonly crawl: (everyMillis: number | null, why: string) => void
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
  /** How many turns could be taken at once; `null` without a limit. */
  readonly left: (nowMillis: number) => number | null
  /** Calls a second that the upstream bore, to be kept for the next run; `null` where it never refused. */
  readonly learnt: () => number | null
}

/** Turns saved up while nobody called, as the time that they span. */
const burstMillis = 100

/** The wait after a 429 that names none. */
const firstPauseMillis = 1_000
const longestPauseMillis = 30_000

/** Below this many calls between two refusals nothing is learnt. */
const fewestCalls = 5

/** A learnt rate is tried a little higher when the upstream has not refused for so long. */
const probeAfterMillis = 30_000

/**
 * A pace that starts now.
 *
 * @param callsPerSecond never faster; `null` for as fast as the upstream bears, a function where it changes
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
  const ceiling = typeof given === "function" ? given : () => given
  /** The rate that was found, before the ceiling is put on it; `null` while there is none. */
  let own: number | null = options.learntBefore ?? null
  const currentRate = (): number | null => {
    const most = ceiling()
    return own === null ? most : most === null ? own : Math.min(most, own)
  }
  let learnt: number | null = options.learntBefore ?? null
  let next = options.nowMillis - burstMillis
  let pause: Pause = { untilMillis: Number.NEGATIVE_INFINITY, why: "" }
  let cycleStart = options.nowMillis
  let calls = 0
  let refusedAt = Number.NEGATIVE_INFINITY
  let inARow = 0
  let probedAt = options.nowMillis
  let crawling: { readonly everyMillis: number; readonly why: string } | null = null
  let era = 0

  const stop = (untilMillis: number, why: string): void => {
    if (untilMillis <= pause.untilMillis) return
    pause = { untilMillis, why }
    next = Math.max(next, untilMillis)
  }

  return {
    turn: (now) => {
      if (crawling !== null) {
        const turn = Math.max(next, now, pause.untilMillis)
        next = turn + crawling.everyMillis
        return turn
      }
      const rate = currentRate()
      if (rate === null) return Math.max(now, pause.untilMillis)
      const turn = Math.max(next, now - burstMillis)
      next = turn + 1000 / rate
      return turn
    },
    pause: stop,
    crawl: (everyMillis, why) => {
      if (everyMillis === null) {
        if (crawling === null) return
        crawling = null
        era += 1
        next = Number.NEGATIVE_INFINITY
        return
      }
      if (crawling === null) {
        era += 1
        next = Number.NEGATIVE_INFINITY
      }
      crawling = { everyMillis, why }
    },
    era: () => era,
    paused: (now) => pause.untilMillis > now ? pause : null,
    waiting: (now) => {
      if (pause.untilMillis > now) return pause
      return crawling === null ? null : { untilMillis: Math.max(now, Math.min(next, now + crawling.everyMillis)), why: crawling.why }
    },
    accepted: (now) => {
      calls += 1
      inARow = 0
      if (learnt === null || now - probedAt < probeAfterMillis) return
      const rate = currentRate()
      if (rate === null || rate === ceiling()) return
      probedAt = now
      own = rate * 1.05
    },
    refused: (now, sent, retryAfterMillis) => {
      const isNews = sent >= refusedAt
      if (isNews) inARow += 1
      const wait = retryAfterMillis ?? Math.min(longestPauseMillis, firstPauseMillis * 2 ** Math.min(inARow - 1, 10))
      stop(now + Math.max(0, wait), "429")
      if (!isNews) return
      const until = Math.max(now, pause.untilMillis)
      if (calls >= fewestCalls && until > cycleStart) {
        learnt = calls * 1000 / (until - cycleStart)
        own = learnt
      } else if (learnt !== null) {
        own = Math.max((currentRate() ?? learnt) * 0.8, 0.1)
        learnt = own
      }
      cycleStart = until
      probedAt = until
      calls = 0
      // Whatever left before the pause ends belongs to this refusal.
      refusedAt = until
    },
    rate: currentRate,
    left: (now) => {
      if (crawling !== null) return next <= now && pause.untilMillis <= now ? 1 : 0
      const rate = currentRate()
      if (rate === null) return null
      const first = Math.max(next, now - burstMillis)
      return pause.untilMillis > now || first > now ? 0 : Math.floor((now - first) * rate / 1000 + 1e-9) + 1
    },
    learnt: () => learnt
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
