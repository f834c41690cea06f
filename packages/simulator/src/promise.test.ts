import { describe, expect, it } from "vitest"
import { startSimulator } from "./promise.js"
import * as World from "./World.js"

const milestone = { customerId: 564332013, targetGroupId: 2154, targetId: 2309 } as const

const enroll = (url: string, customerId: number = milestone.customerId) =>
  fetch(`${url}/v3.1/targetGroups/2154/targets/2309/enroll`, {
    method: "POST",
    headers: {
      authorization: "Basic c3RvcmUuc2VydmVyOjhhMTZhNmI3MDUwNWViMWYxZmY3Y2RjMGNkNTU1OWE3",
      "content-type": "application/json"
    },
    body: JSON.stringify([{ customerId, periodName: "Cycle_1", initialBalance: 100 }])
  })

describe("startSimulator", () => {
  it("serves, and tells what it was asked and what it holds", async () => {
    await using simulator = await startSimulator({ world: World.sample })
    expect(simulator.env["MILEPOST_HOST"]).toBe(simulator.url)
    expect(await (await enroll(simulator.url)).json()).toMatchObject({ data: 564332013 })
    expect(await simulator.journal()).toMatchObject([{ operation: "enroll", customerId: 564332013, executed: true }])
    expect(await simulator.journal({ outcome: "refused" })).toEqual([])
    expect(await simulator.counts()).toMatchObject({ received: 1, overlaps: 0 })
    expect(await simulator.progress({ type: "activity", ...milestone, add: 50 })).toMatchObject({ periods: [{ achieved: 150 }, {}, {}, {}, {}, {}, {}, {}, {}, {}] })
    const standing = await simulator.standing(564332013, 2154, 2309)
    expect(standing?.periods[0]?.enrolledOn).toEqual(new Date("2026-01-15T09:00:00Z"))
    expect(await simulator.standing(1, 2154, 2309)).toBe(null)
  })

  it("moves time, breaks calls and starts over", async () => {
    const simulator = await startSimulator()
    expect(await simulator.advance({ days: 1, minutes: 30 })).toEqual(new Date("2026-01-16T09:30:00Z"))
    await simulator.setClock("2026-02-01T00:00:00Z")
    expect(await simulator.now()).toEqual(new Date("2026-02-01T00:00:00Z"))
    const id = await simulator.fault({ effect: { kind: "customerBusy" } })
    expect((await enroll(simulator.url)).status).toBe(521)
    await simulator.clearFaults(id)
    expect((await enroll(simulator.url)).status).toBe(200)
    await simulator.fault({ effect: { kind: "customerBusy" } })
    await simulator.clearFaults()
    await simulator.reset()
    expect(await simulator.standing(564332013, 2154, 2309)).toBe(null)
    await simulator.reset(World.conformance)
    expect(await simulator.now()).toEqual(new Date("2026-03-15T09:00:00Z"))
    await simulator.close()
    await simulator.close()
    await expect(enroll(simulator.url)).rejects.toThrow()
  })

  it("rejects with plain errors in words", async () => {
    await expect(startSimulator({ world: { ...World.sample, clock: "soon" } })).rejects.toThrow(/^clock: must be a date/)
    await using simulator = await startSimulator()
    await expect(startSimulator({ port: simulator.port })).rejects.toThrow("something else listens there")
    await expect(simulator.fault({ effect: { kind: "latency", millis: -1 } })).rejects.toThrow("[0].effect.millis")
    await expect(simulator.clearFaults(7)).rejects.toThrow("there is no fault 7")
    await expect(simulator.setClock("soon")).rejects.toThrow("is no instant")
    await expect(simulator.progress({ type: "streakLevel", ...milestone })).rejects.toThrow("is no streak")
    await expect(simulator.advance({ weeks: 1 } as object)).rejects.toThrow("is no stretch")
  })
})
