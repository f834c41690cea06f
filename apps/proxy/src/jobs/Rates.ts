/**
 * How fast jobs go, from what the ledger says of them second by second: the same at every replica, whoever sends.
 */
import type { Run } from "@milepost/ledger/Run"

/** How fast a job goes. */
export interface Rate {
  readonly callsPerSecond: number
  /** `null` while nobody can tell. */
  readonly etaSeconds: number | null
}

/** Watches jobs. Moments are milliseconds of a clock that never goes back. */
export interface Rates {
  /** How a job stood at a moment. */
  readonly saw: (run: Run, nowMillis: number) => void
  /** `null` of a job that was not seen for two moments. */
  readonly of: (id: string) => Rate | null
}

interface Sample {
  readonly atMillis: number
  readonly calls: number
  readonly open: number
}

/** Looked at that far back. */
const windowMillis = 10_000

/** Nothing seen yet. */
export const make = (): Rates => {
  const seen = new Map<string, Array<Sample>>()
  return {
    saw: ({ calls, counts, id, state }, now) => {
      if (state !== "running") return void seen.delete(id)
      const samples = seen.get(id) ?? []
      seen.set(id, samples)
      samples.push({ atMillis: now, calls, open: counts.pending + counts.claimed })
      // One that is older than the window stays, so that the window is whole.
      while (samples.length > 2 && now - (samples[1]?.atMillis ?? now) >= windowMillis) samples.shift()
    },
    of: (id) => {
      const samples = seen.get(id) ?? []
      const [first, last] = [samples[0], samples.at(-1)]
      if (first === undefined || last === undefined || last.atMillis <= first.atMillis) return null
      const seconds = (last.atMillis - first.atMillis) / 1000
      const donePerSecond = (first.open - last.open) / seconds
      return {
        callsPerSecond: Math.max(0, last.calls - first.calls) / seconds,
        etaSeconds: donePerSecond > 0 ? last.open / donePerSecond : null
      }
    }
  }
}
