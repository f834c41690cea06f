/**
 * The last look before a call leaves: a process sends only for lanes that it has.
 *
 * One that was frozen, or is cut off from the database, finds here that its time is over, whatever waited for its turn
 * meanwhile. While a call is on its way its lane is not given back. So nothing that may wait stands between this and the wire.
 */
import * as Transport from "@milepost/core/Transport"
import { NotSent, type TransportError } from "@milepost/core/TransportError"
import * as Lane from "@milepost/ledger/Lane"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Replica from "./Replica.js"

/** A transport, and the way without a fiber where it has one. */
export type Inner = Transport.Service & {
  readonly begin?: ((request: Transport.Request, ended: (exit: Exit.Exit<Transport.Response, TransportError>) => void) => void) | null
}

/** The call was not sent, because another process may be calling for the same customer. */
export const notOurs = new NotSent({
  reason: "Closed",
  message: "this replica may not send for the customer just now: another one has the customer's lane, or the database cannot be reached; the call was not sent"
})

/** A transport that sends for customers of lanes that this process has, and refuses the others unsent, as `notOurs`. */
export const around = (replica: Pick<Replica.Service, "enter" | "lanes">, inner: Inner): Inner => {
  const enter = (request: Transport.Request): (() => void) | null => replica.enter(Lane.of(request.customerId, replica.lanes))
  const begin = inner.begin
  if (begin == null) {
    return Transport.make((request) =>
      Effect.suspend(() => {
        const leave = enter(request)
        return leave === null ? Effect.fail(notOurs) : Effect.uninterruptible(Effect.ensuring(inner.send(request), Effect.sync(leave)))
      }))
  }
  const beginHere: typeof begin = (request, ended) => {
    const leave = enter(request)
    if (leave === null) return ended(Exit.fail(notOurs))
    begin(request, (exit) => {
      leave()
      ended(exit)
    })
  }
  return { begin: beginHere, send: (request) => Effect.uninterruptible(Effect.async((resume) => beginHere(request, resume))) }
}
