import { describe, expect, it } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import { clean } from "./clean.js"

describe("cleaned text", () => {
  it.prop("is one bounded line of whole, visible characters", [fc.string({ unit: "binary", maxLength: 1000 })], ([text]) => {
    const line = clean(text)
    expect(line.length).toBeLessThanOrEqual(301)
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
  })

  it.prop("of a harmless line is the line", [fc.stringMatching(/^[A-Za-z0-9äß第.,:'"<>-]{0,300}$/)], ([text]) => {
    expect(clean(text)).toBe(text)
  })

  it("never ends in half a character", () => {
    for (let length = 290; length < 310; length++) {
      expect(clean("x".repeat(length) + "🎯".repeat(20))).not.toMatch(/\p{Cs}/u)
    }
  })

  it("turns what would steer a terminal into a space", () => {
    expect(clean("a\u001b[31mb\u009bc\u202ed\r\ne")).toBe("a [31mb c d e")
  })
})
