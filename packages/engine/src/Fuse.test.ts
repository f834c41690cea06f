import { assert, describe, it } from "@effect/vitest"
import * as ApiError from "@milepost/core/ApiError"
import type * as Outcome from "@milepost/core/Outcome"
import { milestone } from "../test/rows.js"
import * as Fuse from "./Fuse.js"

const enrolled: Outcome.Outcome = { outcome: "enrolled", warnings: [], attempts: 1, requestId: null }

const rejected = (code: number, blastRadius = ApiError.rowOf(code)?.blastRadius ?? "record"): Outcome.Outcome => ({
  outcome: "rejected",
  code,
  tag: "Some",
  message: "no",
  blastRadius,
  afterAmbiguousAttempt: false,
  attempts: 1,
  requestId: null
})

const armed = () => Fuse.make({ isArmed: true })

const meet = (fuse: Fuse.Fuse, customer: number, outcome: Outcome.Outcome, group = 1, period = "C1"): Fuse.Verdict => {
  const request = milestone(customer, period, group)
  assert.isTrue(fuse.enter(request))
  return fuse.leave(request, outcome)
}

describe("a fuse", () => {
  it.each([[310144, "org"], [310141, "everything"], [401, "everything"], [403, "everything"]] as const)(
    "stops the run at the first %i",
    (code, radius) => {
      assert.strictEqual(meet(armed(), 1, rejected(code, radius))._tag, "Stop")
    }
  )

  it.each([
    [310017, { targetGroupId: 1 }],
    [310018, { targetGroupId: 1, targetId: 2309 }],
    [310019, { targetGroupId: 1, periodName: "C1" }]
  ])("condemns what %i names when three customers in a row have met it", (code, condemned) => {
    const fuse = armed()
    assert.strictEqual(meet(fuse, 1, rejected(code))._tag, "Continue")
    assert.strictEqual(meet(fuse, 1, rejected(code))._tag, "Continue")
    assert.strictEqual(meet(fuse, 2, rejected(code))._tag, "Continue")
    assert.isNull(fuse.condemnation(milestone(9, "C1", 1)))
    assert.deepStrictEqual(meet(fuse, 3, rejected(code)), { _tag: "Condemn", condemned, message: `${code}: no` })
    assert.strictEqual(fuse.condemnation(milestone(9, "C1", 1)), `${code}: no`)
    assert.isNull(fuse.condemnation(milestone(9, "C1", 2)))
    assert.strictEqual(fuse.condemnation(milestone(9, "C2", 1)) === null, code === 310019)
  })

  it("begins to count anew after a success there, but not after one elsewhere", () => {
    const fuse = armed()
    for (const customer of [1, 2]) meet(fuse, customer, rejected(310017))
    meet(fuse, 3, enrolled, 2)
    meet(fuse, 4, enrolled)
    for (const customer of [5, 6]) assert.strictEqual(meet(fuse, customer, rejected(310017))._tag, "Continue")
    assert.strictEqual(meet(fuse, 7, rejected(310017))._tag, "Condemn")
  })

  it("lets three calls out to a place until it is known to exist", () => {
    const fuse = armed()
    const to = (customer: number) => milestone(customer, "C1", 1)
    assert.deepStrictEqual([1, 2, 3, 4].map((customer) => fuse.enter(to(customer))), [true, true, true, false])
    assert.isTrue(fuse.enter(milestone(4, "C1", 2)))
    fuse.giveUp(to(1))
    assert.isTrue(fuse.enter(to(4)))
    fuse.leave(to(2), enrolled)
    assert.deepStrictEqual([5, 6, 7, 8].map((customer) => fuse.enter(to(customer))), [true, true, true, true])
  })

  it("takes a place to exist after ten answers that do not deny it", () => {
    const fuse = armed()
    for (let customer = 1; customer <= 10; customer++) meet(fuse, customer, rejected(310011))
    assert.deepStrictEqual([1, 2, 3, 4].map((customer) => fuse.enter(milestone(customer, "C1", 1))), [true, true, true, true])
  })

  it("that is not armed stops nothing but what --max-errors stops", () => {
    const fuse = Fuse.make({ isArmed: false, maxErrors: { _tag: "Count", count: 3 } })
    const verdicts = [1, 2, 3, 4].map((customer) => meet(fuse, customer, rejected(401, "everything"))._tag)
    assert.deepStrictEqual(verdicts, ["Continue", "Continue", "Continue", "Stop"])
  })

  it("takes a percentage only of enough records", () => {
    const fuse = Fuse.make({ isArmed: true, maxErrors: { _tag: "Percent", percent: 10, minimumRecords: 20 } })
    const verdicts = Array.from({ length: 20 }, (_, index) =>
      meet(fuse, index + 1, index < 3 ? rejected(310011) : enrolled)._tag)
    assert.deepStrictEqual(verdicts.slice(0, 19), Array.from({ length: 19 }, () => "Continue"))
    assert.strictEqual(verdicts[19], "Stop")
  })
})
