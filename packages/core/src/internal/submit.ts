/** Sends one POST of the family and reads its answer; enrol and un-enrol share it. */
import * as Effect from "effect/Effect"
import * as Decode from "../Decode.js"
import type { CallError } from "../Outcome.js"
import type { Request, Service } from "../Transport.js"

export const submit = (transport: Service, request: Request): Effect.Effect<Decode.Accepted, CallError> =>
  Effect.flatMap(transport.send(request), (response) => Decode.accepted(response, request.customerId))
