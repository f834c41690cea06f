/** Somebody who always wants the next turn of a pace, as a gate with many waiting calls does. */
import type * as SharedPace from "../src/SharedPace.js"

/** What a taker did. */
export interface Taking {
  /** When calls left, by the clock that it was given. */
  readonly departures: ReadonlyArray<number>
  readonly stop: () => void
}

/** Takes turns of a pace by real timers, as soon as they come; `wants` says how many calls wait. */
export const takeAll = (
  pace: SharedPace.SharedPace,
  now: () => number,
  { left = () => undefined, wants = () => 64 }: { readonly left?: (at: number) => void; readonly wants?: () => number } = {}
): Taking => {
  const departures: Array<number> = []
  let turn: number | null = null
  let era = pace.era()
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  const pump = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    for (;;) {
      if (isStopped || wants() === 0) break
      const at = now()
      if (turn === null || era !== pace.era()) {
        era = pace.era()
        turn = pace.turn(at)
      }
      if (turn <= at && !pace.holds(turn, at)) turn = pace.turn(at)
      if (turn > at) {
        const wait = Math.min(1_000, turn - at)
        if (turn === Number.POSITIVE_INFINITY) turn = null
        timer = setTimeout(pump, wait)
        return
      }
      pace.taken(turn, at)
      turn = null
      departures.push(at)
      left(at)
      // As many as go at once under a rate; without one somebody else has his turn.
      if (pace.rate() === null) {
        timer = setTimeout(pump, 1)
        return
      }
    }
    if (!isStopped) timer = setTimeout(pump, 20)
  }
  pace.connect({ waiting: () => Math.max(0, wants() - Number(turn !== null)), onMoved: pump })
  pump()
  return {
    departures,
    stop: () => {
      isStopped = true
      if (timer !== null) clearTimeout(timer)
    }
  }
}

/** How many of these moments lie in the window in which most do. */
export const worstWindow = (moments: ReadonlyArray<number>, windowMillis: number): number => {
  const sorted = moments.toSorted((a, b) => a - b)
  let first = 0
  let worst = 0
  for (let last = 0; last < sorted.length; last++) {
    while ((sorted[last] ?? 0) - (sorted[first] ?? 0) >= windowMillis) first += 1
    worst = Math.max(worst, last - first + 1)
  }
  return worst
}
