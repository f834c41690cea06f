/**
 * A transport that sends no faster than a given rate, retries included.
 *
 * Calls take turns at even intervals: a burst would only meet the upstream's limit earlier. Whoever still waits for a turn
 * when the person asks to stop is not sent at all.
 */
import * as Transport from "@milepost/core/Transport"
import { NotSent } from "@milepost/core/TransportError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cancellation } from "./Cancellation.js"

const notSent = new NotSent({ reason: "Closed", message: "the run was interrupted before this call's turn" })

/** Sends at most `callsPerSecond`, evenly; once `abandon` completes, waiting calls fail with `NotSent`. */
export const paced = (
  transport: Transport.Service,
  callsPerSecond: number,
  abandon: Effect.Effect<void>
): Transport.Service => {
  const intervalMillis = 1000 / callsPerSecond
  let nextMillis = 0
  return Transport.make((request) =>
    Effect.clockWith((clock) => {
      const now = clock.unsafeCurrentTimeMillis()
      const turn = Math.max(now, nextMillis)
      nextMillis = turn + intervalMillis
      if (turn <= now) return transport.send(request)
      const abandoned = Effect.zipRight(abandon, notSent)
      return Effect.zipRight(Effect.raceFirst(abandoned, Effect.sleep(turn - now)), transport.send(request))
    })
  )
}

/** Puts a pace on the transport that is there; `null` leaves it as it is. */
export const layer = (
  callsPerSecond: number | null
): Layer.Layer<Transport.Transport, never, Transport.Transport | Cancellation> =>
  Layer.effect(
    Transport.Transport,
    Effect.zipWith(Transport.Transport, Cancellation, (transport, { requested }) =>
      callsPerSecond === null ? transport : paced(transport, callsPerSecond, Deferred.await(requested)))
  )
