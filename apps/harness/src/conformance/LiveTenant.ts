/**
 * Conformance of a live tenant: reads by default; writes only where that is allowed, for one named customer who is not
 * enrolled before, and un-enrolled after every case, whatever happens in between.
 */
import * as Ids from "@milepost/core/Ids"
import * as TargetGroups from "@milepost/core/TargetGroups"
import * as Transport from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Unenrollment from "@milepost/core/Unenrollment"
import * as Conformance from "@milepost/simulator/Conformance"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Refused } from "../Refused.js"
import * as Runner from "./Runner.js"
import type { Verdict } from "./Verdict.js"

/** What was named, and whether it may be written to. */
export interface Options {
  readonly place: Conformance.LivePlace
  readonly mayWrite: boolean
}

/** What a run will do to the tenant, in lines for people; none where it only reads. */
export const plan = ({ mayWrite, place: { customerId, milestone, streak } }: Options): ReadonlyArray<string> => {
  const targets = [milestone, streak].filter((target) => target !== undefined)
  if (!mayWrite || customerId === undefined || targets.length === 0) return []
  return [
    `This run writes: it enrols customer ${customerId} and un-enrols them again, in`,
    ...targets.map(({ targetGroupId, targetId }) => `  target group ${targetGroupId}, target ${targetId}`),
    "Cleaning up, after every case and on interruption:",
    ...targets.map(({ targetGroupId, targetId }) =>
      `  POST /targetGroups/${targetGroupId}/targets/${targetId}/unEnroll [{"customerId":${customerId}}]`),
    "What stays: the upstream remembers the value that the customer held when last un-enrolled."
  ]
}

interface Leaving {
  readonly customerId: number
  readonly where: Conformance.LiveTarget
}

const idsOf = ({ customerId, where }: Leaving) =>
  Effect.mapError(Unenrollment.make({ customerId, ...where }), ({ message }) => new Refused({ lines: [message] }))

const isEnrolled = ({ customerId, where }: Leaving): Effect.Effect<boolean, Refused, Transport.Transport> =>
  Effect.flatMap(Ids.customerId(customerId), (id) => TargetGroups.run({ customerId: id })).pipe(
    Effect.mapError(({ message }) => new Refused({ lines: [`customer ${customerId} cannot be looked up: ${message}`] })),
    Effect.map((groups) =>
      groups.some(({ id, targets }) =>
        id === where.targetGroupId && targets.some(({ targetRuleId }) => targetRuleId === where.targetId)))
  )

/** Un-enrols, and answers what is left behind: nothing, or a line for people. */
const cleanUp = (leaving: Leaving): Effect.Effect<ReadonlyArray<string>, never, Transport.Transport> =>
  Effect.gen(function*() {
    if (!(yield* isEnrolled(leaving))) return []
    yield* Unenroll.run(yield* idsOf(leaving))
    return []
  }).pipe(
    Effect.catchAll(({ message }) => {
      const { customerId, where } = leaving
      const line = `customer ${customerId} in target group ${where.targetGroupId}, target ${where.targetId}: ${message}`
      // At once, because an interrupted run writes no report.
      return Effect.as(Console.error(`LEFT BEHIND: ${line}`), [line])
    })
  )

/** Runs the cases; `leftBehind` names what could not be cleaned up. */
export const run = (
  { mayWrite, place }: Options,
  cases: ReadonlyArray<Conformance.Case>
): Effect.Effect<
  { readonly cases: ReadonlyArray<Verdict>; readonly leftBehind: ReadonlyArray<string> },
  Refused,
  Transport.Transport
> =>
  Effect.gen(function*() {
    const transport = yield* Transport.Transport
    const leftBehind: Array<string> = []
    if (mayWrite && place.customerId !== undefined) {
      for (const where of [place.milestone, place.streak]) {
        if (where === undefined || !(yield* isEnrolled({ customerId: place.customerId, where }))) continue
        return yield* new Refused({
          lines: [
            `customer ${place.customerId} is enrolled in target group ${where.targetGroupId} already: name somebody who is not, nothing was written`
          ]
        })
      }
    }
    const prepare = (one: Conformance.Case) => {
      const told = Conformance.live(one.id, place)
      if (told.kind === "skipped") return { reason: told.why }
      if (told.kind === "reads") return Effect.provideService(told.run, Transport.Transport, transport)
      if (!mayWrite) return { reason: "it writes: --allow-writes lets it" }
      const { customerId = 0 } = place
      return told.run.pipe(
        Effect.ensuring(Effect.map(cleanUp({ customerId, where: told.where }), (lines) => leftBehind.push(...lines))),
        Effect.provideService(Transport.Transport, transport)
      )
    }
    return { cases: yield* Runner.run<never>(cases, prepare, 1), leftBehind }
  })
