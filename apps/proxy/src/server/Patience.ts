/**
 * How long somebody who sends is waited for: cut off is whoever falls silent, and whoever drips.
 *
 * Only time in which nothing has come counts: a client that is faster than the disk is never slow.
 */
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** How long somebody who sends is waited for. */
export interface Patience {
  /** Without any byte. */
  readonly silenceMillis: number
  /** After so long a wait in all, the rate is looked at, and counting begins anew. */
  readonly windowMillis: number
  /** At least, while it is waited; 0 for any. */
  readonly bytesPerSecond: number
}

/** What holds where nothing else is said: a modem of the last century is fast enough. */
export const standard: Patience = { silenceMillis: 30_000, windowMillis: 15_000, bytesPerSecond: 1_024 }

/** Fails with `slow` where bytes come too slowly. */
export const within = (patience: Patience) => <E, F>(bytes: Stream.Stream<Uint8Array, E>, slow: () => F): Stream.Stream<Uint8Array, E | F> =>
  Stream.unwrapScoped(Effect.map(Effect.zip(Effect.clock, Stream.toPull(bytes)), ([clock, pull]) => {
    let waited = 0
    let came = 0
    const tooSlow = (): Option.Option<E | F> => Option.some(slow())
    const impatient: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<E | F>> = Effect.timeoutFail(pull, {
      duration: patience.silenceMillis,
      onTimeout: tooSlow
    })
    return Stream.fromPull(Effect.succeed(Effect.suspend(() => {
      const since = clock.unsafeCurrentTimeNanos()
      return Effect.flatMap(impatient, (chunk) => {
        waited += Number(clock.unsafeCurrentTimeNanos() - since) / 1e6
        for (const part of chunk) came += part.length
        if (waited < patience.windowMillis) return Effect.succeed(chunk)
        const isSlow = came < patience.bytesPerSecond * waited / 1000
        waited = 0
        came = 0
        return isSlow ? Effect.fail(tooSlow()) : Effect.succeed(chunk)
      })
    })))
  }))
