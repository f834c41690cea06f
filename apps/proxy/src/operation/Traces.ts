/**
 * Traces: a server span for a request, and a client span for every attempt at the upstream, which is told its context.
 *
 * Without a collector there is none of this, and nobody asks: a span costs more than the decode of an answer. Attributes
 * are words of the code and of the configuration: no customer, no path with ids, no header, no body. Calls of jobs have no
 * spans: a million records would be a million of them.
 */
import * as Transport from "@milepost/core/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { IncomingMessage } from "node:http"

/** Makes spans. */
export interface Traces {
  /** The span of a request, below the caller's where he sent one; `null` where the caller does not want one, or it is not among those drawn. */
  readonly begin: (req: IncomingMessage) => Tracer.Span | null
  /** The request is answered. */
  readonly end: (span: Tracer.Span, told: Told) => void
  /** A transport that makes a span of every call below a span, and of no other. */
  readonly traced: (inner: Transport.Service) => Transport.Service
}

/** What is told of a request. */
export interface Told {
  readonly id: string
  readonly method: string
  readonly route: string
  readonly status: number
  readonly org: string | null
}

const traceContext = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/

/** What a caller says of his own span; `null` where it is no trace context. */
export const parentOf = (header: unknown): Tracer.ExternalSpan | null => {
  const found = typeof header === "string" ? traceContext.exec(header) : null
  if (found === null) return null
  const [, traceId = "", spanId = "", flags = ""] = found
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}

/** A span as its children are told of it. */
export const contextOf = ({ spanId, traceId }: Tracer.Span): string => `00-${traceId}-${spanId}-01`

/** The span that a call is made below: where it runs, or as the request tells, where it does not run in a fiber of its own. */
const parentSpan = ({ traceparent }: Transport.Request): Effect.Effect<Option.Option<Tracer.AnySpan>> =>
  Effect.map(Effect.serviceOption(Tracer.ParentSpan), (here) =>
    Option.orElse(here, () => Option.filter(Option.fromNullable(parentOf(traceparent)), ({ sampled }) => sampled)))

/** Runs below a span, if there is one. */
export const within = <A, E, R>(span: Tracer.Span | null, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  span === null ? effect : Effect.provideService(effect, Tracer.ParentSpan, span) as Effect.Effect<A, E, R>

/** An exit that an exporter can read: words, and no error with a stack in it. */
const failed = (message: string) => Exit.fail(message)

/** Traces over a tracer: of everything that a caller traces, and of what `isDrawn` among the rest. */
export const make = (tracer: Tracer.Tracer, nowNanos: () => bigint, isDrawn: () => boolean = () => true): Traces => {
  const span = (name: string, parent: Option.Option<Tracer.AnySpan>, kind: Tracer.SpanKind): Tracer.Span =>
    tracer.span(name, parent, Context.empty(), [], nowNanos(), kind)
  return {
    begin: (req) => {
      const parent = parentOf(req.headers["traceparent"])
      const isWanted = parent === null ? isDrawn() : parent.sampled
      return isWanted ? span(req.method ?? "", Option.fromNullable(parent), "server") : null
    },
    end: (span, { id, method, org, route, status }) => {
      // Which route it was is not known when it begins.
      Object.assign(span, { name: `${method} ${route}` })
      span.attribute("http.request.method", method)
      span.attribute("http.route", route)
      span.attribute("http.response.status_code", status)
      span.attribute("milepost.request_id", id)
      if (org !== null) span.attribute("milepost.org", org)
      span.end(nowNanos(), status >= 500 ? failed(`answered ${status}`) : Exit.void)
    },
    traced: (inner) =>
      Transport.make((request) =>
        Effect.flatMap(parentSpan(request), (parent) => {
          if (Option.isNone(parent)) return inner.send(request)
          const call = span(`milepost.${request.operation}`, parent, "client")
          call.attribute("http.request.method", request.method)
          call.attribute("milepost.operation", request.operation)
          return Effect.onExit(inner.send({ ...request, traceparent: contextOf(call) }), (exit) =>
            Effect.sync(() => {
              if (Exit.isSuccess(exit)) {
                const { requestId, status } = exit.value
                call.attribute("http.response.status_code", status)
                if (requestId !== null) call.attribute("milepost.request_id", requestId)
                return call.end(nowNanos(), status >= 400 ? failed(`answered ${status}`) : Exit.void)
              }
              const tag = exit.cause._tag === "Fail" ? exit.cause.error._tag : exit.cause._tag
              call.attribute("error.type", tag)
              call.end(nowNanos(), failed(tag))
            }))
        }))
  }
}
