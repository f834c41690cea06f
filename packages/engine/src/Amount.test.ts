import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Amount from "./Amount.js"

describe("Amount", () => {
  it.each([["500ms", 500], ["30s", 30_000], ["30", 30_000], ["1.5m", 90_000], ["2 min", 120_000], ["24h", 86_400_000]])(
    "%s is %d milliseconds",
    (text, millis) => {
      assert.deepStrictEqual(Amount.durationMillis(text), Option.some(millis))
    }
  )

  it.each(["", "soon", "0", "-1s", "25h", "1d", "1e3s", "Infinity"])("%j is no duration", (text) => {
    assert.isTrue(Option.isNone(Amount.durationMillis(text)))
  })

  it.each([["600/min", 10], ["10/s", 10], ["36000/h", 10], ["auto", null]])("%s is %d calls a second", (text, rate) => {
    assert.deepStrictEqual(Amount.callsPerSecond(text), Option.some(rate))
  })

  it.each(["600", "fast", "0/s", "-1/s", "1/day", "1000000/s"])("%j is no rate", (text) => {
    assert.isTrue(Option.isNone(Amount.callsPerSecond(text)))
  })

  it.each([["1", 1], ["1024", 1024], ["auto", "auto"]])("%s is %s in flight", (text, value) => {
    assert.deepStrictEqual(Amount.concurrency(text), Option.some(value))
  })

  it.each(["0", "1025", "many", "-1", "1.5"])("%j is no concurrency", (text) => {
    assert.isTrue(Option.isNone(Amount.concurrency(text)))
  })

  it.each([
    ["100", { _tag: "Count", count: 100 }],
    ["0", { _tag: "Count", count: 0 }],
    ["2.5%", { _tag: "Percent", percent: 2.5, minimumRecords: 100 }]
  ] as const)("%s is how many failures are too many", (text, value) => {
    assert.deepStrictEqual(Amount.maxErrors(text), Option.some(value))
  })

  it.each(["", "-1", "1.5", "101%", "many", "5 percent"])("%j is no number of failures", (text) => {
    assert.isTrue(Option.isNone(Amount.maxErrors(text)))
  })
})
