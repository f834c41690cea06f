/**
 * The simulator under the programs of `@milepost/core`: their transport, without a network.
 *
 * Every call comes to the simulator through the same door as over HTTP, spares only headers and sockets, and yields once
 * before it is answered, so that two calls for one customer really overlap. Waits follow Effect's clock: a test clock
 * moves them.
 */
import * as Transport from "@milepost/core/Transport"
import * as TransportError from "@milepost/core/TransportError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CallerOptions, Exchange, Service } from "./Simulator.js"
import { Simulator, waitOf } from "./Simulator.js"

/** Who calls, and the limits that a transport sets. */
export interface Options extends CallerOptions {
  /** The longest wait for an answer where the request sets none, in milliseconds; default 30,000. */
  readonly timeoutMillis?: number | undefined
  /** The longest body that is read of an answer to a POST, in characters; default 1 MiB, for a look-up 16 times that. */
  readonly maxBodyLength?: number | undefined
}

const defaultTimeoutMillis = 30_000
const defaultMaxBodyLength = 2 ** 20

type Answering = Effect.Effect<Transport.Response, TransportError.TransportError>

const noAnswer = (reason: "Timeout" | "Reset", message: string, requestId: string): Answering =>
  Effect.fail(new TransportError.NoAnswer({ reason, message, requestId }))

const timedOut = (millis: number, requestId: string): Answering =>
  Effect.zipRight(
    Effect.sleep(millis),
    Effect.suspend(() => noAnswer("Timeout", `The simulator did not answer within ${millis} ms.`, requestId))
  )

const whole = ({ answer }: Exchange, most: number, requestId: string): Answering =>
  answer.body.length <= most
    ? Effect.succeed({ status: answer.status, headers: answer.headers, body: answer.body, requestId })
    : Effect.fail(
      new TransportError.MalformedAnswer({
        reason: "TooLarge",
        message: `The simulator answered ${answer.status} with more than ${most} characters.`,
        status: answer.status,
        requestId
      })
    )

const delivered = (exchange: Exchange, timeoutMillis: number, most: number, requestId: string): Answering => {
  const { delivery } = exchange
  const millis = waitOf(exchange)
  if (delivery === "never" || millis > timeoutMillis) return timedOut(timeoutMillis, requestId)
  const pause = millis > 0 ? Effect.sleep(millis) : Effect.yieldNow()
  return Effect.flatMap(pause, () =>
    delivery === "whole" || delivery === "slow"
      ? whole(exchange, most, requestId)
      : noAnswer("Reset", "The simulator reset the connection.", requestId))
}

/** A transport into a simulator. */
export const make = (simulator: Service, options: Options = {}): Transport.Service => {
  const { maxBodyLength = defaultMaxBodyLength, timeoutMillis = defaultTimeoutMillis } = options
  let sent = 0
  return Transport.make((request) =>
    // Between the beginning of a call and its release nothing may interrupt: its customer would stay occupied for ever.
    Effect.uninterruptibleMask((restore) => {
      const exchange = simulator.unsafeBeginAs(options, request)
      const limit = Math.min(request.timeoutMillis ?? timeoutMillis, timeoutMillis)
      const most = request.operation === "targetGroups" ? maxBodyLength * 16 : maxBodyLength
      // `Effect.ensuring` would shut interruption out once more, which costs a tenth of the call.
      return Effect.matchCauseEffect(restore(delivered(exchange, limit, most, `sim-${++sent}`)), {
        onFailure: (cause) => {
          exchange.release()
          return Effect.failCause(cause)
        },
        onSuccess: (response) => {
          exchange.release()
          return Effect.succeed(response)
        }
      })
    })
  )
}

/** The transport of a caller; see {@link Options}. */
export const layerWith = (options: Options): Layer.Layer<Transport.Transport, never, Simulator> =>
  Layer.effect(Transport.Transport, Effect.map(Simulator, (simulator) => make(simulator, options)))

/** The transport of the world's first Basic credential, acting on its own organisation. */
export const layer: Layer.Layer<Transport.Transport, never, Simulator> = layerWith({})
