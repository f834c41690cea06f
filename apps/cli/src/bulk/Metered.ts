/** A transport that counts the calls that went out, retries included. */
import * as Transport from "@milepost/core/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Calls so far. */
export interface Service {
  /** Calls that were handed to the transport. */
  sent: number
  /** Calls that got an answer, whatever it said. */
  answered: number
}

/** Calls so far. */
export class Meter extends Context.Tag("@milepost/cli/Meter")<Meter, Service>() {}

/** Puts a meter on the transport that is there. */
export const layer: Layer.Layer<Transport.Transport | Meter, never, Transport.Transport> = Layer.effectContext(
  Effect.map(Transport.Transport, (transport) => {
    const meter: Service = { sent: 0, answered: 0 }
    const metered = Transport.make((request) =>
      Effect.suspend(() => {
        meter.sent += 1
        return Effect.map(transport.send(request), (response) => {
          meter.answered += 1
          return response
        })
      })
    )
    return Context.make(Transport.Transport, metered).pipe(Context.add(Meter, meter))
  })
)
