/**
 * The steps that conformance cases are made of: a call is sent, and what came back is compared.
 */
import type * as ApiError from "@milepost/core/ApiError"
import * as Decode from "@milepost/core/Decode"
import * as TargetGroups from "@milepost/core/TargetGroups"
import * as Transport from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"

/** The upstream did something else than the case says. */
export class ConformanceFailure extends Data.TaggedError("ConformanceFailure")<{
  /** The step that went wrong. */
  readonly step: string
  readonly expected: string
  readonly actual: string
}> {
  override get message(): string {
    return `${this.step}: expected ${this.expected}, but it was ${this.actual}`
  }
}

/** What an answer said: yes, an application code, or the status of the gateway. */
export type Said = "accepted" | ApiError.Code | { readonly code: number } | { readonly status: number }

/** A look-up, reduced to what the cases compare: `Cycle_3=250` for a period, `Bronze:ACHIEVED` for a level. */
export type Listed = ReadonlyArray<string>

const wordsOf = (said: Said): string =>
  said === "accepted"
    ? said
    : typeof said === "number"
    ? `code ${said}`
    : "code" in said
    ? `code ${said.code}`
    : `HTTP ${said.status}`

const lost = (step: string, expected: string) => (error: TransportError): ConformanceFailure =>
  new ConformanceFailure({ step, expected, actual: `no answer (${error.message})` })

/** Fails where two words differ. */
export const agree = (step: string, expected: string, actual: string): Effect.Effect<void, ConformanceFailure> =>
  expected === actual ? Effect.void : Effect.fail(new ConformanceFailure({ step, expected, actual }))

const sent = (
  step: string,
  expected: string,
  request: Transport.Request
): Effect.Effect<Transport.Response, ConformanceFailure, Transport.Transport> =>
  Effect.flatMap(Transport.Transport, (transport) => Effect.mapError(transport.send(request), lost(step, expected)))

const saidIn = (error: Decode.AnswerError): string =>
  "code" in error ? `code ${error.code}` : `HTTP ${error.status}${error._tag === "MalformedAnswer" ? ", malformed" : ""}`

/** Sends an enrol or un-enrol call and compares what is answered. */
export const expectSaid = (
  step: string,
  request: Transport.Request,
  expected: Said
): Effect.Effect<void, ConformanceFailure, Transport.Transport> =>
  Effect.flatMap(sent(step, wordsOf(expected), request), (response) =>
    agree(
      step,
      wordsOf(expected),
      Either.match(Decode.accepted(response, request.customerId), { onLeft: saidIn, onRight: () => "accepted" })
    ))

const listedIn = (groups: ReadonlyArray<TargetGroups.TargetGroupStatus>): Listed =>
  groups.flatMap(({ streaks, targets }) => [
    ...targets.map((target) => `${target.periodRefCode}=${target.targetAchievedValue}`),
    ...streaks.map((streak) => `${streak.streakName}:${streak.status}`)
  ])

/** Looks a customer up and compares the periods and levels that are listed, in their order. */
export const expectListed = (
  step: string,
  query: TargetGroups.Query,
  expected: Listed
): Effect.Effect<void, ConformanceFailure, Transport.Transport> =>
  Effect.flatMap(sent(step, expected.join(" "), TargetGroups.request(query)), (response) =>
    agree(
      step,
      expected.join(" "),
      Either.match(TargetGroups.decode(response), {
        onLeft: saidIn,
        onRight: (groups) => listedIn(groups).join(" ")
      })
    ))

/** Looks a customer up and compares how that is refused. */
export const expectRefusedLookUp = (
  step: string,
  query: TargetGroups.Query,
  expected: Exclude<Said, "accepted">
): Effect.Effect<void, ConformanceFailure, Transport.Transport> =>
  Effect.flatMap(sent(step, wordsOf(expected), TargetGroups.request(query)), (response) =>
    agree(
      step,
      wordsOf(expected),
      Either.match(TargetGroups.decode(response), { onLeft: saidIn, onRight: () => "a list" })
    ))

/** Looks a customer up; that can be read, whatever it lists. */
export const expectReadable = (
  step: string,
  query: TargetGroups.Query
): Effect.Effect<void, ConformanceFailure, Transport.Transport> =>
  Effect.flatMap(sent(step, "a list", TargetGroups.request(query)), (response) =>
    agree(step, "a list", Either.match(TargetGroups.decode(response), { onLeft: saidIn, onRight: () => "a list" })))

/** Looks a customer up and compares what is held in one period of one group, whatever else is listed. */
export const expectHeld = (
  step: string,
  query: TargetGroups.Query,
  targetGroupId: number,
  periodName: string,
  expected: string
): Effect.Effect<void, ConformanceFailure, Transport.Transport> =>
  Effect.flatMap(sent(step, expected, TargetGroups.request(query)), (response) =>
    agree(
      step,
      `${periodName}=${expected}`,
      Either.match(TargetGroups.decode(response), {
        onLeft: saidIn,
        onRight: (groups) => {
          const target = groups.find(({ id }) => id === targetGroupId)?.targets.find(({ periodRefCode }) => periodRefCode === periodName)
          return target === undefined ? `${periodName} is not listed` : `${periodName}=${target.targetAchievedValue}`
        }
      })
    ))
