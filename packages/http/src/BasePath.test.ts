import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as BasePath from "./BasePath.js"

describe("BasePath", () => {
  it("the documented one is one", () => {
    expect(BasePath.fromText("/api_gateway/intouch-api-v3/v3.1")).toEqual(Either.right(BasePath.documented))
  })

  it("a trailing slash is dropped, and a slash alone means none", () => {
    expect(BasePath.fromText("/v3.1/")).toEqual(Either.right("/v3.1"))
    expect(BasePath.fromText("/")).toEqual(Either.right(""))
  })

  it("what could lead elsewhere or into a header is refused", () => {
    const texts = [
      "",
      "v3.1",
      "https://evil.example",
      "//evil.example",
      "/a//b",
      "/a//",
      "/../x",
      "/a/..",
      "/a/./b",
      "/a/%2e%2e/b",
      "/a?x=1",
      "/a#x",
      "/a b",
      "/a\\b",
      "/a\r\nX-Evil: 1",
      "/ö"
    ]
    for (const text of texts) {
      const refused = Either.flip(BasePath.fromText(text))
      expect(Either.isRight(refused) ? refused.right.setting : text).toBe("basePath")
      expect(Either.isRight(refused) ? refused.right.message : "").not.toMatch(/[\r\n]/)
    }
  })
})
