import { expect, it } from "vitest"
import type * as Client from "./Client.js"
import * as ColdStart from "./ColdStart.js"
import * as Contenders from "./Contenders.js"
import * as EnrollSpeed from "./EnrollSpeed.js"
import * as Memory from "./Memory.js"
import * as Report from "./Report.js"
import * as Results from "./Results.js"

const turn = (calls: number, cpuSeconds: number): Client.Turn => ({ calls, seconds: 2, cpuSeconds, upstreamBusy: 0.5 })

const speeds: Readonly<Record<Contenders.Name, number>> = {
  "milepost-outcome": 20_000,
  "milepost-run": 22_000,
  "undici-dispatch": 50_000,
  "undici-pool": 40_000,
  "fetch": 4_000,
  "axios": 5_000,
  "got": 6_000,
  "effect-fetch": 2_000,
  "effect-undici": 8_000
}

const enrollRows = (milepost = speeds["milepost-outcome"]): ReadonlyArray<Results.EnrollRow> =>
  EnrollSpeed.rowsOf(
    new Map(Contenders.names.map((name) => {
      const calls = name === "milepost-outcome" ? milepost : speeds[name]
      return [name, [turn(calls, 1), turn(calls / 2, 1), turn(calls, 1)]]
    }))
  )

const machine: Results.Machine = { processors: 2, node: "v20.0.0", platform: "linux x64" }

it("enroll: speeds, CPU and ratios come out of the turns", () => {
  const [milepost] = enrollRows()
  expect(milepost).toMatchObject({
    name: "milepost-outcome",
    callsPerSecond: { median: 10_000, min: 5_000, max: 10_000 },
    cpuMicrosPerCall: { median: 50 },
    speedToPool: { median: 0.5 },
    speedToFetch: { median: 5 },
    cpuToPool: { median: 2 }
  })
})

it("enroll: the promises hold at half the pool and four times fetch, and not below", () => {
  const kept = (rows: ReadonlyArray<Results.EnrollRow>) => EnrollSpeed.thresholdsOf(rows).map((threshold) => threshold.kept)
  expect(kept(enrollRows())).toEqual([true, true])
  expect(kept(enrollRows(19_000))).toEqual([false, true])
  expect(kept(enrollRows(15_000))).toEqual([false, false])
})

it("enroll: the table has a line for each contender, with its ratios", () => {
  const section: Results.EnrollSection = {
    measuredAt: "2025-01-01T00:00:00.000Z",
    machine,
    inFlight: 64,
    rounds: 3,
    turnsPerRound: 5,
    millisPerTurn: 500,
    rows: enrollRows(),
    thresholds: []
  }
  const lines = Report.enroll(section).split("\n")
  expect(lines).toHaveLength(4 + Contenders.names.length)
  expect(lines.find((line) => line.startsWith("Milepost Enroll.outcome"))?.split(/\s{2,}/)).toEqual([
    "Milepost Enroll.outcome", "10,000", "5,000–10,000", "0.50", "5.00", "50", "2.00", "50 %"
  ])
})

it("start: version and help are held against a bare node", () => {
  const rows = ColdStart.rowsOf(
    new Map([["node", [20, 40]], ["version", [24, 48]], ["help", [80, 160]], ["errors", [60, 60]], ["enroll", [60, 60]]])
  )
  expect(rows.map(({ toNode }) => toNode.median)).toEqual([1, 1.2, 4, 2.25, 2.25])
  expect(ColdStart.thresholdsOf(rows).map(({ kept }) => kept)).toEqual([true, false])
  expect(Report.start({ measuredAt: "", machine, rounds: 2, rows, thresholds: [] })).toMatch(/milepost --help\s+120\.0\s+80–160\s+4\.00/)
})

it("memory: a million rows must stay below the limit and near the smaller file", () => {
  const row = (rows: number, peakMegabytes: number): Results.MemoryRow => ({
    rows,
    seconds: rows / 8000,
    rowsPerSecond: 8000,
    speedToEnroll: 0.5,
    peakMegabytes,
    residentMegabytes: 150,
    peakToSmallest: 1
  })
  const kept = (million: number) => Memory.thresholdsOf([row(100_000, 180), row(1_000_000, million)]).map((one) => one.kept)
  expect(kept(190)).toEqual([true, true])
  expect(kept(240)).toEqual([true, false])
  expect(kept(260)).toEqual([false, false])
  expect(Memory.thresholdsOf([row(10_000, 900)])).toEqual([])
  expect(Report.memory({ measuredAt: "", machine, rows: [row(1_000_000, 190)], thresholds: [] })).toMatch(/1,000,000\s+125\.0\s+8,000/)
})

it("a promise is one line that says what was measured and what was promised", () => {
  expect(Report.promises([Results.atLeast("speed", 4, 5.234), Results.atMost("time", 1.3, 1.36)])).toBe(
    "PASS  speed: 5.23, promised at least 4\nMISS  time: 1.36, promised at most 1.3"
  )
})

it("the kept document is rounded, so that it does not change in digits that are noise", () => {
  const start: Results.StartSection = {
    measuredAt: "2025-01-01T00:00:00.000Z",
    machine,
    rounds: 31,
    rows: [],
    thresholds: [Results.atMost("time", 1.3, 1.234567)]
  }
  expect(JSON.parse(Results.toJson({ start }))).toMatchObject({ start: { rounds: 31, thresholds: [{ measured: 1.235, kept: true }] } })
})
