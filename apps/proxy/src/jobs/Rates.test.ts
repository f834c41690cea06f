import { assert, describe, it } from "@effect/vitest"
import type { Run } from "@milepost/ledger/Run"
import * as Rates from "./Rates.js"

const run = (calls: number, open: number, state: Run["state"] = "running"): Run =>
  ({ id: "job", epoch: 1, state, calls, counts: { pending: open, claimed: 0 } }) as unknown as Run

describe("Rates", () => {
  it("tells nothing of what was not seen twice", () => {
    const rates = Rates.make()
    assert.strictEqual(rates.of("job"), null)
    rates.saw(run(0, 100), 0)
    assert.strictEqual(rates.of("job"), null)
  })

  it("counts calls and what is left over the last ten seconds", () => {
    const rates = Rates.make()
    for (let second = 0; second <= 30; second++) rates.saw(run(second < 15 ? 0 : (second - 15) * 20, second < 15 ? 600 : 600 - (second - 15) * 10), second * 1000)
    assert.deepStrictEqual(rates.of("job"), { callsPerSecond: 20, etaSeconds: 45 })
  })

  it("knows no end while nothing gets done", () => {
    const rates = Rates.make()
    rates.saw(run(0, 100), 0)
    rates.saw(run(7, 100), 1000)
    assert.deepStrictEqual(rates.of("job"), { callsPerSecond: 7, etaSeconds: null })
  })

  it("begins anew with every sitting", () => {
    const rates = Rates.make()
    rates.saw(run(0, 100), 0)
    rates.saw(run(10, 90), 1000)
    rates.saw(run(10, 90, "interrupted"), 2000)
    assert.strictEqual(rates.of("job"), null)
  })
})
