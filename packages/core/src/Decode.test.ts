import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import { codes, statuses, unlistedStatuses } from "../test/EveryError.js"
import * as Fixture from "../test/Fixture.js"
import { leftOf, milestone } from "../test/Sample.js"
import * as Answer from "../test/ScriptedTransport.js"
import * as ApiError from "./ApiError.js"
import * as Decode from "./Decode.js"
import * as GatewayError from "./GatewayError.js"
import * as TargetGroups from "./TargetGroups.js"
import type { Response } from "./Transport.js"
import { MalformedAnswer } from "./TransportError.js"

const customerId = milestone({ customerId: 345651201 }).customerId

const refusal = (response: Response) => leftOf(Decode.accepted(response, customerId))

describe("an answer that accepts", () => {
  it("is the customer's id", () => {
    expect(Decode.accepted(Answer.text(200, Fixture.text("enroll-success")), customerId)).toStrictEqual(
      Either.right({ customerId, warnings: [], requestId: "req-1" })
    )
  })

  it("keeps its warnings", () => {
    expect(Decode.accepted(Answer.text(200, Fixture.text("enroll-warning")), customerId)).toStrictEqual(
      Either.right({
        customerId,
        warnings: [{ code: 310200, message: "Enrolled, but the notification was not sent" }],
        requestId: "req-1"
      })
    )
  })

  it("may give the id as text", () => {
    expect(Either.isRight(Decode.accepted(Answer.json(200, { data: "345651201" }), customerId))).toBe(true)
  })

  it.each([200, 201, 202, 299])("may come with %d", (status) => {
    expect(Either.isRight(Decode.accepted(Answer.json(status, { data: 345651201 }), customerId))).toBe(true)
  })

  it.each<unknown>([345651202, "345651202", null, true, [345651201], { customerId: 345651201 }, "", "0345651201"])(
    "of %j is not the answer to this call",
    (data) => {
      const error = refusal(Answer.json(200, { data, errors: null, warnings: null }))
      expect(error).toBeInstanceOf(MalformedAnswer)
      expect(error).toMatchObject({ reason: "UnexpectedShape", status: 200, requestId: "req-1" })
      expect(error.message).toBe("The upstream answered 200, but it does not name the customer that the call was for.")
    }
  )
})

describe("an answer with a code", () => {
  it.each(codes)("$code is a $tag, as captured", ({ blastRadius, code, disposition, tag }) => {
    const error = refusal(Answer.text(200, Fixture.text(`error-${code}`)))
    expect(error).toMatchObject({ _tag: tag, code, disposition, blastRadius, status: 200, requestId: "req-1" })
    const captured = JSON.parse(Fixture.text(`error-${code}`)) as { errors: Array<{ message: string }> }
    expect(error.message).toBe(captured.errors[0]?.message)
  })

  it.each(codes)("$code is a $tag, as a number or as text, whatever the status", ({ code, tag }) => {
    for (const status of [200, 302, 400, 401, 404, 429, 500, 503, 521]) {
      for (const written of [code, String(code)]) {
        const error = refusal(Answer.refused(written, "words", status))
        expect([error._tag, "code" in error && error.code, error.message]).toEqual([tag, code, "words"])
        expect(error).toMatchObject({ status })
      }
    }
  })

  it.each([200, 400, 500])("that nobody documents keeps code and words, with status %d", (status) => {
    const error = refusal(Answer.refused(987654, "Something new", status))
    expect(error).toBeInstanceOf(ApiError.UndocumentedApiError)
    expect(error).toMatchObject({ code: 987654, message: "Something new", status, disposition: "rejected" })
    expect(refusal(Answer.refused("E-1", "words", status))).toMatchObject({ code: "E-1" })
  })

  it.each([400, 401, 429, 500, 503, 521])("that is the gateway's own status %i, or none, is judged by the status", (status) => {
    const gatewayError = GatewayError.fromStatus(status, { retryAfterMillis: null, requestId: "req-1" })
    for (const error of [{ code: status, message: "words" }, { code: String(status) }, { message: "words" }]) {
      expect(refusal(Answer.json(status, { data: null, errors: [error] }))).toMatchObject({
        _tag: gatewayError._tag,
        disposition: gatewayError.disposition
      })
    }
  })

  it("that is none, in an answer that succeeded, is undocumented all the same", () => {
    expect(refusal(Answer.json(200, { errors: [{ message: "words" }] }))).toMatchObject({
      _tag: "UndocumentedApiError",
      code: null,
      message: "words"
    })
  })

  it("decides even beside data", () => {
    const both = { data: 345651201, errors: [{ code: 310018, message: "words" }], warnings: null }
    expect(refusal(Answer.json(200, both))._tag).toBe("TargetNotFound")
  })

  it("outweighs 310119 in whatever order they come, so that no failure counts as done", () => {
    const already = { code: 310119, message: "already" }
    const missing = { code: "310019", message: "no period" }
    const unknown = { message: "no code" }
    const tagOf = (...errors: ReadonlyArray<object>) => refusal(Answer.json(200, { data: null, errors }))._tag
    expect(tagOf(already, missing)).toBe("PeriodNotFound")
    expect(tagOf(missing, already)).toBe("PeriodNotFound")
    expect(tagOf(already, already, missing)).toBe("PeriodNotFound")
    expect(tagOf(already, unknown)).toBe("UndocumentedApiError")
    expect(tagOf(already, already)).toBe("AlreadyEnrolled")
    expect(tagOf({ code: 310017 }, { code: 310018 })).toBe("TargetGroupNotFound")
  })

  it("without words is explained by the table, or says that there is no reason", () => {
    const documented = refusal(Answer.json(200, { errors: [{ code: 310017 }] }))
    expect(documented.message).toBe("The target group was not found or is deactivated.")
    expect(refusal(Answer.json(200, { errors: [{ code: 5, message: " \n" }] })).message).toBe(
      "The upstream gave no reason."
    )
  })
})

