import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { statuses, unlistedStatuses } from "../test/EveryError.js"
import type { Classified } from "./Disposition.js"
import * as GatewayError from "./GatewayError.js"

const fields: GatewayError.Fields = { retryAfterMillis: 1500, requestId: "req-1" }

describe("the table of gateway answers", () => {
  it("has every listed status with what it means for the call", () => {
    expect(
      GatewayError.table.map(({ row: { blastRadius, disposition, status, tag } }) => ({
        status,
        tag,
        disposition,
        blastRadius
      }))
    ).toEqual(statuses)
  })

  it("explains every status in sentences", () => {
    for (const { row } of GatewayError.table) {
      expect(row.meaning).toMatch(/^[A-Z][^\n]{10,}\.$/)
      expect(row.remedy).toMatch(/^[A-Z][^\n]{10,}\.$/)
    }
  })

  it.each(statuses)("$status makes a $tag", ({ blastRadius, disposition, status, tag }) => {
    const error = GatewayError.fromStatus(status, fields)
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(GatewayError.table.find(({ row }) => row.status === status))
    expect({
      status: error.status,
      tag: error._tag,
      disposition: error.disposition,
      blastRadius: error.blastRadius
    }).toEqual({ status, tag, disposition, blastRadius })
    expect({ retryAfterMillis: error.retryAfterMillis, requestId: error.requestId }).toEqual(fields)
    expect(error.message).toBe(GatewayError.rowOf(status)?.meaning)
  })
})

describe("a status that is listed nowhere", () => {
  it.each(unlistedStatuses)("$status is $disposition", ({ blastRadius, disposition, status, tag }) => {
    const error = GatewayError.fromStatus(status, fields)
    expect(error).toBeInstanceOf(GatewayError.UnexpectedStatus)
    expect([error._tag, error.status, error.disposition, error.blastRadius]).toEqual([
      tag,
      status,
      disposition,
      blastRadius
    ])
    expect(error.message).toContain(String(status))
    expect(error.retryAfterMillis).toBe(1500)
    expect(GatewayError.rowOf(status)).toBeUndefined()
  })

  it("that redirects is said to be one", () => {
    expect(GatewayError.fromStatus(302, fields).message).toBe(
      "The upstream answered 302, a redirect; redirects are not followed."
    )
    expect(GatewayError.fromStatus(418, fields).message).toBe(
      "The upstream answered with the unexpected status 418."
    )
  })
})

describe("the types of the gateway's answers", () => {
  it("are literal, so that a match knows them", () => {
    expectTypeOf<GatewayError.GatewayError["_tag"]>().toEqualTypeOf<
      | "MalformedCall"
      | "CredentialsRefused"
      | "PermissionDenied"
      | "PathNotFound"
      | "MethodNotAllowed"
      | "UnsupportedContentType"
      | "RateLimited"
      | "SearchBusy"
      | "InternalServerError"
      | "BadGateway"
      | "Overloaded"
      | "GatewayTimeout"
      | "CustomerBusy"
      | "UnexpectedStatus"
    >()
    expectTypeOf<Exclude<GatewayError.GatewayError, GatewayError.UnexpectedStatus>["status"]>().toEqualTypeOf<
      400 | 401 | 403 | 404 | 405 | 415 | 429 | 461 | 500 | 502 | 503 | 504 | 521
    >()
    expectTypeOf<GatewayError.RateLimited["status"]>().toEqualTypeOf<429>()
    expectTypeOf<GatewayError.CustomerBusy["status"]>().toEqualTypeOf<521>()
    expectTypeOf<GatewayError.GatewayError>().toExtend<Classified>()
  })
})

describe("an answer of the gateway, shown", () => {
  it.each([401, 429, 500, 418])("%d holds no request, response or cause", (status) => {
    const error = GatewayError.fromStatus(status, fields)
    expect(Object.keys(JSON.parse(JSON.stringify(error))).sort()).toEqual([
      "_tag",
      "message",
      "requestId",
      "retryAfterMillis",
      "status"
    ])
    for (const name of ["request", "response", "cause", "headers", "body"]) expect(name in error).toBe(false)
  })
})
