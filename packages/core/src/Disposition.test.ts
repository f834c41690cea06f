import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { samples } from "../test/EveryError.js"
import * as Disposition from "./Disposition.js"
import * as GatewayError from "./GatewayError.js"

describe("a disposition", () => {
  it.each(samples)("$tag ($detail) is repeated only where that may help", ({ disposition, error }) => {
    expect(error.disposition).toBe(disposition)
    expect(Disposition.isRetryable(error)).toBe(disposition === "retryLater" || disposition === "outcomeUnknown")
  })

  it("comes with the upstream's own wait where the answer had one", () => {
    const rateLimited = (retryAfterMillis: number | null) => GatewayError.fromStatus(429, { retryAfterMillis, requestId: null })
    expect(Disposition.retryAfterMillis(rateLimited(3000))).toBe(3000)
    expect(Disposition.retryAfterMillis(rateLimited(0))).toBe(0)
    expect(Disposition.retryAfterMillis(rateLimited(null))).toBeNull()
  })

  it.each(samples)("$tag ($detail) asks for no wait by itself", ({ error }) => {
    expect(Disposition.retryAfterMillis(error)).toBeNull()
  })

  it("is one of four words, and a radius one of eight", () => {
    expectTypeOf<Disposition.Disposition>().toEqualTypeOf<
      "rejected" | "alreadyApplied" | "retryLater" | "outcomeUnknown"
    >()
    expectTypeOf<Disposition.BlastRadius>().toEqualTypeOf<
      "none" | "record" | "customer" | "period" | "target" | "group" | "org" | "everything"
    >()
  })
})
