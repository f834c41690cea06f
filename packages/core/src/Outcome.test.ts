import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { EveryCallError } from "../test/EveryError.js"
import { type Sample, samples } from "../test/EveryError.js"
import * as Ids from "./Ids.js"
import * as Outcome from "./Outcome.js"

const ended = (error: Outcome.CallError, afterAmbiguousAttempt: boolean) => ({
  result: Either.left(error),
  attempts: 3,
  afterAmbiguousAttempt
})

/** The word, written out for every class: without an ambiguous attempt before the last, and with one. */
const expected: Record<Outcome.CallError["_tag"], readonly [clear: Outcome.Word, ambiguous: Outcome.Word]> = {
  AlreadyEnrolled: ["already_enrolled", "already_enrolled"],
  InvalidCustomer: ["rejected", "rejected"],
  PeriodNotFound: ["rejected", "rejected"],
  TargetGroupNotFound: ["rejected", "rejected"],
  TargetNotFound: ["rejected", "rejected"],
  InvalidInput: ["rejected", "rejected"],
  DataScopeNotSupported: ["rejected", "rejected"],
  ConnectedOrgsNotSet: ["rejected", "rejected"],
  UndocumentedApiError: ["rejected", "rejected"],
  MalformedCall: ["rejected", "unknown"],
  CredentialsRefused: ["rejected", "unknown"],
  PermissionDenied: ["rejected", "unknown"],
  PathNotFound: ["rejected", "unknown"],
  MethodNotAllowed: ["rejected", "unknown"],
  UnsupportedContentType: ["rejected", "unknown"],
  RateLimited: ["rejected", "unknown"],
  SearchBusy: ["rejected", "unknown"],
  InternalServerError: ["unknown", "unknown"],
  BadGateway: ["unknown", "unknown"],
  Overloaded: ["rejected", "unknown"],
  GatewayTimeout: ["unknown", "unknown"],
  CustomerBusy: ["rejected", "unknown"],
  UnexpectedStatus: ["rejected", "unknown"],
  NotSent: ["skipped", "unknown"],
  NoAnswer: ["unknown", "unknown"],
  MalformedAnswer: ["unknown", "unknown"]
}

const wordOf = ({ disposition, tag }: Sample, ambiguous: boolean): Outcome.Word =>
  tag === "UnexpectedStatus" && disposition === "outcomeUnknown" ? "unknown" : expected[tag][ambiguous ? 1 : 0]

describe("the outcome of an enrolment", () => {
  it("is enrolled with its warnings where the upstream accepted", () => {
    const customerId = Either.getOrThrow(Ids.customerId(1))
    const accepted = { customerId, warnings: [{ code: 5, message: "w" }], requestId: "req-1" }
    const attempted = { result: Either.right(accepted), attempts: 2, afterAmbiguousAttempt: true }
    const rest = { warnings: accepted.warnings, attempts: 2, requestId: "req-1" }
    expect(Outcome.fromAttempted("enrolled", attempted)).toStrictEqual({ outcome: "enrolled", ...rest })
    expect(Outcome.fromAttempted("unenrolled", attempted)).toStrictEqual({ outcome: "unenrolled", ...rest })
  })

  for (const sample of samples) {
    for (const ambiguous of [false, true]) {
      const word = wordOf(sample, ambiguous)
      it(`that ends with ${sample.tag} (${sample.detail}) ${ambiguous ? "after an ambiguous attempt " : ""}is ${word}`, () => {
        const { blastRadius, error, tag } = sample
        const outcome = Outcome.fromAttempted("enrolled", ended(error, ambiguous))
        const code = typeof sample.detail === "number" ? sample.detail : tag === "UndocumentedApiError"
          ? sample.detail
          : tag === "MalformedAnswer"
          ? 200
          : null
        const requestId = tag === "NotSent" ? null : "req-1"
        const common = { code, tag, message: error.message, attempts: 3, requestId }
        switch (word) {
          case "already_enrolled":
            return expect(outcome).toEqual({ ...common, outcome: word, afterAmbiguousAttempt: ambiguous })
          case "rejected":
            return expect(outcome).toStrictEqual({
              ...common,
              outcome: word,
              blastRadius,
              afterAmbiguousAttempt: ambiguous
            })
          case "unknown":
            return expect(outcome).toStrictEqual({ ...common, outcome: word })
          default:
            return expect(outcome).toStrictEqual({
              outcome: "skipped",
              reason: "unreachable",
              message: error.message,
              notSent: "reason" in error ? error.reason : null
            })
        }
      })
    }
  }

  it("tells 429 with its code where every attempt was refused, and nothing definite after a lost one", () => {
    const rateLimited = samples.find(({ tag }) => tag === "RateLimited")!.error
    expect(Outcome.fromAttempted("enrolled", ended(rateLimited, false))).toMatchObject({ outcome: "rejected", code: 429 })
    expect(Outcome.fromAttempted("enrolled", ended(rateLimited, true))).toMatchObject({ outcome: "unknown", code: 429 })
  })
})

