import { assert, describe, it } from "@effect/vitest"
import * as Log from "./Log.js"

describe("Log", () => {
  it("writes a document a line, those that wait together, and what is held when asked", () => {
    const written: Array<string> = []
    const due: Array<() => void> = []
    const log = Log.make({ sink: (text) => void written.push(text), nowMillis: () => 0, later: (flush) => void due.push(flush) })
    log.write("info", "one", { text: "a\nb\u2028", nothing: undefined })
    log.write("warn", "two")
    assert.deepStrictEqual([written.length, due.length], [0, 1])
    due[0]?.()
    assert.deepStrictEqual(written.join("").trimEnd().split("\n").map((line) => JSON.parse(line) as unknown), [
      { time: "1970-01-01T00:00:00.000Z", level: "info", event: "one", text: "a\nb\u2028" },
      { time: "1970-01-01T00:00:00.000Z", level: "warn", event: "two" }
    ])
    log.write("info", "three")
    assert.strictEqual(due.length, 2)
    log.flush()
    assert.match(written[1] ?? "", /"three"/)
    due[1]?.()
    assert.strictEqual(written.length, 2)
  })
})
