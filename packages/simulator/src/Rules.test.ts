import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { readFileSync } from "node:fs"
import { at } from "./internal/stays.js"
import * as Rules from "./Rules.js"

const day = 86_400_000
const cycles = (count: number) => Array.from({ length: count }, (_, index) => ({ start: index * day, end: (index + 1) * day }))

const milestone: Rules.Group = { active: true, isStreak: false, periods: cycles(5) }
const streak: Rules.Group = { active: true, isStreak: true, periods: cycles(30) }

const facts = (group: Rules.Group, mode: Rules.Facts["cycles"] = "onwards"): Rules.Facts => ({
  cycles: mode,
  group,
  targetIsKnown: true,
  customerIsKnown: true
})

const into = (period: number | undefined, initialBalance?: number | null): Rules.Enroll => ({
  period,
  initialBalance,
  resetStreakStatus: false
})

const shown = (group: Rules.Group, standing: Rules.Standing): ReadonlyArray<string> =>
  group.periods.map((_, period) => {
    const stay = at(standing.stays, period)
    return stay === undefined ? "-" : `${stay.enrolled ? "in" : "out"} ${stay.achieved}`
  })

const enrolled = (period: number, balance?: number | null, mode?: Rules.Facts["cycles"]) =>
  Rules.enroll(facts(milestone, mode), 0, Rules.newcomer, into(period, balance)).standing

describe("Rules", () => {
  it("enrols into a cycle and all later ones, or into that one alone", () => {
    expect(shown(milestone, enrolled(2, 300))).toEqual(["-", "-", "in 300", "in 0", "in 0"])
    expect(shown(milestone, enrolled(2, 300, "perPeriod"))).toEqual(["-", "-", "in 300", "-", "-"])
  })

  it.each([[0, 0], [150, 150], [null, 250], [undefined, 250]])("re-enrols with %s at %s", (balance, achieved) => {
    const left = Rules.unenroll(facts(milestone), 3.5 * day, enrolled(3, 250))
    expect(shown(milestone, left.standing)).toEqual(["-", "-", "-", "out 250", "out 0"])
    const again = Rules.enroll(facts(milestone), 3.6 * day, left.standing, into(3, balance))
    expect(again.code).toBe(null)
    expect(shown(milestone, again.standing)).toEqual(["-", "-", "-", `in ${achieved}`, "in 0"])
  })

  it("un-enrols from the period that is current by the clock, whose end belongs to the next", () => {
    const standing = enrolled(0, 9)
    expect(shown(milestone, Rules.unenroll(facts(milestone), 2 * day - 1, standing).standing))
      .toEqual(["in 9", "out 0", "out 0", "out 0", "out 0"])
    expect(shown(milestone, Rules.unenroll(facts(milestone), 2 * day, standing).standing))
      .toEqual(["in 9", "in 0", "out 0", "out 0", "out 0"])
    expect(Rules.unenroll(facts(milestone), 5 * day, standing).code).toBe(Rules.notEnrolledCode)
  })

  it("goes on or starts afresh in a streak", () => {
    const held: Rules.Standing = { ...Rules.newcomer, level: 2 }
    const first = Rules.enroll(facts(streak), 0, held, into(undefined))
    const left = Rules.unenroll(facts(streak), 12.5 * day, first.standing)
    expect(shown(streak, left.standing).indexOf("out 0")).toBe(12)
    const resumed = Rules.enroll(facts(streak), 13 * day, left.standing, into(undefined))
    const reset = Rules.enroll(facts(streak), 13 * day, left.standing, { ...into(undefined), resetStreakStatus: true })
    expect([resumed.standing.level, reset.standing.level]).toEqual([2, 0])
    expect(Rules.enroll(facts(streak), 13 * day, resumed.standing, into(undefined)).code).toBe(310119)
  })

  it("takes a streak without periods as one that never ends", () => {
    const endless = facts({ active: true, isStreak: true, periods: [] })
    const first = Rules.enroll(endless, 0, Rules.newcomer, into(undefined))
    expect(first.code).toBe(null)
    expect(Rules.enroll(endless, 9 * day, first.standing, into(undefined)).code).toBe(310119)
    expect(Rules.unenroll(endless, 9 * day, first.standing).code).toBe(null)
  })

  it("refuses by group, then target, then customer", () => {
    const none = { cycles: "onwards", group: undefined, targetIsKnown: false, customerIsKnown: false } as const
    expect(Rules.refusal(none)).toBe(310017)
    expect(Rules.refusal({ ...none, group: { ...milestone, active: false } })).toBe(310017)
    expect(Rules.refusal({ ...none, group: milestone })).toBe(310018)
    expect(Rules.refusal({ ...none, group: milestone, targetIsKnown: true })).toBe(310011)
    expect(Rules.refusal(facts(milestone))).toBe(null)
  })

  it("gives every rule a name of its own, and says where it comes from", () => {
    expect(new Set(Rules.table.map(({ id }) => id)).size).toBe(Rules.table.length)
    for (const { source } of Rules.table) expect(source).toMatch(/^(seed|docs\/upstream\.md), [A-Z]/)
  })

  it("names exactly the assumed rules in the README", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    const listed = [...readme.matchAll(/^- `([\w-]+)`: (.*)$/gm)].map(([, id, text]) => ({ id, text }))
    expect(listed).toEqual(
      Rules.table.filter(({ evidence }) => evidence === "assumed").map(({ id, text }) => ({ id, text }))
    )
  })
})

