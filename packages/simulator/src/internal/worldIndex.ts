/**
 * A world laid out for quick look-ups. Nothing in it changes while the simulator runs.
 */
import type * as Rules from "../Rules.js"
import type { World } from "../World.js"

/** A period with its place among the group's periods. */
export interface Period extends Rules.Window {
  readonly id: number
  readonly refCode: string
}

/** A target; `slot` is its place in the {@link Index}'s count of targets, for a store to use. */
export interface Target {
  readonly slot: number
  readonly id: number
  readonly name: string
  readonly targetValue: number | null
}

/** A target group, its periods in the order of their dates. */
export interface Group extends Rules.Group {
  readonly id: number
  readonly orgId: number
  readonly name: string
  readonly trackingType: World["targetGroups"][number]["trackingType"]
  readonly evaluationType: string
  readonly periods: ReadonlyArray<Period>
  readonly ordinals: ReadonlyMap<string, number>
  readonly targets: ReadonlyMap<number, Target>
  readonly streakLevels: ReadonlyArray<{ readonly name: string; readonly count: number }>
}

/** An organisation and its customers; a range is never spelled out. */
export interface Org {
  readonly id: number
  readonly parentId: number | undefined
  readonly rateLimit: World["orgs"][number]["rateLimit"]
  readonly children: ReadonlySet<number>
  readonly knows: (customerId: number) => boolean
}

/** Who may act for which organisation. */
export type Credential = World["credentials"][number]

/** A world laid out. */
export interface Index {
  readonly cycles: Rules.Facts["cycles"]
  readonly errorStatus: number
  readonly orgs: ReadonlyMap<number, Org>
  readonly groups: ReadonlyMap<number, Group>
  readonly targetCount: number
  /** By username, or by OAuth key. */
  readonly credentials: ReadonlyMap<string, Credential>
  readonly firstBasic: string | null
}

const knowing = (lines: ReadonlyArray<World["customers"][number]>): Org["knows"] => {
  const singles = new Set<number>()
  const ranges: Array<{ readonly from: number; readonly last: number; readonly step: number }> = []
  for (const { count, from, id, step = 1 } of lines) {
    if (id !== undefined) singles.add(id)
    else if (from !== undefined && count !== undefined) ranges.push({ from, last: from + (count - 1) * step, step })
  }
  return (customerId) =>
    singles.has(customerId) ||
    ranges.some(({ from, last, step }) => from <= customerId && customerId <= last && (customerId - from) % step === 0)
}

const groupOf = (group: World["targetGroups"][number], slots: { next: number }): Group => {
  const periods = group.periods
    .map(({ end, refCode, start }) => ({ refCode, start: Date.parse(start), end: Date.parse(end) }))
    .sort((one, other) => one.start - other.start)
    .map((period, ordinal) => ({ ...period, id: group.id * 1000 + ordinal + 1 }))
  return {
    id: group.id,
    orgId: group.orgId,
    name: group.name ?? `Target group ${group.id}`,
    trackingType: group.trackingType,
    evaluationType: group.evaluationType ?? "FIXED_CALENDAR_WINDOW",
    active: group.active ?? true,
    isStreak: group.trackingType === "STREAKS",
    periods,
    ordinals: new Map(periods.map((period, ordinal) => [period.refCode, ordinal])),
    targets: new Map(group.targets.map(({ id, name, targetValue }) => [id, {
      slot: slots.next++,
      id,
      name: name ?? `Target ${id}`,
      targetValue: targetValue ?? null
    }])),
    streakLevels: group.streakLevels ?? []
  }
}

/** Lays a world out. */
export const make = (world: World): Index => {
  const slots = { next: 0 }
  const groups = new Map(world.targetGroups.map((group) => [group.id, groupOf(group, slots)]))
  return {
    cycles: world.cycles ?? "onwards",
    errorStatus: world.errorStatus ?? 200,
    orgs: new Map(world.orgs.map(({ id, parentId, rateLimit }) => [id, {
      id,
      parentId,
      rateLimit,
      children: new Set(world.orgs.filter((org) => org.parentId === id).map((org) => org.id)),
      knows: knowing(world.customers.filter((line) => line.orgId === id))
    }])),
    groups,
    targetCount: slots.next,
    credentials: new Map(world.credentials.map((credential) => [
      credential.type === "basic" ? credential.username : credential.key,
      credential
    ])),
    firstBasic: world.credentials.find((credential) => credential.type === "basic")?.username ?? null
  }
}
