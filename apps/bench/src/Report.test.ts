import { expect, it } from "vitest"
import * as BulkSpeed from "./BulkSpeed.js"
import type * as Client from "./Client.js"
import * as ColdStart from "./ColdStart.js"
import * as Contenders from "./Contenders.js"
import * as EnrollSpeed from "./EnrollSpeed.js"
import * as Memory from "./Memory.js"
import * as BatchSpeed from "./proxy/BatchSpeed.js"
import * as DropInSpeed from "./proxy/DropInSpeed.js"
import * as Overload from "./proxy/Overload.js"
import * as Proxies from "./proxy/Proxies.js"
import * as UploadMemory from "./proxy/UploadMemory.js"
import * as Report from "./Report.js"
import * as Results from "./Results.js"
import * as ResultsFile from "./ResultsFile.js"
import * as CrowdMemory from "./simulator/CrowdMemory.js"
import * as InMemory from "./simulator/InMemory.js"
import * as ServerSpeed from "./simulator/ServerSpeed.js"
import * as SimulatedRuns from "./simulator/SimulatedRuns.js"
import * as TransportSpeed from "./simulator/TransportSpeed.js"

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

const bulkTurn = (records: number, seconds: number): BulkSpeed.Turn => ({
  records,
  seconds,
  cpuSeconds: seconds / 2,
  peakMegabytes: 100,
  upstreamBusy: 0.5
})

/** Rounds of which the second has a machine that is half as fast. */
const bulkRows = (milepost: number): ReadonlyArray<Results.BulkRow> => {
  const turns = (seconds: number) => [1, 2, 1].map((slow) => bulkTurn(20_000, seconds * slow))
  return BulkSpeed.rowsOf(
    new Map([["milepost", turns(milepost)], ["calls", turns(2)], ["undici", turns(1)], ["fetch", turns(4)]])
  )
}

const bulkLoads = (atOnce: number, waiting: number): ReadonlyArray<Results.BulkLoad> => [
  { waitMillis: 0, records: 20_000, rows: bulkRows(atOnce) },
  { waitMillis: 5, records: 20_000, rows: bulkRows(waiting) }
]

it("bulk: speeds, CPU and ratios come out of the rounds", () => {
  expect(bulkRows(2.5)[0]).toMatchObject({
    name: "milepost",
    recordsPerSecond: { median: 8_000, min: 4_000, max: 8_000 },
    cpuMicrosPerRecord: { median: 62.5 },
    peakMegabytes: { median: 100 },
    speedToCalls: { median: 0.8, min: 0.8, max: 0.8 },
    speedToUndici: { median: 0.4 },
    speedToFetch: { median: 1.6 }
  })
})

it("bulk: half of the calls alone and no less than fetch without a wait, nine tenths of the calls alone with one", () => {
  const kept = (atOnce: number, waiting: number) =>
    BulkSpeed.thresholdsOf(bulkLoads(atOnce, waiting)).map((threshold) => threshold.kept)
  expect(kept(4, 2.2)).toEqual([true, true, true])
  expect(kept(4.1, 2.3)).toEqual([false, false, false])
  expect(BulkSpeed.thresholdsOf([{ waitMillis: 20, records: 1, rows: bulkRows(9) }])).toEqual([])
})

it("bulk: a table for each upstream, with a line for each contender", () => {
  const section: Results.BulkSection = {
    measuredAt: "2025-01-01T00:00:00.000Z",
    machine,
    inFlight: 64,
    rounds: 3,
    loads: bulkLoads(2.5, 2),
    thresholds: []
  }
  const tables = Report.bulk(section).split("\n\nBulk runs")
  expect(tables).toHaveLength(2)
  expect(tables[1]).toMatch(/^ of 20,000 records, upstream answers after 5 ms\n/)
  const lines = (tables[0] ?? "").split("\n")
  expect(lines).toHaveLength(4 + BulkSpeed.names.length)
  expect(lines.find((line) => line.startsWith("milepost bulk enroll"))?.split(/\s{2,}/)).toEqual([
    "milepost bulk enroll", "8,000", "4,000–8,000", "0.80", "0.40", "1.60", "63", "100", "50 %"
  ])
})

