/** The simulator's control routes, as a client sees them. */
import * as Effect from "effect/Effect"
import { Refused } from "../Refused.js"

/** Calls a control route below a base URL; anything but 200 is refused with what the answer says. */
export const call = (baseUrl: string, method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: unknown): Effect.Effect<unknown, Refused> =>
  Effect.tryPromise({
    try: async (signal) => {
      const answer = await fetch(`${baseUrl}/__sim${path}`, {
        method,
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } })
      })
      const text = await answer.text()
      if (answer.status !== 200) throw new Error(`${method} /__sim${path} is answered ${answer.status}`)
      return JSON.parse(text) as unknown
    },
    catch: (cause) => {
      const why = cause instanceof Error && cause.message.startsWith(method) ? cause.message : "there is no answer"
      return new Refused({ lines: [`${baseUrl}: is no simulator of Milepost (${why})`] })
    }
  })
