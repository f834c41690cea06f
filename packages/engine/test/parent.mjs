/** The transport of a process that is to be killed: its parent is the upstream, and so survives. */
import { NoAnswer } from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"

const waiting = new Map()
let calls = 0

/** Takes what the parent says on where it is an answer; `null` is one that got lost. */
export const answered = ({ id, response }) => {
  const resume = waiting.get(id)
  waiting.delete(id)
  resume(response === null
    ? Effect.fail(new NoAnswer({ reason: "Reset", message: "reset", requestId: null }))
    : Effect.succeed(response))
}

export const transport = {
  send: (request) =>
    Effect.async((resume) => {
      const id = ++calls
      waiting.set(id, resume)
      process.send({ id, request })
    })
}
