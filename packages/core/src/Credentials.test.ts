import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { format, inspect } from "node:util"
import * as Credentials from "./Credentials.js"

const canary = "canary-7f3a"
const secret = Redacted.make(canary)

const all: ReadonlyArray<readonly [string, Credentials.Credentials]> = [
  ["a till's password", Credentials.basic({ username: "till.one", password: secret })],
  ["the hash of a till's password", Credentials.basicHashed({ username: "till.one", passwordMd5: secret })],
  [
    "an OAuth client's key and secret",
    Credentials.oauth({ key: secret, secret, attribution: { entityType: "TILL", entityCode: "till.two" } })
  ]
]

describe("credentials", () => {
  it.each(all)("never show %s", (_, credentials) => {
    const shown = [
      JSON.stringify(credentials),
      JSON.stringify({ nested: [credentials] }),
      inspect(credentials, { depth: 20, showHidden: true, getters: true }),
      format("%o %O %j", credentials, credentials, credentials),
      String(credentials),
      `${Object.values(credentials).map(String).join()}`
    ]
    for (const text of shown) expect(text).not.toContain(canary)
    expect(shown[0]).toContain("<redacted>")
  })

  it("hold what they were made from", () => {
    const attribution = { lookupType: "CODE", lookup: "Till-Two" }
    const plain = Credentials.basic({ username: "till.one", password: secret, attribution })
    expect(plain).toMatchObject({ _tag: "Basic", username: "till.one", password: { _tag: "Plain" }, attribution })
    const hashed = Credentials.basicHashed({ username: "till.one", passwordMd5: secret })
    expect(hashed).toMatchObject({ _tag: "Basic", password: { _tag: "Md5" }, attribution: undefined })
    const values = [plain, hashed].map((credentials) =>
      credentials._tag === "Basic" ? Redacted.value(credentials.password.value) : ""
    )
    expect(values).toEqual([canary, canary])
    const oauth = Credentials.oauth({ key: Redacted.make("key"), secret })
    expect(oauth._tag === "OAuth" && [Redacted.value(oauth.key), Redacted.value(oauth.secret)]).toEqual(["key", canary])
  })

  it("take no bare text for a secret", () => {
    // @ts-expect-error a password is redacted
    const credentials = Credentials.basic({ username: "till.one", password: "bare" })
    expect(credentials._tag).toBe("Basic")
    expectTypeOf<Credentials.Credentials["_tag"]>().toEqualTypeOf<"Basic" | "OAuth">()
  })
})
