import { assert, describe, expect, it } from "@effect/vitest"
import * as Problem from "./Problem.js"

describe("Problem", () => {
  it("docs/problems.md tells every type", async () => {
    await expect(Problem.page()).toMatchFileSnapshot("../../../../docs/problems.md")
  })

  it("says how long to wait, in whole seconds and at least one", () => {
    const problem = Problem.make("busy", "Later.", { retryAfterMillis: 1_200 })
    assert.deepInclude(JSON.parse(JSON.stringify(problem)), { type: "urn:milepost:problem:busy", status: 429, retryAfterSeconds: 2 })
    assert.strictEqual(Problem.response(problem).headers["retry-after"], "2")
    assert.strictEqual(Problem.make("busy", "Later.", { retryAfterMillis: 0 }).retryAfterSeconds, 1)
  })
})
