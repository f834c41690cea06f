/**
 * When a failed call is tried again: by disposition, with exponential backoff and full jitter, within one deadline and
 * one budget.
 *
 * A program reads it as a `Context.Reference`: it needs no layer, and one call can be given another by
 * `Effect.provideService(RetryPolicy.RetryPolicy, policy)`.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Disposition from "./Disposition.js"

/**
 * Retries paid out of successes, shared by every call under one policy, so that a dying upstream is not hammered.
 *
 * A retry costs one token, a success earns a part of one; without a token a failure is final. A wait that the upstream
 * itself asks for (`Retry-After`) costs nothing.
 */
export interface RetryBudget {
  /** Takes a token for one retry; `false` when there is none. */
  readonly take: () => boolean
  /** Earns a part of a token for one success. */
  readonly earn: () => void
}

/** A budget of `capacity` retries (default 100) that earns `perSuccess` of one for every success (default 0.2). */
export const budget = (options?: { readonly capacity?: number; readonly perSuccess?: number }): RetryBudget => {
  const capacity = options?.capacity ?? 100
  const perSuccess = options?.perSuccess ?? 0.2
  let tokens = capacity
  return {
    take: () => {
      // Parts such as 0.1 add up to a hair less than one.
      if (tokens < 1 - 1e-9) return false
      tokens = Math.max(0, tokens - 1)
      return true
    },
    earn: () => {
      tokens = Math.min(capacity, tokens + perSuccess)
    }
  }
}

/** When a failed call is tried again. */
export interface Service {
  /** Attempts in all, the first one included; 1 means never again. */
  readonly maxAttempts: number
  /**
   * Whether an answer that says *not now* (429, 461, 503, 521) uses up an attempt. Without, only the deadline ends such
   * waiting: right for a bulk run, which would otherwise turn a full quota into a file of refusals.
   */
  readonly postponedCounts: boolean
  /**
   * Failures that do not use up an attempt, beside those of `postponedCounts`: what a whole run meets, as in an outage.
   * `null` for none.
   */
  readonly isExcused: ((error: Disposition.Classified) => boolean) | null
  /** The ceiling of the first wait; every further wait doubles it. The wait itself is drawn from 0 to the ceiling. */
  readonly baseMillis: number
  /** The ceiling that no wait exceeds, but for the upstream's own `Retry-After`, which is honoured whole. */
  readonly capMillis: number
  /** The longest that one call may take with all its attempts and waits. */
  readonly deadlineMillis: number
  /** Retries shared by all calls under this policy; `null` for as many as attempts and deadline allow. */
  readonly budget: RetryBudget | null
  /**
   * Ends all waiting once it completes: no further attempt is made and the last error is final, while a call in flight
   * still gets its answer. `null` for callers that never cancel, or that interrupt instead.
   */
  readonly abandon: Effect.Effect<void> | null
}

/**
 * A policy: 5 attempts, waits of up to 0.2 s doubling up to 10 s, 2 minutes in all, and a budget of its own.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "@milepost/core"
 *
 * const patient = RetryPolicy.make({ maxAttempts: 8, deadline: "5 minutes" })
 * ```
 */
export const make = (options?: {
  readonly maxAttempts?: number
  readonly postponedCounts?: boolean
  readonly isExcused?: (error: Disposition.Classified) => boolean
  readonly base?: Duration.DurationInput
  readonly cap?: Duration.DurationInput
  readonly deadline?: Duration.DurationInput
  readonly budget?: RetryBudget | null
  readonly abandon?: Effect.Effect<void>
}): Service => ({
  maxAttempts: Math.max(1, Math.floor(options?.maxAttempts ?? 5)),
  postponedCounts: options?.postponedCounts ?? true,
  isExcused: options?.isExcused ?? null,
  baseMillis: Duration.toMillis(options?.base ?? "200 millis"),
  capMillis: Duration.toMillis(options?.cap ?? "10 seconds"),
  deadlineMillis: Duration.toMillis(options?.deadline ?? "2 minutes"),
  budget: options?.budget === undefined ? budget() : options.budget,
  abandon: options?.abandon ?? null
})

/** One attempt, whatever comes of it. */
export const never: Service = make({ maxAttempts: 1 })

/** The policy that programs retry by; without one provided, {@link make}'s defaults with one budget for the process. */
export class RetryPolicy extends Context.Reference<RetryPolicy>()("@milepost/core/RetryPolicy", {
  defaultValue: (): Service => make()
}) {}

/** The ceiling of the wait before the attempt that follows `attempts` failed ones, in milliseconds. */
export const ceilingMillis = (policy: Service, attempts: number): number =>
  // The exponent is bounded: 2 ** 1024 is Infinity, and times a base of 0 it is no number.
  Math.min(policy.capMillis, policy.baseMillis * 2 ** Math.min(attempts - 1, 1000))
