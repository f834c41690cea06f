/**
 * Spans around calls, ready for OpenTelemetry, switched on by putting a layer in between.
 *
 * Without the layer there is no span and no cost at all: a span costs more than an envelope's decode even when tracing
 * is disabled. Attributes name ids and answers, never credentials, bodies or personal data.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Tracer from "effect/Tracer"
import * as Transport from "./Transport.js"

const traceparent = (span: Tracer.Span): string | undefined =>
  /^[0-9a-f]{32}$/.test(span.traceId) && /^[0-9a-f]{16}$/.test(span.spanId)
    ? `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`
    : undefined

/** A transport that makes a client span `milepost.<operation>` of every call and passes its trace context on. */
export const traced = (transport: Transport.Service): Transport.Service =>
  Transport.make((request) => {
    const [path, query] = request.path.split("?")
    return Effect.useSpan(
      `milepost.${request.operation}`,
      {
        kind: "client",
        captureStackTrace: false,
        attributes: {
          "http.request.method": request.method,
          "url.path": path,
          ...(query === undefined ? {} : { "url.query": query })
        }
      },
      (span) =>
        Effect.tapBoth(transport.send({ ...request, traceparent: traceparent(span) ?? request.traceparent }), {
          onFailure: (error) => Effect.sync(() => span.attribute("error.type", error._tag)),
          onSuccess: (response) =>
            Effect.sync(() => {
              span.attribute("http.response.status_code", response.status)
              if (response.requestId !== null) span.attribute("milepost.request_id", response.requestId)
            })
        })
    )
  })

/**
 * Puts {@link traced} around the transport that is there.
 *
 * @example
 * ```ts
 * import { Tracing, Transport } from "@milepost/core"
 * import { Effect, Layer } from "effect"
 *
 * const live = Transport.layer(() => Effect.succeed({ status: 200, headers: {}, body: "{}", requestId: null }))
 * const tracedLive = Tracing.layer.pipe(Layer.provide(live))
 * ```
 */
export const layer: Layer.Layer<Transport.Transport, never, Transport.Transport> = Layer.effect(
  Transport.Transport,
  Effect.map(Transport.Transport, traced)
)
