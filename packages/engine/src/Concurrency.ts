/**
 * How many calls are in flight: a fixed number, as many as the upstream answers well, or as many as somebody else says.
 *
 * `auto` doubles until the upstream first shows strain, then grows by one a round and shrinks by a third when it answers
 * 429, 461 or 503, or not at all. Growing waits while answers take more than twice as long as they once did.
 */
import * as Effect from "effect/Effect"

/** What an answer says of the strain that the upstream is under. */
export type Signal = "good" | "strained"

/** The calls in flight of one run. Moments are milliseconds of the clock. */
export interface Concurrency {
  /** Takes a place at once; `false` when all are taken. */
  readonly tryTake: () => boolean
  /** Waits in turn for a place; an interruption gives up the wait. */
  readonly take: Effect.Effect<void>
  /** Gives a place back, to whoever waits longest. */
  readonly release: () => void
  /** Learns from an answer to a call that left at `sentMillis`. */
  readonly observe: (signal: Signal, sentMillis: number, nowMillis: number) => void
  /** Places there are. */
  readonly limit: () => number
  /** Places there can ever be. */
  readonly most: number
  /** Places taken. */
  readonly inFlight: () => number
}

/** Where `auto` starts. */
const start = 8

/** How many calls `auto` has in flight at most, unless told otherwise. */
export const mostByDefault = 128

/**
 * Nothing in flight yet.
 *
 * @param calls how many at once; a function where somebody else decides, who is asked before every call
 *
 * @example
 * ```ts
 * import { Concurrency } from "@milepost/engine"
 *
 * const fixed = Concurrency.make(64)
 * const adaptive = Concurrency.make("auto", { most: 256 })
 * ```
 */
export const make = (calls: number | "auto" | (() => number), options?: { readonly most?: number }): Concurrency => {
  const isAuto = calls === "auto"
  const most = Math.max(1, Math.floor(typeof calls === "number" ? calls : options?.most ?? mostByDefault))
  let limit = isAuto ? Math.min(start, most) : most
  const places = typeof calls === "function"
    ? () => Math.max(1, Math.min(most, Math.floor(calls())))
    : () => Math.floor(limit)
  let isSteep = true
  let inFlight = 0
  let shrunkAt = Number.NEGATIVE_INFINITY
  let fastest = Number.POSITIVE_INFINITY
  let recent = 0
  let answers = 0
  const waiting = new Set<() => void>()

  const wake = (): void => {
    for (const next of waiting) {
      if (inFlight >= places()) return
      waiting.delete(next)
      inFlight += 1
      next()
    }
  }

  const grow = (): void => {
    if (inFlight < limit * 0.75 || limit >= most) return
    // Answers of a millisecond are as good as any: the clock does not tell more.
    if (recent > 2 * fastest + 5) {
      isSteep = false
      return
    }
    limit = Math.min(most, limit + (isSteep ? 1 : 1 / limit))
    wake()
  }

  return {
    tryTake: () => {
      if (inFlight >= places() || waiting.size > 0) return false
      inFlight += 1
      return true
    },
    take: Effect.async<void>((resume) => {
      if (inFlight < places() && waiting.size === 0) {
        inFlight += 1
        resume(Effect.void)
        return undefined
      }
      let isTaken = false
      const next = (): void => {
        isTaken = true
        resume(Effect.void)
      }
      waiting.add(next)
      return Effect.sync(() => {
        if (!isTaken) waiting.delete(next)
        else {
          inFlight -= 1
          wake()
        }
      })
    }),
    release: () => {
      inFlight -= 1
      wake()
    },
    observe: (signal, sent, now) => {
      if (!isAuto) return
      if (signal === "strained") {
        isSteep = false
        // Calls that left before the last shrinking say what is known already.
        if (sent < shrunkAt) return
        shrunkAt = now
        limit = Math.max(1, limit * 0.7)
        return
      }
      const took = now - sent
      answers += 1
      // The first answers pay for connections.
      if (answers > start) fastest = Math.min(fastest, took)
      recent = recent === 0 ? took : recent * 0.9 + took * 0.1
      grow()
    },
    limit: places,
    most,
    inFlight: () => inFlight
  }
}
