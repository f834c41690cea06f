import { expect, it } from "vitest"
import * as ReplicasSpeed from "./ReplicasSpeed.js"
import * as Database from "./replicas/Database.js"
import * as Group from "./replicas/Group.js"
import * as Limit from "./replicas/Limit.js"
import * as OwnerCalls from "./replicas/OwnerCalls.js"
import * as PairSpeed from "./replicas/PairSpeed.js"
import * as Size from "./replicas/Size.js"
import * as Statements from "./replicas/Statements.js"
import * as Report from "./Report.js"
import * as Results from "./Results.js"

const machine: Results.Machine = { processors: 2, node: "v22.0.0", platform: "linux x64" }

const keptOf = (thresholds: ReadonlyArray<Results.Threshold>): ReadonlyArray<boolean> => thresholds.map(({ kept }) => kept)

/** Rounds of everybody, the second one slow; the replicas send so many records a second. */
const pairRows = (ours: number): ReadonlyArray<Results.PairRow> => {
  const speeds: Readonly<Record<PairSpeed.Name, number>> = { milepost: ours, "plain-100": 8_000, "plain-500": 10_000, "plain-2000": 9_000 }
  return PairSpeed.rowsOf(new Map(PairSpeed.names.map((name) => [
    name,
    [1, 2, 1].map((slow) => ({
      records: 20_000,
      seconds: 20_000 * slow / speeds[name],
      pairSeconds: [1, 0.6] as const,
      postgresSeconds: 0.4,
      upstreamSeconds: 0.5
    }))
  ])))
}

it("two replicas are held against the quickest plain pair, within a round", () => {
  const rows = pairRows(6_000)
  expect(rows[0]).toMatchObject({
    name: "milepost",
    recordsPerSecond: { median: 6_000, min: 3_000 },
    speedToPlain: { median: 0.6, max: 0.6 },
    pairMicrosPerRecord: { median: 80 },
    postgresMicrosPerRecord: { median: 20 }
  })
  expect(rows.find(({ name }) => name === "plain-500")?.speedToPlain.median).toBe(1)
  expect(keptOf(PairSpeed.thresholdsOf(rows))).toEqual([true])
  expect(keptOf(PairSpeed.thresholdsOf(pairRows(5_900)))).toEqual([false])
})

const statements: Results.StatementsPart = {
  measuredAt: "", replicas: 2, records: 20_000, seconds: 4, idlePerReplicaSecond: 3, uploadPerRecord: 0.005, sendingPerRecord: 0.06,
  mostFrequent: [{ statement: "UPDATE runs", calls: 400, millis: 80 }]
}

it("statements are promised of the sending alone, and shown on one line", () => {
  expect(keptOf(Statements.thresholdsOf(statements))).toEqual([true])
  expect(keptOf(Statements.thresholdsOf({ ...statements, sendingPerRecord: 0.061 }))).toEqual([false])
  expect(Statements.shortened("SELECT 1\n  FROM t ")).toBe("SELECT 1 FROM t")
  expect(Statements.shortened("x".repeat(101))).toHaveLength(100)
})

it("statements are counted by what came on top, the most frequent first", () => {
  const before = [{ statement: "a", calls: 5, millis: 10 }, { statement: "b", calls: 1, millis: 1 }]
  const now = [{ statement: "a", calls: 6, millis: 12 }, { statement: "b", calls: 1, millis: 1 }, { statement: "c", calls: 3, millis: 4 }]
  expect(Database.since(now, before)).toEqual([{ statement: "c", calls: 3, millis: 4 }, { statement: "a", calls: 1, millis: 2 }])
  expect(Database.total(now)).toBe(10)
})

const size: Results.SizePart = {
  measuredAt: "", records: 1_000_000, uploadSeconds: 50, storedPerSecond: 20_000, sentPerSecond: 5_000, emptyMegabytes: 9, storedMegabytes: 350,
  finishedMegabytes: 400, vacuumedMegabytes: 400, autovacuums: 3, relations: [{ name: "records", megabytes: 300 }], uploadPeakMegabytes: 250,
  firstPeakMegabytes: 280, otherPeakMegabytes: 200
}

it("a million records are promised to fit, stored and sent; of fewer nothing is promised", () => {
  expect(keptOf(Size.thresholdsOf(size))).toEqual([true, true])
  expect(keptOf(Size.thresholdsOf({ ...size, finishedMegabytes: 401 }))).toEqual([true, false])
  expect(Size.thresholdsOf({ ...size, records: 10_000 })).toEqual([])
})

it("the worst minute begins anywhere, and ends before the same moment of the next one", () => {
  expect(Limit.mostWithin([], 60)).toBe(0)
  expect(Limit.mostWithin([0, 60, 120], 60)).toBe(1)
  expect(Limit.mostWithin([0, 50, 59, 61, 62, 130], 60)).toBe(4)
})

it("whole minutes are counted from the first call on, and the last one only if it is whole", () => {
  expect(Limit.stretches([10, 20, 69, 70, 100, 131], 60)).toEqual([3, 2])
  expect(Limit.stretches([], 60)).toEqual([])
})

