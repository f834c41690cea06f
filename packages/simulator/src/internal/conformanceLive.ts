/**
 * What of the conformance can be asked of a live tenant: with one named customer, in one named milestone and streak.
 *
 * A live tenant has no world of ours: nobody holds what a case needs, nobody may be enrolled by surprise. So each case is
 * told anew with what was named, begins and ends with a customer who is not enrolled, or says why it cannot be told.
 */
import * as Enroll from "@milepost/core/Enroll"
import type * as Enrollment from "@milepost/core/Enrollment"
import type * as Transport from "@milepost/core/Transport"
import * as Effect from "effect/Effect"
import type { Live, LivePlace, LiveTarget } from "../Conformance.js"
import { customer, enrols, group, leaving, query, steps, type Steps, target, unenrols } from "./conformanceCalls.js"
import { agree, expectHeld, expectReadable, expectRefusedLookUp } from "./conformanceSteps.js"

/** An id that nobody has: the greatest that can be sent. */
const nobody = Number.MAX_SAFE_INTEGER

/** A name that no period has. */
const nowhere = "MILEPOST_NO_SUCH_PERIOD"

interface Named {
  readonly customerId: number
  readonly where: LiveTarget & { readonly periodName: string }
}

type Told =
  | { readonly needs: "customer"; readonly run: (customerId: number) => Steps }
  | { readonly needs: "milestone"; readonly run: (named: Named) => Steps }
  | { readonly needs: "streak"; readonly run: (customerId: number, where: LiveTarget) => Steps }
  | { readonly needs: "nothing"; readonly why: string }

const into = ({ customerId, where }: Named, initialBalance?: Enrollment.InitialBalance, other: Partial<Named["where"]> = {}): Transport.Request => {
  const { periodName, targetGroupId, targetId } = { ...where, ...other }
  return Enroll.request({
    _tag: "Milestone",
    targetGroupId: group(targetGroupId),
    targetId: target(targetId),
    customerId: customer(customerId),
    periodName,
    initialBalance
  })
}

const intoStreak = (customerId: number, where: LiveTarget): Transport.Request =>
  Enroll.request({
    _tag: "Streak",
    targetGroupId: group(where.targetGroupId),
    targetId: target(where.targetId),
    customerId: customer(customerId),
    resetStreakStatus: undefined
  })

const leaves = (customerId: number, where: LiveTarget): Steps => unenrols(leaving(customerId, where.targetGroupId, where.targetId))

const holds = ({ customerId, where }: Named, achieved: number): Steps =>
  expectHeld("look up", query(customerId, { targetRuleId: target(where.targetId) }), where.targetGroupId, where.periodName, String(achieved))

const milestone = (run: (named: Named) => Steps): Told => ({ needs: "milestone", run })
const ofCustomer = (run: (customerId: number) => Steps): Told => ({ needs: "customer", run })
const cannot = (why: string): Told => ({ needs: "nothing", why })

/** Enrols with 250, leaves, enrols again: what is held then. */
const again = (initialBalance: Enrollment.InitialBalance, achieved: number): Told =>
  milestone((named) =>
    steps(
      enrols(into(named, 250)),
      leaves(named.customerId, named.where),
      enrols(into(named, initialBalance)),
      holds(named, achieved)
    ))

const cycles = cannot("which cycle is current cannot be chosen on a live tenant")
const levels = cannot("levels are achieved by customers, not by calls")
const otherOrg = cannot("it needs a second organisation that may be written to")
const callers = cannot("it needs other credentials than yours")

