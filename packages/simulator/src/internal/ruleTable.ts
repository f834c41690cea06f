/** The rows of `Rules.table`: what the simulator does, and why we believe that the upstream does it. */

/** In the order in which a call meets them. */
export const ruleTable = [
  {
    id: "credentials-first",
    text: "Credentials that are missing, unknown or expired are answered 401 before anything else is looked at.",
    evidence: "documented",
    source: "docs/upstream.md, Authentication"
  },
  {
    id: "access-second",
    text: "Credentials whose access group lacks the permission are answered 403.",
    evidence: "documented",
    source: "seed, Prerequisites"
  },
  {
    id: "rate-windows",
    text: "An organisation's limit counts the calls that its credentials make in a minute of virtual time; the next is answered 429 and does not count.",
    evidence: "assumed",
    source: "docs/upstream.md, Answers"
  },
  {
    id: "scope-all",
    text: "DATA-SCOPE ALL is answered 310141 for enrolling and un-enrolling; the look-up alone accepts it.",
    evidence: "documented",
    source: "seed, API-Specific Errors"
  },
  {
    id: "scope-other",
    text: "DATA-SCOPE OTHER acts on the one connected child that DATA-SCOPE-ORG names; anything else is answered 310144.",
    evidence: "documented",
    source: "docs/upstream.md, Data scope"
  },
  {
    id: "scope-unreadable",
    text: "An unknown DATA-SCOPE, or OTHER with no organisation or with several on a POST, is answered 310144.",
    evidence: "assumed",
    source: "docs/upstream.md, Data scope"
  },
  {
    id: "one-record",
    text: "A body that is not an array of exactly one record with fields of the documented types is answered 300004.",
    evidence: "documented",
    source: "seed, Request Body Parameters"
  },
  {
    id: "path-ids",
    text: "An id in the path that is not a whole number from 1 to 2^53-1 is answered 300004.",
    evidence: "assumed",
    source: "seed, Request Path Parameters"
  },
  {
    id: "group-found",
    text: "A target group that is unknown or deactivated is answered 310017.",
    evidence: "documented",
    source: "seed, API-Specific Errors"
  },
  {
    id: "group-of-org",
    text: "Target groups and customers belong to one organisation: in another, even a connected one, they are not found.",
    evidence: "assumed",
    source: "docs/upstream.md, Data scope"
  },
  {
    id: "target-found",
    text: "A target that is not one of the group is answered 310018.",
    evidence: "documented",
    source: "seed, API-Specific Errors"
  },
  {
    id: "customer-found",
    text: "A customer whom the organisation does not know is answered 310011.",
    evidence: "documented",
    source: "seed, API-Specific Errors"
  },
  {
    id: "period-found",
    text: "A periodName that is not a refCode of the group is answered 310019.",
    evidence: "documented",
    source: "seed, API-Specific Errors"
  },
  {
    id: "period-required",
    text: "A milestone without a periodName is answered 310019.",
    evidence: "assumed",
    source: "seed, Request Body Parameters"
  },
  {
    id: "period-ended",
    text: "A period that has ended can still be enrolled into.",
    evidence: "assumed",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "checks-in-order",
    text: "With several things wrong the first in this order answers: scope, body, group, target, customer, period, enrolled already.",
    evidence: "assumed",
    source: "docs/upstream.md, Answers"
  },
  {
    id: "already-enrolled",
    text: "Enrolling someone who is in that period already (in a streak: in its current and later periods) is answered 310119.",
    evidence: "documented",
    source: "seed, API-Specific Errors"
  },
  {
    id: "onwards",
    text: "Enrolling into a cycle enrols into it and all later ones; a world may say that it enrols into that one alone.",
    evidence: "documented",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "balance-number",
    text: "A number as initialBalance, 0 included, sets the achieved value, on first enrolment and on re-enrolment.",
    evidence: "documented",
    source: "seed, Request Body Parameters"
  },
  {
    id: "balance-null",
    text: "null as initialBalance on re-enrolment goes on from the value held when un-enrolled.",
    evidence: "documented",
    source: "seed, Request Body Parameters"
  },
  {
    id: "balance-absent",
    text: "An absent initialBalance does as null does: re-enrolment goes on from the held value, a first enrolment starts at 0.",
    evidence: "assumed",
    source: "docs/upstream.md, The record"
  },
  {
    id: "balance-of-period",
    text: "Every period holds a value of its own: a balance or a held value counts for the named period, later ones keep theirs.",
    evidence: "assumed",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "streak-whole",
    text: "A streak is enrolled into all its periods by one call.",
    evidence: "documented",
    source: "seed, Request Body Parameters"
  },
  {
    id: "streak-again",
    text: "Re-enrolling into a streak enters its current and later periods; those that have ended stay as they were.",
    evidence: "assumed",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "streak-resume",
    text: "resetStreakStatus false on re-enrolment goes on from the levels achieved before.",
    evidence: "documented",
    source: "seed, Request Body Parameters"
  },
  {
    id: "streak-resume-absent",
    text: "An absent resetStreakStatus does as false does.",
    evidence: "documented",
    source: "docs/upstream.md, The record"
  },
  {
    id: "streak-reset",
    text: "resetStreakStatus true on re-enrolment starts at the first level again.",
    evidence: "documented",
    source: "seed, Request Body Parameters"
  },
  {
    id: "not-applicable",
    text: "What does not apply is ignored: periodName and initialBalance on a streak, resetStreakStatus on a milestone.",
    evidence: "assumed",
    source: "seed, Request Body Parameters"
  },
  {
    id: "unenroll-onwards",
    text: "Un-enrolling takes the customer out of the current period and all later ones; earlier ones keep what they earned.",
    evidence: "documented",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "unenroll-by-clock",
    text: "The current period is the first that has not ended by the virtual clock; a period ends at its end, exclusively.",
    evidence: "assumed",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "unenroll-absent",
    text: "Un-enrolling someone who is in no current or later period is answered with the undocumented code 310120.",
    evidence: "assumed",
    source: "docs/upstream.md, Answers"
  },
  {
    id: "activity-counts",
    text: "An activity adds to the achieved value of a period in which the customer is enrolled; in any other it counts for nothing.",
    evidence: "assumed",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "levels-in-order",
    text: "The levels of a streak are achieved in their order, by somebody who is enrolled, and are kept when un-enrolled.",
    evidence: "documented",
    source: "docs/upstream.md, Behaviour"
  },
  {
    id: "answer-names-customer",
    text: "An accepted call is answered with the customer's id as data.",
    evidence: "documented",
    source: "seed, Response Parameters"
  },
  {
    id: "error-status",
    text: "An application error comes with HTTP status 200, or what the world sets as errorStatus.",
    evidence: "assumed",
    source: "docs/upstream.md, Answers"
  },
  {
    id: "one-call-a-customer",
    text: "A second call for a customer whose call is not answered yet is answered 521 and not executed.",
    evidence: "documented",
    source: "docs/upstream.md, Answers"
  },
  {
    id: "busy-look-up",
    text: "A look-up counts as a call for its customer too, and customers are told apart by id alone.",
    evidence: "assumed",
    source: "docs/upstream.md, Answers"
  },
  {
    id: "look-up-shape",
    text: "The look-up names a target by targetRuleId, its targetId is null, and its dates come in both forms.",
    evidence: "observed",
    source: "docs/upstream.md, Look-up"
  },
  {
    id: "look-up-lists",
    text: "The look-up lists the enrolled periods that have not ended; includeInactiveTargets adds ended ones, includeInactive deactivated groups.",
    evidence: "assumed",
    source: "docs/upstream.md, Look-up"
  },
  {
    id: "look-up-unknown-customer",
    text: "A look-up for a customer whom the organisation does not know is answered 310011.",
    evidence: "assumed",
    source: "docs/upstream.md, Look-up"
  },
  {
    id: "token-refused",
    text: "An unknown OAuth key or a wrong secret is answered 401 by the token route.",
    evidence: "assumed",
    source: "docs/upstream.md, Authentication"
  },
  {
    id: "gateway-order",
    text: "An unknown path (404), then a wrong method (405), then a wrong content type (415) are answered before credentials.",
    evidence: "assumed",
    source: "docs/upstream.md, Answers"
  }
] as const satisfies ReadonlyArray<{
  readonly id: string
  readonly text: string
  readonly evidence: "documented" | "observed" | "assumed"
  readonly source: string
}>
