import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { arbitraryId, leftOf } from "../test/Sample.js"
import * as Ids from "./Ids.js"

const fromText = [
  ["customerId", Ids.customerIdFromText],
  ["targetGroupId", Ids.targetGroupIdFromText],
  ["targetId", Ids.targetIdFromText],
  ["orgId", Ids.orgIdFromText]
] as const

const fromNumber = [
  ["customerId", Ids.customerId],
  ["targetGroupId", Ids.targetGroupId],
  ["targetId", Ids.targetId],
  ["orgId", Ids.orgId]
] as const

const spreadsheet = "is not a whole number; a spreadsheet may have reformatted it: export the column as text"
const whiteSpace = "holds white space; a whole number alone is needed"
const negative = "is negative; ids are whole numbers from 1"
const leadingZero = "begins with a zero; ids are written without leading zeros"
const beyond = "is beyond 9007199254740991, the greatest id that JSON carries exactly"
const decimal = "has a decimal part; ids are whole numbers"

const badTexts: ReadonlyArray<readonly [text: string, problem: string]> = [
  ["", "is empty; a whole number is needed"],
  [" ", whiteSpace],
  [" 12", whiteSpace],
  ["12\n", whiteSpace],
  ["1 200", whiteSpace],
  ["12\u00a0", whiteSpace],
  ["-5", negative],
  ["-5.5", negative],
  ["0", "is zero; ids are whole numbers from 1"],
  ["000", "is zero; ids are whole numbers from 1"],
  ["007", leadingZero],
  ["0345651201", leadingZero],
  ["1.5", decimal],
  ["1,5", decimal],
  ["5.6E+08", spreadsheet],
  ["5,6e8", spreadsheet],
  ["1E9", spreadsheet],
  ["345651201.0", spreadsheet],
  ["١٢٣", "is written in other digits than 0 to 9"],
  ["12３", "is written in other digits than 0 to 9"],
  ["9007199254740992", beyond],
  ["9007199254740993", beyond],
  ["18446744073709551616", beyond],
  ["+5", "is not a whole number"],
  ["0x10", "is not a whole number"],
  ["1_000", "is not a whole number"],
  ["abc", "is not a whole number"],
  ["NaN", "is not a whole number"],
  ["Infinity", "is not a whole number"]
]

const badNumbers: ReadonlyArray<readonly [value: number, text: string, problem: string]> = [
  [0, "0", "is zero; ids are whole numbers from 1"],
  [-0, "0", "is zero; ids are whole numbers from 1"],
  [-5, "-5", negative],
  [-1e21, "-1e+21", negative],
  [1.5, "1.5", decimal],
  [Number.NaN, "NaN", "is not a whole number"],
  [Number.POSITIVE_INFINITY, "Infinity", "is not a whole number"],
  [Number.MAX_SAFE_INTEGER + 1, "9007199254740992", beyond],
  [1e21, "1e+21", beyond]
]

describe("an id from text", () => {
  it.prop("is exactly the number that was written, up to 2^53-1", [arbitraryId], ([id]) => {
    for (const [, parse] of fromText) expect(parse(String(id))).toStrictEqual(Either.right(id))
  })

  it.prop("is never rounded: what is accepted prints as it was read", [
    fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 60n }).map(String), fc.stringMatching(/^[0-9]{14,18}$/))
  ], ([text]) => {
    const parsed = Ids.customerIdFromText(text)
    const fits = !text.startsWith("0") && BigInt(text) <= BigInt(Number.MAX_SAFE_INTEGER)
    expect(Either.isRight(parsed)).toBe(fits)
    if (Either.isRight(parsed)) expect(String(parsed.right)).toBe(text)
  })

  it("reaches 2^53-1 and stops there", () => {
    expect(Ids.greatest).toBe(2 ** 53 - 1)
    expect(Ids.customerIdFromText("9007199254740991")).toStrictEqual(Either.right(9007199254740991))
    expect(Either.isLeft(Ids.customerIdFromText("9007199254740992"))).toBe(true)
  })

  it.each(badTexts)("%j is refused: %s", (text, problem) => {
    for (const [field, parse] of fromText) {
      const error = leftOf<number, Ids.InvalidRecord>(parse(text))
      expect(error).toBeInstanceOf(Ids.InvalidRecord)
      expect(error._tag).toBe("InvalidRecord")
      expect({ field: error.field, value: error.value, problem: error.problem }).toEqual({ field, value: text, problem })
      expect(error.message.startsWith(`${field}: "`)).toBe(true)
      expect(error.message.endsWith(`" ${problem}`)).toBe(true)
    }
  })

  it("names the field and the value in its message", () => {
    expect(leftOf(Ids.targetIdFromText("5.6E+08")).message).toBe(`targetId: "5.6E+08" ${spreadsheet}`)
  })

  it.prop("any text at all is either an id or an error of one bounded, printable line", [
    fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.stringMatching(/^[-+0-9.,eE ]{0,12}$/))
  ], ([text]) => {
    const parsed = Ids.customerIdFromText(text)
    if (Either.isRight(parsed)) {
      expect(text).toMatch(/^[1-9][0-9]*$/)
    } else {
      expect(parsed.left.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
      expect(parsed.left.message.length).toBeLessThan(700)
    }
  })

  it("a long value is repeated only in part", () => {
    const error = leftOf(Ids.customerIdFromText("x".repeat(10_000)))
    expect(error.value).toBe(`${"x".repeat(80)}…`)
    expect(error.message.length).toBeLessThan(150)
  })

  it("a value cannot steer the terminal that its message is printed on", () => {
    const error = leftOf(Ids.customerIdFromText("\u001b[2J\u009b2J\u202e1\u{e0041}"))
    expect(error.message).toContain(`"\\u001b[2J\\u009b2J\\u202e1\\udb40\\udc41"`)
  })
})