const memoryRow = (rows: number, over: Partial<Results.MemoryRow> = {}): Results.MemoryRow => ({
  rows,
  seconds: rows / 8000,
  rowsPerSecond: 8000,
  speedToEnroll: 0.5,
  peakMegabytes: 190,
  residentMegabytes: 150,
  peakToSmallest: 1,
  ledgerBytesPerRecord: 250,
  resumeSeconds: rows >= 1_000_000 ? 2 : null,
  ...over
})

it("memory: a large file must stay below the limits and near the smaller one", () => {
  const kept = (over: Partial<Results.MemoryRow>) =>
    Memory.thresholdsOf([memoryRow(100_000), memoryRow(1_000_000, over)]).map((one) => one.kept)
  expect(kept({})).toEqual([true, true, true, true])
  expect(kept({ peakMegabytes: 240 })).toEqual([true, false, true, true])
  expect(kept({ peakMegabytes: 310 })).toEqual([false, false, true, true])
  expect(kept({ ledgerBytesPerRecord: 401 })).toEqual([true, true, false, true])
  expect(kept({ resumeSeconds: 3.1 })).toEqual([true, true, true, false])
  expect(Memory.thresholdsOf([memoryRow(10_000, { peakMegabytes: 900 })])).toEqual([])
})

it("memory: how soon a run goes on is promised of a million rows and only told of more", () => {
  expect(Memory.thresholdsOf([memoryRow(5_000_000, { resumeSeconds: 9 })]).map(({ kept }) => kept)).toEqual([true, true])
})

it("memory: the table tells rows a second, megabytes, bytes of the ledger and seconds until a resumed run sends", () => {
  const drawn = Report.memory({ measuredAt: "", machine, rows: [memoryRow(10_000), memoryRow(1_000_000)], thresholds: [] })
  expect(drawn).toMatch(/1,000,000\s+125\.0\s+8,000\s+0\.50\s+190\s+1\.00\s+150\s+250\s+2\.0$/m)
  expect(drawn).toMatch(/10,000.*\s+250$/m)
})

/** A turn of two seconds in which the client computed for one and a half. */
const serverTurn = (calls: number, upstreamBusy: number): Client.Turn => ({ calls, seconds: 2, cpuSeconds: 1.5, upstreamBusy })

/** The plain server waits for its load for half of the time, the simulator for none of it; the second turn is a slow one. */
const serverRows = (calls: number, busy = 1): ReadonlyArray<Results.ServerRow> =>
  ServerSpeed.rowsOf(
    new Map([
      ["plain", [1, 2, 1].map((slow) => serverTurn(80_000 / slow, 0.5))],
      ["simulator", [1, 2, 1].map((slow) => serverTurn(calls / slow, busy))]
    ])
  )

it("simulator: a server's speed is held against the plain one's by time and by CPU, within a turn", () => {
  expect(serverRows(40_000)[1]).toMatchObject({
    name: "simulator",
    callsPerSecond: { median: 20_000, min: 10_000, max: 20_000 },
    callsPerCoreSecond: { median: 20_000 },
    serverMicrosPerCall: { median: 50 },
    serverBusy: { median: 1 },
    clientBusy: { median: 0.75 },
    speedToPlain: { median: 0.5, min: 0.5, max: 0.5 },
    speedToPlainByCpu: { median: 0.25, min: 0.25, max: 0.25 }
  })
})

it("simulator: threads beside the first one do not make a core faster, and waiting does not either", () => {
  expect(serverRows(40_000, 1.25)[1]?.callsPerCoreSecond.median).toBe(16_000)
  expect(serverRows(40_000, 0.5)[1]?.callsPerCoreSecond.median).toBe(20_000)
})

it("simulator: the server keeps its promises at four tenths of the plain one and five thousand a second, and not below", () => {
  const kept = (calls: number, busy?: number) => ServerSpeed.thresholdsOf(serverRows(calls, busy)).map((one) => one.kept)
  expect(kept(64_000)).toEqual([true, true, true])
  expect(kept(63_000)).toEqual([true, false, true])
  expect(kept(31_000)).toEqual([false, false, true])
  expect(kept(32_000, 0.5)).toEqual([true, true, true])
  expect(kept(9_900)).toEqual([false, false, false])
})

