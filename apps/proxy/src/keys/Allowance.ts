/**
 * How many requests of a key are left in its minute, and the header fields that say so.
 *
 * Each of several replicas gives out its share, so that they never give out more than the key's limit together, but for
 * the minute in which one comes or goes. Whoever is always answered by the same replica meets that share alone. Where there
 * are more replicas than requests, each gives out one in as many minutes as keep the sum right.
 */
import type { ApiKey } from "./ApiKey.js"

/** What a request met. */
export interface Spent {
  readonly isAllowed: boolean
  /**
   * `RateLimit-Policy` with the key's whole limit, `RateLimit` with what is left here, and `Retry-After` where the request
   * is not allowed; none for a key without a limit.
   */
  readonly headers: Readonly<Record<string, string>>
}

/** Minutes of all keys. */
export interface Allowance {
  readonly spend: (key: ApiKey, nowMillis: number) => Spent
}

const windowMillis = 60_000

const unlimited: Spent = { isAllowed: true, headers: {} }

/** What one of so many replicas gives out, and in which time. */
const shareOf = (perMinute: number, members: number): { readonly requests: number; readonly millis: number } => {
  const requests = Math.floor(perMinute / members)
  return requests > 0 ? { requests, millis: windowMillis } : { requests: 1, millis: Math.ceil(windowMillis * members / perMinute) }
}

/** A minute begins with the first request in it; `members` tells how many replicas there are now, itself included. */
export const make = (members: () => number = () => 1): Allowance => {
  const minutes = new Map<string, { startedMillis: number; requests: number }>()
  return {
    spend: ({ id, perMinute }, now) => {
      if (perMinute === null) return unlimited
      const share = shareOf(perMinute, Math.max(1, members()))
      let minute = minutes.get(id)
      if (minute === undefined || now - minute.startedMillis >= share.millis) {
        minute = { startedMillis: now, requests: 0 }
        minutes.set(id, minute)
      }
      const isAllowed = minute.requests < share.requests
      if (isAllowed) minute.requests += 1
      const seconds = Math.max(1, Math.ceil((minute.startedMillis + share.millis - now) / 1000))
      const headers = {
        "ratelimit-policy": `"key";q=${perMinute};w=60`,
        ratelimit: `"key";r=${Math.max(0, share.requests - minute.requests)};t=${seconds}`
      }
      return { isAllowed, headers: isAllowed ? headers : { ...headers, "retry-after": String(seconds) } }
    }
  }
}
