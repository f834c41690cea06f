/**
 * Enrols one customer into several periods of a milestone: one call a period, in the order given, one after another.
 *
 * The upstream has no batch: ten cycles are ten calls (seed, comment of the request body). Enrolling into a period may
 * cover later ones as well, so 310119 on the way means *already there* (`docs/upstream.md`, *Behaviour*).
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { BlastRadius } from "./Disposition.js"
import * as Enroll from "./Enroll.js"
import * as Enrollment from "./Enrollment.js"
import type { InvalidRecord } from "./Ids.js"
import * as Outcome from "./Outcome.js"
import type { Transport } from "./Transport.js"

/** One period with the balance to start it at. */
export interface Period {
  readonly periodName: string
  readonly initialBalance?: Enrollment.InitialBalance
}

/** How one period ended. */
export interface PeriodOutcome {
  readonly periodName: string
  readonly outcome: Outcome.Outcome
}

/** The enrolments that a list of periods means, in order; fails with `InvalidRecord` before anything is sent. */
export const plan = (
  identity: Enrollment.Identity,
  periods: ReadonlyArray<Period>
): Either.Either<ReadonlyArray<Enrollment.Milestone>, InvalidRecord> =>
  Either.all(periods.map((period) => Enrollment.milestone({ ...identity, ...period })))

/** An answer of this radius says that the remaining periods of the same customer would fail as well. */
const condemnsLaterPeriods = (radius: BlastRadius): boolean =>
  radius !== "none" && radius !== "record" && radius !== "period"

const condemning = (outcome: Outcome.Outcome): Outcome.Skipped | null => {
  if (outcome.outcome === "rejected" && condemnsLaterPeriods(outcome.blastRadius)) {
    return Outcome.skipped("fuse", `an earlier period was answered ${outcome.code}: ${outcome.message}`)
  }
  return outcome.outcome === "skipped" ? outcome : null
}

/**
 * Runs planned enrolments in order and tells how each ended; never fails.
 *
 * Once an answer condemns more than its period (an unknown customer, a missing group), the rest is skipped, not sent.
 *
 * @example
 * ```ts
 * import { EnrollPeriods } from "@milepost/core"
 * import { Effect } from "effect"
 *
 * const cycles = Array.from({ length: 10 }, (_, index) => ({ periodName: `Cycle_${index + 1}` }))
 * const program = EnrollPeriods.plan({ targetGroupId: 2154, targetId: 2309, customerId: 564332013 }, cycles).pipe(
 *   Effect.flatMap(EnrollPeriods.run)
 * )
 * ```
 */
export const run = (
  planned: ReadonlyArray<Enrollment.Milestone>
): Effect.Effect<ReadonlyArray<PeriodOutcome>, never, Transport> =>
  Effect.gen(function*() {
    const ended: Array<PeriodOutcome> = []
    let condemned: Outcome.Skipped | null = null
    for (const enrollment of planned) {
      const outcome: Outcome.Outcome = condemned ?? (yield* Enroll.outcome(enrollment))
      ended.push({ periodName: enrollment.periodName, outcome })
      condemned ??= condemning(outcome)
    }
    return ended
  })
