/**
 * The look-up's answer (`docs/upstream.md`, *Look-up*), with a customer who does not exist.
 */
import * as Rules from "../Rules.js"
import type { Filters } from "./route.js"
import { at } from "./stays.js"
import type { Store } from "./store.js"
import type { Group, Index, Org, Target } from "./worldIndex.js"

const withZone = (millis: number): string => new Date(millis).toISOString()
const withOffset = (millis: number): string => withZone(millis).replace("Z", "+0000")

/** Fictitious personal data of the shape that clients must neither log nor keep; the numbers are reserved for fiction. */
const personOf = (customerId: number) => ({
  id: customerId,
  firstName: "Robin",
  lastName: `Example ${customerId}`,
  mobile: `1202555${String(100 + (customerId % 100)).padStart(4, "0")}`,
  email: `customer.${customerId}@example.com`
})

const targetsOf = (group: Group, target: Target, standing: Rules.Standing, now: number, filters: Filters) => {
  const open = Rules.firstOpen(group, now)
  return Array.from({ length: Rules.spanOf(group) }, (_, ordinal) => ordinal).flatMap((ordinal) => {
    const stay = at(standing.stays, ordinal)
    const period = group.periods[ordinal]
    if (stay?.enrolled !== true || (ordinal < open && !filters.includeInactiveTargets)) return []
    const isAchieved = target.targetValue !== null && stay.achieved >= target.targetValue
    return [{
      targetId: null,
      periodId: period?.id ?? null,
      periodRefCode: period?.refCode ?? null,
      periodStartDate: period === undefined ? null : withZone(period.start),
      periodEndDate: period === undefined ? null : withZone(period.end),
      targetValue: target.targetValue,
      targetAchievedValue: stay.achieved,
      targetName: target.name,
      targetType: "QUANTITY",
      targetEntity: "TRANSACTION",
      targetRuleId: target.id,
      enrolledOn: withOffset(stay.since),
      eventName: "TransactionAdd",
      periodStartDateWithTimeStamp: period === undefined ? null : withOffset(period.start),
      periodEndDateWithTimeStamp: period === undefined ? null : withOffset(period.end),
      targetAchievedDateTime: isAchieved ? withOffset(stay.since) : null,
      currentPeriod: period === undefined || (period.start <= now && now < period.end),
      milestones: null
    }]
  })
}

const streaksOf = (group: Group, level: number) =>
  group.streakLevels.map(({ count, name }, ordinal) => {
    const isAchieved = ordinal < level
    return {
      userStreakId: null,
      streakId: group.id * 100 + ordinal + 1,
      streakName: name,
      status: isAchieved ? "ACHIEVED" : "NOT_STARTED",
      currentCount: isAchieved ? count : 0,
      totalTargetCountOfSequence: count,
      streakAchievedDateTime: null
    }
  })

const groupOf = (group: Group, store: Store, customerId: number, now: number, filters: Filters) => {
  if (!group.active && !filters.includeInactive) return []
  let level = 0
  const targets = [...group.targets.values()].flatMap((target) => {
    if (filters.targetRuleId !== undefined && filters.targetRuleId !== target.id) return []
    const standing = store.get(target, customerId)
    if (standing === undefined) return []
    level = standing.level
    return targetsOf(group, target, standing, now, filters)
  })
  if (targets.length === 0) return []
  const common = {
    id: group.id,
    name: group.name,
    orgId: group.orgId,
    trackingType: group.trackingType,
    targetEvaluationType: group.evaluationType,
    targets
  }
  return [group.isStreak ? { ...common, streaks: streaksOf(group, level) } : common]
}

/** What the look-up of a customer answers as `data`. */
export const of = (
  index: Index,
  store: Store,
  orgs: ReadonlyArray<Org>,
  customerId: number,
  now: number,
  filters: Filters
) => ({
  customer: personOf(customerId),
  targetGroups: [...index.groups.values()]
    .filter((group) => orgs.some((org) => org.id === group.orgId))
    .flatMap((group) => groupOf(group, store, customerId, now, filters))
})
