import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { leftOf } from "../test/Sample.js"
import * as DataScope from "./DataScope.js"

describe("a data scope", () => {
  it.each([
    [undefined, undefined],
    ["SELF", undefined],
    ["self", ""],
    [" Self ", "  "]
  ])("of %j and %j is the authenticating organisation's", (scope, org) => {
    expect(DataScope.fromText(scope, org)).toStrictEqual(Either.right({ _tag: "Self" }))
  })

  it.each([["OTHER", "100458"], ["other", " 100458 "], ["Other", "100458"]])(
    "of %j and %j is one child organisation's",
    (scope, org) => {
      expect(DataScope.fromText(scope, org)).toStrictEqual(Either.right({ _tag: "Other", orgId: 100458 }))
    }
  )

  it.each(["ALL", "all", "All", " aLL "])("of %j is refused with 310141 and what to do instead", (scope) => {
    for (const org of [undefined, "", "100458"]) {
      const error = leftOf(DataScope.fromText(scope, org))
      expect(error).toBeInstanceOf(DataScope.DataScopeRefused)
      expect([error.setting, error.code]).toEqual(["scope", 310141])
      expect(error.message).toBe(
        "the data scope ALL is not supported for enrolment (310141). Set the data scope to SELF, or to OTHER with the id of one child organisation."
      )
    }
  })

  it.each<[string | undefined, string | undefined, "scope" | "org", string]>([
    ["OTHER", undefined, "org", "the data scope OTHER needs the id of one child organisation"],
    ["OTHER", " ", "org", "the data scope OTHER needs the id of one child organisation"],
    ["OTHER", "1,2", "org", `one organisation a call, but "1,2" lists several`],
    ["OTHER", "1,", "org", `one organisation a call, but "1," lists several`],
    ["OTHER", "0", "org", `orgId: "0" is zero; ids are whole numbers from 1`],
    ["OTHER", "north", "org", `orgId: "north" is not a whole number`],
    ["SELF", "100458", "org", `the data scope SELF takes no organisation, but "100458" is given: use OTHER`],
    [undefined, "100458", "org", `the data scope SELF takes no organisation, but "100458" is given: use OTHER`],
    ["", undefined, "scope", `"" is no data scope: SELF or OTHER`],
    ["PARENT", undefined, "scope", `"PARENT" is no data scope: SELF or OTHER`]
  ])("of %j and %j is refused because of the %s", (scope, org, setting, message) => {
    const error = leftOf(DataScope.fromText(scope, org))
    expect({ setting: error.setting, code: error.code, message: error.message }).toEqual({
      setting,
      code: null,
      message
    })
  })

  it("from a number takes an organisation's id and nothing else", () => {
    expect(DataScope.other(100458)).toStrictEqual(Either.right({ _tag: "Other", orgId: 100458 }))
    expect(leftOf(DataScope.other(0)).field).toBe("orgId")
  })

  it("is sent in two headers, or in none for SELF", () => {
    expect(DataScope.headers(DataScope.self)).toEqual({})
    expect(DataScope.headers(Either.getOrThrow(DataScope.other(9007199254740991)))).toEqual({
      "DATA-SCOPE": "OTHER",
      "DATA-SCOPE-ORG": "9007199254740991"
    })
  })

  it("cannot be ALL", () => {
    expectTypeOf<DataScope.DataScope["_tag"]>().toEqualTypeOf<"Self" | "Other">()
    // @ts-expect-error the upstream refuses ALL, so there is no such scope
    const all: DataScope.DataScope = { _tag: "All" }
    expect(all._tag).toBe("All")
  })
})
