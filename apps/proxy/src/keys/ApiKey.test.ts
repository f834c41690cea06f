import { assert, describe, expect, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { timingSafeEqual } from "node:crypto"
import { vi } from "vitest"
import * as ApiKey from "./ApiKey.js"

vi.mock("node:crypto", { spy: true })

const grant: ApiKey.Grant = { name: "app", orgs: ["brand"], targetGroups: null, perMinute: null }

describe("ApiKey", () => {
  it("is 256 random bits, of which the hash alone is kept", () => {
    const { key, secret } = ApiKey.make(grant, 7)
    assert.match(Redacted.value(secret), /^mp_[A-Za-z0-9_-]{43}$/)
    assert.strictEqual(key.hash, ApiKey.hashOf(Redacted.value(secret)))
    assert.notInclude(JSON.stringify({ key, secret }), Redacted.value(secret))
    assert.notStrictEqual(Redacted.value(ApiKey.make(grant, 7).secret), Redacted.value(secret))
  })

  it("is found by its secret and by nothing like it", () => {
    const index = ApiKey.index()
    const { key, secret } = ApiKey.make(grant, 7)
    index.add(key)
    assert.strictEqual(index.find(Redacted.value(secret)), key)
    assert.isNull(index.find(`${Redacted.value(secret)}x`))
    assert.isNull(index.find(key.hash))
    assert.isNull(index.find(""))
  })

  it("two keys whose hashes begin alike are told apart", () => {
    const index = ApiKey.index()
    const { key, secret } = ApiKey.make(grant, 7)
    index.add({ ...key, hash: `${key.hash.slice(0, 32)}${"0".repeat(32)}` })
    assert.isNull(index.find(Redacted.value(secret)))
  })

  it("takes as long to be refused as to be found: one whole comparison of hashes, whatever was presented", () => {
    const index = ApiKey.index()
    const { key, secret } = ApiKey.make(grant, 7)
    index.add(key)
    const compared = vi.mocked(timingSafeEqual)
    for (const presented of [Redacted.value(secret), `${Redacted.value(secret)}x`, "mp_", "", "mp_".padEnd(46, "a")]) {
      compared.mockClear()
      index.find(presented)
      expect(compared, presented).toHaveBeenCalledTimes(1)
      expect(compared.mock.calls[0]?.map((bytes) => (bytes as Buffer).length)).toEqual([32, 32])
    }
  })

  it.each([
    ["Bearer mp_abc", "mp_abc"],
    ["bearer  mp_abc ", "mp_abc"],
    ["Basic mp_abc", null],
    ["Bearer other", null],
    [`Bearer mp_${"x".repeat(300)}`, null],
    [undefined, null]
  ])("the header %j holds %j", (header, secret) => {
    assert.strictEqual(ApiKey.fromAuthorization(header), secret)
  })
})
