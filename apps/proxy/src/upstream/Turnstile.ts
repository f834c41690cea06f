/**
 * One at a time for each customer, in the order of arrival: the upstream refuses two calls at once for one customer.
 *
 * Whoever finds nobody inside enters synchronously; only who has to wait pays for waiting.
 */
import * as Effect from "effect/Effect"

/** One place a customer. */
export interface Turnstile {
  /** Enters at once; `false` when somebody is inside or waits. */
  readonly tryEnter: (customerId: number) => boolean
  /** Calls back inside, at once or in turn. */
  readonly enterThen: (customerId: number, then: () => void) => void
  /** Waits in turn and enters; an interruption gives up the wait. */
  readonly enter: (customerId: number) => Effect.Effect<void>
  /** Lets the next one in. */
  readonly leave: (customerId: number) => void
}

/** Nobody inside. */
export const make = (): Turnstile => {
  /** Who waits for a customer that somebody is inside for; `null` while nobody does. */
  const inside = new Map<number, Set<() => void> | null>()

  const leave = (customerId: number): void => {
    const waiting = inside.get(customerId)
    const next = waiting?.values().next().value
    if (waiting === undefined || waiting === null || next === undefined) {
      inside.delete(customerId)
      return
    }
    waiting.delete(next)
    if (waiting.size === 0) inside.set(customerId, null)
    next()
  }

  const tryEnter = (customerId: number): boolean => {
    if (inside.has(customerId)) return false
    inside.set(customerId, null)
    return true
  }

  return {
    tryEnter,
    leave,
    enterThen: (customerId, then) => {
      if (tryEnter(customerId)) return then()
      inside.set(customerId, (inside.get(customerId) ?? new Set()).add(then))
    },
    enter: (customerId) =>
      Effect.async<void>((resume) => {
        if (tryEnter(customerId)) {
          resume(Effect.void)
          return Effect.sync(() => leave(customerId))
        }
        let isInside = false
        const enter = (): void => {
          isInside = true
          resume(Effect.void)
        }
        const waiting = inside.get(customerId) ?? new Set()
        inside.set(customerId, waiting.add(enter))
        return Effect.sync(() => {
          if (isInside) return leave(customerId)
          waiting.delete(enter)
          if (waiting.size === 0 && inside.get(customerId) === waiting) inside.set(customerId, null)
        })
      })
  }
}

/** Runs something inside, and leaves whatever comes of it. */
export const through = <A, E, R>(
  turnstile: Turnstile,
  customerId: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) => {
    const inside = Effect.matchCauseEffect(restore(effect), {
      onFailure: (cause) => {
        turnstile.leave(customerId)
        return Effect.failCause(cause)
      },
      onSuccess: (value) => {
        turnstile.leave(customerId)
        return Effect.succeed(value)
      }
    })
    return turnstile.tryEnter(customerId) ? inside : Effect.zipRight(restore(turnstile.enter(customerId)), inside)
  })
