/**
 * The last look before a call leaves: a replica sends only for lanes that it has.
 *
 * A replica that was frozen, or is cut off from the database, finds here that its time is over, whatever waited for its turn
 * meanwhile. While a call is on its way its lane is not given back.
 */
import * as Transport from "@milepost/core/Transport"
import { NotSent } from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Inner } from "../upstream/Gate.js"
import { laneOf, type Owners } from "./Owners.js"

/** The call was not sent, because another replica may be calling for the same customer. */
export const notOurs = new NotSent({
  reason: "Closed",
  message: "this replica may not send for the customer just now: another one has the customer's lane, or the database cannot be reached; the call was not sent"
})

/** A transport that sends for customers of lanes that this replica has, and refuses the others unsent. */
export const around = (owners: Pick<Owners, "enter" | "lanes">, inner: Inner): Inner => {
  const send: Transport.Service["send"] = (request) =>
    Effect.suspend(() => {
      const leave = owners.enter(laneOf(owners, request.customerId))
      if (leave === null) return Effect.fail(notOurs)
      // A gate lets nobody interrupt a call that has left.
      return Effect.uninterruptible(Effect.matchCauseEffect(inner.send(request), {
        onFailure: (cause) => {
          leave()
          return Effect.failCause(cause)
        },
        onSuccess: (response) => {
          leave()
          return Effect.succeed(response)
        }
      }))
    })
  const begin = inner.begin
  if (begin == null) return Transport.make(send)
  return {
    send,
    begin: (request, ended) => {
      const leave = owners.enter(laneOf(owners, request.customerId))
      if (leave === null) return ended(Exit.fail(notOurs))
      begin(request, (exit) => {
        leave()
        ended(exit)
      })
    }
  }
}
