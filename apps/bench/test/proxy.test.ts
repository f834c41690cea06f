/** Everybody of the proxy's benchmark: that proxies pass calls on as the till, and that their callers notice a wrong answer. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Pool } from "undici"
import { describe, expect, it } from "vitest"
import * as BatchSpeed from "../src/proxy/BatchSpeed.js"
import * as Flood from "../src/proxy/Flood.js"
import * as Forwarding from "../src/proxy/Forwarding.js"
import * as Load from "../src/proxy/Load.js"
import * as Nginx from "../src/proxy/Nginx.js"
import * as Upstream from "../src/Upstream.js"
import * as Work from "../src/Work.js"

const key = "Bearer mp_of-a-caller"

const through = async (
  name: Forwarding.Name,
  [answers, waitMillis, together = 0]: readonly [answers: Upstream.Answers, waitMillis: number, together?: number],
  use: (origin: string, upstream: Upstream.Listening) => Promise<void>
): Promise<void> => {
  const upstream = await Upstream.listen(answers, waitMillis, together)
  const proxy = await Forwarding.listen[name](upstream.origin)
  try {
    await use(proxy.origin, upstream)
  } finally {
    await proxy.close()
    await upstream.close()
  }
}

/** A server that says the same to everybody. */
const saying = async (answer: RequestListener, use: (origin: string) => Promise<void>): Promise<void> => {
  const server = createServer(answer)
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe.each(Forwarding.names)("the proxy %s", (name) => {
  it("passes every call on as the till, 64 at once, and times each", () =>
    through(name, ["right", 20, Work.inFlight], async (origin, upstream) => {
      const client = Load.open(origin, key)
      const run = Work.ofCalls(500)
      await client.run(run)
      await client.close()
      expect(run.firstOther()).toBeNull()
      expect(run.enrolled()).toBe(500)
      expect(upstream.accepted()).toBe(500)
      expect(upstream.mostAtOnce()).toBe(Work.inFlight)
      const { p50Millis, p99Millis } = client.latencies()
      expect(p50Millis).toBeGreaterThanOrEqual(19)
      expect(p99Millis).toBeGreaterThanOrEqual(p50Millis)
    }))

  it.each(["another customer", "a refusal"] as const)("hands %s on, and the load does not take it for an enrolment", (answers) =>
    through(name, [answers, 0], async (origin) => {
      const client = Load.open(origin, key)
      const run = Work.ofCalls(4)
      await client.run(run)
      await client.close()
      expect(run.enrolled()).toBe(0)
      expect(run.firstOther()).toEqual({ outcome: "rejected" })
    }))
})

describe("the flood", () => {
  const flooded = async (origin: string): Promise<Flood.Told> => {
    const pool = new Pool(origin, { connections: 64 })
    return Flood.flood(pool, key, { callsPerSecond: 400, millis: 250 }).finally(() => pool.close())
  }

  it("begins so many calls a second whoever has been answered, and waits for all of them", () =>
    through("raw", ["right", 400], async (origin) => {
      const told = await flooded(origin)
      expect(told.calls).toBeGreaterThan(60)
      expect(told.calls).toBeLessThanOrEqual(110)
      expect(told).toMatchObject({ accepted: told.calls, refused: 0, other: 0, firstOther: null })
      expect(told.acceptedLatencies.p50Millis).toBeGreaterThanOrEqual(390)
    }))

  it("takes 429 and 503 for refusals only where they say when to come again", async () => {
    expect(Flood.isRefusal(429, "1")).toBe(true)
    expect(Flood.isRefusal(503, "30")).toBe(true)
    expect(Flood.isRefusal(429, undefined)).toBe(false)
    expect(Flood.isRefusal(500, "1")).toBe(false)
    await saying((_, res) => res.writeHead(429, { "retry-after": "1" }).end("{}"), async (origin) => {
      const told = await flooded(origin)
      expect(told).toMatchObject({ accepted: 0, refused: told.calls, other: 0 })
    })
  })

  it("takes another customer's answer and silence for neither", async () => {
    await through("raw", ["another customer", 0], async (origin) => {
      const told = await flooded(origin)
      expect(told).toMatchObject({ accepted: 0, refused: 0, other: told.calls })
      expect(told.firstOther).toMatch(/^200 /)
    })
    await saying((req) => req.socket.destroy(), async (origin) => {
      const told = await flooded(origin)
      expect(told).toMatchObject({ accepted: 0, refused: 0, other: told.calls })
    })
  })
})

describe("a batch", () => {
  const calls = Array.from({ length: 3 }, Work.ofCalls(3).next)
  const answered = (results: ReadonlyArray<object>, status = 200) =>
    saying((_, res) => res.writeHead(status).end(JSON.stringify({ results })), (origin) => BatchSpeed.sendBatch({ origin, authorization: key }, calls))
  const right = calls.map(({ customerId }) => ({ customerId, outcome: "enrolled" }))

  it("must have enrolled everybody, each in his place", async () => {
    await answered(right)
    await expect(answered(right.slice(1))).rejects.toThrow(/did not enrol everybody/)
    await expect(answered(right.toReversed())).rejects.toThrow(/did not enrol everybody/)
    await expect(answered(right.map((one) => ({ ...one, outcome: "skipped" })))).rejects.toThrow(/skipped/)
    await expect(answered(right, 429)).rejects.toThrow(/429/)
  })
})

it("a quantile is the value below which so much lies", () => {
  const values = Array.from({ length: 1000 }, (_, at) => 1000 - at)
  expect(Load.quantile(values, 0.5)).toBe(501)
  expect(Load.quantile(values, 0.99)).toBe(991)
  expect(Load.quantile([7], 0.99)).toBe(7)
})

it("nginx is found where the path leads first, and is none where nobody may run it", () => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  const before = process.env["PATH"]
  try {
    const elsewhere = Nginx.binary()
    const file = join(folder, "nginx")
    writeFileSync(file, "", { mode: 0o644 })
    process.env["PATH"] = `${folder}:${before}`
    expect(Nginx.binary()).toBe(elsewhere)
    chmodSync(file, 0o755)
    expect(Nginx.binary()).toBe(file)
  } finally {
    process.env["PATH"] = before
    rmSync(folder, { recursive: true })
  }
})
