import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as World from "./World.js"

const least = { orgs: [{ id: 100 }], credentials: [], targetGroups: [], customers: [] }

const group = {
  id: 7,
  orgId: 100,
  trackingType: "DEFAULT",
  targets: [{ id: 8 }],
  periods: [{ refCode: "C1", start: "2026-01-01", end: "2026-02-01" }]
}

const mistakes = (json: unknown): ReadonlyArray<string> =>
  Either.match(World.decode(json), { onLeft: ({ message }) => message.split("\n"), onRight: () => [] })

describe("World.decode", () => {
  it("takes the worlds that come with the package, and JSON keeps them as they are", () => {
    for (const world of [World.sample, World.conformance]) {
      expect(Either.getOrThrow(World.fromText(JSON.stringify(world)))).toEqual(world)
    }
  })

  it("takes the least that a world is", () => {
    expect(mistakes(least)).toEqual([])
  })

  it("names the path of every mistake of shape, not only of the first", () => {
    expect(mistakes({
      ...least,
      clok: "2026-01-01",
      orgs: [{ id: "100" }],
      credentials: [{ type: "basic", username: "", password: "p", orgId: 100 }, { type: "oauth", key: "k", orgId: 100 }],
      targetGroups: [{ ...group, trackingType: "MILESTONE", periods: [{ refCode: "C1", start: "2026-02-30", end: "soon" }] }]
    })).toEqual([
      "clok: is not a known key",
      "orgs[0].id: must be number, but it is \"100\"",
      "credentials[0].username: must not be empty",
      "credentials[1].secret: is missing",
      "targetGroups[0].trackingType: must be one of DEFAULT, UNIFIED, STREAKS, CAPPING",
      "targetGroups[0].periods[0].start: must be a date such as 2026-01-31, or an instant such as 2026-01-31T23:59:59Z",
      "targetGroups[0].periods[0].end: must be a date such as 2026-01-31, or an instant such as 2026-01-31T23:59:59Z"
    ])
  })

  it("refuses times without a zone, which would mean something else on every machine", () => {
    expect(mistakes({ ...least, clock: "2026-01-01T09:00:00" })).toHaveLength(1)
    expect(mistakes({ ...least, clock: "2026-01-01T09:00:00+05:30" })).toEqual([])
  })

  it("finds what leads nowhere", () => {
    expect(mistakes({
      ...least,
      orgs: [{ id: 100 }, { id: 101, parentId: 100 }, { id: 102, parentId: 101 }, { id: 103, parentId: 9 }, { id: 100 }],
      credentials: [{ type: "basic", username: "u", password: "p", orgId: 1 }],
      targetGroups: [{ ...group, orgId: 2 }],
      customers: [{ orgId: 3, id: 1 }],
      enrollments: [
        { customerId: 1, targetGroupId: 70, targetId: 8, periodName: "C1" },
        { customerId: 1, targetGroupId: 7, targetId: 80, periodName: "C2" },
        { targetGroupId: 7, targetId: 8, level: 1 }
      ]
    })).toEqual([
      "orgs[4].id: 100 is the id of an earlier org",
      "orgs[2].parentId: 101 is itself a child; connected orgs have one level of children",
      "orgs[3].parentId: 9 is no org of this world",
      "credentials[0].orgId: 1 is no org of this world",
      "targetGroups[0].orgId: 2 is no org of this world",
      "customers[0].orgId: 3 is no org of this world",
      "enrollments[0].targetGroupId: 70 is no target group of this world",
      "enrollments[1].targetId: 80 is no target of target group 7",
      "enrollments[1].periodName: \"C2\" is no period of target group 7",
      "enrollments[2]: needs either customerId or customers",
      "enrollments[2].level: only a streak has levels",
      "enrollments[2].periodName: is missing; a milestone is enrolled by period"
    ])
  })

  it("finds what is there twice or overlaps", () => {
    expect(mistakes({
      ...least,
      targetGroups: [
        {
          ...group,
          targets: [{ id: 8 }, { id: 8 }],
          periods: [
            { refCode: "C1", start: "2026-01-01", end: "2026-02-01" },
            { refCode: "C1", start: "2026-01-31", end: "2026-01-31" }
          ],
          streakLevels: []
        },
        { ...group, targets: [] }
      ],
      customers: [{ orgId: 100, from: 10, count: 5 }, { orgId: 100, id: 14 }, { orgId: 100, id: 15, count: 1 }, { orgId: 100 }]
    })).toEqual([
      "targetGroups[1].id: 7 is the id of an earlier target group",
      "targetGroups[0].targets: a DEFAULT group has exactly one target; use UNIFIED for several",
      "targetGroups[0].streakLevels: only a STREAKS group has levels",
      "targetGroups[0].targets[1].id: 8 is the id of an earlier target of this group",
      "targetGroups[0].periods[1].refCode: \"C1\" names an earlier period of this group",
      "targetGroups[0].periods[1].end: must be after start",
      "targetGroups[0].periods[1].start: overlaps the period \"C1\"",
      "targetGroups[1].targets: a target group needs a target",
      "customers[2]: takes either id, or from and count",
      "customers[3]: needs either id, or from and count",
      "customers[1]: shares customer 14 with customers[0]"
    ])
  })

  it("says where text is not JSON", () => {
    const read = World.fromText("{\n  \"orgs\": []\n  \"customers\": []\n}")
    expect(Either.isLeft(read) && read.left.message).toMatch(/^is not JSON, line 3, column 3: Expected ',' or '}'/)
    const unplaced = World.fromText("{\n  \"orgs\": [,]\n}")
    expect(Either.isLeft(unplaced) && unplaced.left.message).toMatch(/^is not JSON: Unexpected token [^\n]*$/)
  })
})

describe("World.jsonSchema", () => {
  it("describes every key of a world", () => {
    const root = JSON.stringify(World.jsonSchema)
    for (const key of Object.keys(World.World.fields)) expect(root).toContain(JSON.stringify(key))
  })
})
