/**
 * One call with its retries, and what is known at the end.
 *
 * The first attempt is the hot path and allocates nothing for retrying; everything else happens only once it failed.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import * as Disposition from "./Disposition.js"
import * as RetryPolicy from "./RetryPolicy.js"
import { Transport } from "./Transport.js"

/** How a call ended after all its attempts. */
export interface Attempted<A, E> {
  readonly result: Either.Either<A, E>
  /** How many times it was tried, from 1. */
  readonly attempts: number
  /**
   * Whether an attempt *before the last* may have been executed although no answer said so. It makes an "already
   * enrolled" ours or somebody's, and a last "too many calls" an unknown outcome.
   */
  readonly afterAmbiguousAttempt: boolean
}

/** Waits, and says whether the caller gave up meanwhile. */
const abandonedWithin = (waitMillis: number, abandon: Effect.Effect<void> | null): Effect.Effect<boolean> => {
  const waited = Effect.as(Effect.sleep(waitMillis), false)
  return abandon === null ? waited : Effect.raceFirst(Effect.as(abandon, true), waited)
}

/**
 * Everything after a first attempt that failed, which was begun at `startedMillis`: for whoever makes that one by other means.
 * {@link run} is both.
 */
export const afterFailure = <A, E extends Disposition.Classified>(
  policy: RetryPolicy.Service,
  first: E,
  startedMillis: number,
  once: (timeoutMillis: number) => Effect.Effect<A, E>
): Effect.Effect<Attempted<A, E>> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    let error = first
    let attempts = 1
    let counted = 0
    let ambiguous = false
    const failed = (): Attempted<A, E> => ({
      result: Either.left(error),
      attempts,
      afterAmbiguousAttempt: ambiguous
    })
    while (Disposition.isRetryable(error)) {
      const isExcused = policy.isExcused?.(error) === true || (!policy.postponedCounts && Disposition.isPostponed(error))
      if (!isExcused) counted += 1
      if (counted >= policy.maxAttempts) return failed()
      const asked = Disposition.retryAfterMillis(error)
      const ceiling = RetryPolicy.ceilingMillis(policy, attempts)
      // The upstream's own wait is honoured whole; the jitter on top keeps its waiting callers from returning as one.
      const wait = (asked ?? 0) + (yield* Random.nextRange(0, asked === null ? ceiling : policy.baseMillis))
      if (clock.unsafeCurrentTimeMillis() - startedMillis + wait >= policy.deadlineMillis) return failed()
      if (asked === null && policy.budget !== null && !policy.budget.take()) return failed()
      if (yield* abandonedWithin(wait, policy.abandon)) return failed()
      const left = policy.deadlineMillis - (clock.unsafeCurrentTimeMillis() - startedMillis)
      if (left <= 0) return failed()
      ambiguous = ambiguous || error.disposition === "outcomeUnknown"
      attempts += 1
      const result = yield* Effect.either(once(left))
      if (Either.isRight(result)) {
        policy.budget?.earn()
        return { result, attempts, afterAmbiguousAttempt: ambiguous }
      }
      error = result.left
    }
    return failed()
  })

/**
 * Tries a call until it succeeds, is refused for good, or attempts, deadline or budget are used up.
 *
 * `once` makes one attempt within the milliseconds that it is given. The policy comes from {@link RetryPolicy.RetryPolicy}.
 */
export const run = <A, E extends Disposition.Classified>(
  once: (transport: Context.Tag.Service<Transport>, timeoutMillis: number) => Effect.Effect<A, E>
): Effect.Effect<Attempted<A, E>, never, Transport> =>
  Effect.contextWithEffect((context: Context.Context<Transport>) => {
    const transport = Context.get(context, Transport)
    const policy = Context.get(context, RetryPolicy.RetryPolicy)
    return Effect.clockWith((clock) => {
      const startedMillis = clock.unsafeCurrentTimeMillis()
      return Effect.matchEffect(once(transport, policy.deadlineMillis), {
        onSuccess: (accepted) => {
          policy.budget?.earn()
          return Effect.succeed({ result: Either.right(accepted), attempts: 1, afterAmbiguousAttempt: false })
        },
        onFailure: (error) =>
          afterFailure(policy, error, startedMillis, (timeoutMillis) => once(transport, timeoutMillis))
      })
    })
  })

/** Success or the last error, for programs that fail. */
export const unwrap = <A, E, R>(self: Effect.Effect<Attempted<A, E>, never, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(self, (attempted) => attempted.result)