type Step =
  | { readonly _tag: "enrol"; readonly period: number; readonly balance: number | null | undefined }
  | { readonly _tag: "leave" }
  | { readonly _tag: "wait"; readonly hours: number }

const aStep: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  FastCheck.record({
    _tag: FastCheck.constant("enrol" as const),
    period: FastCheck.nat(4),
    balance: FastCheck.oneof(FastCheck.nat(1000), FastCheck.constant(null), FastCheck.constant(undefined))
  }),
  FastCheck.constant({ _tag: "leave" as const }),
  FastCheck.record({ _tag: FastCheck.constant("wait" as const), hours: FastCheck.nat(30) })
)

describe("any sequence of calls", () => {
  it.prop(
    "keeps the standing sound, and every verdict true",
    [FastCheck.array(aStep, { maxLength: 30 }), FastCheck.constantFrom("onwards" as const, "perPeriod" as const), FastCheck.boolean()],
    ([steps, mode, isStreak]) => {
      const group = { ...milestone, isStreak }
      let now = 0
      let standing = Rules.newcomer
      for (const step of steps) {
        if (step._tag === "wait") {
          now += step.hours * 3_600_000
          continue
        }
        const before = JSON.stringify(standing)
        const open = Rules.firstOpen(group, now)
        const verdict = step._tag === "leave"
          ? Rules.unenroll(facts(group, mode), now, standing)
          : Rules.enroll(facts(group, mode), now, standing, into(step.period, step.balance))
        expect(JSON.stringify(standing)).toBe(before)
        if (verdict.code !== null) expect(verdict.standing).toBe(standing)
        else if (step._tag === "leave") {
          expect(Rules.isEnrolled(group, now, verdict.standing)).toBe(false)
          expect(shown(group, verdict.standing).slice(0, open)).toEqual(shown(group, standing).slice(0, open))
        } else if (!isStreak) {
          const held = at(standing.stays, step.period)
          const named = at(verdict.standing.stays, step.period)
          expect(named).toMatchObject({ enrolled: true, achieved: step.balance ?? held?.achieved ?? 0, since: now })
          expect(Rules.enroll(facts(group, mode), now, verdict.standing, into(step.period)).code).toBe(310119)
          expect(shown(group, verdict.standing).slice(0, step.period)).toEqual(shown(group, standing).slice(0, step.period))
          if (mode === "onwards") {
            expect(shown(group, verdict.standing).slice(step.period).every((word) => word.startsWith("in"))).toBe(true)
          }
        }
        standing = verdict.standing
        let next = 0
        for (const stay of standing.stays) {
          expect(stay.first).toBeGreaterThanOrEqual(next)
          expect(stay.last).toBeGreaterThanOrEqual(stay.first)
          next = stay.last + 1
        }
        expect(next).toBeLessThanOrEqual(Rules.spanOf(group))
      }
    },
    { fastCheck: { numRuns: 300 } }
  )
})