describe("an id from a number", () => {
  it.prop("is the number itself", [arbitraryId], ([id]) => {
    for (const [, check] of fromNumber) expect(check(id)).toStrictEqual(Either.right(id))
  })

  it.each(badNumbers)("%d is refused as %j: it %s", (value, text, problem) => {
    for (const [field, check] of fromNumber) {
      const error = leftOf<number, Ids.InvalidRecord>(check(value))
      expect({ field: error.field, value: error.value, problem: error.problem }).toEqual({ field, value: text, problem })
    }
  })
})

describe("the guard of ids", () => {
  const anything = fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }),
    fc.double(),
    fc.maxSafeInteger(),
    fc.constantFrom<unknown>(
      Number.NaN,
      0,
      -0,
      1,
      -1,
      1.5,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.MAX_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER + 1,
      "1",
      "",
      1n,
      null,
      undefined,
      [1],
      Object(1)
    )
  )

  it.prop("says the same of any value as the rich schema", [anything], ([value]) => {
    expect(Schema.is(Ids.Id)(value)).toBe(Ids.isId(value))
    expect(Either.isRight(Schema.decodeUnknownEither(Ids.Id)(value))).toBe(Ids.isId(value))
  }, { fastCheck: { numRuns: 1000 } })

  it.prop("accepts what the rich schema generates", [Ids.Id], ([id]) => {
    expect(Ids.isId(id)).toBe(true)
  })

  it.each<[unknown, boolean]>([
    [1, true],
    [Number.MAX_SAFE_INTEGER, true],
    [Number.MAX_SAFE_INTEGER + 1, false],
    [0, false],
    [-0, false],
    [-1, false],
    [1.5, false],
    [Number.NaN, false],
    [Number.POSITIVE_INFINITY, false],
    ["1", false],
    [null, false]
  ])("of %s it says %s", (value, is) => {
    expect(Ids.isId(value)).toBe(is)
    expect(Schema.is(Ids.Id)(value)).toBe(is)
  })
})

describe("the types of ids", () => {
  it("keep customers, groups, targets and organisations apart", () => {
    expectTypeOf<Ids.CustomerId>().not.toExtend<Ids.TargetId>()
    expectTypeOf<Ids.TargetGroupId>().not.toExtend<Ids.TargetId>()
    expectTypeOf<Ids.OrgId>().not.toExtend<Ids.CustomerId>()
    expectTypeOf<number>().not.toExtend<Ids.CustomerId>()
    expectTypeOf<Ids.CustomerId>().toExtend<number>()
    // @ts-expect-error a plain number is not an id
    const id: Ids.CustomerId = 5
    expect(id).toBe(5)
  })
})

describe("an invalid record", () => {
  it("holds the field, the value and the problem, and nothing of where it came from", () => {
    const error = Ids.invalid("customerId", "x", "is not a whole number")
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      _tag: "InvalidRecord",
      field: "customerId",
      value: "x",
      problem: "is not a whole number"
    })
    expect(inspect(error)).not.toContain("cause")
  })

  it.each([[undefined, "undefined"], [null, "null"], [1.5, "1.5"], [true, "true"]])(
    "repeats %s as text",
    (value, text) => {
      expect(Ids.invalid("f", value, "p").value).toBe(text)
    }
  )
})
