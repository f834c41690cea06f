/** Spans to a collector, by OTLP over HTTP as JSON. Loaded only where there is a collector. */
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import manifest from "../../package.json" with { type: "json" }
import type { Collector } from "../settings/Settings.js"

/** A tracer whose spans go to a collector, in batches, until the scope closes. */
export const make = ({ exportMillis, headers, url }: Collector): Effect.Effect<Tracer.Tracer, never, Scope.Scope> =>
  OtlpTracer.make({
    url,
    headers,
    exportInterval: exportMillis,
    resource: { serviceName: "milepost-proxy", serviceVersion: manifest.version }
  }).pipe(Effect.provide(Layer.merge(FetchHttpClient.layer, OtlpSerialization.layerJson)))
