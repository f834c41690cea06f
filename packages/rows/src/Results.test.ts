import { assert, describe, it } from "@effect/vitest"
import * as Results from "./Results.js"

describe("Results", () => {
  it.each(["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])("%j is made text", (cell) => {
    assert.strictEqual(Results.neutralised(cell), `'${cell}`)
  })

  it.each(["-100", "+5", "-1.5", "1e3", "name", "", "a=b", "2026-01-01"])("%j stays as it is", (cell) => {
    assert.strictEqual(Results.neutralised(cell), cell)
  })
})
