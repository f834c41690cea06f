/**
 * What a schema cannot say of a world: references that lead nowhere, names given twice, windows that overlap.
 */
import type { World } from "../World.js"
import type { Issue } from "./reading.js"

type Group = World["targetGroups"][number]
type Prior = NonNullable<World["enrollments"]>[number]
type Note = (path: string, problem: string) => void

const firstOfEach = <A, K>(items: ReadonlyArray<A>, keyOf: (item: A) => K, onSecond: (index: number, key: K) => void): void => {
  const seen = new Set<K>()
  items.forEach((item, index) => {
    const key = keyOf(item)
    if (seen.has(key)) onSecond(index, key)
    seen.add(key)
  })
}

const orgMistakes = (world: World, note: Note): void => {
  const parents = new Map(world.orgs.map((org) => [org.id, org.parentId]))
  firstOfEach(world.orgs, (org) => org.id, (index, id) => note(`orgs[${index}].id`, `${id} is the id of an earlier org`))
  world.orgs.forEach((org, index) => {
    if (org.parentId === undefined) return
    if (!parents.has(org.parentId)) note(`orgs[${index}].parentId`, `${org.parentId} is no org of this world`)
    else if (org.parentId === org.id) note(`orgs[${index}].parentId`, "an org cannot be its own parent")
    else if (parents.get(org.parentId) !== undefined) {
      note(`orgs[${index}].parentId`, `${org.parentId} is itself a child; connected orgs have one level of children`)
    }
  })
}

const groupMistakes = (group: Group, path: string, note: Note): void => {
  const alone = group.trackingType === "DEFAULT" || group.trackingType === "STREAKS"
  if (group.targets.length === 0) note(`${path}.targets`, "a target group needs a target")
  if (alone && group.targets.length > 1) {
    note(`${path}.targets`, `a ${group.trackingType} group has exactly one target; use UNIFIED for several`)
  }
  if (group.trackingType !== "STREAKS" && group.streakLevels !== undefined) {
    note(`${path}.streakLevels`, "only a STREAKS group has levels")
  }
  firstOfEach(group.targets, (target) => target.id, (index, id) =>
    note(`${path}.targets[${index}].id`, `${id} is the id of an earlier target of this group`))
  firstOfEach(group.periods, (period) => period.refCode, (index, refCode) =>
    note(`${path}.periods[${index}].refCode`, `${JSON.stringify(refCode)} names an earlier period of this group`))
  const dated = group.periods.map((period, index) => ({
    index,
    refCode: period.refCode,
    start: Date.parse(period.start),
    end: Date.parse(period.end)
  }))
  for (const { end, index, start } of dated) {
    if (end <= start) note(`${path}.periods[${index}].end`, "must be after start")
  }
  const ordered = [...dated].sort((one, other) => one.start - other.start)
  ordered.slice(1).forEach((period, before) => {
    const earlier = ordered[before]
    if (earlier !== undefined && period.start < earlier.end) {
      note(`${path}.periods[${period.index}].start`, `overlaps the period ${JSON.stringify(earlier.refCode)}`)
    }
  })
}

const customerMistakes = (world: World, note: Note): void => {
  const spans = world.customers.flatMap((line, index) => {
    const path = `customers[${index}]`
    if (line.id !== undefined) {
      if (line.from !== undefined || line.count !== undefined || line.step !== undefined) {
        note(path, "takes either id, or from and count")
      }
      return [{ path, first: line.id, last: line.id }]
    }
    if (line.from === undefined || line.count === undefined) {
      note(path, "needs either id, or from and count")
      return []
    }
    const last = line.from + (line.count - 1) * (line.step ?? 1)
    if (last > Number.MAX_SAFE_INTEGER) note(path, "runs beyond 2^53-1, the greatest id")
    return line.step === undefined || line.step === 1 ? [{ path, first: line.from, last }] : []
  }).sort((one, other) => one.first - other.first)
  // Ranges with a step may interleave; those without must not share an id, or it would be unclear whose customer it is.
  spans.slice(1).forEach((span, before) => {
    const earlier = spans[before]
    if (earlier !== undefined && span.first <= earlier.last) note(span.path, `shares customer ${span.first} with ${earlier.path}`)
  })
}

const priorMistakes = (prior: Prior, groups: ReadonlyMap<number, Group>, path: string, note: Note): void => {
  if ((prior.customerId === undefined) === (prior.customers === undefined)) {
    note(path, "needs either customerId or customers")
  }
  const group = groups.get(prior.targetGroupId)
  if (group === undefined) {
    note(`${path}.targetGroupId`, `${prior.targetGroupId} is no target group of this world`)
    return
  }
  if (!group.targets.some((target) => target.id === prior.targetId)) {
    note(`${path}.targetId`, `${prior.targetId} is no target of target group ${group.id}`)
  }
  if (group.trackingType === "STREAKS") {
    if (prior.level !== undefined && prior.level > (group.streakLevels?.length ?? 0)) {
      note(`${path}.level`, `target group ${group.id} has ${group.streakLevels?.length ?? 0} levels`)
    }
  } else {
    if (prior.level !== undefined) note(`${path}.level`, "only a streak has levels")
    if (prior.periodName === undefined) note(`${path}.periodName`, "is missing; a milestone is enrolled by period")
  }
  if (prior.periodName !== undefined && !group.periods.some((period) => period.refCode === prior.periodName)) {
    note(`${path}.periodName`, `${JSON.stringify(prior.periodName)} is no period of target group ${group.id}`)
  }
}

/** Every mistake of sense in a world of the right shape, in the world's order. */
export const mistakesIn = (world: World): ReadonlyArray<Issue> => {
  const issues: Array<Issue> = []
  const note: Note = (path, problem) => issues.push({ path, problem })
  const orgIds = new Set(world.orgs.map((org) => org.id))
  const orgOf = (orgId: number, path: string): void => {
    if (!orgIds.has(orgId)) note(`${path}.orgId`, `${orgId} is no org of this world`)
  }
  orgMistakes(world, note)
  world.credentials.forEach((credential, index) => orgOf(credential.orgId, `credentials[${index}]`))
  firstOfEach(
    world.credentials,
    (credential) => credential.type === "basic" ? credential.username : credential.key,
    (index, name) => note(`credentials[${index}]`, `${JSON.stringify(name)} names an earlier credential`)
  )
  firstOfEach(world.targetGroups, (group) => group.id, (index, id) =>
    note(`targetGroups[${index}].id`, `${id} is the id of an earlier target group`))
  world.targetGroups.forEach((group, index) => {
    orgOf(group.orgId, `targetGroups[${index}]`)
    groupMistakes(group, `targetGroups[${index}]`, note)
  })
  world.customers.forEach((line, index) => orgOf(line.orgId, `customers[${index}]`))
  customerMistakes(world, note)
  const groups = new Map(world.targetGroups.map((group) => [group.id, group]))
  world.enrollments?.forEach((prior, index) => priorMistakes(prior, groups, `enrollments[${index}]`, note))
  return issues
}
