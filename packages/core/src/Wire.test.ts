import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Fixture from "../test/Fixture.js"
import { arbitraryEnrollment, arbitraryId, identity, milestone, streak, unenrollment } from "../test/Sample.js"
import type * as Enrollment from "./Enrollment.js"
import * as Wire from "./Wire.js"

/** The record that an enrolment means, by JSON's own rules. */
const recordOf = (enrollment: Enrollment.Enrollment): object =>
  enrollment._tag === "Streak"
    ? { customerId: enrollment.customerId, resetStreakStatus: enrollment.resetStreakStatus }
    : {
      customerId: enrollment.customerId,
      periodName: enrollment.periodName,
      initialBalance: enrollment.initialBalance
    }

describe("the body of an enrol call", () => {
  it("is an array of one record, as in the seed", () => {
    expect(
      Wire.enrollBody(milestone({ customerId: 345651201, periodName: "PERIOD_G_29463_1", initialBalance: 100 }))
    ).toBe(`[{"customerId":345651201,"periodName":"PERIOD_G_29463_1","initialBalance":100}]`)
  })

  it.each<[Enrollment.InitialBalance, string]>([
    [100, `,"initialBalance":100`],
    [0, `,"initialBalance":0`],
    [-0, `,"initialBalance":0`],
    [-25, `,"initialBalance":-25`],
    [Number.MAX_SAFE_INTEGER, `,"initialBalance":9007199254740991`],
    [null, `,"initialBalance":null`],
    [undefined, ""]
  ])("says the balance %s in its own way", (initialBalance, text) => {
    expect(Wire.enrollBody(milestone({ initialBalance }))).toBe(
      `[{"customerId":564332013,"periodName":"Cycle_1"${text}}]`
    )
  })

  it.each<[boolean | undefined, string]>([
    [true, `,"resetStreakStatus":true`],
    [false, `,"resetStreakStatus":false`],
    [undefined, ""]
  ])("of a streak says the reset %s and neither period nor balance", (resetStreakStatus, text) => {
    expect(Wire.enrollBody(streak({ resetStreakStatus }))).toBe(`[{"customerId":564332013${text}}]`)
  })

  it.prop("is the JSON of the record, whatever the period is called", [arbitraryEnrollment], ([enrollment]) => {
    expect(Wire.enrollBody(enrollment)).toBe(JSON.stringify([recordOf(enrollment)]))
  })

  it.prop("quotes any text at all", [fc.string({ unit: "binary" })], ([periodName]) => {
    const body = Wire.enrollBody({ ...milestone(), periodName })
    expect(body).toBe(JSON.stringify([{ customerId: identity.customerId, periodName }]))
    expect(JSON.parse(body)).toEqual([{ customerId: identity.customerId, periodName }])
  })

  it.each([
    "\"",
    "\\",
    "\\\"},{\"customerId\":1",
    "</script>",
    "\u2028\u2029",
    "\u0000\u001f\u007f",
    "\ud800",
    "\udc00 lone",
    "🎯",
    "ü 第",
    "${1}"
  ])("quotes %j", (periodName) => {
    const body = Wire.enrollBody({ ...milestone(), periodName })
    expect(body).toBe(JSON.stringify([{ customerId: identity.customerId, periodName }]))
    expect(JSON.parse(body)).toHaveLength(1)
    expect(Wire.enrollRecord(body)?.periodName).toBe(periodName)
    expect(new TextDecoder().decode(new TextEncoder().encode(body))).toBe(body)
  })

  it.prop("of a record that was read has its documented fields, and no others", [Wire.EnrollRecordSchema], ([record]) => {
    const { customerId, initialBalance, periodName, resetStreakStatus } = record
    const read = Wire.enrollRecord(JSON.stringify([{ ...record, notes: "x" }]))
    expect(read === null ? null : Wire.recordBody(read)).toBe(JSON.stringify([{ customerId, periodName, initialBalance, resetStreakStatus }]))
  })

  it.prop("read back means the same: the three balances stay three", [arbitraryEnrollment], ([enrollment]) => {
    const record = Wire.enrollRecord(Wire.enrollBody(enrollment))
    expect(record?.customerId).toBe(enrollment.customerId)
    if (enrollment._tag === "Streak") {
      expect(record).not.toHaveProperty("periodName")
      expect(record).not.toHaveProperty("initialBalance")
      expect(record?.resetStreakStatus).toBe(enrollment.resetStreakStatus)
    } else {
      expect(record?.periodName).toBe(enrollment.periodName)
      expect(record).not.toHaveProperty("resetStreakStatus")
      if (enrollment.initialBalance === undefined) expect(record).not.toHaveProperty("initialBalance")
      else if (enrollment.initialBalance === null) expect(record?.initialBalance).toBeNull()
      else expect(record?.initialBalance).toBe(enrollment.initialBalance + 0)
    }
  })
})

