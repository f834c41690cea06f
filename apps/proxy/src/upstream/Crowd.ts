/**
 * Whether more come than can go: a burst fills a queue and is over, a crowd keeps it full.
 *
 * The length of the queue does not tell: places that become free together empty it for a moment however many come. What tells
 * is how many of those who came found a place, second by second.
 */

/** Watches who comes. Moments are milliseconds of the clock. */
export interface Crowd {
  /** Somebody came, and found a place at once or not. */
  readonly came: (isFree: boolean, nowMillis: number) => void
  /** Whether fewer than half of those of the last seconds found a place. */
  readonly isStanding: (nowMillis: number) => boolean
}

const windowMillis = 1_000

/** What lasts so many windows is no burst. */
const windows = 2

/** Nobody has come yet. */
export const make = (): Crowd => {
  let began = Number.NEGATIVE_INFINITY
  let arrivals = 0
  let free = 0
  let crowded = 0

  /** Closes the window that is over; one in which nobody came ends every crowd. */
  const turn = (now: number): void => {
    if (now - began < windowMillis) return
    crowded = now - began < 2 * windowMillis && free * 2 < arrivals ? crowded + 1 : 0
    began = now
    arrivals = 0
    free = 0
  }

  return {
    came: (isFree, now) => {
      turn(now)
      arrivals += 1
      if (isFree) free += 1
    },
    isStanding: (now) => {
      turn(now)
      return crowded >= windows
    }
  }
}
