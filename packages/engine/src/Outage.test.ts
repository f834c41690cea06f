import { assert, describe, it } from "@effect/vitest"
import { NoAnswer, NotSent } from "@milepost/core/TransportError"
import * as Outage from "./Outage.js"

const well: Outage.Sign = { _tag: "Well" }
const failed: Outage.Sign = { _tag: "Failed", status: 502 }
const lost: Outage.Sign = { _tag: "Broken", error: new NoAnswer({ reason: "Timeout", message: "none", requestId: null }) }
const unreached: Outage.Sign = { _tag: "Broken", error: new NotSent({ reason: "Dns", message: "no such name" }) }

/** As many customers fail, one after another. */
const fail = (outage: Outage.Outage, customers: number, sign: Outage.Sign = failed, now = 0): ReadonlyArray<string> =>
  Array.from({ length: customers }, (_, customer) => outage.observe(sign, customer, now)._tag)

describe("an outage", () => {
  it.each([["a gateway that fails", failed], ["answers that get lost", lost], ["a way there that is gone", unreached]])(
    "begins with %s for twenty customers in a row, and ends with the first good answer",
    (_, sign) => {
      const outage = Outage.make({ isArmed: true })
      outage.observe(well, 1, 0)
      assert.deepStrictEqual(new Set(fail(outage, 19, sign)), new Set(["None"]))
      assert.isFalse(outage.isOn())
      assert.deepInclude(outage.observe(sign, 99, 0), { _tag: "Crawl", everyMillis: 1_000 })
      assert.isTrue(outage.isOn())
      assert.deepInclude(outage.observe(sign, 99, 2_000), { _tag: "Crawl", everyMillis: 1_500 })
      assert.deepStrictEqual(outage.observe(well, 1, 3_000), { _tag: "Over" })
      assert.isFalse(outage.isOn())
    }
  )

  it("one customer's trouble is none, and neither is what a good answer comes between", () => {
    const outage = Outage.make({ isArmed: true })
    outage.observe(well, 1, 0)
    for (let call = 0; call < 100; call++) outage.observe(failed, 5, 0)
    assert.isFalse(outage.isOn())
    fail(outage, 15)
    outage.observe(well, 1, 0)
    fail(outage, 15)
    assert.isFalse(outage.isOn())
  })

  it("trouble from the first call on is none: attempts end it", () => {
    const outage = Outage.make({ isArmed: true })
    fail(outage, 200)
    assert.isFalse(outage.isOn())
  })

  it("that lasts a quarter of an hour stops the run and says what came last", () => {
    const outage = Outage.make({ isArmed: true })
    outage.observe(well, 1, 0)
    fail(outage, 20)
    assert.strictEqual(outage.observe(failed, 1, 899_000)._tag, "Crawl")
    const verdict = outage.observe(failed, 1, 900_000)
    assert.deepInclude(verdict, { _tag: "Stop", reason: "outage" })
    assert.include(verdict._tag === "Stop" ? verdict.message : "", "15 minutes, the last was: 502")
  })

  it("before anybody was reached, calls that do not leave stop the run after a second", () => {
    const outage = Outage.make({ isArmed: true })
    for (let call = 0; call < 64; call++) assert.strictEqual(outage.observe(unreached, call, 0)._tag, "None")
    assert.deepInclude(outage.observe(unreached, 1, 1_000), { _tag: "Stop", reason: "unreachable", message: "no such name" })
    assert.isFalse(outage.wasReached())
    outage.observe(failed, 1, 2_000)
    assert.isTrue(outage.wasReached())
  })

  it("a hundred records in a row that end as unknown stop the run, unless somebody wants them all", () => {
    for (const isArmed of [true, false]) {
      const outage = Outage.make({ isArmed })
      for (let record = 0; record < 99; record++) assert.isNull(outage.ended(true))
      outage.ended(false)
      for (let record = 0; record < 99; record++) assert.isNull(outage.ended(true))
      assert.strictEqual(outage.ended(true) === null, !isArmed)
    }
  })

  it("is nobody's business without a fuse", () => {
    const outage = Outage.make({ isArmed: false })
    outage.observe(well, 1, 0)
    fail(outage, 100)
    assert.isFalse(outage.isOn())
  })
})
