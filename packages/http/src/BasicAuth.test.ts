import * as Credentials from "@milepost/core/Credentials"
import { describe, expect, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as BasicAuth from "./BasicAuth.js"

type Options = Partial<Parameters<typeof Credentials.basic>[0]> & { readonly md5?: string }

const basic = ({ attribution, md5, password, username = "store.server" }: Options): Credentials.Basic => ({
  _tag: "Basic",
  username,
  password: md5 === undefined
    ? { _tag: "Plain", value: password ?? Redacted.make("server123") }
    : { _tag: "Md5", value: Redacted.make(md5) },
  attribution
})

const header = (credentials: Credentials.Basic) => Redacted.value(BasicAuth.authorization(credentials))

describe("BasicAuth", () => {
  it("makes the header of the first worked example", () => {
    expect(header(basic({}))).toBe("Basic c3RvcmUuc2VydmVyOjhhMTZhNmI3MDUwNWViMWYxZmY3Y2RjMGNkNTU1OWE3")
  })

  it("makes the header of the second worked example out of the hash that is in it", () => {
    const example = "Basic c3RvcmUxMjM6YmRjODdiOWM4OTRkYTUxNjgwNTllMDBlYmZmYjkwNzc="
    expect(header(basic({ username: "store123", md5: "bdc87b9c894da5168059e00ebffb9077" }))).toBe(example)
    // It is the hash of this password, not of Pass123, which the vendor prints beside the example.
    expect(header(basic({ username: "store123", password: Redacted.make("password1234") }))).toBe(example)
    expect(header(basic({ username: "store123", password: Redacted.make("Pass123") }))).not.toBe(example)
  })

  it("hashes and encodes UTF-8", () => {
    expect(header(basic({ username: "käse", password: Redacted.make("gêheim") }))).toBe(
      `Basic ${Buffer.from("käse:b28c8fcd19b5ea9260d2257310209fb8").toString("base64")}`
    )
  })

  it("tells what is wrong without repeating the secret", () => {
    const attribution = (lookup: string) => basic({ attribution: { lookupType: "STORE_CODE", lookup } })
    const problems: ReadonlyArray<[Credentials.Basic, string | null]> = [
      [basic({}), null],
      [basic({ username: "" }), "username is empty"],
      [basic({ username: "a:b" }), "colon"],
      [basic({ username: "a\nb" }), "control character"],
      [basic({ password: Redacted.make("") }), "password is empty"],
      [basic({ md5: "server123" }), "32 hexadecimal digits"],
      [basic({ md5: `${"0".repeat(32)}\n` }), "32 hexadecimal digits"],
      [attribution("S-7"), null],
      [attribution("S-7\r\nX-Evil: 1"), "one line of Latin-1"],
      [attribution("S-7\u0000"), "one line of Latin-1"],
      [attribution(" S-7"), "one line of Latin-1"],
      [attribution(""), "one line of Latin-1"],
      [attribution("店"), "one line of Latin-1"],
      [basic({ attribution: { lookupType: "A\nB", lookup: "x" } }), "one line of Latin-1"]
    ]
    for (const [credentials, expected] of problems) {
      const problem = BasicAuth.problem(credentials)
      if (expected === null) expect(problem).toBeNull()
      else expect(problem).toContain(expected)
      expect(problem ?? "").not.toContain("server123")
    }
  })
})