const inMemoryRows = (calls: number): ReadonlyArray<Results.InMemoryRow> =>
  TransportSpeed.rowsOf(
    new Map(InMemory.names.map((name) => {
      const made = { transport: calls, outcome: calls / 2, constant: 800_000 }[name]
      return [name, [1, 2, 1].map((slow) => ({ calls: made / slow, seconds: 2, cpuSeconds: 2 }))]
    }))
  )

it("simulator: in memory a hundred thousand enrolments a second are promised of the transport port", () => {
  expect(inMemoryRows(200_000)[0]).toMatchObject({
    name: "transport",
    callsPerSecond: { median: 100_000, min: 50_000, max: 100_000 },
    cpuMicrosPerCall: { median: 10 },
    speedToConstant: { median: 0.25, min: 0.25, max: 0.25 }
  })
  expect(TransportSpeed.thresholdsOf(inMemoryRows(200_000)).map(({ kept }) => kept)).toEqual([true])
  expect(TransportSpeed.thresholdsOf(inMemoryRows(199_000)).map(({ kept }) => kept)).toEqual([false])
})

const crowdRan = (exitCode: number, told: object, peakMegabytes = 600) => ({
  exitCode, stdout: JSON.stringify(told), stderr: "", seconds: 12, cpuSeconds: 12, peakMegabytes, residentMegabytes: 400
})

const crowdRow = (customers: number, peakMegabytes?: number): Results.CrowdRow =>
  CrowdMemory.rowOf(crowdRan(0, { enrolled: customers, sampled: 1000, seconds: 10 }, peakMegabytes), customers)

it("simulator: a million customers stay below a gigabyte; of fewer nothing is promised", () => {
  const kept = (rows: ReadonlyArray<Results.CrowdRow>) => CrowdMemory.thresholdsOf(rows).map((one) => one.kept)
  expect(kept([crowdRow(100_000), crowdRow(1_000_000)])).toEqual([true])
  expect(kept([crowdRow(1_000_000, 1001)])).toEqual([false])
  expect(kept([crowdRow(999_999, 2000)])).toEqual([])
})

it("simulator: a crowd that was not enrolled, not looked at or did not end well ends the benchmark", () => {
  const told = { enrolled: 1000, sampled: 2, seconds: 1 }
  expect(CrowdMemory.rowOf(crowdRan(0, told), 1000)).toMatchObject({ customers: 1000, callsPerSecond: 1000, sampled: 2 })
  expect(() => CrowdMemory.rowOf(crowdRan(0, told), 1001)).toThrow(/enrolled 1000 of 1001/)
  expect(() => CrowdMemory.rowOf(crowdRan(0, { ...told, sampled: 0 }), 1000)).toThrow(/looked at 0/)
  expect(() => CrowdMemory.rowOf(crowdRan(1, told), 1000)).toThrow(/exited 1/)
  expect(() => CrowdMemory.rowOf({ ...crowdRan(0, told), stdout: "" }, 1000)).toThrow(/undefined of 1000/)
})

const toldRuns = (failed: ReadonlyArray<{ seed: number; invariant: string; message: string }> = [], calls = 900) =>
  ({ runs: 2, records: 1000, calls, virtualSeconds: 7200, failed })

it("simulator: runs that did not hold, or made no calls, end the benchmark", () => {
  expect(SimulatedRuns.runsOf(toldRuns(), 2)).toMatchObject({ calls: 900 })
  expect(() => SimulatedRuns.runsOf(toldRuns([{ seed: 2, invariant: "agrees", message: "no" }]), 2)).toThrow("seed 2 fails, agrees: no")
  expect(() => SimulatedRuns.runsOf(toldRuns([], 20), 2)).toThrow("made 20 calls for 1000 records")
  expect(() => SimulatedRuns.runsOf(toldRuns(), 3)).toThrow("3 runs were asked for")
})

const simulated: Results.SimulatedRuns = {
  runs: 500, records: 500, seconds: 50, calls: 200_000, virtualHours: 20, found: [{ plant: "two-lanes", seed: 4 }]
}

