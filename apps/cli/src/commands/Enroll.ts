/** `milepost enroll`: one customer into one streak, or into one or several periods of a milestone. */
import * as Enroll from "@milepost/core/Enroll"
import * as Enrollment from "@milepost/core/Enrollment"
import * as EnrollPeriods from "@milepost/core/EnrollPeriods"
import * as Outcome from "@milepost/core/Outcome"
import type { Transport } from "@milepost/core/Transport"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExitCode from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Flags } from "../Invocation.js"
import { Output } from "../output/Output.js"
import type { About } from "./OutcomeReport.js"
import * as OutcomeReport from "./OutcomeReport.js"
import * as Target from "./Target.js"

/** What the flags ask for: enrolments, in order. Nothing is sent when one of them is wrong. */
export const enrollments = (flags: Flags): Either.Either<ReadonlyArray<Enrollment.Enrollment>, Failure.Refused> =>
  Either.gen(function*() {
    const identity = yield* Target.identity(flags)
    const { initialBalance, periodNames, resetStreakStatus } = yield* Target.defaults(flags)
    const periods = periodNames.length === 0 ? [undefined] : periodNames
    return yield* Either.all(
      periods.map((periodName) =>
        Either.mapLeft(Enrollment.make({ ...identity, periodName, initialBalance, resetStreakStatus }), Target.named)
      )
    )
  })

const outcomes = (
  asked: ReadonlyArray<Enrollment.Enrollment>
): Effect.Effect<ReadonlyArray<Outcome.Outcome>, never, Transport> => {
  const only = asked[0]
  return only !== undefined && asked.length === 1
    ? Effect.map(Enroll.outcome(only), (outcome) => [outcome])
    : Effect.map(
      EnrollPeriods.run(asked.filter((enrollment) => enrollment._tag === "Milestone")),
      (ended) => ended.map(({ outcome }) => outcome)
    )
}

/** Nothing of a single call that could not leave has happened: it is a failure with a setting to mend, not an outcome. */
export const unlessUnreachable = (
  outcome: Outcome.Outcome | undefined
): Effect.Effect<void, Failure.Refused> =>
  outcome?.outcome === "skipped" && outcome.reason === "unreachable"
    ? Failure.notSent(outcome.message, outcome.notSent)
    : Effect.void

const severity: ReadonlyArray<Outcome.Word> = ["unknown", "rejected", "skipped", "already_enrolled", "enrolled"]

const worst = (ended: ReadonlyArray<Outcome.Outcome>): Outcome.Word =>
  severity.find((word) => ended.some(({ outcome }) => outcome === word)) ?? "enrolled"

/** Enrols and reports; fails only where nothing was sent. */
export const command = (
  flags: Flags
): Effect.Effect<ExitCode.ExitCode, Failure.Refused, Transport | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const asked = yield* enrollments(flags)
    const ended = yield* outcomes(asked)
    yield* unlessUnreachable(ended[0])
    const reports = asked.flatMap((enrollment, index): ReadonlyArray<readonly [About, Outcome.Outcome]> => {
      const outcome = ended[index]
      return outcome === undefined ? [] : [[{ ...enrollment, periodName: Enrollment.periodOf(enrollment) }, outcome]]
    })
    if (output.json) {
      const documents = reports.map(([about, outcome]) => OutcomeReport.document(about, outcome))
      output.result(
        JSON.stringify(documents.length === 1 ? documents[0] : { outcome: worst(ended), periods: documents })
      )
    } else {
      for (const [about, outcome] of reports) output.result(OutcomeReport.text(about, outcome, output))
    }
    return ExitCode.ofOutcomes(ended)
  })
