import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { connectionTo, enrolment, fate, send } from "../test/calls.js"
import { TransportSuite } from "../test/TransportSuite.js"
import * as HttpClientTransport from "./HttpClientTransport.js"

TransportSuite(
  "HttpClientTransport over fetch",
  (connection) => Layer.provide(HttpClientTransport.layer(connection), FetchHttpClient.layer),
  { isPortable: true }
)

describe("HttpClientTransport", () => {
  const over = (client: HttpClient.HttpClient) =>
    Layer.provide(
      HttpClientTransport.layer(connectionTo("https://upstream.example")),
      Layer.succeed(HttpClient.HttpClient, client)
    )

  it.effect("an opaque redirect, as browsers show it, is a redirect", () =>
    Effect.gen(function*() {
      const opaque = Object.defineProperty(new Response(null), "status", { value: 0 })
      const client = HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, opaque)))
      expect((yield* Effect.provide(send(enrolment), over(client))).status).toBe(302)
    }))

  const failing = (cause: unknown, reason: "Transport" | "InvalidUrl" = "Transport") =>
    over(HttpClient.make((request) => Effect.fail(new HttpClientError.RequestError({ request, reason, cause }))))

  it.effect("a failure that does not prove the contrary may have been executed", () =>
    Effect.gen(function*() {
      for (const code of ["ECONNRESET", "EPIPE", "ETIMEDOUT", "EPROTO", "UND_ERR_SOCKET", "made up: secret"]) {
        const cause = new TypeError("fetch failed", { cause: Object.assign(new Error("secret"), { code }) })
        const exit = yield* Effect.exit(Effect.provide(send(enrolment), failing(cause)))
        expect(fate(exit)).toBe("NoAnswer/Reset")
        expect(String(exit)).not.toContain("secret")
      }
    }))

  it.effect("a failure to connect was not sent, wherever in the causes it stands", () =>
    Effect.gen(function*() {
      const refused = Object.assign(new Error(), { code: "ECONNREFUSED" })
      const unreachable = Object.assign(new Error(), { code: "EHOSTUNREACH", syscall: "connect" })
      const fates = []
      for (const cause of [new AggregateError([refused]), new TypeError("", { cause: unreachable })]) {
        fates.push(fate(yield* Effect.exit(Effect.provide(send(enrolment), failing(cause)))))
      }
      fates.push(fate(yield* Effect.exit(Effect.provide(send(enrolment), failing(null, "InvalidUrl")))))
      expect(fates).toEqual(["NotSent/Refused", "NotSent/ConnectTimeout", "NotSent/Refused"])
    }))

  it.effect("the given options of fetch are kept, but for redirects", () =>
    Effect.gen(function*() {
      const seen: Array<RequestInit | undefined> = []
      const fetch: typeof globalThis.fetch = (_, init) => {
        seen.push(init)
        return Promise.resolve(new Response("{}"))
      }
      const layer = HttpClientTransport.layer(connectionTo("https://upstream.example")).pipe(
        Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { mode: "cors", redirect: "follow" })),
        Layer.provide(FetchHttpClient.layer),
        Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch))
      )
      yield* Effect.provide(send(enrolment), layer)
      expect(seen[0]).toMatchObject({ mode: "cors", redirect: "manual", credentials: "omit" })
    }))
})