it("simulator: a thousand runs are promised within two minutes, and every bug within a thousand seeds", () => {
  const kept = (row: Results.SimulatedRuns) => SimulatedRuns.thresholdsOf(row).map((one) => one.kept)
  expect(kept(simulated)).toEqual([true, true])
  expect(kept({ ...simulated, seconds: 61 })).toEqual([false, true])
  expect(kept({ ...simulated, found: [{ plant: "two-lanes", seed: Number.POSITIVE_INFINITY }] })).toEqual([true, false])
})

it("simulator: a table for each part", () => {
  const drawn = Report.simulator({
    measuredAt: "",
    machine,
    inFlight: 64,
    rounds: 3,
    turnsPerRound: 5,
    millisPerTurn: 300,
    server: serverRows(40_000),
    inMemory: inMemoryRows(200_000),
    crowd: [crowdRow(1_000_000)],
    simulated,
    thresholds: []
  })
  expect(drawn.match(/^The simulator/gm)).toHaveLength(3)
  const cells = (title: string) => drawn.split("\n").find((line) => line.startsWith(title))?.split(/\s{2,}/)
  expect(cells("milepost-harness")).toEqual([
    "milepost-harness serve", "20,000", "10,000–20,000", "0.50", "50", "0.25", "100 %", "75 %"
  ])
  expect(cells("SimulatorTransport, send")).toEqual(["SimulatorTransport, send", "100,000", "50,000–100,000", "0.25", "10.0"])
  expect(cells("500")).toEqual(["500", "500", "50.0", "200,000", "20.0", "seed 4"])
  expect(cells("1,000,000")).toEqual(["1,000,000", "10.0", "100,000", "600", "400", "1,000"])
})

it("a promise is one line that says what was measured and what was promised", () => {
  expect(Report.promises([Results.atLeast("speed", 4, 5.234), Results.atMost("time", 1.3, 1.36)])).toBe(
    "PASS  speed: 5.23, promised at least 4\nMISS  time: 1.36, promised at most 1.3"
  )
  expect(Report.promises([Results.atLeast("calls/s", 100_000, 98_765.4)])).toBe("MISS  calls/s: 98,765, promised at least 100,000")
})

it("the kept document is rounded, so that it does not change in digits that are noise", () => {
  const start: Results.StartSection = {
    measuredAt: "2025-01-01T00:00:00.000Z",
    machine,
    rounds: 31,
    rows: [],
    thresholds: [Results.atMost("time", 1.3, 1.234567)]
  }
  expect(JSON.parse(ResultsFile.toJson({ start }))).toMatchObject({ start: { rounds: 31, thresholds: [{ measured: 1.235, kept: true }] } })
})

/** Turns of everybody, the second one slow; the service makes so many calls in a second, and has so long a tail. */
const dropInRows = (calls: number, p99Millis: number): ReadonlyArray<Results.DropInRow> => {
  const speeds: Readonly<Record<Proxies.Name, number>> =
    { milepost: calls, raw: 10_000, dispatch: 12_000, route: 7_000, "http-proxy": 4_000, nginx: 20_000 }
  return DropInSpeed.rowsOf(
    new Map(Proxies.names.map((name) => [
      name,
      [1, 2, 1].map((slow) => ({
        calls: speeds[name] / slow,
        seconds: 1,
        cpuSeconds: 0.3,
        p50Millis: 5 * slow,
        p99Millis: (name === "milepost" ? p99Millis : 10) * slow,
        proxySeconds: 0.9,
        upstreamSeconds: 0.4
      }))
    ]))
  )
}

const keptOf = (thresholds: ReadonlyArray<Results.Threshold>): ReadonlyArray<boolean> => thresholds.map(({ kept }) => kept)

it("proxy: the drop-in route is held against the others within a turn, by time and by CPU", () => {
  expect(dropInRows(6_000, 12)[0]).toMatchObject({
    name: "milepost",
    callsPerSecond: { median: 6_000, min: 3_000, max: 6_000 },
    speedToRaw: { median: 0.6, min: 0.6, max: 0.6 },
    speedToRawByCpu: { median: 0.6 },
    proxyMicrosPerCall: { median: 150 },
    p99ToRoute: { median: 1.2, min: 1.2, max: 1.2 },
    proxyBusy: { median: 0.9 }
  })
})

