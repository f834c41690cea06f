// Writes spring-campaign.csv and spring-campaign.world.json: always the same bytes. Run it after changing it.
import { writeFileSync } from "node:fs"

const milestone = { targetGroupId: 2154, targetId: 2309 }
const streak = { targetGroupId: 40, targetId: 41 }
const deactivated = { targetGroupId: 2155, targetId: 2310 }
const first = 564300001

/** A small generator with a fixed seed (mulberry32): examples must not change from run to run. */
let state = 20_260_301
const random = () => {
  state = (state + 0x6d2b79f5) | 0
  let value = Math.imul(state ^ (state >>> 15), 1 | state)
  value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
  return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
}
const pick = (values) => values[Math.floor(random() * values.length)]
const segments = ["gold", "silver", "new", "\"win-back, 2025\"", "family"]

const row = (customerId, { targetGroupId, targetId }, periodName, initialBalance, resetStreakStatus, segment = pick(segments)) =>
  [customerId, segment, targetGroupId, targetId, periodName, initialBalance, resetStreakStatus].join(",")
const many = (from, count, make) => Array.from({ length: count }, (_, index) => make(first + from + index))

const rows = [
  // First enrolments: a number, nothing, or zero to start at.
  ...many(0, 3000, (customer) => row(customer, milestone, "Cycle_3", pick(["", "", "", "0", "100", "250"]), "")),
  // Re-enrolments of customers who left holding 250: a number, the value held, or left to the upstream.
  ...many(3000, 300, (customer) => row(customer, milestone, "Cycle_3", "150", "")),
  ...many(3300, 300, (customer) => row(customer, milestone, "Cycle_3", "resume", "")),
  ...many(3600, 300, (customer) => row(customer, milestone, "Cycle_3", "", "")),
  // Customers who are in already.
  ...many(3900, 60, (customer) => row(customer, milestone, "Cycle_3", "", "")),
  // A streak: first enrolments, and re-enrolments that go on or start afresh.
  ...many(4000, 400, (customer) => row(customer, streak, "", "", "")),
  ...many(4400, 50, (customer) => row(customer, streak, "", "", "false")),
  ...many(4450, 50, (customer) => row(customer, streak, "", "", "true")),
  // Customers that nobody knows, and a group that is deactivated.
  ...many(90_000, 25, (customer) => row(customer, milestone, "Cycle_3", "", "")),
  ...many(0, 30, (customer) => row(customer, deactivated, "Cycle_3", "", "")),
  // A period that is not there, and a cell that a spreadsheet would run.
  ...many(4500, 5, (customer) => row(customer, milestone, "Cycle_30", "", "")),
  row(first + 4510, milestone, "Cycle_3", "", "", "=HYPERLINK(\"\"http://example.org\"\")".replaceAll("\"\"", ""))
]
for (let index = rows.length - 1; index > 0; index--) {
  const other = Math.floor(random() * (index + 1))
  ;[rows[index], rows[other]] = [rows[other], rows[index]]
}
// Duplicates of rows further up, and rows that cannot be sent.
for (let index = 0; index < 40; index++) rows.splice(2000 + index * 50, 0, rows[index * 7])
const bad = [
  row("", milestone, "Cycle_3", "", ""),
  row("5.6430001E+08", milestone, "Cycle_3", "", ""),
  row("9007199254740993", milestone, "Cycle_3", "", ""),
  row(-564300001, milestone, "Cycle_3", "", ""),
  row("564300001.5", milestone, "Cycle_3", "", ""),
  row("customer 17", milestone, "Cycle_3", "", ""),
  row(first + 4600, milestone, "Cycle_3", "ten", ""),
  row(first + 4601, streak, "", "100", ""),
  row(first + 4602, milestone, "Cycle_3", "", "true"),
  `${first + 4603},gold,2154`,
  `${first + 4604},"open quote,2154,2309,Cycle_3,,`,
  `${first + 4605},gold,2154,2309,Cycle_3,,,,`
]
bad.forEach((line, index) => rows.splice(300 + index * 350, 0, line))

const csv = ["customerId,segment,targetGroupId,targetId,periodName,initialBalance,resetStreakStatus", ...rows, ""]
writeFileSync(new URL("spring-campaign.csv", import.meta.url), csv.join("\r\n"))

const months = Array.from({ length: 10 }, (_, index) => ({
  refCode: `Cycle_${index + 1}`,
  start: `2026-${String(index + 1).padStart(2, "0")}-01`,
  end: `2026-${String(index + 2).padStart(2, "0")}-01`
}))
const range = (from, count) => ({ from: first + from, count })
const world = {
  description: "The world of spring-campaign.csv: run it with milepost bulk enroll --sandbox --world.",
  clock: "2026-03-20T09:00:00Z",
  cycles: "onwards",
  orgs: [{ id: 100 }],
  credentials: [{ type: "basic", username: "store.server", password: "server123", orgId: 100 }],
  targetGroups: [
    {
      id: 2154,
      orgId: 100,
      name: "Spring campaign",
      trackingType: "DEFAULT",
      targets: [{ id: 2309, name: "Spend 1000", targetValue: 1000 }],
      periods: months
    },
    {
      id: 2155,
      orgId: 100,
      name: "Last year's campaign",
      trackingType: "DEFAULT",
      active: false,
      targets: [{ id: 2310, name: "Spend 500", targetValue: 500 }],
      periods: months
    },
    {
      id: 40,
      orgId: 100,
      name: "Four weekends",
      trackingType: "STREAKS",
      targets: [{ id: 41, name: "A visit every weekend" }],
      periods: months.slice(2, 6),
      streakLevels: [1, 2, 3, 4].map((count) => ({ name: `Weekend ${count}`, count }))
    }
  ],
  customers: [{ orgId: 100, ...range(0, 5000) }],
  enrollments: [
    { customers: range(3000, 900), ...milestone, periodName: "Cycle_3", achieved: 250, unenrolled: true },
    { customers: range(3900, 60), ...milestone, periodName: "Cycle_3", achieved: 40 },
    { customers: range(4400, 100), ...streak, level: 2, unenrolled: true }
  ]
}
writeFileSync(new URL("spring-campaign.world.json", import.meta.url), `${JSON.stringify(world, null, 2)}\n`)

// An upstream as it is on a Friday: a pause for everybody, a few bad moments, answers that get lost.
const faults = [
  { effect: { kind: "latency", millis: 25 } },
  { operation: "enroll", nth: 1200, effect: { kind: "rateLimited", retryAfterSeconds: 1 } },
  { operation: "enroll", probability: 0.002, effect: { kind: "reset", when: "after" } },
  { operation: "enroll", probability: 0.002, effect: { kind: "status", status: 503 } },
  { operation: "enroll", probability: 0.001, effect: { kind: "status", status: 500, executed: true } }
]
writeFileSync(new URL("spring-campaign.faults.json", import.meta.url), `${JSON.stringify(faults, null, 2)}\n`)
