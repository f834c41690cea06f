import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import * as Capacity from "./Capacity.js"
import * as Simulated from "./capacity/Simulated.js"
import * as VirtualTime from "./capacity/VirtualTime.js"
import * as Report from "./Report.js"
import type * as Results from "./Results.js"

const share = (told: Results.UsedShare["told"], used: number, laterShare = used): Results.UsedShare => ({
  told, records: 10_000, virtualSeconds: 1_000, calls: 10_010, refused: 10, longestPauseSeconds: 30, share: used, laterShare, statementsPerRecord: 3
})

const from: Results.CapacitySection["from"] = { recordsPerSecond: 4_000, bytesPerRecord: 400, statementsPerRecord: 0.05, idlePerReplicaSecond: 3 }

const limits: ReadonlyArray<Results.CapacityLimit> = [
  { perMinute: 600, simulated: [share("limit", 1, 0.8), share("nothing", 0.6), share("twice", 0.4)] },
  { perMinute: 240_000, simulated: [share("limit", 1.02)] },
  { perMinute: null, simulated: [] }
]

describe("Capacity", () => {
  it("takes the lower figure of what was used of a limit, and never more than all of it", () => {
    const rows = Capacity.rowsOf(limits, from)
    expect(rows.map(({ hours }) => hours)[0]).toBeCloseTo(1_000_000 / (600 * 0.8) / 60)
    expect(rows[0]?.hoursToldTwice).toBeCloseTo(1_000_000 / (600 * 0.4) / 60)
    expect(rows.find(({ perMinute }) => perMinute === 240_000)?.hours).toBeCloseTo(1_000_000 / 240_000 / 60)
    expect(rows).toHaveLength(9)
  })

  it("scales what was measured, and plans two replicas or as many as a limit takes", () => {
    const rows = Capacity.rowsOf(limits, from)
    // Ten calls a second at three statements, a block of turns for two replicas, and both of them idle.
    expect(rows[0]).toMatchObject({ databaseGigabytes: 0.4, replicas: 2, statementsPerSecond: 10 * 3 + 2 * 5 + 6 })
    expect(rows.find(({ perMinute }) => perMinute === 240_000)?.replicas).toBe(3)
    expect(rows.at(-1)).toMatchObject({ perMinute: null, records: 100_000_000, hoursToldTwice: null, databaseGigabytes: 40, statementsPerSecond: 200, replicas: 2 })
    expect(rows.at(-1)?.hours).toBeCloseTo(100_000_000 / 4_000 / 3600)
  })

  it("says what has not been measured", () => {
    const nothing = Capacity.measuredBy(undefined)
    expect(Capacity.rowsOf(limits, nothing).at(-1)).toMatchObject({ hours: null, databaseGigabytes: null, statementsPerSecond: null })
    const drawn = Report.capacity({
      measuredAt: "", machine: { processors: 2, node: "v22.0.0", platform: "linux x64" }, limits, rows: Capacity.rowsOf(limits, nothing), from: nothing, thresholds: []
    })
    expect(drawn).toMatch(/600\/min +1,000,000 +34\.7 h +2\.9 days +not measured/)
    expect(drawn).toMatch(/none +1,000,000 +not measured/)
    expect(drawn).toMatch(/600\/min +twice +10,000 +0\.28 +10 +30\.0 +40 % +40 %/)
  })

  it("lasts some minutes, so that a limit by the minute shows", () => {
    expect(Capacity.sampleOf(60, 10_000)).toBe(10_000)
    expect(Capacity.sampleOf(60_000, 10_000)).toBe(180_000)
  })
})

describe("Simulated", () => {
  it("a share is of the calls that the limit lets through between the first and the last", () => {
    const everySecond = Array.from({ length: 61 }, (_, at) => at * 1_000)
    expect(Simulated.shareOf({ accepted: everySecond, refused: 4 }, 60)).toMatchObject({
      records: 61, calls: 65, refused: 4, virtualSeconds: 60, share: 1, laterShare: 1, longestPauseSeconds: 1
    })
    const slowAtFirst = [0, 60_000, ...Array.from({ length: 18 }, (_, at) => 61_000 + at * 1_000)]
    const { longestPauseSeconds, laterShare, share } = Simulated.shareOf({ accepted: slowAtFirst, refused: 0 }, 60)
    expect(share).toBeLessThan(0.3)
    expect(laterShare).toBe(1)
    expect(longestPauseSeconds).toBe(60)
  })

  it("a run that is told its limit is not refused, and one that is told twice as much is", async () => {
    const right = await Simulated.simulate(60, "limit", 100)
    expect(right.records).toBe(100)
    expect(right.share).toBeGreaterThan(0.9)
    expect(right.refused).toBeLessThanOrEqual(1)
    const wrong = await Simulated.simulate(60, "twice", 130)
    expect(wrong.refused).toBeGreaterThan(0)
    expect(wrong.longestPauseSeconds).toBeGreaterThan(2)
  }, 60_000)
})

describe("VirtualTime", () => {
  it("passes at once, in the order of what is waited for", () => {
    const time = VirtualTime.make(1_000)
    const woken: Array<string> = []
    const sleeper = (name: string, millis: number) => Effect.zipRight(Effect.sleep(millis), Effect.sync(() => woken.push(`${name} ${time.nowMillis()}`)))
    const exit = time.run(Effect.zipRight(
      Effect.all([sleeper("day", 86_400_000), sleeper("second", 1_000), Effect.timeoutOption(sleeper("never", 2_000), 500)], { concurrency: "unbounded" }),
      Effect.succeed("done")
    ))
    expect(exit).toEqual(Exit.succeed("done"))
    expect(woken).toEqual(["second 2000", "day 86401000"])
  })

  it("does not wait for what is not of its time", () => {
    expect(() => VirtualTime.make(0).run(Effect.never)).toThrow("nothing is left to wait for")
  })
})
