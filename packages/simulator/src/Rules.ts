/**
 * The upstream's behaviour as pure functions over one customer's standing in one target.
 *
 * `(facts, now, standing, command) → verdict`: nothing here reads a clock, a store or a network, or changes what it is
 * given. Every rule is a row of {@link table} with its evidence, because much of the upstream is not documented and a
 * simulator that hides its guesses cannot be trusted (`docs/upstream.md`, *Behaviour*).
 */
import * as ApiError from "@milepost/core/ApiError"
import { at, cut, fill, from as stayFrom, type Stay } from "./internal/stays.js"
import { ruleTable } from "./internal/ruleTable.js"

/** How well a rule is known: written in the vendor's reference, seen in answers, or assumed by us. */
export type Evidence = "documented" | "observed" | "assumed"

/** One rule: what it says, and why we believe it. */
export interface Rule {
  readonly id: string
  readonly text: string
  readonly evidence: Evidence
  /** Where it comes from: a section of the seed, or of `docs/upstream.md`. */
  readonly source: string
}

/** Every rule of the simulator; documentation derives from it. */
export const table: ReadonlyArray<Rule & { readonly id: RuleId }> = ruleTable

/** The name of a rule. */
export type RuleId = (typeof ruleTable)[number]["id"]

/** A period as the rules see it: from `start` on and before `end`, in milliseconds since the epoch. */
export interface Window {
  readonly start: number
  readonly end: number
}

/** A target group as the rules see it; periods are in the order of their dates. */
export interface Group {
  readonly active: boolean
  readonly isStreak: boolean
  readonly periods: ReadonlyArray<Window>
}

/** What the world says about a call, looked up in the organisation that the call acts on. */
export interface Facts {
  readonly cycles: "onwards" | "perPeriod"
  /** `undefined` where the organisation has no such group. */
  readonly group: Group | undefined
  readonly targetIsKnown: boolean
  readonly customerIsKnown: boolean
}

/**
 * A customer's standing in one target: the stretches of periods that were ever entered, in order and without overlap,
 * and for a streak the number of achieved levels. Immutable, and small: most customers have one stretch.
 */
export interface Standing {
  readonly stays: ReadonlyArray<Stay>
  readonly level: number
}

export type { Stay } from "./internal/stays.js"

/** Someone who was never enrolled. */
export const newcomer: Standing = { stays: [], level: 0 }

/** What an enrol call asks for; `period` is the ordinal that `periodName` stands for, `undefined` where there is none. */
export interface Enroll {
  readonly period: number | undefined
  readonly initialBalance: number | null | undefined
  readonly resetStreakStatus: boolean
}

/** The answer to a command and the standing after it; with a code the standing is as before. */
export interface Verdict {
  readonly standing: Standing
  /** `null`: accepted. Else the code of the refusal. */
  readonly code: number | null
}

/** The code that answers un-enrolling someone who is not enrolled: undocumented, so a number of ours. */
export const notEnrolledCode = 310120

const codes = {
  groupNotFound: ApiError.TargetGroupNotFound.row.code,
  targetNotFound: ApiError.TargetNotFound.row.code,
  invalidCustomer: ApiError.InvalidCustomer.row.code,
  periodNotFound: ApiError.PeriodNotFound.row.code,
  alreadyEnrolled: ApiError.AlreadyEnrolled.row.code
}

/** Group, then target, then customer: the first that is wrong answers. `null` where all three are right. */
export const refusal = (facts: Facts): number | null =>
  facts.group === undefined || !facts.group.active
    ? codes.groupNotFound
    : !facts.targetIsKnown
    ? codes.targetNotFound
    : !facts.customerIsKnown
    ? codes.invalidCustomer
    : null

/** How many periods a standing can span: a group without periods counts as one that never ends. */
export const spanOf = (group: Group): number => Math.max(1, group.periods.length)

/** The first period that has not ended, {@link spanOf} where all have. */
export const firstOpen = (group: Group, now: number): number => {
  if (group.periods.length === 0) return 0
  const open = group.periods.findIndex((period) => now < period.end)
  return open === -1 ? group.periods.length : open
}

/** Whether someone is enrolled in a period that has not ended. */
export const isEnrolled = (group: Group, now: number, standing: Standing): boolean => {
  const open = firstOpen(group, now)
  return standing.stays.some((stay) => stay.enrolled && stay.last >= open)
}

const refused = (standing: Standing, code: number): Verdict => ({ standing, code })

