/**
 * Rate limits of organisations, counted in windows of one minute of virtual time (`docs/upstream.md`, *Answers*: limits
 * are per organisation and counted per minute; how is not documented).
 */
import type { Org } from "./worldIndex.js"

const windowMillis = 60_000

/** The windows of a world. */
export interface RateWindows {
  /**
   * Counts a call. `null`: within the limit. Else it is refused and does not count; with the seconds of `Retry-After`,
   * `undefined` where the limit gives none.
   */
  readonly admit: (org: Org, now: number) => null | { readonly retryAfterSeconds: number | undefined }
}

/** Windows in which nothing has been counted. */
export const make = (): RateWindows => {
  const counted = new Map<number, { window: number; calls: number }>()
  return {
    admit: ({ id, rateLimit }, now) => {
      if (rateLimit === undefined) return null
      const window = Math.floor(now / windowMillis)
      const of = counted.get(id)
      if (of === undefined || of.window !== window) {
        counted.set(id, { window, calls: 1 })
        return null
      }
      if (of.calls < rateLimit.perMinute) {
        of.calls++
        return null
      }
      const { retryAfter = "window" } = rateLimit
      return {
        retryAfterSeconds: retryAfter === "window"
          ? Math.ceil(((window + 1) * windowMillis - now) / 1000)
          : retryAfter === "none"
          ? undefined
          : retryAfter
      }
    }
  }
}
