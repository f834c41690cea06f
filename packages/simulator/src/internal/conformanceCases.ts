/** The cases of `Conformance.cases`. */
import * as Enroll from "@milepost/core/Enroll"
import type * as Enrollment from "@milepost/core/Enrollment"
import type * as Ids from "@milepost/core/Ids"
import type * as TargetGroups from "@milepost/core/TargetGroups"
import type * as Transport from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Effect from "effect/Effect"
import type { Case } from "../Conformance.js"
import { agree, expectListed, expectRefusedLookUp, expectSaid, type Listed, type Said } from "./conformanceSteps.js"

type Steps = ReturnType<typeof expectSaid>

// Ids of the world of the cases: known to be ids, so that the cases stay data.
const group = (id: number) => id as Ids.TargetGroupId
const target = (id: number) => id as Ids.TargetId
const customer = (id: number) => id as Ids.CustomerId

const parent = { credential: "parent.till" }
const child = { credential: "child.till" }

const milestone = (
  customerId: number,
  periodName: string,
  initialBalance?: Enrollment.InitialBalance,
  where: { readonly group?: number; readonly target?: number } = {}
): Transport.Request =>
  Enroll.request({
    _tag: "Milestone",
    targetGroupId: group(where.group ?? 2154),
    targetId: target(where.target ?? 2309),
    customerId: customer(customerId),
    periodName,
    initialBalance
  })

const streak = (customerId: number, resetStreakStatus?: boolean): Transport.Request =>
  Enroll.request({
    _tag: "Streak",
    targetGroupId: group(40),
    targetId: target(41),
    customerId: customer(customerId),
    resetStreakStatus
  })

const leaving = (customerId: number, targetGroupId = 2154, targetId = 2309): Transport.Request =>
  Unenroll.request({
    _tag: "Unenrollment",
    targetGroupId: group(targetGroupId),
    targetId: target(targetId),
    customerId: customer(customerId)
  })

const enrols = (request: Transport.Request, expected: Said = "accepted"): Steps => expectSaid("enrol", request, expected)
const unenrols = (request: Transport.Request, expected: Said = "accepted"): Steps =>
  expectSaid("un-enrol", request, expected)

const query = (customerId: number, more: Partial<TargetGroups.Query> = {}): TargetGroups.Query => ({
  customerId: customer(customerId),
  ...more
})

const lists = (customerId: number, expected: Listed, more: Partial<TargetGroups.Query> = {}): Steps =>
  expectListed("look up", query(customerId, more), expected)

const steps = (...all: ReadonlyArray<Steps>): Steps => Effect.all(all, { discard: true })

const bodyOf = (body: string, customerId = 1001): Transport.Request => ({ ...milestone(customerId, "Cycle_3"), body })

const ended = { includeInactiveTargets: true }
const levels = (achieved: number): Listed =>
  ["Bronze", "Silver", "Gold", "Platinum"].map((name, level) => `${name}:${level < achieved ? "ACHIEVED" : "NOT_STARTED"}`)
const streakFrom = (first: number, achieved: number): Listed => [
  ...Array.from({ length: 31 - first }, (_, index) => `Streak_${first + index}=0`),
  ...levels(achieved)
]

const tooLate = new Set(["HTTP 521", "code 310119"])

