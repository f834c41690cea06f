/**
 * The port: a request in, an answer out.
 *
 * Programs know nothing of hosts, headers, credentials or sockets. `@milepost/http` implements this for the live
 * upstream, `@milepost/simulator` in memory; a test can write its own in a line with {@link make}.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Ids from "./Ids.js"
import type { TransportError } from "./TransportError.js"

/** The operations of the family. */
export type Operation = "enroll" | "unenroll" | "targetGroups"

/** One call, without anything that depends on where it goes. */
export interface Request {
  readonly operation: Operation
  readonly method: "POST" | "GET"
  /** From the base path on, beginning with `/`, built from checked ids only. */
  readonly path: string
  /** The JSON body of a POST, `null` for a GET. */
  readonly body: string | null
  /** Whom the call is about: never two calls at once for one customer. */
  readonly customerId: Ids.CustomerId
  /** The longest that the caller will wait, in milliseconds; the transport's own limit holds where it is shorter. */
  readonly timeoutMillis?: number | undefined
  /** A W3C trace context to pass on; set by `Tracing`. */
  readonly traceparent?: string | undefined
}

/** A whole answer, whatever it says. */
export interface Response {
  readonly status: number
  /** Lower-case names; at least `retry-after`, `date` and `content-type` where the answer has them. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** The whole body as text, bounded by the transport. */
  readonly body: string
  /** The id that the call was sent under. */
  readonly requestId: string | null
}

/** Sends one call and returns its answer, or fails with what is known of its fate. It never repeats a POST by itself. */
export interface Service {
  readonly send: (request: Request) => Effect.Effect<Response, TransportError>
}

/** The transport that programs run over. */
export class Transport extends Context.Tag("@milepost/core/Transport")<Transport, Service>() {}

/** A transport from its one function. */
export const make = (send: Service["send"]): Service => ({ send })

/**
 * A layer from one function: handy in tests.
 *
 * @example
 * ```ts
 * import { Transport } from "@milepost/core"
 * import { Effect } from "effect"
 *
 * const accepting = Transport.layer((request) =>
 *   Effect.succeed({ status: 200, headers: {}, body: `{"data":${request.customerId}}`, requestId: null })
 * )
 * ```
 */
export const layer = (send: Service["send"]): Layer.Layer<Transport> => Layer.succeed(Transport, make(send))
