/**
 * When the upstream is down for everybody, and when it is back.
 *
 * Calls that fail for twenty different customers in a row, after it has answered well before, are an outage: then one call
 * at a time goes out to see whether it is over, no record's attempts are used up by it, and after a quarter of an hour the
 * run stops. A single customer's trouble, or one that began with the first call, is none: attempts are what ends that.
 */
import type { TransportError } from "@milepost/core/TransportError"

/** What is learnt from one call. Moments are milliseconds of the clock. */
export type Sign =
  /** The upstream did its work, whatever it said of the record. */
  | { readonly _tag: "Well" }
  /** The gateway failed (500, 502, 504), or was asked to come back later. */
  | { readonly _tag: "Failed"; readonly status: number }
  | { readonly _tag: "Broken"; readonly error: TransportError }

/** What follows. */
export type Verdict =
  | { readonly _tag: "None" }
  /** Calls go out one by one, so far apart. */
  | { readonly _tag: "Crawl"; readonly everyMillis: number; readonly why: string }
  /** It is over. */
  | { readonly _tag: "Over" }
  /** It has lasted too long, or nobody has ever answered. */
  | { readonly _tag: "Stop"; readonly reason: "unreachable" | "outage"; readonly message: string }

/** Watches the calls of one run. */
export interface Outage {
  readonly observe: (sign: Sign, customerId: number, nowMillis: number) => Verdict
  /** Whether one is on. */
  readonly isOn: () => boolean
  /** Whether the upstream has ever been reached by this run. */
  readonly wasReached: () => boolean
  /** A record ended as unknown, or did not; says why the run should stop, or `null`. */
  readonly ended: (isUnknown: boolean) => string | null
}

/** So many customers in a row are not one record's trouble. */
const customersInARow = 20

/** So many records in a row ended as unknown: going on would only make more of them. */
const unknownInARow = 100

const firstIntervalMillis = 1_000
const longestIntervalMillis = 5_000
const patienceMillis = 900_000

/** Calls that did not leave, before anybody has answered, and how long that is watched. */
const unreachedCalls = 4
const unreachedMillis = 1_000

const none: Verdict = { _tag: "None" }

const wordOf = (sign: Exclude<Sign, { readonly _tag: "Well" }>): string =>
  sign._tag === "Failed" ? String(sign.status) : sign.error._tag === "NotSent" ? "the upstream cannot be reached" : "no answer"

/** Nothing seen yet. */
export const make = (options: { readonly isArmed: boolean }): Outage => {
  const customers = new Set<number>()
  let hasBeenWell = false
  let hasBeenReached = false
  let sinceMillis: number | null = null
  let intervalMillis = firstIntervalMillis
  let notSent = 0
  let firstNotSent = 0
  let unknown = 0

  const well = (): Verdict => {
    hasBeenWell = true
    // To clear an empty set costs as much as one that is full.
    if (customers.size > 0) customers.clear()
    if (sinceMillis === null) return none
    sinceMillis = null
    return { _tag: "Over" }
  }

  /** Before anybody has answered, a call that does not leave is most likely a wrong setting. */
  const unreached = (message: string, now: number): Verdict => {
    notSent += 1
    if (notSent === 1) firstNotSent = now
    return notSent >= unreachedCalls && now - firstNotSent >= unreachedMillis ? { _tag: "Stop", reason: "unreachable", message } : none
  }

  return {
    isOn: () => sinceMillis !== null,
    wasReached: () => hasBeenReached,
    ended: (isUnknown) => {
      unknown = isUnknown ? unknown + 1 : 0
      return options.isArmed && unknown === unknownInARow ? `${unknown} records in a row ended without anybody knowing how` : null
    },
    observe: (sign, customerId, now) => {
      if (sign._tag !== "Broken" || sign.error._tag !== "NotSent") hasBeenReached = true
      else if (!hasBeenReached) return unreached(sign.error.message, now)
      if (sign._tag === "Well") return well()
      if (!options.isArmed || !hasBeenWell) return none
      if (sinceMillis !== null) {
        if (now - sinceMillis >= patienceMillis) {
          return { _tag: "Stop", reason: "outage", message: `no good answer for ${Math.round((now - sinceMillis) / 60_000)} minutes, the last was: ${wordOf(sign)}` }
        }
        intervalMillis = Math.min(longestIntervalMillis, intervalMillis * 1.5)
        return { _tag: "Crawl", everyMillis: intervalMillis, why: wordOf(sign) }
      }
      customers.add(customerId)
      if (customers.size < customersInARow) return none
      sinceMillis = now
      intervalMillis = firstIntervalMillis
      return { _tag: "Crawl", everyMillis: intervalMillis, why: wordOf(sign) }
    }
  }
}
