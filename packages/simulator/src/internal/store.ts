/**
 * Where standings are kept: a map of customers for every target. A standing is immutable, so many customers can share one.
 */
import * as Rules from "../Rules.js"
import type { World } from "../World.js"
import type { Index, Target } from "./worldIndex.js"

/** The standings of a world. */
export interface Store {
  /** `undefined` for someone who was never enrolled. */
  readonly get: (target: Target, customerId: number) => Rules.Standing | undefined
  readonly set: (target: Target, customerId: number, standing: Rules.Standing) => void
}

const prepare = (store: Store, world: World, index: Index, now: number): void => {
  for (const line of world.enrollments ?? []) {
    const group = index.groups.get(line.targetGroupId)
    const target = group?.targets.get(line.targetId)
    if (group === undefined || target === undefined) continue
    const prior: Rules.Prior = {
      period: line.periodName === undefined ? undefined : group.ordinals.get(line.periodName),
      achieved: line.achieved ?? 0,
      enrolled: line.unenrolled !== true,
      level: line.level ?? 0
    }
    const ofNewcomer = Rules.place(index.cycles, group, now, Rules.newcomer, prior)
    const { count, from, step = 1 } = line.customers ?? { from: line.customerId ?? 0, count: 1 }
    for (let ordinal = 0; ordinal < count; ordinal++) {
      const customerId = from + ordinal * step
      const held = store.get(target, customerId)
      store.set(target, customerId, held === undefined ? ofNewcomer : Rules.place(index.cycles, group, now, held, prior))
    }
  }
}

/** The store of a world with what its customers are enrolled in already. */
export const make = (world: World, index: Index, now: number): Store => {
  const byTarget = Array.from({ length: index.targetCount }, () => new Map<number, Rules.Standing>())
  const store: Store = {
    get: (target, customerId) => byTarget[target.slot]?.get(customerId),
    set: (target, customerId, standing) => {
      byTarget[target.slot]?.set(customerId, standing)
    }
  }
  prepare(store, world, index, now)
  return store
}
