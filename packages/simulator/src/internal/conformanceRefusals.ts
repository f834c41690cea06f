/** The cases of what is refused, of who may act on what, of the look-up and of calls at once. */
import * as Effect from "effect/Effect"
import type { Case } from "../Conformance.js"
import { bodyOf, child, enrols, leaving, lists, milestone, parent, query, steps, target, unenrols } from "./conformanceCalls.js"
import { agree, expectRefusedLookUp } from "./conformanceSteps.js"

const tooLate = new Set(["HTTP 521", "code 310119"])

/** In the order of `docs/upstream.md`. */
export const refusalCases: ReadonlyArray<Case> = [
  {
    id: "customer-unknown",
    name: "310011 for a customer whom nobody knows",
    source: "seed, API-Specific Errors",
    rules: ["customer-found"],
    caller: parent,
    run: steps(enrols(milestone(5, "Cycle_3"), 310011), unenrols(leaving(5), 310011))
  },
  {
    id: "customer-of-child",
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
    id: "period-unknown",
    name: "310019 for a period that the group does not have",
    source: "seed, API-Specific Errors",
    rules: ["period-found"],
    caller: parent,
    run: steps(enrols(milestone(1020, "Cycle_6"), 310019), enrols(milestone(1020, "cycle_3"), 310019), lists(1020, []))
  },
  {
    id: "period-missing",
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
    id: "group-unknown",
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
    id: "target-unknown",
    name: "310018 for a target that is not in the group",
    source: "seed, API-Specific Errors",
    rules: ["target-found"],
    caller: parent,
    run: enrols(milestone(1023, "Cycle_3", undefined, { target: 41 }), 310018)
  },
  {
    id: "outermost-first",
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
    id: "body-not-one-record",
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
    id: "path-id-none",
    name: "300004 for an id in the path that is none",
    source: "seed, Request Path Parameters",
    rules: ["path-ids"],
    caller: parent,
    run: enrols({ ...milestone(1027, "Cycle_3"), path: "/targetGroups/2154/targets/first/enroll" }, 300004)
  },
  {
    id: "path-unknown",
    name: "404 for a path that nobody knows",
    source: "docs/upstream.md, Answers",
    rules: ["gateway-order"],
    caller: parent,
    run: enrols({ ...leaving(1028), path: "/targetGroups/2154/targets/2309/unenroll" }, { status: 404 })
  },
  {
    id: "no-credentials",
    name: "401 without credentials",
    source: "docs/upstream.md, Authentication",
    rules: ["credentials-first"],
    caller: { credential: null },
    run: steps(enrols(milestone(1029, "Cycle_3"), { status: 401 }), expectRefusedLookUp("look up", query(1029), { status: 401 }))
  },
  {
    id: "no-permission",
    name: "403 for an access group that lacks the permission",
    source: "seed, Prerequisites",
    rules: ["access-second"],
    caller: { credential: "no.access" },
    run: enrols(milestone(1030, "Cycle_3"), { status: 403 })
  },
  {
    id: "over-the-limit",
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
    id: "scope-other",
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
    id: "child-itself",
    name: "a child acts on its own organisation",
    source: "docs/upstream.md, Data scope",
    rules: ["scope-other"],
    caller: child,
    run: enrols(milestone(9003, "Cycle_3", 7, { group: 5101, target: 5102 }))
  },
  {
    id: "org-not-connected",
    name: "310144 for an organisation that is not connected",
    source: "seed, API-Specific Errors",
    rules: ["scope-other"],
    caller: { ...parent, dataScope: "OTHER", dataScopeOrg: 900 },
    run: enrols(milestone(1032, "Cycle_3"), 310144)
  },
  {
    id: "child-as-other",
    name: "310144 for a child with the data scope OTHER",
    source: "docs/upstream.md, Data scope",
    rules: ["scope-other"],
    caller: { ...child, dataScope: "OTHER", dataScopeOrg: 100 },
    run: enrols(milestone(1033, "Cycle_3"), 310144)
  },
  {
    id: "other-without-org",
    name: "310144 for the data scope OTHER without an organisation",
    source: "docs/upstream.md, Data scope",
    rules: ["scope-unreadable"],
    caller: { ...parent, dataScope: "OTHER" },
    run: enrols(milestone(1034, "Cycle_3"), 310144)
  },
  {
    id: "scope-all",
    name: "310141 for the data scope ALL, which the look-up alone accepts",
    source: "seed, API-Specific Errors",
    rules: ["scope-all"],
    caller: { ...parent, dataScope: "ALL" },
    run: steps(enrols(milestone(1035, "Cycle_3"), 310141), unenrols(leaving(1123), 310141), lists(9004, []))
  },
  {
    id: "look-up-filters",
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
    id: "look-up-unknown",
    name: "310011 for looking up a customer whom nobody knows",
    source: "docs/upstream.md, Look-up",
    rules: ["look-up-unknown-customer"],
    caller: parent,
    run: expectRefusedLookUp("look up", query(7), 310011)
  },
  {
    id: "two-at-once",
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
