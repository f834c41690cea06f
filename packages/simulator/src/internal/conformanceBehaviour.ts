/** The cases of what enrolling, un-enrolling and re-enrolling do. */
import type { Case } from "../Conformance.js"
import { bodyOf, ended, enrols, leaving, levels, lists, milestone, parent, steps, streak, streakFrom, unenrols } from "./conformanceCalls.js"

/** In the order of `docs/upstream.md`. */
export const behaviourCases: ReadonlyArray<Case> = [
  {
    id: "first-enrolment",
    name: "a first enrolment is accepted and names its customer",
    source: "seed, Response Parameters",
    rules: ["answer-names-customer", "checks-in-order"],
    caller: parent,
    run: steps(enrols(milestone(1010, "Cycle_5")), lists(1010, ["Cycle_5=0"]))
  },
  {
    id: "first-balance",
    name: "a balance sets the achieved value at the first enrolment",
    source: "seed, Request Body Parameters",
    rules: ["balance-number"],
    caller: parent,
    run: steps(enrols(milestone(1011, "Cycle_5", 300)), lists(1011, ["Cycle_5=300"]))
  },
  {
    id: "onwards",
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
    id: "enrolled-already",
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
    id: "earlier-cycle",
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
    id: "again-with-zero",
    name: "re-enrolling with 0 starts at 0",
    source: "docs/upstream.md, Behaviour",
    rules: ["balance-number"],
    caller: parent,
    run: steps(enrols(milestone(1101, "Cycle_3", 0)), lists(1101, ["Cycle_3=0", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    id: "again-with-number",
    name: "re-enrolling with a number starts at it",
    source: "docs/upstream.md, Behaviour",
    rules: ["balance-number"],
    caller: parent,
    run: steps(enrols(milestone(1102, "Cycle_3", 150)), lists(1102, ["Cycle_3=150", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    id: "again-with-null",
    name: "re-enrolling with null resumes at the value held when un-enrolled",
    source: "seed, Request Body Parameters",
    rules: ["balance-null"],
    caller: parent,
    run: steps(enrols(milestone(1103, "Cycle_3", null)), lists(1103, ["Cycle_3=250", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    id: "again-without-balance",
    name: "re-enrolling without a balance resumes at the value held when un-enrolled",
    source: "docs/upstream.md, The record",
    rules: ["balance-absent"],
    caller: parent,
    run: steps(enrols(milestone(1104, "Cycle_3")), lists(1104, ["Cycle_3=250", "Cycle_4=0", "Cycle_5=0"]))
  },
  {
    id: "held-of-its-cycle",
    name: "a held value belongs to its cycle",
    source: "docs/upstream.md, Behaviour",
    rules: ["balance-of-period"],
    caller: parent,
    run: steps(enrols(milestone(1105, "Cycle_4", null)), lists(1105, ["Cycle_4=0", "Cycle_5=0"]))
  },
  {
    id: "unenrol-onwards",
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
    id: "round-trip",
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
    id: "unenrol-not-enrolled",
    name: "un-enrolling somebody who is not enrolled is answered with an undocumented code",
    source: "docs/upstream.md, Answers",
    rules: ["unenroll-absent"],
    caller: parent,
    run: steps(unenrols(leaving(1015), { code: 310120 }), unenrols(leaving(1106), { code: 310120 }))
  },
  {
    id: "streak-whole",
    name: "a streak is enrolled into all its periods by one call, without a period",
    source: "seed, Request Body Parameters",
    rules: ["streak-whole"],
    caller: parent,
    run: steps(enrols(streak(1016)), lists(1016, streakFrom(1, 0), ended), enrols(streak(1016), 310119))
  },
  {
    id: "streak-unenrol",
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
    id: "streak-resume",
    name: "a streak goes on from its levels with resetStreakStatus false",
    source: "seed, Request Body Parameters",
    rules: ["streak-resume", "streak-again"],
    caller: parent,
    run: steps(enrols(streak(1131, false)), lists(1131, streakFrom(13, 2), ended))
  },
  {
    id: "streak-resume-absent",
    name: "a streak goes on from its levels without resetStreakStatus",
    source: "docs/upstream.md, The record",
    rules: ["streak-resume-absent"],
    caller: parent,
    run: steps(enrols(streak(1132)), lists(1132, streakFrom(13, 2)))
  },
  {
    id: "streak-reset",
    name: "a streak starts afresh with resetStreakStatus true",
    source: "seed, Request Body Parameters",
    rules: ["streak-reset"],
    caller: parent,
    run: steps(enrols(streak(1133, true)), lists(1133, streakFrom(13, 0)))
  },
  {
    id: "not-applicable",
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
  }
]
