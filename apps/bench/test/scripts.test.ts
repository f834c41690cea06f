/** Every script of the bulk benchmark against the upstream: that it does the work, and that it notices a wrong answer. */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Scripts from "../src/bulk/Scripts.js"
import * as Customers from "../src/Customers.js"
import * as Milepost from "../src/Milepost.js"
import * as Upstream from "../src/Upstream.js"
import * as Work from "../src/Work.js"

interface Done {
  readonly enrolled: number
  readonly lines: ReadonlyArray<string>
  readonly upstream: Upstream.Listening
}

const done = async (name: Scripts.Name, rows: number, answers: Upstream.Answers, together = 0): Promise<Done> => {
  const upstream = await Upstream.listen(answers, 0, together)
  const folder = await mkdtemp(join(tmpdir(), "milepost-test-"))
  try {
    const file = join(folder, "customers.csv")
    const results = join(folder, "results.csv")
    await Customers.write(file, rows)
    const { counts } = await (await Scripts.load[name]())({ file, origin: upstream.origin, results })
    return { enrolled: counts.enrolled, lines: (await readFile(results, "utf8")).trimEnd().split("\n"), upstream }
  } finally {
    await upstream.close()
    await rm(folder, { recursive: true })
  }
}

describe.each(Scripts.names)("the script %s", (name) => {
  it("enrols every row with 64 calls in flight, and writes a line for each", async () => {
    const { enrolled, lines, upstream } = await done(name, 1000, "right", Work.inFlight)
    expect(enrolled).toBe(1000)
    expect(upstream.accepted()).toBe(1000)
    expect(upstream.mostAtOnce()).toBe(Work.inFlight)
    expect(lines).toHaveLength(1000)
    expect(new Set(lines.map((line) => line.split(",")[0])).size).toBe(1000)
    expect(lines.every((line) => line.endsWith(",enrolled"))).toBe(true)
  })

  it("does not take another customer's answer for its own", async () => {
    const { enrolled, upstream } = await done(name, 4, "another customer")
    expect(enrolled).toBe(0)
    expect(upstream.accepted()).toBeGreaterThan(0)
  })

  it("does not take a refusal for an enrolment", async () => {
    const { enrolled, lines } = await done(name, 4, "a refusal")
    expect(enrolled).toBe(0)
    expect(lines.some((line) => line.endsWith(",enrolled"))).toBe(false)
  })
})

it("a row that was not enrolled, an exit code and silence each end the benchmark", () => {
  const ran = (exitCode: number, stdout: string) => ({
    exitCode, stdout, stderr: "", seconds: 1, cpuSeconds: 1, peakMegabytes: 1, residentMegabytes: 1
  })
  const told = (enrolled: number) => JSON.stringify({ counts: { enrolled } })
  expect(Milepost.told(ran(0, told(9)), 9, "a run").counts.enrolled).toBe(9)
  expect(() => Milepost.told(ran(0, told(8)), 9, "a run")).toThrow(/enrolled 8 of 9/)
  expect(() => Milepost.told(ran(5, told(9)), 9, "a run")).toThrow(/exited 5/)
  expect(() => Milepost.told(ran(0, ""), 9, "a run")).toThrow(/undefined of 9/)
})

it("the upstream says when so many further calls have arrived", async () => {
  const upstream = await Upstream.listen()
  const call = () => fetch(upstream.origin, { method: "POST", body: "[]" })
  await call()
  let isThere = false
  const arrived = upstream.arrived(2).then(() => {
    isThere = true
  })
  await call()
  expect(isThere).toBe(false)
  await call()
  await arrived
  await upstream.close()
})