describe("the outcome of an un-enrolment", () => {
  it.each([false, true])("that is answered 310119 is rejected: the customer is still in (ambiguous: %s)", (ambiguous) => {
    const already = samples.find(({ tag }) => tag === "AlreadyEnrolled")!.error
    const outcome = Outcome.fromAttempted("unenrolled", ended(already, ambiguous))
    expect(outcome).toMatchObject({ outcome: "rejected", code: 310119, afterAmbiguousAttempt: ambiguous })
    expect(Outcome.isDone(outcome)).toBe(false)
  })

  const others = samples.filter(({ tag }) => tag !== "AlreadyEnrolled")

  it.each(others)("that ends with $tag ($detail) is what it is for an enrolment", ({ error }) => {
    for (const ambiguous of [false, true]) {
      expect(Outcome.fromAttempted("unenrolled", ended(error, ambiguous))).toStrictEqual(
        Outcome.fromAttempted("enrolled", ended(error, ambiguous))
      )
    }
  })
})

describe("a record that never left", () => {
  it("is rejected with the code input where it is invalid", () => {
    expect(Outcome.fromInvalidRecord(Ids.invalid("customerId", "x", "is not a whole number"))).toStrictEqual({
      outcome: "rejected",
      code: "input",
      tag: "InvalidRecord",
      message: `customerId: "x" is not a whole number`,
      blastRadius: "record",
      afterAmbiguousAttempt: false,
      attempts: 0,
      requestId: null
    })
  })

  it.each(["duplicate", "fuse", "cancelled", "unreachable"] as const)("is skipped for the reason %s", (reason) => {
    expect(Outcome.skipped(reason, "why")).toStrictEqual({ outcome: "skipped", reason, message: "why", notSent: null })
  })
})

describe("the words", () => {
  it("are six, of which three are done", () => {
    expect(Outcome.words).toEqual(["enrolled", "unenrolled", "already_enrolled", "rejected", "unknown", "skipped"])
    const of = (outcome: Outcome.Word) => Outcome.isDone({ outcome } as Outcome.Outcome)
    expect(Outcome.words.filter(of)).toEqual(["enrolled", "unenrolled", "already_enrolled"])
  })

  it("are those that an outcome can be, and no others", () => {
    expectTypeOf<Outcome.Outcome["outcome"]>().toEqualTypeOf<Outcome.Word>()
    expectTypeOf<Outcome.Word>().toEqualTypeOf<
      "enrolled" | "unenrolled" | "already_enrolled" | "rejected" | "unknown" | "skipped"
    >()
    expectTypeOf<Outcome.Skipped["reason"]>().toEqualTypeOf<"duplicate" | "fuse" | "cancelled" | "unreachable">()
    expectTypeOf<Outcome.CallError>().toEqualTypeOf<EveryCallError>()
  })
})