const enrollMilestone = (cycles: Facts["cycles"], group: Group, now: number, standing: Standing, command: Enroll): Verdict => {
  const { period } = command
  if (period === undefined) return refused(standing, codes.periodNotFound)
  const held = at(standing.stays, period)
  if (held?.enrolled === true) return refused(standing, codes.alreadyEnrolled)
  // A number sets the value, 0 included; null and absent go on from what this period held.
  const achieved = command.initialBalance ?? held?.achieved ?? 0
  const last = cycles === "onwards" ? spanOf(group) - 1 : period
  return { standing: { ...standing, stays: fill(standing.stays, period, last, achieved, now) }, code: null }
}

const enrollStreak = (group: Group, now: number, standing: Standing, command: Enroll): Verdict => {
  const last = spanOf(group) - 1
  const open = Math.min(firstOpen(group, now), last)
  let enrolledThroughout = true
  for (let period = open; period <= last && enrolledThroughout; period++) {
    enrolledThroughout = at(standing.stays, period)?.enrolled === true
  }
  if (enrolledThroughout) return refused(standing, codes.alreadyEnrolled)
  const first = standing.stays.length === 0 ? 0 : open
  return {
    standing: {
      stays: fill(standing.stays, first, last, at(standing.stays, first)?.achieved ?? 0, now),
      level: command.resetStreakStatus ? 0 : standing.level
    },
    code: null
  }
}

/**
 * Enrols or re-enrols.
 *
 * @example
 * ```ts
 * import { Rules } from "@milepost/simulator"
 *
 * const group = { active: true, isStreak: false, periods: [{ start: 0, end: 10 }, { start: 10, end: 20 }] }
 * const facts = { cycles: "onwards", group, targetIsKnown: true, customerIsKnown: true } as const
 * const command = { period: 0, initialBalance: 300, resetStreakStatus: false }
 * const verdict = Rules.enroll(facts, 5, Rules.newcomer, command)
 * ```
 */
export const enroll = (facts: Facts, now: number, standing: Standing, command: Enroll): Verdict => {
  const code = refusal(facts)
  if (code !== null || facts.group === undefined) return refused(standing, code ?? codes.groupNotFound)
  return facts.group.isStreak
    ? enrollStreak(facts.group, now, standing, command)
    : enrollMilestone(facts.cycles, facts.group, now, standing, command)
}

/** Un-enrols: takes the customer out of the current period and all later ones; earlier ones keep what they earned. */
export const unenroll = (facts: Facts, now: number, standing: Standing): Verdict => {
  const code = refusal(facts)
  if (code !== null || facts.group === undefined) return refused(standing, code ?? codes.groupNotFound)
  if (!isEnrolled(facts.group, now, standing)) return refused(standing, notEnrolledCode)
  const [before, after] = cut(standing.stays, firstOpen(facts.group, now))
  const stays = [...before, ...after.map((stay) => (stay.enrolled ? { ...stay, enrolled: false } : stay))]
  return { standing: { ...standing, stays }, code: null }
}

/**
 * An activity: adds to the achieved value of a period. `null` where nobody is enrolled in that period: then it counts for
 * nothing.
 *
 * @example
 * ```ts
 * import { Rules } from "@milepost/simulator"
 *
 * const enrolled = { stays: [{ first: 0, last: 4, enrolled: true, achieved: 300, since: 0 }], level: 0 }
 * const standing = Rules.earn(enrolled, 2, 50)
 * ```
 */
export const earn = (standing: Standing, period: number, add: number): Standing | null => {
  const held = at(standing.stays, period)
  if (held?.enrolled !== true) return null
  const [before, rest] = cut(standing.stays, period)
  const [, after] = cut(rest, period + 1)
  return { ...standing, stays: [...before, { ...held, last: period, achieved: held.achieved + add }, ...after] }
}

/** What a world says that somebody holds before the first call; later lines overrule earlier ones from their period on. */
export interface Prior {
  /** The ordinal of the period, `undefined` for a streak: from the first on. */
  readonly period: number | undefined
  readonly achieved: number
  readonly enrolled: boolean
  readonly level: number
}

/** Applies one line of a world's prior enrolments. */
export const place = (cycles: Facts["cycles"], group: Group, now: number, standing: Standing, prior: Prior): Standing => {
  const first = prior.period ?? 0
  const last = cycles === "onwards" || group.isStreak ? spanOf(group) - 1 : first
  const [before, rest] = cut(standing.stays, first)
  const stay = stayFrom(first, last, prior.enrolled, prior.achieved, now)
  return { stays: [...before, stay, ...cut(rest, last + 1)[1]], level: prior.level }
}
