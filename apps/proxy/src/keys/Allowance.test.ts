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

  /** How many of a minute's requests, one each 100 ms at each of so many replicas, are allowed. */
  const allowedIn = (minutes: number, perMinute: number, members: number): ReadonlyArray<number> => {
    const limited = key(perMinute)
    const replicas = Array.from({ length: members }, () => Allowance.make(() => members))
    return Array.from({ length: minutes }, (_, minute) => {
      let allowed = 0
      for (let tick = 0; tick < 600; tick++) {
        for (const replica of replicas) if (replica.spend(limited, minute * 60_000 + tick * 100).isAllowed) allowed += 1
      }
      return allowed
    })
  }

  it.each([[600, 1], [600, 3], [10, 3], [3, 3], [7, 2]] as const)("%d a minute over %d replicas are never more in sum", (perMinute, members) => {
    const counts = allowedIn(3, perMinute, members)
    for (const count of counts) {
      assert.isAtMost(count, perMinute)
      assert.isAbove(count, perMinute - members)
    }
  })

  it("fewer requests than replicas are given out over more than a minute", () => {
    const total = allowedIn(30, 2, 3).reduce((sum, count) => sum + count, 0)
    assert.strictEqual(total, 60)
  })

  it("the whole limit is told, and what is left here, also when a replica has come", () => {
    let members = 1
    const allowance = Allowance.make(() => members)
    const limited = key(10)
    for (let n = 0; n < 6; n++) allowance.spend(limited, 0)
    members = 2
    const spent = allowance.spend(limited, 1_000)
    assert.isFalse(spent.isAllowed)
    assert.deepStrictEqual(spent.headers, { "ratelimit-policy": `"key";q=10;w=60`, ratelimit: `"key";r=0;t=59`, "retry-after": "59" })
    assert.deepInclude(allowance.spend(limited, 60_000).headers, { ratelimit: `"key";r=4;t=60` })
    members = 0
    assert.isTrue(allowance.spend(limited, 60_000).isAllowed)
  })
})
