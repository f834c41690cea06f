import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { identity, leftOf, unenrollment } from "../test/Sample.js"
import * as Unenrollment from "./Unenrollment.js"

describe("an un-enrolment", () => {
  it("holds where and whom, and no period", () => {
    expect(Unenrollment.make(identity)).toStrictEqual(Either.right({ _tag: "Unenrollment", ...identity }))
    expectTypeOf<Unenrollment.Unenrollment>().not.toHaveProperty("periodName")
  })

  it.each(["targetGroupId", "targetId", "customerId"] as const)("refuses a %s that is none", (field) => {
    expect(leftOf(Unenrollment.make({ ...identity, [field]: -1 })).message).toBe(
      `${field}: "-1" is negative; ids are whole numbers from 1`
    )
  })

  it("is told apart by group, target and customer", () => {
    expect(Unenrollment.key(unenrollment)).toBe("2154/2309/564332013")
  })
})
