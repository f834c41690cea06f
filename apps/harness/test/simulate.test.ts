/** Whole runs under seeds: that nothing is wrong with them, that what is wrong would be found, and the command around them. */
import { describe, expect, it } from "@effect/vitest"
import * as Judgement from "../src/simulation/Judgement.js"
import * as Plan from "../src/simulation/Plan.js"
import { plants } from "../src/simulation/Plant.js"
import * as Trace from "../src/simulation/Trace.js"
import { harnessBinary, patience } from "./binary.js"

const { harness } = harnessBinary()

const records = 100

/** Where the search for a bug of replicas begins: what comes before finds nothing, and takes time. */
const searchedFrom: Readonly<Record<string, number>> = { "early-takeover": 40, "unfenced-settle": 45 }

/** The plans in which a bug is looked for: smaller ones where there are several replicas, which take longer. */
const planFor = (seed: number, isOfReplicas: boolean): Plan.Plan => isOfReplicas ? Plan.make(seed, 50, undefined, 3) : Plan.make(seed, records)

describe("simulated runs", { timeout: 240_000 }, () => {
  it("100 seeds: every record has one outcome, and none contradicts the upstream", async () => {
    const kinds = { killed: 0, cancelled: 0, faults: 0, cluster: 0 }
    for (let seed = 1; seed <= 100; seed++) {
      const { events, plan, violations } = await Judgement.of(Plan.make(seed, records), null)
      expect(violations, `seed ${seed}`).toEqual([])
      kinds.killed += events.filter(({ _tag }) => _tag === "Killed").length
      kinds.cancelled += events.filter(({ _tag }) => _tag === "Cancelled").length
      kinds.faults += plan.faults.length
      kinds.cluster += plan.owner === "cluster" ? 1 : 0
    }
    // They are no walk in the park.
    for (const [kind, count] of Object.entries(kinds)) expect(count, kind).toBeGreaterThan(5)
  })

  it("20 seeds with several replicas: lanes move, replicas die, freeze and lose the database, and nothing of that shows", async () => {
    const kinds = { killed: 0, frozen: 0, cutOff: 0, outage: 0, lostAnswer: 0, Left: 0, Reclaimed: 0, ignored: 0 }
    for (let seed = 1; seed <= 20; seed++) {
      const { events, violations } = await Judgement.of(Plan.make(seed, 60, undefined, 2 + seed % 3), null)
      expect(violations, `seed ${seed}`).toEqual([])
      for (const event of events) {
        if (event._tag === "Troubled") kinds[event.what] += 1
        if (event._tag === "Left") kinds.Left += 1
        if (event._tag === "Reclaimed" && event.records > 0) kinds.Reclaimed += 1
        if (event._tag === "Settled") kinds.ignored += event.ignored.length
      }
    }
    for (const [kind, count] of Object.entries(kinds)) expect(count, kind).toBeGreaterThan(0)
  })

  it.each(Object.keys(plants))("the bug %s is found, and the plan that shows it is no larger", async (name) => {
    const plant = plants[name] ?? null
    let found: Judgement.Judgement | null = null
    const first = searchedFrom[name] ?? 1
    for (let seed = first; seed < first + 1000 && found === null; seed++) {
      const judgement = await Judgement.of(planFor(seed, plant?.isOfReplicas === true), plant)
      if (judgement.violations.length > 0) found = judgement
    }
    if (found === null) throw new Error(`${name} was not found`)
    expect((await Judgement.of(found.plan, null)).violations, "without the bug").toEqual([])
    const smallest = await Judgement.shrunk(found, plant, 500)
    expect(smallest.violations.map(({ invariant }) => invariant)).toContain(found.violations[0]?.invariant)
    expect(smallest.plan.rows.length).toBeLessThanOrEqual(found.plan.rows.length)
  })

  it.each([
    ["lanes as fibers", Plan.make(7, records, "fibers")],
    ["lanes as messages", Plan.make(7, records, "cluster")],
    ["several replicas", Plan.make(7, records, undefined, 3)]
  ])("the same seed does the same, event by event, with %s", async (_, plan) => {
    const once = async () => Trace.lines((await Judgement.of(plan, null)).events)
    const first = await once()
    expect(first.length).toBeGreaterThan(records)
    expect(await once()).toEqual(first)
  })
})

describe("milepost-harness simulate", { timeout: patience }, () => {
  it("deals seeds to processes, and says that everything held", async () => {
    const { code, err, out } = await harness("simulate", "--seeds", "1..30", "--records", "20").ended
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out).toMatch(/^30 runs of 20 records, \d+ calls, .* in .* s\n30 passed, 0 failed\n$/)
  })

  it("tells a seed that failed, event by event, and how to see it again", async () => {
    const { code, out } = await harness("simulate", "--seeds", "1..3", "--records", "20", "--plant", "outcome-before-call").ended
    expect(code).toBe(1)
    expect(out).toMatch(/seed 2 fails, agrees: \d+ .* is enrolled, and the upstream executed 0 calls for it/)
    expect(out).toContain("  smallest: ")
    expect(out).toMatch(/ s {2}settled {3}by 1: \d+ .*: enrolled/)
    expect(out).toContain("again: milepost-harness simulate --seeds 2 --records 20 --plant outcome-before-call")
  })

  it.each([
    [["--seeds", "9..3"], "--seeds: \"9..3\" is neither a number nor a range such as 1..1000"],
    [["--records", "0"], "--records: \"0\" is not a whole number from 1"],
    [["--lanes", "two"], "--lanes: \"two\" is none of cluster, fibers"],
    [["--replicas", "9"], "--replicas: \"9\" is neither mixed nor a number from 1 to 4"],
    [["--plant", "rust"], "--plant: \"rust\" is none of outcome-before-call, claim-not-flushed"]
  ])("refuses %s in one line", async (flags, line) => {
    const { code, err } = await harness("simulate", ...flags).ended
    expect(code).toBe(2)
    expect(err).toContain(line)
  })
})