describe("the body of an un-enrol call", () => {
  it("is an array of one record with the customer alone", () => {
    expect(Wire.unenrollBody(unenrollment)).toBe(`[{"customerId":564332013}]`)
    expect(Wire.unenrollRecord(Wire.unenrollBody(unenrollment))).toEqual({ customerId: 564332013 })
  })

  it.each(["", "[]", "{}", `{"customerId":1}`, `[{"customerId":"1"}]`, `[{"customerId":1},{"customerId":2}]`, "[null]"])(
    "%s is none",
    (body) => {
      expect(Wire.unenrollRecord(body)).toBeNull()
    }
  )

  it("may carry keys that nobody knows; they are dropped", () => {
    expect(Wire.unenrollRecord(`[{"customerId":1,"new":true}]`)).toEqual({ customerId: 1 })
  })
})

const nearRecord = fc.record({
  customerId: fc.oneof(
    arbitraryId,
    fc.constantFrom<unknown>(0, -1, 1.5, "1", null, [], 2 ** 53),
    fc.jsonValue()
  ),
  periodName: fc.oneof(fc.string(), fc.constantFrom<unknown>(null, 1, [], {}, false)),
  initialBalance: fc.oneof(
    fc.maxSafeInteger(),
    fc.constantFrom<unknown>(0, null, 1.5, "100", 1e300, 2 ** 53, -(2 ** 53), true)
  ),
  resetStreakStatus: fc.oneof(fc.boolean(), fc.constantFrom<unknown>(null, "true", 0, {})),
  unknown: fc.jsonValue()
}, { requiredKeys: [] })

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("an enrol record", () => {
  it.prop("is accepted by the guard exactly where the rich schema accepts it", [
    fc.oneof({ weight: 4, arbitrary: nearRecord }, { weight: 1, arbitrary: fc.jsonValue() })
  ], ([value]) => {
    const json = throughJson(value)
    const accepted = Wire.enrollRecord(JSON.stringify([json])) !== null
    expect(Schema.is(Wire.EnrollRecordSchema)(json)).toBe(accepted)
    expect(Either.isRight(Schema.decodeUnknownEither(Wire.EnrollRecordSchema)(json))).toBe(accepted)
  }, { fastCheck: { numRuns: 1000 } })

  it.prop("that the rich schema generates is accepted as it is", [Wire.EnrollRecordSchema], ([record]) => {
    const json = throughJson(record)
    expect(Wire.enrollRecord(JSON.stringify([json]))).toEqual(json)
  })

  it.each<[string, boolean]>([
    [`[{"customerId":345651201,"periodName":"PERIOD_G_29463_1","initialBalance":100,"resetStreakStatus":false}]`, true],
    [`[{"customerId":1}]`, true],
    [`[{"customerId":1,"periodName":null,"initialBalance":null,"resetStreakStatus":null}]`, true],
    [`[{"customerId":1,"unknown":{"a":[1]}}]`, true],
    [` [ { "customerId" : 1 } ] `, true],
    [`[]`, false],
    [`[{"customerId":1},{"customerId":2}]`, false],
    [`{"customerId":1}`, false],
    [`[[{"customerId":1}]]`, false],
    [`[{"customerId":"1"}]`, false],
    [`[{"customerId":9007199254740993}]`, false],
    [`[{"customerId":1,"initialBalance":1.5}]`, false],
    [`[{"customerId":1,"initialBalance":"100"}]`, false],
    [`[{"customerId":1,"periodName":7}]`, false],
    [`[{"customerId":1,"resetStreakStatus":"false"}]`, false],
    [`[{"customerId":1}`, false],
    [``, false],
    [`null`, false]
  ])("of %s it says %s", (body, accepted) => {
    expect(Wire.enrollRecord(body) !== null).toBe(accepted)
  })

  it("has the same type by hand and by schema", () => {
    expectTypeOf<typeof Wire.EnrollRecordSchema.Type["customerId"]>().toEqualTypeOf<Wire.EnrollRecord["customerId"]>()
    expectTypeOf<Wire.EnrollRecord>().toExtend<typeof Wire.EnrollRecordSchema.Type>()
  })
})

const nearNotice = fc.oneof(
  fc.record({
    code: fc.oneof(fc.integer(), fc.constantFrom<unknown>(310119, "310119", null, "E", true, [])),
    message: fc.oneof(fc.string(), fc.constantFrom<unknown>(null, 1, {}))
  }, { requiredKeys: [] }),
  fc.jsonValue()
)

const nearNotices = fc.oneof(
  fc.constantFrom<unknown>(null, [], {}, "", 0),
  fc.array(nearNotice, { maxLength: 3 })
)

const nearEnvelope = fc.record({
  data: fc.jsonValue(),
  errors: nearNotices,
  warnings: nearNotices,
  entity: fc.jsonValue()
}, { requiredKeys: [] })

