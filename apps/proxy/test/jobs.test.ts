/** Jobs over sockets: the real server before the real simulator. */
import { describe, expect, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { Running } from "./running.js"
import { call, start } from "./running.js"

const csv = (customers: ReadonlyArray<number | string>): string => `customerId\n${customers.join("\n")}\n`
const place = "group=2154&target=2309&period=Cycle_3"
const customers = Array.from({ length: 60 }, (_, index) => 1_000 + index)

interface Told {
  readonly id: string
  readonly state: string
  readonly counts: Readonly<Record<string, number>>
  readonly open: number
}

const upload = (proxy: Running, secret: string, body: string, query = place, type = "text/csv") =>
  call(`${proxy.url}/v1/jobs?${query}`, { secret, body, headers: { "content-type": type } })

const told = ({ text }: { readonly text: string }): Told => JSON.parse(text) as Told

const until = async (proxy: Running, secret: string, id: string, ...states: ReadonlyArray<string>): Promise<Told> => {
  let job: Told | null = null
  await vi.waitUntil(async () => {
    job = told(await call(`${proxy.url}/v1/jobs/${id}`, { secret }))
    return states.includes(job.state)
  }, { timeout: 15_000, interval: 20 })
  return job as unknown as Told
}

/** Holds answers back, so that a job can be met while it is sent. */
const slow = { faults: [{ operation: "enroll", effect: { kind: "latency", millis: 150 } }] } as const

describe("jobs", () => {
  it("store an upload as a whole, send it, and give every row its outcome", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const answer = await upload(proxy, secret, csv([1050, 5, "x", 1050, "=1+1"]))
    expect(answer.status).toBe(202)
    const { id } = told(answer)
    expect(answer.headers.get("location")).toBe(`/v1/jobs/${id}`)
    const job = await until(proxy, secret, id, "finished")
    expect(job).toMatchObject({
      records: 5,
      counts: { enrolled: 1, rejected: 3, skipped: 1 },
      refusals: [
        { outcome: "rejected", code: "input", records: 2 },
        expect.objectContaining({ records: 1 }),
        expect.objectContaining({ records: 1 })
      ]
    })
    const results = await call(`${proxy.url}/v1/jobs/${id}/results`, { secret })
    expect(results.headers.get("content-type")).toContain("text/csv")
    expect(results.text.split("\r\n").map((line) => line.split(",").slice(0, 4).join(","))).toEqual([
      "customerId,line,period,outcome", "1050,2,Cycle_3,enrolled", "5,3,Cycle_3,rejected", "x,4,,rejected", "1050,5,Cycle_3,skipped", "'=1+1,6,,rejected", ""
    ])
    const rejected = await call(`${proxy.url}/v1/jobs/${id}/results?outcome=rejected`, { secret, headers: { accept: "application/x-ndjson" } })
    expect(rejected.text.trimEnd().split("\n").map((line) => (JSON.parse(line) as { readonly line: number }).line)).toEqual([3, 4, 6])
    expect((await call(`${proxy.url}/v1/jobs/${id}/results?outcome=lost`, { secret })).status).toBe(400)
    const ndjson = await upload(proxy, secret, `{"customerId":1051}\n`, place, "application/x-ndjson")
    expect((await until(proxy, secret, told(ndjson).id, "finished")).counts).toMatchObject({ enrolled: 1 })
  })

  it("are told beforehand what they would be, and nothing of it is stored or sent", async () => {
    const proxy = await start({ uploadBytes: 2_000, orgs: [{ MILEPOST_RATE: "2/s" }] })
    const { secret } = await proxy.key()
    const dry = (body: string, query = place, type = "text/csv") => upload(proxy, secret, body, `${query}&dryRun=true`, type)
    const answer = await dry(csv([1050, 5, "x", 1050, "9007199254740993", 1051, 1052]))
    expect([answer.status, answer.headers.get("location")]).toEqual([200, null])
    expect(JSON.parse(answer.text)).toEqual({
      rows: 7,
      calls: 4,
      duplicates: 1,
      badRows: 2,
      badExamples: [
        { line: 4, column: "customerId", value: "x", reason: "is not a whole number" },
        { line: 6, column: "customerId", value: "9007199254740993", reason: expect.stringContaining("is beyond 9007199254740991") }
      ],
      destinations: [{ targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3", calls: 4 }],
      allDestinations: 1,
      overruled: [],
      callsPerSecond: 2,
      etaSeconds: 2
    })
    const slower = await dry(`{"customerId":1050,"periodName":"Cycle_4"}\n{"customerId"\n`, `${place}&rate=30/min`, "application/x-ndjson")
    expect(JSON.parse(slower.text)).toMatchObject({
      calls: 1,
      badExamples: [{ line: 2, column: null, value: null, reason: expect.stringMatching(/^is not a JSON object/) }],
      callsPerSecond: 0.5,
      etaSeconds: 2
    })
    expect(JSON.parse((await dry("customerId,periodName\n1050,Cycle_4\n")).text)).toMatchObject({ overruled: ["periodName"] })
    const scoped = await proxy.key({ targetGroups: [40] })
    const refusals = [
      [await dry("name\nx\n"), 400],
      [await dry(csv([1]), "group=2154"), 400],
      [await dry(csv([1]), place, "application/json"), 415],
      [await dry(csv(Array.from({ length: 1_000 }, (_, index) => 1_000 + index))), 413],
      [await upload(proxy, scoped.secret, csv([1050]), `${place}&dryRun=true`), 403],
      [await upload(proxy, secret, csv([1050]), `${place}&dryRun=perhaps`), 400]
    ] as const
    for (const [refused, status] of refusals) expect([refused.status, refused.text]).toEqual([status, expect.stringContaining("urn:milepost:problem:")])
    const again = { secret, body: csv([1050]), headers: { "content-type": "text/csv", "idempotency-key": "dry" } }
    await call(`${proxy.url}/v1/jobs?${place}&dryRun=true`, again)
    expect((await call(`${proxy.url}/v1/jobs?${place}&dryRun=true`, again)).headers.get("idempotent-replayed")).toBe("true")
    expect((await call(`${proxy.url}/v1/jobs?${place}`, again)).status).toBe(422)
    expect((await call(`${proxy.url}/v1/jobs`, { secret })).text).toBe(`{"jobs":[]}`)
    expect(await Effect.runPromise(proxy.ledger.list)).toEqual([])
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(0)
  })

  it("are stored once for an Idempotency-Key, which counts by the whole content", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const send = (body: string) => call(`${proxy.url}/v1/jobs?${place}`, { secret, body, headers: { "content-type": "text/csv", "idempotency-key": "file-1" } })
    const first = await send(csv([1050, 1051]))
    const again = await send(csv([1050, 1051]))
    expect([first.status, again.status, again.headers.get("idempotent-replayed"), again.text]).toEqual([202, 202, "true", first.text])
    const other = await send(csv([1050, 1052]))
    expect([other.status, other.text]).toEqual([422, expect.stringContaining("urn:milepost:problem:other-request")])
    expect(await Effect.runPromise(proxy.ledger.list)).toHaveLength(1)
  })

  it("keep nothing of an upload that falls silent or drips, and are told so", async () => {
    const drip = (everyMillis: number) => async ({ url }: Running, secret: string): Promise<{ readonly text: string; readonly millis: number }> => {
      const beganMillis = performance.now()
      return new Promise((resolve, reject) => {
        const req = Http.request(`${url}/v1/jobs?${place}`, { method: "POST", headers: { authorization: `Bearer ${secret}`, "content-type": "text/csv", "content-length": 100_000 } })
        const timer = setInterval(() => req.write("1"), everyMillis)
        req.on("response", (res) => {
          let text = ""
          res.on("data", (chunk) => (text += String(chunk)))
          res.on("end", () => {
            clearInterval(timer)
            req.destroy()
            resolve({ text, millis: performance.now() - beganMillis })
          })
        })
        req.on("error", reject)
        req.write("customerId\n")
      })
    }
    const dripping = await start({ uploadPatience: { silenceMillis: 20_000, windowMillis: 300, bytesPerSecond: 1_000 } })
    const silent = await start({ uploadPatience: { silenceMillis: 300, windowMillis: 20_000, bytesPerSecond: 1_000 } })
    for (const [proxy, sent] of [[dripping, drip(20)], [silent, drip(10_000)]] as const) {
      const { secret } = await proxy.key()
      const { millis, text } = await sent(proxy, secret)
      expect(JSON.parse(text)).toMatchObject({ type: "urn:milepost:problem:invalid-request", detail: "The body came too slowly. Nothing of it is kept." })
      expect(millis).toBeLessThan(8_000)
      expect((await call(`${proxy.url}/v1/jobs`, { secret })).text).toBe(`{"jobs":[]}`)
    }
  })

  it("keep nothing of an upload that cannot be stored", async () => {
    const proxy = await start({ uploadBytes: 2_000 })
    const { secret } = await proxy.key({ targetGroups: [40] })
    const all = await proxy.key()
    const refusals = [
      [await upload(proxy, all.secret, "name\nx\n"), 400],
      [await upload(proxy, all.secret, csv([1]), "group=2154"), 400],
      [await upload(proxy, all.secret, csv([1]), `${place}&rate=fast`), 400],
      [await upload(proxy, all.secret, csv([1]), `${place}&operation=delete`), 400],
      [await upload(proxy, all.secret, csv([1]), place, "application/json"), 415],
      [await upload(proxy, all.secret, csv(Array.from({ length: 1_000 }, (_, index) => 1_000 + index))), 413],
      [await upload(proxy, secret, csv([1050])), 403]
    ] as const
    for (const [answer, status] of refusals) expect([answer.status, answer.text]).toEqual([status, expect.stringContaining("urn:milepost:problem:")])
    // One that is cut off in the middle.
    await new Promise<void>((resolve) => {
      const req = Http.request(`${proxy.url}/v1/jobs?${place}`, {
        method: "POST",
        headers: { authorization: `Bearer ${all.secret}`, "content-type": "text/csv", "content-length": "1000" }
      })
      req.on("error", () => resolve())
      req.write("customerId\n1050\n")
      setTimeout(() => req.destroy(), 100)
    })
    await vi.waitUntil(async () => (await Effect.runPromise(proxy.ledger.list)).length === 0)
    expect((await call(`${proxy.url}/v1/jobs`, { secret: all.secret })).text).toBe(`{"jobs":[]}`)
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(0)
  })

  it("can be paused, resumed, cancelled and removed", async () => {
    const proxy = await start({ simulation: slow, orgs: [{ MILEPOST_CONCURRENCY: "4" }] })
    const { secret } = await proxy.key()
    const wish = (id: string, verb: string) => call(`${proxy.url}/v1/jobs/${id}/${verb}`, { secret, method: "POST" })
    const { id } = told(await upload(proxy, secret, csv(customers)))
    await until(proxy, secret, id, "running")
    await vi.waitUntil(async () => (await Effect.runPromise(proxy.simulator.journal.counts)).received > 4)
    expect(told(await wish(id, "pause"))).toMatchObject({ state: "paused" })
    const { received } = await Effect.runPromise(proxy.simulator.journal.counts)
    expect(received).toBeLessThan(40)
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(received)
    expect((await wish(id, "pause")).status).toBe(409)
    expect((await wish(id, "resume")).status).toBe(200)
    await vi.waitUntil(async () => (await Effect.runPromise(proxy.simulator.journal.counts)).received > received + 4)
    expect((await call(`${proxy.url}/v1/jobs/${id}`, { secret, method: "DELETE" })).status).toBe(409)
    const cancelled = told(await wish(id, "cancel"))
    expect(cancelled).toMatchObject({ state: "cancelled" })
    expect((cancelled.counts["enrolled"] ?? 0) + (cancelled.counts["already_enrolled"] ?? 0) + (cancelled.counts["rejected"] ?? 0) + (cancelled.counts["skipped"] ?? 0)).toBe(60)
    expect((await wish(id, "resume")).status).toBe(409)
    // Nobody was called twice.
    const entries = await Effect.runPromise(proxy.simulator.journal.entries)
    expect(new Set(entries.map(({ customerId }) => customerId)).size).toBe(entries.length)
    expect((await call(`${proxy.url}/v1/jobs/${id}`, { secret, method: "DELETE" })).status).toBe(204)
    expect((await call(`${proxy.url}/v1/jobs/${id}`, { secret })).status).toBe(404)
  })

  it("yield to callers who wait, and share an organisation's pace", async () => {
    const proxy = await start({ simulation: slow, orgs: [{ MILEPOST_CONCURRENCY: "2" }] })
    const { secret } = await proxy.key()
    const one = told(await upload(proxy, secret, csv(customers.slice(0, 12))))
    const two = told(await upload(proxy, secret, csv(customers.slice(12, 24))))
    await until(proxy, secret, two.id, "running")
    await vi.waitUntil(async () => (await Effect.runPromise(proxy.simulator.journal.counts)).received >= 4)
    const person = JSON.stringify({ customerId: 1_058, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3" })
    expect((await call(`${proxy.url}/v1/enrollments`, { secret, body: person })).status).toBe(200)
    await until(proxy, secret, one.id, "finished")
    await until(proxy, secret, two.id, "finished")
    const order = (await Effect.runPromise(proxy.simulator.journal.entries)).map(({ customerId }) => customerId)
    // It went out long before the jobs were through, and neither job waited for the other's end.
    expect(order.indexOf(1_058)).toBeLessThan(14)
    const [last] = order.map((id, index) => ({ id, index })).filter(({ id }) => id !== null && id >= 1_012 && id < 1_024)
    expect(last?.index).toBeLessThan(12)
  })

  it("are seen by keys of their organisation and target groups only", async () => {
    const proxy = await start({ orgs: [{}, { MILEPOST_PROXY_ORG: "other" }] })
    const { secret } = await proxy.key()
    const strangers = [await proxy.key({ orgs: ["other"] }), await proxy.key({ targetGroups: [40] })]
    const { id } = told(await upload(proxy, secret, csv([1050])))
    await until(proxy, secret, id, "finished")
    for (const stranger of strangers) {
      for (const path of ["", "/results", "/failed", "/events"]) expect((await call(`${proxy.url}/v1/jobs/${id}${path}`, { secret: stranger.secret })).status).toBe(404)
      expect((await call(`${proxy.url}/v1/jobs/${id}/cancel`, { secret: stranger.secret, method: "POST" })).status).toBe(404)
      expect((await call(`${proxy.url}/v1/jobs`, { secret: stranger.secret })).text).toBe(`{"jobs":[]}`)
    }
  })

  it("give their failed rows as they were uploaded, to be mended and uploaded again", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const failedOf = async (body: string, query: string, type?: string) => {
      const { id } = told(await upload(proxy, secret, body, query, type))
      await until(proxy, secret, id, "finished")
      const { headers, text } = await call(`${proxy.url}/v1/jobs/${id}/failed`, { secret })
      return [headers.get("content-type"), headers.get("content-disposition"), text.replaceAll(id, "ID")]
    }
    const header = "CustomerId, note\r\n"
    expect(await failedOf(`${header}1050,=1+1\r\nx,"a, b"\r\n1051,\r\n1050,again\r\n 7 ,=2`, place)).toEqual([
      "text/csv; charset=utf-8",
      expect.stringMatching(/-failed\.csv"$/),
      // Byte for byte, but for the line end that the last row did not have; a duplicate is no failure.
      `${header}x,"a, b"\r\n 7 ,=2\n`
    ])
    expect(await failedOf(`{"customerId":1060}\n{"customerId": "x" }\n`, place, "application/x-ndjson")).toEqual([
      "application/x-ndjson",
      expect.stringMatching(/-failed\.ndjson"$/),
      `{"customerId": "x" }\n`
    ])
  })

  it("tell their progress as events, and only what is newer to who comes again", async () => {
    const proxy = await start({ simulation: slow, orgs: [{ MILEPOST_CONCURRENCY: "4" }] })
    const { secret } = await proxy.key()
    const { id } = told(await upload(proxy, secret, csv(customers)))
    const { headers, text } = await call(`${proxy.url}/v1/jobs/${id}/events`, { secret })
    expect(headers.get("content-type")).toContain("text/event-stream")
    const events = text.trimEnd().split("\n\n").map((event) => ({
      id: /^id: (.*)$/m.exec(event)?.[1] ?? "",
      kind: /^event: (.*)$/m.exec(event)?.[1],
      data: JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "{}") as Told
    }))
    expect(events.length).toBeGreaterThan(1)
    expect(events.at(-1)).toMatchObject({ kind: "end", data: { state: "finished", open: 0 } })
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length)
    const again = await call(`${proxy.url}/v1/jobs/${id}/events`, { secret, headers: { "last-event-id": events[0]?.id ?? "" } })
    expect(again.text.match(/^event:/gm)).toEqual(["event:"])
    expect(again.text).toContain("event: end")
  })

  it("go on by themselves in the next process, and send nobody twice after a stop in order", async () => {
    const before = await start({ simulation: slow, orgs: [{ MILEPOST_CONCURRENCY: "4" }] })
    const { secret } = await before.key()
    const { id } = told(await upload(before, secret, csv(customers)))
    await vi.waitUntil(async () => (await Effect.runPromise(before.simulator.journal.counts)).received > 8)
    await before.drain()
    const { data, simulator, simulatorUrl } = before
    const sent = (await Effect.runPromise(simulator.journal.counts)).received
    expect(sent).toBeLessThan(60)
    // The simulator lives on in the scope of the first one: only its server's socket is asked.
    await before.stopServing()
    const after = await start({ data, simulatorUrl, orgs: [{ MILEPOST_CONCURRENCY: "4" }] })
    const job = await until(after, secret, id, "finished")
    expect(job.open).toBe(0)
    const entries = await Effect.runPromise(simulator.journal.entries)
    expect(entries).toHaveLength(60)
    expect(new Set(entries.map(({ customerId }) => customerId)).size).toBe(60)
  })
})
