/** `milepost unenroll`: one customer out of a milestone or a streak. */
import type { Transport } from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Unenrollment from "@milepost/core/Unenrollment"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExitCode from "../ExitCode.js"
import type * as Failure from "../Failure.js"
import type { Flags } from "../Invocation.js"
import { Output } from "../output/Output.js"
import { unlessUnreachable } from "./Enroll.js"
import * as OutcomeReport from "./OutcomeReport.js"
import * as Target from "./Target.js"

/** What the flags ask for. */
export const unenrollment = (flags: Flags): Either.Either<Unenrollment.Unenrollment, Failure.Refused> =>
  Either.flatMap(Target.identity(flags), (identity) => Either.mapLeft(Unenrollment.make(identity), Target.named))

/** Un-enrols and reports; fails only where nothing was sent. */
export const command = (
  flags: Flags
): Effect.Effect<ExitCode.ExitCode, Failure.Refused, Transport | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const asked = yield* unenrollment(flags)
    const outcome = yield* Unenroll.outcome(asked)
    yield* unlessUnreachable(outcome)
    const about = { ...asked, periodName: null }
    output.result(
      output.json
        ? JSON.stringify(OutcomeReport.document(about, outcome))
        : OutcomeReport.text(about, outcome, output)
    )
    return ExitCode.ofOutcomes([outcome])
  })
