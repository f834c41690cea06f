/**
 * A transport that sends what it is told, also what `@milepost/http` refuses to send: the data scope `ALL`, or a caller with
 * an API key in place of the upstream's credentials. For conformance alone: it has no pool and no renewal of tokens.
 */
import * as Transport from "@milepost/core/Transport"
import * as TransportError from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"

/** Where calls go, with the base path, and the headers that every call carries. */
export interface Options {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

const timeoutMillis = 30_000

/** A transport of fetch. */
export const make = ({ headers, url }: Options): Transport.Service =>
  Transport.make((request) =>
    Effect.tryPromise({
      try: async (signal) => {
        const answer = await fetch(url + request.path, {
          method: request.method,
          headers: { ...headers, ...(request.body === null ? {} : { "content-type": "application/json" }) },
          body: request.body,
          redirect: "manual",
          signal
        })
        return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text(), requestId: null }
      },
      catch: () => new TransportError.NoAnswer({ reason: "Reset", message: "the connection broke", requestId: null })
    }).pipe(
      Effect.timeoutFail({
        duration: timeoutMillis,
        onTimeout: () => new TransportError.NoAnswer({ reason: "Timeout", message: "no answer in time", requestId: null })
      })
    ))
