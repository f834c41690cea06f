import { assert, describe, it } from "@effect/vitest"
import * as Failed from "./Failed.js"

const stream = (chunks: ReadonlyArray<Uint8Array>) => {
  let read = 0
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const chunk = chunks[read++]
      if (chunk === undefined) controller.close()
      else controller.enqueue(chunk)
    }
  }, { highWaterMark: 0 })
  return { body, read: () => read }
}

const encoder = new TextEncoder()

describe("Failed", () => {
  it("reads as many lines as are shown, and leaves the rest where it is", async () => {
    const { body, read } = stream(Array.from({ length: 1_000 }, (_, index) => encoder.encode(`${index}\n`)))
    assert.deepStrictEqual(await Failed.firstLines(body, 3), ["0", "1", "2"])
    assert.isBelow(read(), 10)
  })

  it("reads lines that are cut anywhere, the last one without an end", async () => {
    const bytes = encoder.encode("{\"ä\":1}\n\n{\"b\":2}")
    const { body } = stream([...bytes].map((byte) => new Uint8Array([byte])))
    assert.deepStrictEqual(await Failed.firstLines(body, 9), ["{\"ä\":1}", "{\"b\":2}"])
  })

  it("shows what the input says where there is no id", () => {
    const line = { line: 4, customerId: null, periodName: null, outcome: "rejected", code: "input", message: "no", input: { CustomerID: "x", note: "n" } }
    assert.deepStrictEqual(Failed.of(JSON.stringify(line)), { line: 4, customer: "x", period: "", outcome: "rejected", code: "input", message: "no" })
    assert.deepStrictEqual(
      Failed.of(JSON.stringify({ ...line, customerId: 7, periodName: "Cycle_1", code: 310011 })),
      { line: 4, customer: "7", period: "Cycle_1", outcome: "rejected", code: "310011", message: "no" }
    )
  })
})
