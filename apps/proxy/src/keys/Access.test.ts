import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Upstream } from "../upstream/Upstream.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"
import * as Access from "./Access.js"
import * as ApiKey from "./ApiKey.js"

const brand = { org: () => ({ id: "brand" }) } as unknown as Upstream
const upstreams: Upstreams = { get: (id) => (id === "brand" ? brand : undefined), all: () => [brand], replace: () => Effect.void }
const key = (orgs: ReadonlyArray<string>, targetGroups: ReadonlyArray<number> | null = null) =>
  ApiKey.make({ name: "app", orgs, targetGroups, perMinute: null }, 0).key

describe("Access", () => {
  it("the organisation of a key is the one that is named, or the only one", () => {
    assert.strictEqual(Access.orgOf(key(["brand"]), undefined, upstreams), brand)
    assert.strictEqual(Access.orgOf(key(["brand", "gone"]), "brand", upstreams), brand)
    assert.deepStrictEqual(Access.orgOf(key(["brand", "gone"]), undefined, upstreams), { _tag: "Ambiguous", orgs: ["brand", "gone"] })
    assert.deepStrictEqual(Access.orgOf(key(["brand", "gone"]), "gone", upstreams), { _tag: "Gone", org: "gone" })
  })

  it.each(["other", "", "brand,other", "__proto__", "brand "])("a key without %j is not told whether there is such an organisation", (named) => {
    assert.deepStrictEqual(Access.orgOf(key(["brand"]), named, upstreams), { _tag: "NotGranted" })
  })

  it("a key touches all target groups, or its own", () => {
    assert.isTrue(Access.mayTouch(key(["brand"]), 7))
    assert.isTrue(Access.mayTouch(key(["brand"], [7]), 7))
    assert.isFalse(Access.mayTouch(key(["brand"], [7]), 8))
    assert.isFalse(Access.mayTouch(key(["brand"], []), 7))
  })
})