describe("an answer without a code", () => {
  const bodies: ReadonlyArray<readonly [string, string]> = [
    ["an HTML page", "<html><title>Oops</title></html>"],
    ["nothing", ""],
    ["an empty envelope", `{"data":null,"errors":null,"warnings":null}`],
    ["no errors and the customer's id", `{"data":345651201,"errors":[],"warnings":[]}`],
    ["another JSON", `{"timestamp":1,"status":500,"error":"Internal Server Error"}`],
    ["a cut-off envelope", `{"data":null,"errors":[{"code":3101`],
    ["errors that are no notices", `{"data":null,"errors":["no"]}`]
  ]

  it.each([...statuses, ...unlistedStatuses])("is judged by its status: $status is $tag", (expected) => {
    for (const [, body] of bodies) {
      const error = refusal(Answer.text(expected.status, body, { "retry-after": "7" }))
      expect([error._tag, error.disposition, error.blastRadius]).toEqual([
        expected.tag,
        expected.disposition,
        expected.blastRadius
      ])
      expect(error).toMatchObject({ status: expected.status, retryAfterMillis: 7000, requestId: "req-1" })
    }
  })

  it.each<[string, string, MalformedAnswer["reason"], string]>([
    ["", "text/html", "Empty", "its body is empty"],
    [" \r\n", "application/json", "Empty", "its body is empty"],
    [
      "<!DOCTYPE html><html><head><title>Sign\n in</title></head><body>secret-canary</body></html>",
      "text/html",
      "NotJson",
      `its body is not JSON: 90 characters of text/html, titled "Sign  in"`
    ],
    ["<html><body>secret-canary</body></html>", "text/html", "NotJson", "its body is not JSON: 39 characters of text/html"],
    [`{"data":3456512`, "application/json", "NotJson", "its body is not JSON: 15 characters of application/json"],
    [
      `{"secret":"canary"}`,
      "application/json",
      "UnexpectedShape",
      "its body is JSON of another shape than the documented {data, errors, warnings}"
    ],
    [
      `[{"data":345651201}]`,
      "application/json",
      "UnexpectedShape",
      "its body is JSON of another shape than the documented {data, errors, warnings}"
    ]
  ])("and 200 with the body %j of %s is malformed", (body, contentType, reason, words) => {
    const error = refusal(Answer.text(200, body, { "content-type": contentType }))
    expect(error).toBeInstanceOf(MalformedAnswer)
    expect(error).toMatchObject({ reason, status: 200, disposition: "outcomeUnknown", requestId: "req-1" })
    expect(error.message).toBe(`The upstream answered 200, but ${words}.`)
    expect(JSON.stringify(error)).not.toContain("canary")
  })

  it("says so where the content is of no known type", () => {
    expect(refusal(Answer.text(200, "ok")).message).toContain("2 characters of unknown content")
  })

  it("204 is malformed too: the upstream answers with a body", () => {
    expect(refusal(Answer.text(204, ""))).toMatchObject({ _tag: "MalformedAnswer", reason: "Empty", status: 204 })
  })

  it.prop("of HTML is repeated in nothing but its title", [
    fc.stringMatching(/^[A-Za-z ]{1,40}$/),
    fc.array(fc.constantFrom("<p>", "<title", ">", "</title>", "<TITLE>", "\n", "\u009b", "{", "\""), { maxLength: 30 })
  ], ([title, noise]) => {
    const page = `<html><head><title>${title}</title></head><body>${noise.join("CANARY-7f3a")}CANARY-7f3a</body></html>`
    const error = refusal(Answer.text(200, page, { "content-type": "text/html" }))
    expect(error.message).toContain(JSON.stringify(title.trim()))
    expect(JSON.stringify(error)).not.toContain("CANARY-7f3a")
  })

  it.each(["<title".repeat(200_000), "<title>".repeat(200_000), `<title ${" ".repeat(1_000_000)}`])(
    "is read in time that does not grow with what its page repeats (%#)",
    // A look-back for every repetition would take hours: then the test does not end.
    (page) => {
      expect(refusal(Answer.text(200, page))._tag).toBe("MalformedAnswer")
    }
  )
})

