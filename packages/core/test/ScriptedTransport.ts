/**
 * A transport that answers from a script, in order, and keeps what was asked of it and when.
 *
 * A call beyond the script's end is a defect, so that no test passes with calls that it did not foresee.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RetryPolicy from "../src/RetryPolicy.js"
import * as Transport from "../src/Transport.js"
import * as TransportError from "../src/TransportError.js"

/** One answer of the script: a response, a failure, or an effect that comes to one of them in its own time. */
export type Step =
  | Transport.Response
  | TransportError.TransportError
  | Effect.Effect<Transport.Response, TransportError.TransportError>

/** A call as the transport saw it. */
export interface Call {
  readonly request: Transport.Request
  /** When it came, on the virtual clock. */
  readonly atMillis: number
}

export interface Scripted {
  /** The transport, with a default retry policy of its own: no test lives on the budget of another. */
  readonly layer: Layer.Layer<Transport.Transport>
  readonly service: Transport.Service
  /** Every call so far, in order. */
  readonly calls: ReadonlyArray<Call>
}

// The errors are effects too, so they are told apart first.
const play = (step: Step): Effect.Effect<Transport.Response, TransportError.TransportError> => {
  if (step instanceof Error) return Effect.fail(step)
  return Effect.isEffect(step) ? step : Effect.succeed(step)
}

export const make = (steps: ReadonlyArray<Step>): Scripted => {
  const calls: Array<Call> = []
  const service = Transport.make((request) =>
    Effect.flatMap(Clock.currentTimeMillis, (atMillis) => {
      calls.push({ request, atMillis })
      const step = steps[calls.length - 1]
      return step === undefined
        ? Effect.dieMessage(`call ${calls.length} is not in the script of ${steps.length}`)
        : play(step)
    })
  )
  const layer = Layer.merge(
    Layer.succeed(Transport.Transport, service),
    Layer.sync(RetryPolicy.RetryPolicy, () => RetryPolicy.make())
  )
  return { service, layer, calls }
}

/** An answer with any text for a body. */
export const text = (
  status: number,
  body: string,
  headers: Transport.Response["headers"] = {}
): Transport.Response => ({ status, headers, body, requestId: "req-1" })

/** An answer with a value for a JSON body. */
export const json = (
  status: number,
  body: unknown,
  headers: Transport.Response["headers"] = {}
): Transport.Response => text(status, JSON.stringify(body), { "content-type": "application/json", ...headers })

/** The upstream's yes. */
export const accepted = (customerId: number, warnings: unknown = null): Transport.Response =>
  json(200, { data: customerId, errors: null, warnings })

/** The upstream's no: an envelope with one error. */
export const refused = (code: unknown, message = "upstream words", status = 200): Transport.Response =>
  json(status, { data: null, errors: [{ code, message }], warnings: null })

/** An answer of the gateway: a status with nothing of the upstream in it. */
export const gateway = (status: number, headers: Transport.Response["headers"] = {}): Transport.Response =>
  text(status, "<html><head><title>Gateway</title></head></html>", { "content-type": "text/html", ...headers })

export const notSent = (reason: TransportError.NotSentReason): TransportError.NotSent =>
  new TransportError.NotSent({ reason, message: `upstream.test: ${reason}` })

export const noAnswer = (reason: "Timeout" | "Reset" = "Timeout"): TransportError.NoAnswer =>
  new TransportError.NoAnswer({ reason, message: `no answer: ${reason}`, requestId: "req-1" })
