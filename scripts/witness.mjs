// What the kill scripts have in common: the simulator as an upstream in a process of its own, which tells what it has seen and what
// it holds, and the judgement of a job's results by it.
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

const self = fileURLToPath(import.meta.url)

/** Where the records of a job go; what callers send for the same customers goes elsewhere. */
export const place = { group: 2154, target: 2309, period: "Cycle_3" }
export const otherPlace = { targetGroupId: 40, targetId: 41 }

/** The first customer. */
export const first = 1_000_001

/** A generator that anybody can start again (mulberry32). */
export const generator = (seed) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis))

/** The upstream's process: serves, and tells what it has seen and what it holds when it is asked. */
const serve = async (records, seed) => {
  const { startSimulator } = await import("../packages/simulator/dist/promise.js")
  const { conformance } = await import("../packages/simulator/dist/World.js")
  const world = { ...conformance, customers: [...conformance.customers, { orgId: 100, from: first, count: records }] }
  // Every call of a job must stay in it: by default it keeps the last 10,000.
  const simulator = await startSimulator({ world, seed, journalCapacity: 4 * records + 10_000 })
  const faults = async (isLossy, millis) => {
    await simulator.clearFaults()
    await simulator.fault({ operation: "enroll", effect: { kind: "latency", millis } })
    if (isLossy) await simulator.fault({ operation: "enroll", probability: 0.01, effect: { kind: "reset", when: "after" } })
  }
  const answers = {
    count: async () => (await simulator.counts()).received,
    forget: async ({ isLossy, millis = 3 }) => {
      await simulator.reset()
      await faults(isLossy, millis)
    },
    record: async () => {
      const counts = await simulator.counts()
      const entries = await simulator.journal()
      const known = new Map()
      for (const { code, customerId, executed, operation, status, targetId } of entries) {
        if (operation !== "enroll" || customerId === null || targetId !== place.target) continue
        const seen = known.get(customerId) ?? { calls: 0, enrolled: 0, unanswered: 0 }
        known.set(customerId, seen)
        seen.calls += 1
        if (executed && code === null) seen.enrolled += 1
        if (status === null) seen.unanswered += 1
      }
      const record = []
      for (let customer = first; customer < first + records; customer++) {
        const standing = await simulator.standing(customer, place.group, place.target)
        record.push([customer, { calls: 0, enrolled: 0, unanswered: 0, ...known.get(customer), isIn: standing?.enrolled === true }])
      }
      return { received: counts.received, kept: entries.length, overlaps: counts.overlaps, record }
    }
  }
  process.on("message", async (message) => process.send({ answer: await answers[message.ask](message) }))
  process.on("disconnect", () => process.exit(0))
  process.send({ answer: simulator.env })
}

const ask = async (child, message) => {
  const answered = new Promise((resolve) => child.once("message", resolve))
  if (message !== undefined) child.send(message)
  return (await answered).answer
}

/** Starts the upstream for so many customers: settings of the environment that point to it, and how to ask it. */
export const upstream = async (records, seed) => {
  const child = fork(self, ["--serve", String(records), String(seed)])
  return { env: await ask(child), ask: (what, more = {}) => ask(child, { ask: what, ...more }), stop: () => child.disconnect() }
}

/** Problems by kind, and the first of them in words. */
export const problems = () => {
  const total = { lost: 0, contradictions: 0, overlaps: 0, unexplained: 0 }
  const lines = []
  return {
    total,
    lines,
    add: (kind, text, count = 1) => {
      total[kind] += count
      if (lines.length < 20) lines.push(`${kind}: ${text}`)
    }
  }
}

/**
 * Holds a job's results (CSV) against the upstream's record: each record ends once, as the upstream has it; the upstream has executed
 * each once; no customer ever had two calls in flight; sent twice is only what lost its answer, or whom `mayRepeat` names.
 */
export const judge = ({ found, mayRepeat, records, results, job }) => {
  const { add } = found
  const { kept, overlaps, received, record } = job.upstream
  if (kept !== received) add("contradictions", `the journal forgot ${received - kept} calls: nothing can be said`)
  if (overlaps > 0) add("overlaps", `${overlaps} moments with two calls for one customer`, overlaps)
  const known = new Map(record)
  const seen = new Set()
  let ambiguous = 0
  for (const line of results.trimEnd().split("\r\n").slice(1)) {
    const [customer, , , outcome, , message] = line.split(",")
    const theirs = known.get(Number(customer))
    if (seen.has(Number(customer))) add("contradictions", `${customer} has two outcomes`)
    seen.add(Number(customer))
    const isAmbiguous = message.includes("after an attempt without an answer")
    if (isAmbiguous) ambiguous += 1
    if (outcome !== "enrolled" && outcome !== "already_enrolled") add("lost", `${customer} is ${outcome}: ${line}`)
    else if (theirs?.isIn !== true) add("contradictions", `${customer} is ${outcome} and the upstream does not have it`)
    else if (outcome === "already_enrolled" && !isAmbiguous) add("contradictions", `${customer} is already_enrolled, by nobody else`)
  }
  let twice = 0
  let unexplained = 0
  for (const [customer, { calls, enrolled, unanswered }] of known) {
    if (!seen.has(customer)) add("lost", `${customer} has no outcome`)
    if (enrolled !== 1) add("contradictions", `${customer} was enrolled ${enrolled} times`)
    if (calls < 2) continue
    twice += 1
    if (unanswered > 0) continue
    unexplained += 1
    if (!mayRepeat(customer)) add("unexplained", `${customer} was called ${calls} times`)
  }
  const counted = Object.values(job.last.counts).reduce((sum, count) => sum + count, 0)
  if (counted !== records || job.last.open !== 0) add("lost", `the job counts ${counted} outcomes and ${job.last.open} open`)
  return { ambiguous, twice, answeredTwice: unexplained }
}

if (process.argv[1] === self && process.argv[2] === "--serve") await serve(Number(process.argv[3]), Number(process.argv[4]))