/** Every case. */
export const conformanceCases: ReadonlyArray<Case> = [
  {
    name: "a first enrolment is accepted and names its customer",
    source: "seed, Response Parameters",
    rules: ["answer-names-customer", "checks-in-order"],
    caller: parent,
    run: steps(enrols(milestone(1010, "Cycle_5")), lists(1010, ["Cycle_5=0"]))
  },
  {
    name: "a balance sets the achieved value at the first enrolment",
    source: "seed, Request Body Parameters",
    rules: ["balance-number"],
    caller: parent,
    run: steps(enrols(milestone(1011, "Cycle_5", 300)), lists(1011, ["Cycle_5=300"]))
  },
  {
    name: "enrolling into a cycle enrols into it and all later ones",
    source: "docs/upstream.md, Behaviour",
    rules: ["onwards"],
    caller: parent,
    run: steps(
      enrols(milestone(1012, "Cycle_3", 300)),
      lists(1012, ["Cycle_3=300", "Cycle_4=0", "Cycle_5=0"], ended),
      enrols(milestone(1012, "Cycle_4"), 310119)
    )
  },
  {
    name: "a repeated enrolment is answered 310119 and changes nothing",
    source: "seed, API-Specific Errors",
    rules: ["already-enrolled"],
    caller: parent,
    run: steps(
      enrols(milestone(1013, "Cycle_4", 40)),
      enrols(milestone(1013, "Cycle_4", 90), 310119),
      lists(1013, ["Cycle_4=40", "Cycle_5=0"])
    )
  },
  {
    name: "an earlier cycle can still be added",
    source: "docs/upstream.md, Behaviour",
    rules: ["onwards", "period-ended"],
    caller: parent,
    run: steps(
      enrols(milestone(1014, "Cycle_4", 40)),
      enrols(milestone(1014, "Cycle_2", 20)),
      lists(1014, ["Cycle_2=20", "Cycle_3=0", "Cycle_4=40", "Cycle_5=0"], ended)
    )
  },
  {
    name: "re-enrolling with 0 starts at 0",
    source: "docs/upstream.md, Behaviour",
    rules: ["balance-number"],
    caller: parent,
    run: steps(enrols(milestone(1101, "Cycle_3", 0)), lists(1101, ["Cycle_3=0", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    name: "re-enrolling with a number starts at it",
    source: "docs/upstream.md, Behaviour",
    rules: ["balance-number"],
    caller: parent,
    run: steps(enrols(milestone(1102, "Cycle_3", 150)), lists(1102, ["Cycle_3=150", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    name: "re-enrolling with null resumes at the value held when un-enrolled",
    source: "seed, Request Body Parameters",
    rules: ["balance-null"],
    caller: parent,
    run: steps(enrols(milestone(1103, "Cycle_3", null)), lists(1103, ["Cycle_3=250", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    name: "re-enrolling without a balance resumes at the value held when un-enrolled",
    source: "docs/upstream.md, The record",
    rules: ["balance-absent"],
    caller: parent,
    run: steps(enrols(milestone(1104, "Cycle_3")), lists(1104, ["Cycle_3=250", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    name: "a held value belongs to its cycle",
    source: "docs/upstream.md, Behaviour",
    rules: ["balance-of-period"],
    caller: parent,
    run: steps(enrols(milestone(1105, "Cycle_4", null)), lists(1105, ["Cycle_4=0", "Cycle_5=0"]))
  },
  {
    name: "un-enrolling takes out the current cycle and all later ones, and earlier ones keep what they earned",
    source: "docs/upstream.md, Behaviour",
    rules: ["unenroll-onwards", "unenroll-by-clock"],
    caller: parent,
    run: steps(
      lists(1121, ["Cycle_1=1000", "Cycle_2=400", "Cycle_3=250", "Cycle_4=0", "Cycle_5=0"], ended),
      unenrols(leaving(1121)),
      lists(1121, ["Cycle_1=1000", "Cycle_2=400"], ended),
      lists(1121, [])
    )
  },
  {
    name: "what was held when un-enrolled is there again after the round trip",
    source: "docs/upstream.md, Behaviour",
    rules: ["balance-null", "unenroll-onwards"],
    caller: parent,
    run: steps(
      unenrols(leaving(1122)),
      enrols(milestone(1122, "Cycle_3", null)),
      lists(1122, ["Cycle_3=250", "Cycle_4=0", "Cycle_5=0"])
    )
  },
  {
    name: "un-enrolling somebody who is not enrolled is answered with an undocumented code",
    source: "docs/upstream.md, Answers",
    rules: ["unenroll-absent"],
    caller: parent,
    run: steps(unenrols(leaving(1015), { code: 310120 }), unenrols(leaving(1106), { code: 310120 }))
  },
  {
    name: "a streak is enrolled into all its periods by one call, without a period",
    source: "seed, Request Body Parameters",
    rules: ["streak-whole"],
    caller: parent,
    run: steps(enrols(streak(1016)), lists(1016, streakFrom(1, 0), ended), enrols(streak(1016), 310119))
  },
  {
    name: "un-enrolling in the 13th of 30 periods of a streak takes out 13 to 30",
    source: "docs/upstream.md, Behaviour",
    rules: ["unenroll-onwards", "unenroll-by-clock"],
    caller: parent,
    run: steps(
      unenrols(leaving(1141, 40, 41)),
      lists(1141, [...Array.from({ length: 12 }, (_, index) => `Streak_${index + 1}=0`), ...levels(2)], ended)
    )
  },
  {
    name: "a streak goes on from its levels with resetStreakStatus false",
    source: "seed, Request Body Parameters",
    rules: ["streak-resume", "streak-again"],
    caller: parent,
    run: steps(enrols(streak(1131, false)), lists(1131, streakFrom(13, 2), ended))
  },
  {
    name: "a streak goes on from its levels without resetStreakStatus",
    source: "docs/upstream.md, The record",
    rules: ["streak-resume-absent"],
    caller: parent,
    run: steps(enrols(streak(1132)), lists(1132, streakFrom(13, 2)))
  },
  {
    name: "a streak starts afresh with resetStreakStatus true",
    source: "seed, Request Body Parameters",
    rules: ["streak-reset"],
    caller: parent,
    run: steps(enrols(streak(1133, true)), lists(1133, streakFrom(13, 0)))
  },
  {
    name: "what does not apply to a streak or a milestone is ignored",
    source: "seed, Request Body Parameters",
    rules: ["not-applicable"],
    caller: parent,
    run: steps(
      enrols({
        ...streak(1017),
        body: `[{"customerId":1017,"periodName":"Nowhere","initialBalance":100,"resetStreakStatus":false}]`
      }),
      enrols(bodyOf(`[{"customerId":1018,"periodName":"Cycle_5","initialBalance":1,"resetStreakStatus":true}]`, 1018)),
      lists(1018, ["Cycle_5=1"])
    )
  },
  {
    name: "310011 for a customer whom nobody knows",
    source: "seed, API-Specific Errors",
    rules: ["customer-found"],
    caller: parent,
    run: steps(enrols(milestone(5, "Cycle_3"), 310011), unenrols(leaving(5), 310011))
  },
  {
    name: "310011 for a customer of the child, as the parent itself",
    source: "docs/upstream.md, Data scope",
    rules: ["group-of-org"],
    caller: parent,
    run: steps(
      enrols(milestone(9001, "Cycle_3"), 310011),
      enrols(milestone(1019, "Cycle_3", undefined, { group: 5101, target: 5102 }), 310017)
    )
  },
  {
    name: "310019 for a period that the group does not have",
    source: "seed, API-Specific Errors",
    rules: ["period-found"],
    caller: parent,
    run: steps(enrols(milestone(1020, "Cycle_6"), 310019), enrols(milestone(1020, "cycle_3"), 310019), lists(1020, []))
  },
  {
    name: "310019 for a milestone without a period",
    source: "seed, Request Body Parameters",
    rules: ["period-required"],
    caller: parent,
    run: steps(
      enrols(bodyOf(`[{"customerId":1021}]`, 1021), 310019),
      enrols(bodyOf(`[{"customerId":1021,"periodName":null}]`, 1021), 310019)
    )
  },
  {
    name: "310017 for a group that is unknown or deactivated",
    source: "seed, API-Specific Errors",
    rules: ["group-found"],
    caller: parent,
    run: steps(
      enrols(milestone(1022, "Cycle_3", undefined, { group: 1 }), 310017),
      enrols(milestone(1022, "Cycle_3", undefined, { group: 2155, target: 2310 }), 310017)
    )
  },
  {
    name: "310018 for a target that is not in the group",
    source: "seed, API-Specific Errors",
    rules: ["target-found"],
    caller: parent,
    run: enrols(milestone(1023, "Cycle_3", undefined, { target: 41 }), 310018)
  },
  {
    name: "with several things wrong the outermost answers",
    source: "docs/upstream.md, Answers",
    rules: ["checks-in-order"],
    caller: parent,
    run: steps(
      enrols(bodyOf("[]"), 300004),
      enrols(milestone(6, "Nowhere", undefined, { group: 1, target: 1 }), 310017),
      enrols(milestone(6, "Nowhere", undefined, { target: 1 }), 310018),
      enrols(milestone(6, "Nowhere"), 310011),
      enrols(milestone(1024, "Nowhere"), 310019)
    )
  },
  {
    name: "300004 for a body that is not an array of one record",
    source: "seed, Request Body Parameters",
    rules: ["one-record"],
    caller: parent,
    run: steps(
      enrols(bodyOf(`[{"customerId":1025,"periodName":"Cycle_3"},{"customerId":1026,"periodName":"Cycle_3"}]`), 300004),
      enrols(bodyOf(`{"customerId":1025,"periodName":"Cycle_3"}`), 300004),
      enrols(bodyOf(`[{"customerId":"1025","periodName":"Cycle_3"}]`), 300004),
      enrols(bodyOf(`[{"customerId":1025,"periodName":"Cycle_3","initialBalance":0.5}]`), 300004),
      enrols(bodyOf("["), 300004),
      lists(1025, [])
    )
  },
  {
    name: "300004 for an id in the path that is none",
    source: "seed, Request Path Parameters",
    rules: ["path-ids"],
    caller: parent,
    run: enrols({ ...milestone(1027, "Cycle_3"), path: "/targetGroups/2154/targets/first/enroll" }, 300004)
  },
  {
    name: "404 for a path that nobody knows",
    source: "docs/upstream.md, Answers",
    rules: ["gateway-order"],
    caller: parent,
    run: enrols({ ...leaving(1028), path: "/targetGroups/2154/targets/2309/unenroll" }, { status: 404 })
  },
  {
    name: "401 without credentials",
    source: "docs/upstream.md, Authentication",
    rules: ["credentials-first"],
    caller: { credential: null },
    run: steps(enrols(milestone(1029, "Cycle_3"), { status: 401 }), expectRefusedLookUp("look up", query(1029), { status: 401 }))
  },
  {
    name: "403 for an access group that lacks the permission",
    source: "seed, Prerequisites",
    rules: ["access-second"],
    caller: { credential: "no.access" },
    run: enrols(milestone(1030, "Cycle_3"), { status: 403 })
  },
  {
    name: "429 beyond the limit of the organisation",
    source: "docs/upstream.md, Answers",
    rules: ["rate-windows"],
    caller: { credential: "limited.till" },
    run: steps(
      enrols(milestone(9101, "Cycle_3", 1, { group: 6101, target: 6102 })),
      enrols(milestone(9102, "Cycle_3", 1, { group: 6101, target: 6102 })),
      enrols(milestone(9103, "Cycle_3", 1, { group: 6101, target: 6102 }), { status: 429 })
    )
  },
  {
    name: "a parent enrols a child's customer with the data scope OTHER",
    source: "docs/upstream.md, Data scope",
    rules: ["scope-other"],
    caller: { ...parent, dataScope: "OTHER", dataScopeOrg: 101 },
    run: steps(
      enrols(milestone(9002, "Cycle_3", 7, { group: 5101, target: 5102 })),
      lists(9002, ["Cycle_3=7", "Cycle_4=0", "Cycle_5=0"]),
      enrols(milestone(1031, "Cycle_3", 7, { group: 5101, target: 5102 }), 310011)
    )
  },
  {
    name: "a child acts on its own organisation",
    source: "docs/upstream.md, Data scope",
    rules: ["scope-other"],
    caller: child,
    run: enrols(milestone(9003, "Cycle_3", 7, { group: 5101, target: 5102 }))
  },
  {
    name: "310144 for an organisation that is not connected",
    source: "seed, API-Specific Errors",
    rules: ["scope-other"],
    caller: { ...parent, dataScope: "OTHER", dataScopeOrg: 900 },
    run: enrols(milestone(1032, "Cycle_3"), 310144)
  },
  {
    name: "310144 for a child with the data scope OTHER",
    source: "docs/upstream.md, Data scope",
    rules: ["scope-other"],
    caller: { ...child, dataScope: "OTHER", dataScopeOrg: 100 },
    run: enrols(milestone(1033, "Cycle_3"), 310144)
  },
  {
    name: "310144 for the data scope OTHER without an organisation",
    source: "docs/upstream.md, Data scope",
    rules: ["scope-unreadable"],
    caller: { ...parent, dataScope: "OTHER" },
    run: enrols(milestone(1034, "Cycle_3"), 310144)
  },
  {
    name: "310141 for the data scope ALL, which the look-up alone accepts",
    source: "seed, API-Specific Errors",
    rules: ["scope-all"],
    caller: { ...parent, dataScope: "ALL" },
    run: steps(enrols(milestone(1035, "Cycle_3"), 310141), unenrols(leaving(1123), 310141), lists(9004, []))
  },
  {
    name: "the look-up lists what matches its filters",
    source: "docs/upstream.md, Look-up",
    rules: ["look-up-lists", "look-up-shape"],
    caller: parent,
    run: steps(
      lists(1124, ["Cycle_3=250", "Cycle_4=0", "Cycle_5=0"]),
      lists(1124, ["Cycle_3=250", "Cycle_4=0", "Cycle_5=0"], { targetRuleId: target(2309) }),
      lists(1124, [], { targetRuleId: target(41) })
    )
  },
  {
    name: "310011 for looking up a customer whom nobody knows",
    source: "docs/upstream.md, Look-up",
    rules: ["look-up-unknown-customer"],
    caller: parent,
    run: expectRefusedLookUp("look up", query(7), 310011)
  },
  {
    name: "of two calls at once for one customer one is accepted, the other busy or too late",
    source: "docs/upstream.md, Answers",
    rules: ["one-call-a-customer"],
    caller: parent,
    run: Effect.flatMap(
      Effect.partition([1, 2], () => enrols(milestone(1036, "Cycle_3")), { concurrency: 2 }),
      ([failures]) =>
        // Over a network the two may arrive one after the other; then the second is told that it is enrolled already.
        agree(
          "one of two enrols at once",
          "HTTP 521 or code 310119",
          failures.map(({ actual }) => tooLate.has(actual) ? "HTTP 521 or code 310119" : actual).join(" and ")
        )
    )
  }
]
