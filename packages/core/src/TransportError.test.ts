import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { samples } from "../test/EveryError.js"
import type { Classified } from "./Disposition.js"
import type * as TransportError from "./TransportError.js"

const ours = samples.filter(({ tag }) => tag === "NotSent" || tag === "NoAnswer" || tag === "MalformedAnswer")

describe("the fate of a call", () => {
  it.each(ours)("$tag ($detail) is $disposition", ({ blastRadius, disposition, error, tag }) => {
    expect([error._tag, error.disposition, error.blastRadius]).toEqual([tag, disposition, blastRadius])
    expect(error).toBeInstanceOf(Error)
  })

  it.each(ours)("$tag ($detail) holds no request, response or cause", ({ error }) => {
    for (const name of ["request", "response", "cause", "headers", "body"]) expect(name in error).toBe(false)
    for (const key of Object.keys(JSON.parse(JSON.stringify(error)))) {
      expect(["_tag", "reason", "message", "status", "requestId"]).toContain(key)
    }
  })

  it("has its reasons pinned", () => {
    expectTypeOf<TransportError.TransportError>().toEqualTypeOf<
      TransportError.NotSent | TransportError.NoAnswer | TransportError.MalformedAnswer
    >()
    expectTypeOf<TransportError.NotSent["reason"]>().toEqualTypeOf<
      "Dns" | "Refused" | "ConnectTimeout" | "Tls" | "Closed" | "CredentialsRefused" | "TokenUnavailable"
    >()
    expectTypeOf<TransportError.NoAnswer["reason"]>().toEqualTypeOf<"Timeout" | "Reset">()
    expectTypeOf<TransportError.MalformedAnswer["reason"]>().toEqualTypeOf<
      "Empty" | "NotJson" | "UnexpectedShape" | "TooLarge"
    >()
    expectTypeOf<TransportError.TransportError>().toExtend<Classified>()
  })
})
