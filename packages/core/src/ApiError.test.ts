import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as fc from "effect/FastCheck"
import { inspect } from "node:util"
import { codes } from "../test/EveryError.js"
import * as ApiError from "./ApiError.js"
import type { Classified } from "./Disposition.js"

const fields: ApiError.Fields = { message: "upstream words", status: 200, requestId: "req-1" }

describe("the table of codes", () => {
  it("has the eight codes of the seed in the seed's order, with what each condemns", () => {
    expect(
      ApiError.table.map(({ row: { blastRadius, code, disposition, tag } }) => ({ code, tag, disposition, blastRadius }))
    ).toEqual(codes)
  })

  it("explains every code in one line of its own words", () => {
    const texts = ApiError.table.flatMap(({ row }) => [row.meaning, row.remedy])
    for (const text of texts) expect(text).toMatch(/^[A-Z][^\n]{10,}\.$/)
    expect(new Set(texts).size).toBe(texts.length)
  })

  it.each(codes)("$code makes a $tag", ({ blastRadius, code, disposition, tag }) => {
    const error = ApiError.fromCode(code, fields)
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(ApiError.table.find(({ row }) => row.code === code))
    expect({ ...fields, tag: error._tag, code: error.code, message: error.message }).toEqual({ ...fields, tag, code })
    expect({ status: error.status, requestId: error.requestId }).toEqual({ status: 200, requestId: "req-1" })
    expect({ disposition: error.disposition, blastRadius: error.blastRadius }).toEqual({ disposition, blastRadius })
    expect(ApiError.rowOf(code)?.tag).toBe(tag)
  })

  it.each(codes)("$code is the same whatever the HTTP status", ({ code, disposition, tag }) => {
    for (const status of [200, 400, 401, 404, 429, 500, 503]) {
      const error = ApiError.fromCode(code, { ...fields, status })
      expect([error._tag, error.disposition, error.status]).toEqual([tag, disposition, status])
    }
  })
})

describe("an undocumented code", () => {
  it.prop("keeps code and words, condemns its record and is not repeated", [
    fc.oneof(
      fc.integer().filter((code) => !codes.some((row) => row.code === code)),
      fc.string(),
      fc.constant(null)
    ),
    fc.string(),
    fc.integer({ min: 100, max: 599 })
  ], ([code, message, status]) => {
    const error = ApiError.fromCode(code, { message, status, requestId: null })
    expect(error).toBeInstanceOf(ApiError.UndocumentedApiError)
    expect([error._tag, error.code, error.message, error.status]).toEqual([
      "UndocumentedApiError",
      code,
      message,
      status
    ])
    expect([error.disposition, error.blastRadius]).toEqual(["rejected", "record"])
  })

  it.each(["310119", "Infinity", ""])("a documented code as the text %j is not looked up: Wire makes numbers", (code) => {
    expect(ApiError.fromCode(code, fields)._tag).toBe("UndocumentedApiError")
  })

  it("has no row", () => {
    expect(ApiError.rowOf(999999)).toBeUndefined()
  })
})

describe("the types of the codes", () => {
  it("are literal, so that a match knows them", () => {
    expectTypeOf<ApiError.Code>().toEqualTypeOf<
      310119 | 310011 | 310019 | 310017 | 310018 | 300004 | 310141 | 310144
    >()
    expectTypeOf<ApiError.ApiError["_tag"]>().toEqualTypeOf<
      | "AlreadyEnrolled"
      | "InvalidCustomer"
      | "PeriodNotFound"
      | "TargetGroupNotFound"
      | "TargetNotFound"
      | "InvalidInput"
      | "DataScopeNotSupported"
      | "ConnectedOrgsNotSet"
    >()
    expectTypeOf<ApiError.ApiError>().toEqualTypeOf<
      | ApiError.AlreadyEnrolled
      | ApiError.InvalidCustomer
      | ApiError.PeriodNotFound
      | ApiError.TargetGroupNotFound
      | ApiError.TargetNotFound
      | ApiError.InvalidInput
      | ApiError.DataScopeNotSupported
      | ApiError.ConnectedOrgsNotSet
    >()
    expectTypeOf<ApiError.AlreadyEnrolled["code"]>().toEqualTypeOf<310119>()
    expectTypeOf<ApiError.InvalidCustomer["code"]>().toEqualTypeOf<310011>()
    expectTypeOf<ApiError.PeriodNotFound["code"]>().toEqualTypeOf<310019>()
    expectTypeOf<ApiError.TargetGroupNotFound["code"]>().toEqualTypeOf<310017>()
    expectTypeOf<ApiError.TargetNotFound["code"]>().toEqualTypeOf<310018>()
    expectTypeOf<ApiError.InvalidInput["code"]>().toEqualTypeOf<300004>()
    expectTypeOf<ApiError.DataScopeNotSupported["code"]>().toEqualTypeOf<310141>()
    expectTypeOf<ApiError.ConnectedOrgsNotSet["code"]>().toEqualTypeOf<310144>()
    expectTypeOf<ApiError.UndocumentedApiError["code"]>().toEqualTypeOf<number | string | null>()
    expectTypeOf<ApiError.ApiError | ApiError.UndocumentedApiError>().toExtend<Classified>()
    // @ts-expect-error not a code of the table
    const code: ApiError.Code = 999999
    expect(code).toBe(999999)
  })
})

describe("an error of the upstream, shown", () => {
  it.each([310119, 999999])("%d holds nothing but what its answer said", (code) => {
    const error = ApiError.fromCode(code, fields)
    expect(Object.keys(JSON.parse(JSON.stringify(error))).sort()).toEqual([
      "_tag",
      "code",
      "message",
      "requestId",
      "status"
    ])
    for (const name of ["request", "response", "cause", "headers", "body"]) expect(name in error).toBe(false)
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/authorization|headers|\bbody\b/i)
    expect(Cause.pretty(Cause.fail(error))).toContain("upstream words")
  })
})
