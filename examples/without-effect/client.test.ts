/** The client's tests: the simulator stands in for the upstream, and is asked what really happened. */
import { createHash } from "node:crypto"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import { startSimulator } from "@milepost/simulator"
import type { RunningSimulator } from "@milepost/simulator/promise"
import { enroll, type Settings } from "./client.js"

let simulator: RunningSimulator
let settings: Settings

beforeAll(async () => {
  simulator = await startSimulator()
  const { MILEPOST_PASSWORD: password = "", MILEPOST_USERNAME: username = "" } = simulator.env
  const hashed = createHash("md5").update(password).digest("hex")
  settings = { url: simulator.url, authorization: `Basic ${Buffer.from(`${username}:${hashed}`).toString("base64")}` }
})
beforeEach(() => simulator.reset())
afterAll(() => simulator.close())

it("enrols a customer", async () => {
  expect(await enroll(settings, 564332013, 300)).toBe(true)
  expect(await simulator.standing(564332013, 2154, 2309)).toMatchObject({ enrolled: true })
})

it("is right about an enrolment whose answer got lost", async () => {
  await simulator.fault({ operation: "enroll", nth: 1, effect: { kind: "reset", when: "after" } })
  expect(await enroll(settings, 564332013)).toBe(true)
  const calls = await simulator.journal()
  expect(calls.map(({ code, status }) => status === null ? "lost" : code)).toEqual(["lost", 310119])
})

it("never has two calls for one customer under way", async () => {
  await Promise.all([564332013, 564332014, 564332015].map((customerId) => enroll(settings, customerId)))
  expect(await simulator.counts()).toMatchObject({ executed: 3, overlaps: 0 })
})

it("sees what the customer spends, and starts a new month", async () => {
  await enroll(settings, 564332013)
  await simulator.progress({ type: "activity", customerId: 564332013, targetGroupId: 2154, targetId: 2309, add: 250 })
  const standing = await simulator.standing(564332013, 2154, 2309)
  expect(standing?.periods[0]).toMatchObject({ refCode: "Cycle_1", achieved: 250 })
  expect((await simulator.advance({ days: 31 })).toISOString()).toBe("2026-02-15T09:00:00.000Z")
})
