import { assert, describe, it } from "@effect/vitest"
import * as Client from "./Client.js"

describe("Client", () => {
  it("tells a problem in the service's words, and any other answer by its status", () => {
    const problem = { type: "urn:milepost:problem:rate-limited", title: "Too many", status: 429, detail: "Wait.", retryAfterSeconds: 3 }
    assert.deepStrictEqual(Client.troubleOf(429, JSON.stringify(problem)), {
      _tag: "Trouble", status: 429, title: "Too many", detail: "Wait.", retryAfterSeconds: 3
    })
    assert.strictEqual(Client.troubleOf(502, "<html>bad gateway</html>").title, "Answer 502")
    assert.isTrue(Client.isTrouble(Client.unreachable))
    assert.isFalse(Client.isTrouble([]))
  })

  it("shows its key to nobody who looks at it", () => {
    const client = Client.make("mp_secret")
    assert.notInclude(JSON.stringify(client) + Object.values(client).map(String).join(), "mp_secret")
    client.close()
  })
})
