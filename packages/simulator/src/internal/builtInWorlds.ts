/**
 * The worlds that come with the package: one to try things in, one for the conformance cases.
 *
 * They are held in a module of their own so that `World.ts` stays the description of what a world is.
 */
import type { World } from "../World.js"

const monthly = (
  name: (ordinal: number) => string,
  count: number,
  firstMonth: number
): World["targetGroups"][number]["periods"] =>
  Array.from({ length: count }, (_, index) => ({
    refCode: name(index + 1),
    start: new Date(Date.UTC(2026, firstMonth + index, 1)).toISOString(),
    end: new Date(Date.UTC(2026, firstMonth + index + 1, 1)).toISOString()
  }))

const fourLevels = ["Bronze", "Silver", "Gold", "Platinum"].map((name, index) => ({ name, count: (index + 1) * 3 }))

/** Everything of `World.sample`. */
export const sampleWorld: World = {
  description: "A parent with a connected child, milestones, a streak, and eight thousand customers.",
  clock: "2026-01-15T09:00:00Z",
  cycles: "onwards",
  orgs: [{ id: 100 }, { id: 101, parentId: 100 }, { id: 900 }],
  credentials: [
    { type: "basic", username: "store.server", password: "server123", orgId: 100 },
    { type: "basic", username: "child.till", password: "child123", orgId: 101 },
    { type: "basic", username: "no.access", password: "noaccess123", orgId: 100, access: "none" },
    { type: "basic", username: "elsewhere", password: "elsewhere123", orgId: 900 },
    { type: "oauth", key: "sandbox-key", secret: "sandbox-secret", orgId: 100, ttlSeconds: 3600 }
  ],
  targetGroups: [
    {
      id: 2154,
      orgId: 100,
      name: "Monthly spend",
      trackingType: "DEFAULT",
      evaluationType: "CYCLIC_WINDOW",
      targets: [{ id: 2309, name: "Spend 1000 in a month", targetValue: 1000 }],
      periods: monthly((ordinal) => `Cycle_${ordinal}`, 10, 0)
    },
    {
      id: 40,
      orgId: 100,
      name: "Coffee streak",
      trackingType: "STREAKS",
      evaluationType: "CYCLIC_WINDOW",
      targets: [{ id: 41, name: "A coffee a day", targetValue: 1 }],
      periods: monthly((ordinal) => `Streak_${ordinal}`, 12, 0),
      streakLevels: fourLevels
    },
    {
      id: 29463,
      orgId: 100,
      name: "Spring visits",
      trackingType: "UNIFIED",
      evaluationType: "FIXED_CALENDAR_WINDOW",
      targets: [
        { id: 29464, name: "Visits", targetValue: 5 },
        { id: 29465, name: "Baskets above 50", targetValue: 3 }
      ],
      periods: monthly((ordinal) => `PERIOD_G_29463_${ordinal}`, 3, 0)
    },
    {
      id: 2155,
      orgId: 100,
      name: "Last year's spend",
      trackingType: "DEFAULT",
      active: false,
      targets: [{ id: 2310, targetValue: 500 }],
      periods: monthly((ordinal) => `Cycle_${ordinal}`, 2, 0)
    },
    {
      id: 5101,
      orgId: 101,
      name: "The child's own milestone",
      trackingType: "DEFAULT",
      targets: [{ id: 5102, targetValue: 300 }],
      periods: monthly((ordinal) => `Cycle_${ordinal}`, 6, 0)
    }
  ],
  customers: [
    { orgId: 100, from: 564332001, count: 8000 },
    { orgId: 100, id: 345651201 },
    { orgId: 101, from: 700000001, count: 1000 }
  ],
  enrollments: [
    { customerId: 564339001, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_1", achieved: 400 },
    { customerId: 564339002, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_1", achieved: 250, unenrolled: true },
    { customerId: 564339003, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3" },
    { customerId: 564339004, targetGroupId: 40, targetId: 41, level: 2 },
    { customerId: 564339005, targetGroupId: 40, targetId: 41, level: 2, unenrolled: true },
    { customers: { from: 564339101, count: 100 }, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_1", achieved: 120 }
  ]
}

const milestone = { targetGroupId: 2154, targetId: 2309 }
const streak = { targetGroupId: 40, targetId: 41 }
const heldInCycle3 = { ...milestone, periodName: "Cycle_3", achieved: 250, unenrolled: true }

/** Everything of `World.conformance`: the clock stands in the third of five cycles. */
export const conformanceWorld: World = {
  description: "The world of the conformance cases: the clock stands in the third of five cycles.",
  clock: "2026-03-15T09:00:00Z",
  orgs: [{ id: 100 }, { id: 101, parentId: 100 }, { id: 900 }, { id: 910, rateLimit: { perMinute: 2 } }],
  credentials: [
    { type: "basic", username: "parent.till", password: "parent-secret", orgId: 100 },
    { type: "basic", username: "child.till", password: "child-secret", orgId: 101 },
    { type: "basic", username: "no.access", password: "no-access-secret", orgId: 100, access: "none" },
    { type: "basic", username: "limited.till", password: "limited-secret", orgId: 910 },
    { type: "oauth", key: "parent-key", secret: "parent-oauth-secret", orgId: 100 }
  ],
  targetGroups: [
    {
      id: 2154,
      orgId: 100,
      trackingType: "DEFAULT",
      targets: [{ id: 2309, targetValue: 1000 }],
      periods: monthly((ordinal) => `Cycle_${ordinal}`, 5, 0)
    },
    {
      id: 40,
      orgId: 100,
      trackingType: "STREAKS",
      targets: [{ id: 41 }],
      periods: monthly((ordinal) => `Streak_${ordinal}`, 30, -10),
      streakLevels: fourLevels
    },
    {
      id: 2155,
      orgId: 100,
      trackingType: "DEFAULT",
      active: false,
      targets: [{ id: 2310 }],
      periods: monthly((ordinal) => `Cycle_${ordinal}`, 5, 0)
    },
    {
      id: 5101,
      orgId: 101,
      trackingType: "DEFAULT",
      targets: [{ id: 5102 }],
      periods: monthly((ordinal) => `Cycle_${ordinal}`, 5, 0)
    },
    {
      id: 6101,
      orgId: 910,
      trackingType: "DEFAULT",
      targets: [{ id: 6102 }],
      periods: monthly((ordinal) => `Cycle_${ordinal}`, 5, 0)
    }
  ],
  customers: [
    { orgId: 100, from: 1001, count: 200 },
    { orgId: 101, from: 9001, count: 10 },
    { orgId: 910, from: 9101, count: 10 }
  ],
  enrollments: [
    { customers: { from: 1101, count: 20 }, ...heldInCycle3 },
    { customers: { from: 1121, count: 5 }, ...milestone, periodName: "Cycle_1", achieved: 1000 },
    { customers: { from: 1121, count: 5 }, ...milestone, periodName: "Cycle_2", achieved: 400 },
    { customers: { from: 1121, count: 5 }, ...milestone, periodName: "Cycle_3", achieved: 250 },
    { customers: { from: 1131, count: 10 }, ...streak, level: 2, unenrolled: true },
    { customers: { from: 1141, count: 10 }, ...streak, level: 2 }
  ]
}
