/** How often a proxy is asked again, and for how long: what passes by itself is waited for, everything else ends a command. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as ProxyClient from "./ProxyClient.js"

const shortestMillis = 500
const longestMillis = 15_000

/** A proxy that is away for longer is given up, as a lost upstream is. */
export const lostAfterMillis = 15 * 60_000

/** How long to wait before a try: longer each time, and never less than the proxy asks for. */
export const pauseMillis = (error: ProxyClient.ProxyError | null, earlier: number): number =>
  Math.max(
    Math.min(longestMillis, shortestMillis * 2 ** Math.min(earlier, 10)),
    Math.min(600_000, error?._tag === "ProxyRefused" ? error.retryAfterMillis ?? 0 : 0)
  )

/** What is asked again while that may help. */
export interface Options {
  /** Whether an error passes; for how long it is waited for, in milliseconds since the first one, or `null` for not at all. */
  readonly patienceMillis: (error: ProxyClient.ProxyError) => number | null
  /** Told of every wait. */
  readonly waiting: (error: ProxyClient.ProxyError, millis: number) => Effect.Effect<void>
}

const isProxyError = (error: unknown): error is ProxyClient.ProxyError => {
  const { _tag } = error as { readonly _tag?: unknown }
  return _tag === "NotAnswered" || _tag === "ProxyRefused"
}

/** Asks again while that may help. */
export const patiently = <A, E, R>(
  self: Effect.Effect<A, E | ProxyClient.ProxyError, R>,
  { patienceMillis, waiting }: Options
): Effect.Effect<A, E | ProxyClient.ProxyError, R> =>
  Effect.flatMap(Clock.currentTimeMillis, (startedMillis) => {
    const attempt = (earlier: number): Effect.Effect<A, E | ProxyClient.ProxyError, R> =>
      Effect.catchAll(self, (error) => {
        if (!isProxyError(error)) return Effect.fail(error)
        const patience = patienceMillis(error)
        if (patience === null) return Effect.fail(error)
        return Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const millis = pauseMillis(error, earlier)
          if (now + millis - startedMillis > patience) return Effect.fail(error)
          return Effect.zipRight(waiting(error, millis), Effect.zipRight(Effect.sleep(millis), Effect.suspend(() => attempt(earlier + 1))))
        })
      })
    return attempt(0)
  })
