import { assert, describe, it } from "@effect/vitest"
import * as Allowance from "./Allowance.js"
import * as ApiKey from "./ApiKey.js"

const key = (perMinute: number | null): ApiKey.ApiKey =>
  ApiKey.make({ name: "app", orgs: ["brand"], targetGroups: null, perMinute }, 0).key

describe("Allowance", () => {
  it("a minute begins with its first request, and the next one is whole again", () => {
    const allowance = Allowance.make()
    const limited = key(2)
    assert.deepStrictEqual([0, 10_000, 20_000, 59_999, 60_000].map((now) => allowance.spend(limited, now).isAllowed), [true, true, false, false, true])
    assert.deepInclude(allowance.spend(limited, 60_000).headers, { ratelimit: `"key";r=0;t=60` })
    assert.deepInclude(allowance.spend(limited, 90_500).headers, { "retry-after": "30", "ratelimit-policy": `"key";q=2;w=60` })
  })

  it("keys have minutes of their own, and some have no limit", () => {
    const allowance = Allowance.make()
    const [one, two] = [key(1), key(1)]
    assert.isTrue(allowance.spend(one, 0).isAllowed)
    assert.isTrue(allowance.spend(two, 0).isAllowed)
    assert.isFalse(allowance.spend(one, 0).isAllowed)
    assert.deepStrictEqual(allowance.spend(key(null), 0), { isAllowed: true, headers: {} })
  })
})