it("proxy: the drop-in route keeps its four promises at their limits, and none of them beyond", () => {
  expect(keptOf(DropInSpeed.thresholdsOf(dropInRows(5_600, 20)))).toEqual([true, true, true, true])
  expect(keptOf(DropInSpeed.thresholdsOf(dropInRows(5_400, 21)))).toEqual([false, false, true, false])
  expect(keptOf(DropInSpeed.thresholdsOf(dropInRows(3_900, 20)))).toEqual([false, false, false, true])
})

const batchRows = (seconds: number): ReadonlyArray<Results.BatchRow> =>
  BatchSpeed.rowsOf(new Map(BatchSpeed.names.map((name) => [
    name,
    [{ records: 7_000, seconds: name === "bulk" ? 0.7 : seconds, cpuSeconds: 0.7, upstreamBusy: 0.2 }]
  ])))

it("proxy: batches are promised seven tenths of the bulk engine", () => {
  expect(batchRows(1)[0]).toMatchObject({ recordsPerSecond: { median: 7_000 }, cpuMicrosPerRecord: { median: 100 }, speedToBulk: { median: 0.7 } })
  expect(keptOf(BatchSpeed.thresholdsOf(batchRows(0.99)))).toEqual([true])
  expect(keptOf(BatchSpeed.thresholdsOf(batchRows(1.01)))).toEqual([false])
})

const uploadRow: Results.UploadRow = {
  rows: 1_000_000, seconds: 50, rowsPerSecond: 20_000, cpuMicrosPerRow: 20, idleMegabytes: 100, storedMegabytes: 300, peakMegabytes: 350, sentPerSecond: 5_000
}

it("proxy: an upload of a million rows keeps its promises at their limits; of a smaller one nothing is promised", () => {
  expect(keptOf(UploadMemory.thresholdsOf([uploadRow]))).toEqual([true, true])
  expect(keptOf(UploadMemory.thresholdsOf([{ ...uploadRow, peakMegabytes: 351, rowsPerSecond: 19_999 }]))).toEqual([false, false])
  expect(UploadMemory.thresholdsOf([{ ...uploadRow, rows: 1_000 }])).toEqual([])
})

const overloadRow: Results.OverloadRow = {
  capacityPerSecond: 1_000, callsPerSecond: 2_000, seconds: 600, calls: 1_200_000, acceptedPerSecond: 950, refusedPerSecond: 1_050, other: 0,
  calmRefused: 0, calmP50Millis: 52, calmP99Millis: 60, acceptedP50Millis: 80, acceptedP99Millis: 120, refusedP50Millis: 1, refusedP99Millis: 100,
  afterP99Millis: 60, afterRefused: 0, beginMegabytes: 160, endMegabytes: 200, peakMegabytes: 210, proxyBusy: 0.4
}

it("proxy: an overload keeps its promises at their limits, and none of them beyond", () => {
  expect(keptOf(Overload.thresholdsOf(overloadRow))).toEqual([true, true, true, true])
  expect(keptOf(Overload.thresholdsOf({ ...overloadRow, other: 1, acceptedP99Millis: 121, refusedP99Millis: 101, endMegabytes: 201 })))
    .toEqual([false, false, false, false])
})

it("proxy: a table for each part, which says whether nginx took part", () => {
  const section: Results.ProxySection = {
    measuredAt: "", machine, inFlight: 64, rounds: 3, turnsPerRound: 5, millisPerTurn: 500, hasNginx: true, dropIn: dropInRows(6_000, 12),
    batchRecords: 60_000, batch: batchRows(1), uploads: [uploadRow], overload: overloadRow, thresholds: []
  }
  const drawn = Report.proxy(section)
  expect(drawn).toMatch(/milepost-proxy, drop-in +6,000/)
  expect(drawn).toMatch(/batches of 1,000 +7,000/)
  expect(drawn).toMatch(/1,000,000 +50\.0 +20,000/)
  expect(drawn).toMatch(/twice +950 +1,050/)
  expect(drawn).not.toMatch(/not installed/)
  expect(Report.proxy({ ...section, hasNginx: false })).toMatch(/nginx is not installed here/)
})
