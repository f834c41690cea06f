/** The simplest Effect version, out of `HttpClient` and two schemas: what a user of Effect writes first. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Open } from "../Contender.js"
import * as Fibers from "../Fibers.js"
import * as Work from "../Work.js"

const Body = Schema.Array(Schema.Struct({
  customerId: Schema.Int,
  periodName: Schema.String,
  initialBalance: Schema.Int
}))

const Notices = Schema.optional(Schema.NullOr(Schema.Array(Schema.Struct({ code: Schema.Int, message: Schema.String }))))

const Envelope = Schema.Struct({ data: Schema.NullOr(Schema.Int), errors: Notices, warnings: Notices })

const enroll = (origin: string) => (call: Work.Call) =>
  HttpClientRequest.post(origin + Work.path(call)).pipe(
    HttpClientRequest.setHeaders(Work.headers),
    HttpClientRequest.schemaBodyJson(Body)([
      { customerId: call.customerId, periodName: call.periodName, initialBalance: call.initialBalance }
    ]),
    Effect.flatMap(HttpClient.execute),
    Effect.flatMap((response) =>
      Effect.map(HttpClientResponse.schemaBodyJson(Envelope)(response), (envelope) =>
        Work.ended(call, response.status, envelope))
    )
  )

/** Over the built-in `fetch`. */
export const openFetch: Open = (origin) => Fibers.client(enroll(origin), FetchHttpClient.layer)

/** Over undici, by the layer for Node. */
export const openUndici: Open = (origin) => Fibers.client(enroll(origin), NodeHttpClient.layerUndici)
