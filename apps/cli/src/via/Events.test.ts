import { assert, describe, it } from "@effect/vitest"
import * as Events from "./Events.js"

const text = "id: 1-a\nevent: progress\ndata: {\"a\":1}\n\n: still here\n\nid: 2\r\ndata: b\r\ndata:c\r\n\r\nid: 3\n\n"

describe("Events", () => {
  it("are read wherever the texts are cut", () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const parse = Events.parser()
      assert.deepStrictEqual([...parse(text.slice(0, cut)), ...parse(text.slice(cut))], [
        { id: "1-a", data: "{\"a\":1}" },
        { id: "2", data: "b\nc" }
      ])
    }
  })
})
