import { assert, describe, it } from "@effect/vitest"
import * as ApiError from "@milepost/core/ApiError"
import * as Decode from "@milepost/core/Decode"
import * as GatewayError from "@milepost/core/GatewayError"
import type { CallError } from "@milepost/core/Outcome"
import * as TransportError from "@milepost/core/TransportError"
import * as Either from "effect/Either"
import * as Envelope from "./Envelope.js"

const gateway = (status: number, retryAfterMillis: number | null = null): CallError =>
  GatewayError.fromStatus(status, { retryAfterMillis, requestId: null })

/** What a client of core's makes of an answer. */
const readBack = ({ body, headers, status }: Envelope.Answer): string =>
  Either.match(Decode.envelope({ status, headers, body, requestId: null }), { onLeft: ({ _tag }) => _tag, onRight: () => "yes" })

describe("Envelope", () => {
  it.each<readonly [CallError, number, string]>([
    [gateway(401), 502, "BadGateway"],
    [gateway(403), 502, "BadGateway"],
    [gateway(404), 502, "BadGateway"],
    [gateway(429, 7_000), 429, "RateLimited"],
    [gateway(461), 461, "SearchBusy"],
    [gateway(500), 500, "InternalServerError"],
    [gateway(503), 503, "Overloaded"],
    [gateway(504), 504, "GatewayTimeout"],
    [gateway(521), 521, "CustomerBusy"],
    [gateway(302), 502, "BadGateway"],
    [new TransportError.NotSent({ reason: "Refused", message: "no" }), 503, "Overloaded"],
    [new TransportError.NoAnswer({ reason: "Timeout", message: "no", requestId: null }), 504, "GatewayTimeout"],
    [new TransportError.NoAnswer({ reason: "Reset", message: "no", requestId: null }), 502, "BadGateway"],
    [new TransportError.MalformedAnswer({ reason: "Empty", message: "no", status: 200, requestId: null }), 502, "BadGateway"],
    [ApiError.fromCode(310119, { message: "in", status: 409, requestId: null }), 409, "AlreadyEnrolled"],
    [ApiError.fromCode("X-1", { message: "strange", status: 200, requestId: null }), 200, "UndocumentedApiError"]
  ])("%s is answered so that a client understands the same", (error, status, tag) => {
    const answer = Envelope.failed(error)
    assert.deepStrictEqual([answer.status, readBack(answer)], [status, tag])
  })

  it("a wait that the upstream asks for is asked for again", () => {
    assert.deepStrictEqual(Envelope.failed(gateway(429, 7_000)).headers, { "retry-after": "7" })
    assert.deepStrictEqual(Envelope.failed(gateway(503)).headers, {})
  })

  it("warnings are passed on", () => {
    const answer = Envelope.accepted({ customerId: 7 as never, warnings: [{ code: 1, message: "half" }], requestId: null })
    assert.deepStrictEqual(JSON.parse(answer.body), { data: 7, errors: null, warnings: [{ code: 1, message: "half" }] })
  })
})
