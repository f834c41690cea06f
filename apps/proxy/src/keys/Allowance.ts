/** How many requests of a key are left in its minute, and the header fields that say so. */
import type { ApiKey } from "./ApiKey.js"

/** What a request met. */
export interface Spent {
  readonly isAllowed: boolean
  /** `RateLimit` and `RateLimit-Policy`, and `Retry-After` where it is not allowed; none for a key without a limit. */
  readonly headers: Readonly<Record<string, string>>
}

/** Minutes of all keys. */
export interface Allowance {
  readonly spend: (key: ApiKey, nowMillis: number) => Spent
}

const windowMillis = 60_000

const unlimited: Spent = { isAllowed: true, headers: {} }

/** A minute begins with the first request in it. */
export const make = (): Allowance => {
  const minutes = new Map<string, { startedMillis: number; requests: number }>()
  return {
    spend: ({ id, perMinute }, now) => {
      if (perMinute === null) return unlimited
      let minute = minutes.get(id)
      if (minute === undefined || now - minute.startedMillis >= windowMillis) {
        minute = { startedMillis: now, requests: 0 }
        minutes.set(id, minute)
      }
      const isAllowed = minute.requests < perMinute
      if (isAllowed) minute.requests += 1
      const seconds = Math.max(1, Math.ceil((minute.startedMillis + windowMillis - now) / 1000))
      const headers = {
        "ratelimit-policy": `"key";q=${perMinute};w=60`,
        ratelimit: `"key";r=${perMinute - minute.requests};t=${seconds}`
      }
      return { isAllowed, headers: isAllowed ? headers : { ...headers, "retry-after": String(seconds) } }
    }
  }
}
