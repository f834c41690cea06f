import { afterEach, describe, expect, it } from "@effect/vitest"
import * as GatewayError from "../GatewayError.js"
import { quietly } from "./quietly.js"

const make = () => GatewayError.fromStatus(500, { retryAfterMillis: null, requestId: null })

describe("an error made quietly", () => {
  const before = Error.stackTraceLimit

  afterEach(() => {
    Error.stackTraceLimit = before
  })

  it("has a stack without frames, where one made aloud has some", () => {
    expect(quietly(make).stack).not.toMatch(/\n\s+at /)
    expect(make().stack).toMatch(/\n\s+at /)
  })

  it("leaves the limit as it was", () => {
    Error.stackTraceLimit = 7
    quietly(make)
    expect(Error.stackTraceLimit).toBe(7)
  })

  it("leaves the limit as it was also when making it throws", () => {
    Error.stackTraceLimit = 7
    expect(() =>
      quietly(() => {
        expect(Error.stackTraceLimit).toBe(0)
        throw new RangeError("no")
      })
    ).toThrow(RangeError)
    expect(Error.stackTraceLimit).toBe(7)
  })

  it("leaves no limit where there was none", () => {
    delete (Error as { stackTraceLimit?: number }).stackTraceLimit
    quietly(make)
    expect("stackTraceLimit" in Error).toBe(false)
  })

  it("nests", () => {
    Error.stackTraceLimit = 7
    quietly(() => quietly(make))
    expect(Error.stackTraceLimit).toBe(7)
  })
})