it("what the upstream saw becomes the worst, the least and the mean minute", () => {
  const arrivals = Array.from({ length: 1_901 }, (_, call) => call * 100)
  expect(Limit.partOf(arrivals, 3)).toMatchObject({ calls: 1_901, worstMinute: 600, leastAMinute: 600, meanAMinute: 600 })
  expect(() => Limit.partOf(arrivals.slice(0, 10), 3)).toThrow("10 calls arrived")
})

it("the calls of a replica are read from its metrics", () => {
  expect(Limit.madeIn(
    "# TYPE milepost_proxy_upstream_calls_total counter\n" +
      'milepost_proxy_upstream_calls_total{org="a",outcome="200"} 40\nmilepost_proxy_upstream_calls_total{org="a",outcome="429"} 2\nmilepost_proxy_jobs{state="running"} 1\n'
  )).toBe(42)
})

const limit: Results.LimitPart = {
  measuredAt: "", replicas: 3, perMinute: 600, minutes: 3, calls: 1_790, worstMinute: 600, leastAMinute: 570, meanAMinute: 590.5,
  statementsPerSecond: 31, callsOfEach: [600, 590, 600]
}

it("a limit is promised to be kept in every minute, and used in every whole one", () => {
  expect(keptOf(Limit.thresholdsOf(limit))).toEqual([true, true])
  expect(keptOf(Limit.thresholdsOf({ ...limit, worstMinute: 601, leastAMinute: 569 }))).toEqual([false, false])
})

const ownerRows = OwnerCalls.rowsOf(new Map(OwnerCalls.names.map((name) => [
  name,
  [1, 2, 1].map((slow) => ({
    calls: (name === "routed" || name === "lock" ? 1_000 : 4_000) / slow,
    seconds: 1,
    cpuSeconds: 0.2,
    p50Millis: name === "routed" ? 12 : 8,
    p99Millis: 20,
    askedSeconds: 0.5,
    ownerSeconds: 0.25,
    postgresSeconds: 0.1,
    upstreamSeconds: 0.3,
    statements: name === "lock" ? 2_000 / slow : 0
  }))
])))

it("routing is held against the owner asked, and the lock against the same proxy without it", () => {
  const of = (name: OwnerCalls.Name) => ownerRows.find((row) => row.name === name)
  expect(of("owner")).toMatchObject({ speedToBeside: { median: 1 }, askedMicrosPerCall: { median: 125 } })
  expect(of("routed")).toMatchObject({ speedToBeside: { median: 0.25 }, p50ToBeside: { median: 1.5 }, statementsPerCall: { median: 0 } })
  expect(of("lock")).toMatchObject({ speedToBeside: { median: 0.25 }, statementsPerCall: { median: 2 } })
})

it("replicas share the lanes once each has some, and nobody lacks one", () => {
  const owners = (...counts: ReadonlyArray<number>) => counts.flatMap((count, owner) => Array.from({ length: count }, () => `replica ${owner}`))
  expect(Group.isShared(owners(30, 34), 2)).toBe(true)
  expect(Group.isShared(owners(64), 2)).toBe(false)
  expect(Group.isShared(owners(30, 33), 2)).toBe(false)
  expect(Group.isShared(owners(60, 4), 2)).toBe(false)
})

const section: Results.ReplicasSection = {
  measuredAt: "",
  machine,
  pair: { measuredAt: "", records: 20_000, rounds: 3, inFlightEach: 32, rows: pairRows(6_000) },
  statements,
  size,
  limit,
  owner: { measuredAt: "", inFlight: 64, rounds: 3, turnsPerRound: 5, millisPerTurn: 500, rows: ownerRows },
  thresholds: []
}

it("there is a table for each part that was run, and promises of it", () => {
  const drawn = Report.replicas(section)
  expect(drawn).toMatch(/two replicas of milepost-proxy +6,000 +3,000–6,000 +0\.60/)
  expect(drawn).toMatch(/sending, a record +0\.0600/)
  expect(drawn).toMatch(/UPDATE runs +400 +80/)
  expect(drawn).toMatch(/20,000 +5,000 +350\.0 +400\.0 +400\.0 +300\.0/)
  expect(drawn).toMatch(/1,790 +600 +570 +590\.5 +31\.0 +600 \+ 590 \+ 600/)
  expect(drawn).toMatch(/routed to the owner +1,000 +0\.25/)
  expect(ReplicasSpeed.thresholdsOf(section)).toHaveLength(6)
  const { limit: _, size: __, ...without } = section
  expect(Report.replicas(without)).not.toMatch(/minutes of real time|write-ahead/)
  expect(ReplicasSpeed.thresholdsOf(without)).toHaveLength(2)
})

it("a part that is not run keeps what it measured before", () => {
  expect(Results.part(section, "limit")).toEqual({ limit })
  const { limit: _, ...without } = section
  const other: Results.ReplicasSection = without
  expect(Results.part(other, "limit")).toEqual({})
  expect(Results.part(undefined as Results.ReplicasSection | undefined, "limit")).toEqual({})
})
