/** Every client of the simulator's benchmark: that it does the work, and that it notices a wrong answer. */
import * as Rules from "@milepost/simulator/Rules"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import { Effect, Option } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import { stretch } from "../src/Client.js"
import type { Client } from "../src/Contender.js"
import * as BenchWorld from "../src/simulator/BenchWorld.js"
import * as Crowd from "../src/simulator/Crowd.js"
import * as InMemory from "../src/simulator/InMemory.js"
import * as Load from "../src/simulator/Load.js"
import * as Plain from "../src/simulator/Plain.js"
import * as ServerSpeed from "../src/simulator/ServerSpeed.js"
import * as Upstream from "../src/Upstream.js"
import * as Work from "../src/Work.js"

const simulator = (options?: Simulator.Options): Promise<Simulator.Service> =>
  Effect.runPromise(Simulator.make(BenchWorld.world, options))

/** The simulator on a port, as long as somebody uses it. */
const served = <A>(use: (origin: string) => Promise<A>): Promise<A> =>
  SimulatorServer.serve().pipe(
    Effect.flatMap(({ url }) => Effect.promise(() => use(url))),
    Effect.scoped,
    Effect.provide(Simulator.layer(BenchWorld.world)),
    Effect.runPromise
  )

const plainly = async <A>(use: (origin: string) => Promise<A>): Promise<A> => {
  const { close, origin } = await Plain.listen()
  return use(origin).finally(close)
}

const using = (server: Load.Server, origin: string, use: (client: Client) => Promise<void>): Promise<void> => {
  const client = Load.open[server](origin)
  return use(client).finally(client.close)
}

/** A run of one call, again and again. */
const repeating = (call: Work.Call, calls: number): Work.Run => ({ ...Work.ofCalls(calls), next: () => call })

const firstCall: Work.Call = {
  targetGroupId: Work.targetGroupId,
  targetId: Work.targetId,
  customerId: Work.firstCustomer,
  periodName: "Cycle_1",
  initialBalance: 7
}

describe("the load", () => {
  it("enrols every customer at the simulator, which says so itself", () =>
    served(async (origin) => {
      const before = await ServerSpeed.countsOf(origin)
      await using("simulator", origin, async (client) => {
        const run = Work.ofCalls(1000)
        await client.run(run)
        expect(run.enrolled()).toBe(1000)
      })
      const after = await ServerSpeed.countsOf(origin)
      expect(after).toMatchObject({ received: 1000, executed: 1000, overlaps: 0 })
      ServerSpeed.checkEnrolled(before, after, 1000)
      expect(() => ServerSpeed.checkEnrolled(before, after, 1001)).toThrow(/1000 of them in a turn of 1001/)
      expect(() => ServerSpeed.checkEnrolled(before, { ...after, received: 1001 }, 1000)).toThrow(/1000 of 1001/)
      expect(() => ServerSpeed.checkEnrolled(before, { ...after, overlaps: 1 }, 1000)).toThrow(/1 overlaps/)
    }))

  it("does not take somebody who is enrolled already for an enrolment", () =>
    served((origin) =>
      using("simulator", origin, async (client) => {
        const enrolled = repeating(firstCall, 1)
        await client.run(enrolled)
        expect(enrolled.firstOther()).toBeNull()
        const again = repeating(firstCall, 1)
        await client.run(again)
        expect(again.enrolled()).toBe(0)
        expect(again.firstOther()).toEqual({ outcome: "rejected" })
      })))

  it("takes the plain server's constant for right, and nothing else", async () => {
    await plainly((origin) =>
      using("plain", origin, async (client) => {
        const run = Work.ofCalls(1000)
        await client.run(run)
        expect(run.enrolled()).toBe(1000)
      }))
    const upstream = await Upstream.listen()
    await using("plain", upstream.origin, async (client) => {
      const run = Work.ofCalls(4)
      await client.run(run)
      expect(run.enrolled()).toBe(0)
      expect(run.firstOther()).toEqual({ outcome: "rejected" })
    })
    await upstream.close()
  })

  it("does not take a constant for the simulator's answers", () =>
    plainly((origin) =>
      using("simulator", origin, async (client) => {
        const run = repeating({ ...firstCall, customerId: Work.firstCustomer + 1 }, 4)
        await client.run(run)
        expect(run.enrolled()).toBe(0)
      })))

  it("sends both servers the same bytes, and has an answer of the same bytes from both", async () => {
    const asked: Array<unknown> = []
    const recording = createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk
      }).on("end", () => {
        const { headers: { host: _, ...headers }, method, url } = request
        asked.push({ method, url, headers, body })
        response.end(Plain.body)
      })
    })
    await new Promise<void>((resolve) => {
      recording.listen(0, "127.0.0.1", resolve)
    })
    const origin = `http://127.0.0.1:${(recording.address() as AddressInfo).port}`
    for (const server of Load.servers) await using(server, origin, (client) => client.run(repeating(firstCall, 1)))
    recording.close()
    expect(asked).toHaveLength(2)
    expect(asked[0]).toEqual(asked[1])

    const answerOf = async (at: string) => {
      const init = { method: "POST", headers: Work.headers, body: Work.body(firstCall) }
      const response = await fetch(at + Work.path(firstCall), init)
      return { status: response.status, type: response.headers.get("content-type"), body: await response.text() }
    }
    expect(await served(answerOf)).toEqual(await plainly(answerOf))
  })
})

