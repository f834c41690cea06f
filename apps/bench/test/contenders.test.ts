/** Every contender against the upstream: that it does the work, and that it notices when the answer is not the right one. */
import { describe, expect, it } from "vitest"
import { stretch } from "../src/Client.js"
import type { Client } from "../src/Contender.js"
import * as Contenders from "../src/Contenders.js"
import * as Upstream from "../src/Upstream.js"
import * as Work from "../src/Work.js"

const against = async (
  name: Contenders.Name,
  [answers, together]: readonly [answers: Upstream.Answers, together: number],
  use: (client: Client, upstream: Upstream.Listening) => Promise<void>
): Promise<void> => {
  // Nobody is answered before so many are there: a busy machine must not let the first go before the last has come.
  const upstream = await Upstream.listen(answers, 0, together)
  const client = (await Contenders.all[name].load())(upstream.origin)
  try {
    await use(client, upstream)
  } finally {
    await client.close()
    await upstream.close()
  }
}

/** How many calls a contender takes for enrolled; one that fails instead of telling has enrolled none. */
const enrolledBy = async (client: Client, run: Work.Run): Promise<number> => {
  try {
    await client.run(run)
  } catch {
    expect(run.enrolled()).toBe(0)
  }
  return run.enrolled()
}

describe.each(Contenders.names)("%s", (name) => {
  it("enrols every customer, and has 64 calls in flight", () =>
    against(name, ["right", Work.inFlight], async (client, upstream) => {
      const run = Work.ofCalls(1000)
      await client.run(run)
      expect(run.firstOther()).toBeNull()
      expect(run.enrolled()).toBe(1000)
      expect(upstream.accepted()).toBe(1000)
      expect(upstream.mostAtOnce()).toBe(Work.inFlight)
    }))

  it("does not take another customer's answer for its own", () =>
    against(name, ["another customer", 0], async (client, upstream) => {
      expect(await enrolledBy(client, Work.ofCalls(4))).toBe(0)
      expect(upstream.accepted()).toBeGreaterThan(0)
    }))

  it("does not take a refusal for an enrolment", () =>
    against(name, ["a refusal", 0], async (client) => {
      expect(await enrolledBy(client, Work.ofCalls(4))).toBe(0)
    }))
})

it("a measured stretch counts calls, time and CPU, and fails when a call did not enrol", async () => {
  const work = (outcome: string) => async (run: Work.Run) => {
    while (!run.isOver()) {
      await Promise.resolve()
      run.next()
      run.count({ outcome })
    }
  }
  const { calls, cpuSeconds, seconds } = await stretch(50, work("enrolled"))
  expect(calls).toBeGreaterThan(0)
  expect(seconds).toBeGreaterThanOrEqual(0.05)
  expect(cpuSeconds).toBeGreaterThan(0)
  await expect(stretch(5, work("rejected"))).rejects.toThrow(/did not enrol.*rejected/)
})

it("a run of milliseconds ends, and a call without credentials is refused", async () => {
  const upstream = await Upstream.listen()
  const response = await fetch(upstream.origin + Work.path(Work.ofCalls(1).next()), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "[]"
  })
  expect(response.status).toBe(401)
  await upstream.close()
  const run = Work.forMillis(20)
  await expect.poll(() => run.isOver()).toBe(true)
})