describe("an envelope", () => {
  it.prop("is accepted by the guard exactly where the rich schema accepts it", [
    fc.oneof({ weight: 4, arbitrary: nearEnvelope }, { weight: 1, arbitrary: fc.jsonValue() })
  ], ([value]) => {
    const json = throughJson(value)
    const accepted = Either.isRight(Wire.envelope(JSON.stringify(json)))
    expect(Schema.is(Wire.EnvelopeSchema)(json)).toBe(accepted)
    expect(Either.isRight(Schema.decodeUnknownEither(Wire.EnvelopeSchema)(json))).toBe(accepted)
  }, { fastCheck: { numRuns: 1000 } })

  it.each<[string, boolean]>([
    [`{"data":1,"errors":null,"warnings":null}`, true],
    [`{"data":1}`, true],
    [`{"data":null}`, true],
    [`{"errors":null}`, true],
    [`{"errors":[]}`, true],
    [`{"data":1,"unknown":{}}`, true],
    [`{"data":1,"errors":[{}]}`, true],
    [`{}`, false],
    [`{"warnings":[]}`, false],
    [`{"errors":[null]}`, false],
    [`{"errors":["no"]}`, false],
    [`{"errors":[[]]}`, false],
    [`{"errors":{"code":1}}`, false],
    [`{"data":1,"warnings":"w"}`, false],
    [`[]`, false],
    [`[{"data":1}]`, false],
    [`"data"`, false],
    [`null`, false],
    [`1`, false]
  ])("of %s guard and rich schema say %s", (body, accepted) => {
    expect(Wire.envelope(body)).toEqual(accepted ? expect.objectContaining({ _tag: "Right" }) : Either.left("UnexpectedShape"))
    expect(Schema.is(Wire.EnvelopeSchema)(JSON.parse(body))).toBe(accepted)
    expect(Either.isRight(Schema.decodeUnknownEither(Wire.EnvelopeSchema)(JSON.parse(body)))).toBe(accepted)
  })

  it.each([
    `{"data":5}`,
    `{"data":5,"errors":null}`,
    `{"data":5,"errors":[],"warnings":[]}`,
    `{"data":5,"errors":null,"warnings":null,"extra":1}`,
    ` {"data":5,"warnings":[]}\n`
  ])("%s is the same regular envelope", (body) => {
    expect(Wire.envelope(body)).toStrictEqual(Either.right({ data: 5, errors: [], warnings: [] }))
  })

  it.each([["", "Empty"], [" \r\n\t", "Empty"], ["<html>", "NotJson"], [`{"data":3456`, "NotJson"], ["{}", "UnexpectedShape"]])(
    "%j is none because it is %s",
    (body, reason) => {
      expect(Wire.envelope(body)).toStrictEqual(Either.left(reason))
    }
  )

  it.each<[unknown, number | string | null]>([
    [310119, 310119],
    ["310119", 310119],
    [" 310119 ", 310119],
    ["E-17", "E-17"],
    ["1e3", "1e3"],
    ["-5", "-5"],
    ["1234567890123456", "1234567890123456"],
    ["", ""],
    ["A\u0000\nB", "A B"],
    [null, null],
    [true, null],
    [{ a: 1 }, null],
    [undefined, null]
  ])("reads the code %j as %j", (code, expected) => {
    const read = Either.getOrThrow(Wire.envelope(JSON.stringify({ errors: [{ code, message: "m" }] })))
    expect(read.errors).toStrictEqual([{ code: expected, message: "m" }])
  })

  it.each<[unknown, string]>([
    ["words", "words"],
    ["  two\r\nlines\u2028\u0007 ", "two lines"],
    ["x".repeat(1000), `${"x".repeat(300)}…`],
    [`${"x".repeat(299)}🎯🎯`, `${"x".repeat(299)}…`],
    ["half \ud83c of it", "half   of it"],
    [null, ""],
    [undefined, ""],
    [5, ""]
  ])("keeps of the words %j one bounded line", (message, expected) => {
    const read = Either.getOrThrow(Wire.envelope(JSON.stringify({ data: 1, warnings: [{ code: 1, message }] })))
    expect(read.warnings).toStrictEqual([{ code: 1, message: expected }])
  })

  it("keeps a warning beside a success", () => {
    expect(Wire.envelope(Fixture.text("enroll-warning"))).toStrictEqual(Either.right({
      data: 345651201,
      errors: [],
      warnings: [{ code: 310200, message: "Enrolled, but the notification was not sent" }]
    }))
  })

  it("is not fooled by keys of the prototype", () => {
    expect(Wire.envelope(`{"__proto__":{"data":1}}`)).toStrictEqual(Either.left("UnexpectedShape"))
    expect(Wire.enrollRecord(`[{"__proto__":{"customerId":1}}]`)).toBeNull()
  })
})