describe.each(InMemory.names)("in memory, %s", (name) => {
  it("enrols every customer", async () => {
    const client = await InMemory.open(name)
    const run = Work.ofCalls(1000)
    await client.run(run)
    expect(run.enrolled()).toBe(1000)
    expect(run.firstOther()).toBeNull()
    await client.close()
  })
})

describe.each(["transport", "outcome"] as const)("in memory, %s into the simulator", (name) => {
  it("ends the benchmark when a call is refused", async () => {
    const faulty = await simulator({ faults: [{ operation: "enroll", nth: 70, effect: { kind: "apiError", code: 310017 } }] })
    await expect(stretch(200, InMemory.into(faulty, name).run)).rejects.toThrow(/did not enrol.*rejected/)
  })

  it("ends the benchmark when the simulator enrolled otherwise than it told", async () => {
    const { journal, ...rest } = await simulator()
    const silent = { ...rest, journal: { ...journal, counts: Effect.map(journal.counts, (counts) => ({ ...counts, executed: 0 })) } }
    await expect(InMemory.into(silent, name).run(Work.ofCalls(10))).rejects.toThrow(/10 calls enrolled .* by 0/)
  })
})

describe("a crowd", () => {
  it("is enrolled by a call each, and a sample of it stands as the calls said", async () => {
    expect(await Crowd.enrol(await simulator(), 2500)).toMatchObject({ enrolled: 2500, sampled: 3 })
  })

  it("ends the benchmark when somebody stands otherwise", async () => {
    const forgetful = await simulator({
      rules: { enroll: (facts, now, standing, asked) => Rules.enroll(facts, now, standing, { ...asked, initialBalance: -1 }) }
    })
    await expect(Crowd.enrol(forgetful, 10)).rejects.toThrow(/left/)
  })

  it("ends the benchmark when a call is refused", async () => {
    const faulty = await simulator({ faults: [{ operation: "enroll", nth: 5, effect: { kind: "apiError", code: 310017 } }] })
    await expect(Crowd.enrol(faulty, 10)).rejects.toThrow(/9 of 10/)
  })

  it("stands in every cycle, with its balance in the first", async () => {
    const held = await simulator()
    await InMemory.into(held, "outcome").run(repeating(firstCall, 1))
    const standing = await Effect.runPromise(held.standing(firstCall.customerId, Work.targetGroupId, Work.targetId))
    expect(BenchWorld.cycles).toHaveLength(10)
    expect(Crowd.standsAs(firstCall, standing)).toBe(true)
    expect(Crowd.standsAs({ ...firstCall, initialBalance: 8 }, standing)).toBe(false)
    const without = (last: number) => Option.map(standing, (one) => ({ ...one, periods: one.periods.slice(0, last) }))
    expect(Crowd.standsAs(firstCall, without(9))).toBe(false)
    expect(Crowd.standsAs(firstCall, Option.none())).toBe(false)
  })
})