describe("Retry-After", () => {
  const date = "Sun, 06 Nov 1994 08:49:37 GMT"

  it.each<[string, Response["headers"], number | null]>([
    ["seconds", { "retry-after": "120" }, 120_000],
    ["no seconds", { "retry-after": "0" }, 0],
    ["seconds amid blanks", { "retry-after": " 5 " }, 5000],
    ["a date", { "retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", date }, 60_000],
    ["a date that is past", { "retry-after": "Sun, 06 Nov 1994 08:48:37 GMT", date }, 0],
    ["a date without the answer's own", { "retry-after": date }, null],
    ["a date beside one that cannot be read", { "retry-after": date, date: "yesterday" }, null],
    ["a date that looks like one", { "retry-after": "Xxx, 99 Xxx 1994 99:99:99 GMT", date }, null],
    ["a date beside one that looks like one", { "retry-after": date, date: "Xxx, 99 Xxx 1994 99:99:99 GMT" }, null],
    ["no header", {}, null],
    ["nothing", { "retry-after": "" }, null],
    ["words", { "retry-after": "soon" }, null],
    ["a fraction", { "retry-after": "1.5" }, null],
    ["a negative number", { "retry-after": "-1" }, null],
    ["an exponent", { "retry-after": "1e9" }, null],
    ["more than anybody waits", { "retry-after": "99999999999999999999" }, null]
  ])("of %s", (_, headers, expected) => {
    expect(Decode.retryAfterMillis(headers)).toBe(expected)
  })

  it.prop("is never anything but a wait or null", [
    fc.oneof(fc.string(), fc.stringMatching(/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/)),
    fc.constantFrom(date, undefined, "Xxx, 00 Xxx 0000 00:00:00 GMT")
  ], ([retryAfter, now]) => {
    const wait = Decode.retryAfterMillis({ "retry-after": retryAfter, date: now })
    expect(wait === null || (Number.isSafeInteger(wait) && wait >= 0)).toBe(true)
  })
})

const anyBody = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.json(),
  fc.record({
    data: fc.oneof(fc.constantFrom<unknown>(345651201, "345651201"), fc.jsonValue()),
    errors: fc.oneof(
      fc.constantFrom<unknown>(null, []),
      fc.array(fc.record({ code: fc.jsonValue(), message: fc.oneof(fc.string({ unit: "binary", maxLength: 600 }), fc.jsonValue()) })),
      fc.jsonValue()
    ),
    warnings: fc.jsonValue()
  }, { requiredKeys: [] }).map((envelope) => JSON.stringify(envelope)),
  fc.string({ unit: "binary" }).map((text) => `<html><title>${text}</title>${text}`),
  fc.nat(40).map((length) => `{"data":345651201,"errors":null,"warnings":null}`.slice(0, length))
)

describe("decoding", () => {
  it.prop("is total: any answer is a yes or an error of one bounded, printable line", [
    fc.oneof(fc.constantFrom(200, 400, 401, 429, 500, 503), fc.integer({ min: 0, max: 999 })),
    anyBody,
    fc.dictionary(fc.constantFrom("retry-after", "date", "content-type"), fc.string({ unit: "binary", maxLength: 600 }))
  ], ([status, body, headers]) => {
    const response = { status, headers, body, requestId: null }
    const errors = [Decode.accepted(response, customerId), TargetGroups.decode(response)].flatMap(
      (read: Either.Either<unknown, Decode.AnswerError>) => Either.isLeft(read) ? [read.left] : []
    )
    for (const error of errors) {
      expect(error).toBeInstanceOf(Error)
      expect(error.message).not.toBe("")
      expect(error.message.length).toBeLessThan(1000)
      expect(error.message).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029]/u)
      expect(error.stack).not.toMatch(/\n\s+at /)
    }
  }, { fastCheck: { numRuns: 1000 } })

  it("makes its errors without stack frames, and leaves the limit as it was", () => {
    const before = Error.stackTraceLimit
    const answers = [
      Answer.refused(310017),
      Answer.refused(999999),
      Answer.gateway(500),
      Answer.gateway(418),
      Answer.text(200, "")
    ]
    for (const answer of answers) expect(refusal(answer).stack).not.toMatch(/\n\s+at /)
    expect(Error.stackTraceLimit).toBe(before)
    expect(before).toBeGreaterThan(0)
  })

  it("lists what an answer can say other than yes", () => {
    expectTypeOf<Decode.AnswerError>().toEqualTypeOf<
      ApiError.ApiError | ApiError.UndocumentedApiError | GatewayError.GatewayError | MalformedAnswer
    >()
  })
})
