/** Applies progress events to what a world holds of somebody. */
import * as Either from "effect/Either"
import type { Event } from "../Progress.js"
import { ProgressRefused } from "../Progress.js"
import * as Rules from "../Rules.js"
import type { Store } from "./store.js"
import type { Group, Index } from "./worldIndex.js"

/** Where the event counted, and what is held there now. */
export interface Counted {
  readonly group: Group
  readonly standing: Rules.Standing
}

const refused = (reason: ProgressRefused["reason"], message: string) => Either.left(new ProgressRefused({ reason, message }))

/** Applies an event at a moment of virtual time. */
export const apply = (index: Index, store: Store, now: number, event: Event): Either.Either<Counted, ProgressRefused> => {
  const { customerId, targetGroupId, targetId } = event
  const group = index.groups.get(targetGroupId)
  if (group === undefined) return refused("GroupUnknown", `${targetGroupId} is no target group of this world`)
  const target = group.targets.get(targetId)
  if (target === undefined) return refused("TargetUnknown", `${targetId} is no target of target group ${targetGroupId}`)
  const standing = store.get(target, customerId) ?? Rules.newcomer
  const where = `in target ${targetId} of target group ${targetGroupId}`
  if (event.type === "activity") {
    const named = event.periodName === undefined ? undefined : group.ordinals.get(event.periodName)
    if (event.periodName !== undefined && named === undefined) {
      return refused("PeriodUnknown", `${JSON.stringify(event.periodName)} is no period of target group ${targetGroupId}`)
    }
    const period = named ?? Rules.firstOpen(group, now)
    const earned = Rules.earn(standing, period, event.add)
    if (earned === null) {
      const refCode = group.periods[period]?.refCode
      return refused("NotEnrolled", `customer ${customerId} is not enrolled ${where}${refCode === undefined ? "" : `, period ${refCode}`}`)
    }
    store.set(target, customerId, earned)
    return Either.right({ group, standing: earned })
  }
  if (!group.isStreak) return refused("NotAStreak", `target group ${targetGroupId} is no streak`)
  if (!Rules.isEnrolled(group, now, standing)) return refused("NotEnrolled", `customer ${customerId} is not enrolled ${where}`)
  const level = standing.level + (event.levels ?? 1)
  if (level > group.streakLevels.length) {
    return refused("NoLevelLeft", `target group ${targetGroupId} has ${group.streakLevels.length} levels, ${standing.level} are achieved`)
  }
  const achieved = { ...standing, level }
  store.set(target, customerId, achieved)
  return Either.right({ group, standing: achieved })
}