const told: Readonly<Record<string, Told>> = {
  "first-enrolment": milestone((named) => steps(enrols(into(named, 0)), holds(named, 0))),
  "first-balance": milestone((named) => steps(enrols(into(named, 300)), holds(named, 300))),
  "onwards": cycles,
  "enrolled-already": milestone((named) => steps(enrols(into(named, 40)), enrols(into(named, 90), 310119), holds(named, 40))),
  "earlier-cycle": cycles,
  "again-with-zero": again(0, 0),
  "again-with-number": again(150, 150),
  "again-with-null": again(null, 250),
  "again-without-balance": again(undefined, 250),
  "held-of-its-cycle": cycles,
  "unenrol-onwards": cycles,
  "round-trip": cannot("again-with-null tells the same on a live tenant"),
  "unenrol-not-enrolled": cannot("the code that a live tenant answers is not documented; the simulator's is invented"),
  "streak-whole": {
    needs: "streak",
    run: (customerId, where) => steps(enrols(intoStreak(customerId, where)), enrols(intoStreak(customerId, where), 310119))
  },
  "streak-unenrol": cycles,
  "streak-resume": levels,
  "streak-resume-absent": levels,
  "streak-reset": levels,
  "not-applicable": cannot("what a live tenant does with fields that do not apply is not known to be harmless"),
  "customer-unknown": milestone((named) => enrols(into({ ...named, customerId: nobody }), 310011)),
  "customer-of-child": otherOrg,
  "period-unknown": milestone((named) => enrols(into(named, 0, { periodName: nowhere }), 310019)),
  "period-missing": milestone((named) =>
    enrols({ ...into(named), body: JSON.stringify([{ customerId: named.customerId }]) }, 310019)),
  "group-unknown": milestone((named) => enrols(into(named, 0, { targetGroupId: nobody }), 310017)),
  "target-unknown": milestone((named) => enrols(into(named, 0, { targetId: nobody }), 310018)),
  "outermost-first": milestone((named) =>
    steps(
      enrols(into(named, 0, { targetGroupId: nobody, targetId: nobody, periodName: nowhere }), 310017),
      enrols(into(named, 0, { targetId: nobody, periodName: nowhere }), 310018)
    )),
  "body-not-one-record": milestone((named) => {
    const record = { customerId: named.customerId, periodName: named.where.periodName }
    const bodies = [[], record, [record, record], [{ ...record, customerId: String(named.customerId) }]].map((body) => JSON.stringify(body))
    return steps(...[...bodies, "["].map((body) => enrols({ ...into(named), body }, 300004)))
  }),
  "path-id-none": milestone((named) =>
    enrols({ ...into(named), path: `/targetGroups/${named.where.targetGroupId}/targets/first/enroll` }, 300004)),
  "path-unknown": milestone((named) => enrols({ ...into(named), path: "/targetGroups/1/targets/1/enrol" }, { status: 404 })),
  "no-credentials": callers,
  "no-permission": callers,
  "over-the-limit": cannot("a live tenant's limit is not ours to use up"),
  "scope-other": otherOrg,
  "child-itself": otherOrg,
  "org-not-connected": otherOrg,
  "child-as-other": otherOrg,
  "other-without-org": callers,
  "scope-all": callers,
  "look-up-filters": ofCustomer((customerId) => expectReadable("look up", query(customerId))),
  "look-up-unknown": ofCustomer(() => expectRefusedLookUp("look up", query(nobody), 310011)),
  "two-at-once": milestone((named) =>
    Effect.flatMap(
      Effect.partition([1, 2], () => enrols(into(named, 0)), { concurrency: 2 }),
      ([failures]) =>
        agree(
          "one of two enrols at once",
          "HTTP 521 or code 310119",
          failures.map(({ actual }) => /^(HTTP 521|code 310119)$/.test(actual) ? "HTTP 521 or code 310119" : actual).join(" and ")
        )
    ))
}

const writing = (place: LivePlace, where: LiveTarget | undefined, what: string, run: (customerId: number, where: LiveTarget) => Steps): Live =>
  place.customerId === undefined || where === undefined
    ? { kind: "skipped", why: `it needs a named customer and a ${what}` }
    : { kind: "writes", where, run: run(place.customerId, where) }

/** How a case runs on a live tenant, with what was named there. */
export const liveOf = (id: string, place: LivePlace): Live => {
  const case_ = told[id] ?? cannot("it is not told for a live tenant")
  const { milestone: named } = place
  switch (case_.needs) {
    case "nothing":
      return { kind: "skipped", why: case_.why }
    case "customer":
      return place.customerId === undefined
        ? { kind: "skipped", why: "it needs a named customer" }
        : { kind: "reads", run: case_.run(place.customerId) }
    case "milestone":
      return writing(place, named, "milestone", (customerId) =>
        named === undefined ? Effect.void : case_.run({ customerId, where: named }))
    case "streak":
      return writing(place, place.streak, "streak", case_.run)
  }
}

/** The ids of the cases that say how they run on a live tenant, or why not. */
export const toldLive: ReadonlySet<string> = new Set(Object.keys(told))
