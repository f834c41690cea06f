import { describe, expect, it } from "@effect/vitest"
import { scrubber } from "./scrub.js"

describe("scrubber", () => {
  it("replaces a secret in every spelling that JSON, HTML and queries give it", () => {
    const secret = `a"b/c=d&e<f>'g\\h`
    const scrub = scrubber([secret])
    const gson = JSON.stringify(secret).replace(
      /[<>&=']/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`
    )
    const spelled = [
      secret,
      JSON.stringify(secret),
      JSON.stringify(secret).replaceAll("/", "\\/"),
      gson,
      encodeURIComponent(secret),
      secret.replace(/[&<>"']/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" })[char] ?? "&#39;")
    ]
    for (const text of spelled) {
      expect(scrub(`before ${text} after`)).toMatch(/^before "?<redacted>"? after$/)
    }
  })

  it("replaces every occurrence of every secret, the longer before the shorter", () => {
    expect(scrubber(["canary", "canary-and-more"])("canary-and-more, canary")).toBe("<redacted>, <redacted>")
  })

  it("leaves alone what stands in ids and envelopes", () => {
    const answer = `{"data":345651201,"errors":null,"warnings":[{"message":"abcde"}]}`
    expect(scrubber(["345651", "errors", "warnings", "message", "abcde", ""])(answer)).toBe(answer)
  })

  it("takes half a surrogate pair for what it is", () => {
    expect(scrubber(["secret\ud800"])("my secret\ud800")).toBe("my <redacted>")
  })
})
