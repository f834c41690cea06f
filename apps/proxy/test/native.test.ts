/** The native routes over sockets: the real server before the real simulator. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { call, start, upstreamSecret } from "./running.js"

const record = (customerId: number, more: object = { periodName: "Cycle_3" }) => ({ customerId, targetGroupId: 2154, targetId: 2309, ...more })

const post = (url: string, secret: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  call(url, { secret, body: typeof body === "string" ? body : JSON.stringify(body), headers })

interface Told {
  readonly [key: string]: unknown
}

const json = ({ text }: { readonly text: string }): Told => JSON.parse(text) as Told

describe("native routes", () => {
  it("answer one record with its outcome: absent, null and zero are three things", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const url = `${proxy.url}/v1/enrollments`
    expect(json(await post(url, secret, record(1050, { periodName: "Cycle_3", initialBalance: 250 })))).toMatchObject({
      outcome: "enrolled", customerId: 1050, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3", warnings: [], attempts: 1
    })
    expect(json(await post(url, secret, record(1050)))).toMatchObject({ outcome: "already_enrolled", code: 310119, afterAmbiguousAttempt: false })
    expect(json(await post(`${proxy.url}/v1/unenrollments`, secret, { customerId: 1050, targetGroupId: 2154, targetId: 2309 }))).toMatchObject({ outcome: "unenrolled" })
    expect(json(await post(url, secret, record(1050, { periodName: "Cycle_3", initialBalance: null })))).toMatchObject({ outcome: "enrolled" })
    const balances = (await Effect.runPromise(proxy.simulator.journal.entries)).map(({ initialBalance }) => initialBalance)
    expect(balances[0]).toBe(250)
    expect(balances.at(-1)).toBeNull()
    const seen = json(await call(`${proxy.url}/v1/customers/1050/target-groups`, { secret }))
    expect(seen).toMatchObject({ customerId: 1050, targetGroups: [{ id: 2154, targets: expect.arrayContaining([expect.objectContaining({ targetAchievedValue: 250 })]) }] })
    expect(JSON.stringify(seen)).not.toMatch(/firstName|mobile|email/)
  })

  it("answer a batch with a result a record, in order", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const records = [record(1051), record(5), record(1051), record(-1), record(1052, { initialBalance: 3 })]
    const answer = json(await post(`${proxy.url}/v1/enrollments/batch`, secret, { records }))
    expect(answer).toMatchObject({
      counts: { enrolled: 1, already_enrolled: 1, rejected: 3 },
      results: [
        { customerId: 1051, outcome: "enrolled" },
        { customerId: 5, outcome: "rejected", code: 310011 },
        { customerId: 1051, outcome: "already_enrolled" },
        { customerId: -1, outcome: "rejected", code: "input", attempts: 0 },
        { customerId: 1052, outcome: "rejected", code: "input" }
      ]
    })
    const many = Array.from({ length: 1_001 }, () => record(1051))
    expect(json(await post(`${proxy.url}/v1/enrollments/batch`, secret, { records: many }))).toMatchObject({ status: 400, type: "urn:milepost:problem:invalid-request" })
  })

  it("tell what is wrong as a problem of a stable type", async () => {
    const proxy = await start({
      simulation: {
        faults: [
          { operation: "enroll", customerId: 1060, effect: { kind: "status", status: 502 } },
          { operation: "enroll", customerId: 1061, effect: { kind: "status", status: 403 } }
        ]
      }
    })
    const { secret } = await proxy.key({ targetGroups: [2154, 1] })
    const url = `${proxy.url}/v1/enrollments`
    const cases: ReadonlyArray<readonly [Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }>, string, number]> = [
      [call(url, { body: "{}" }), "unauthenticated", 401],
      [post(url, secret, "{"), "invalid-request", 400],
      [post(url, secret, { ...record(1), colour: "red" }), "invalid-request", 400],
      [post(url, secret, record(0)), "rejected", 422],
      [post(url, secret, record(5)), "rejected", 422],
      [post(url, secret, { ...record(1062), targetGroupId: 40 }), "forbidden", 403],
      [post(url, secret, { ...record(1062), org: "other" }), "forbidden", 403],
      [post(url, secret, " ".repeat(1_100_000)), "too-large", 413],
      [post(url, secret, "{}", { "content-type": "text/plain" }), "unsupported-media-type", 415],
      [post(url, secret, record(1060)), "unknown", 502],
      [post(url, secret, record(1061)), "upstream-refused", 502],
      [call(`${proxy.url}/v1/customers/x/target-groups`, { secret }), "invalid-request", 400],
      [call(`${proxy.url}/v1/customers/..%2f1/target-groups`, { secret }), "invalid-request", 400],
      [call(`${proxy.url}/v1/nothing`, { secret }), "not-found", 404],
      [call(`${proxy.url}/v1/jobs/job_none`, { secret }), "not-found", 404]
    ]
    for (const [asked, name, status] of cases) {
      const answer = await asked
      const problem = json(answer)
      expect([answer.status, problem["type"], problem["status"], answer.headers.get("content-type")]).toEqual([
        status, `urn:milepost:problem:${name}`, status, "application/problem+json"
      ])
      expect(answer.headers.get("x-request-id")).toMatch(/^mpx-/)
      expect(answer.text).not.toMatch(/parent|at .*\.ts|node_modules/)
    }
    expect(json(await post(url, secret, record(5)))).toMatchObject({ code: 310011, outcome: "rejected" })
  })

  it("give the first answer again for an Idempotency-Key, and refuse it for anything else", async () => {
    const proxy = await start({ simulation: { faults: [{ operation: "enroll", customerId: 1071, effect: { kind: "latency", millis: 400 } }] } })
    const { secret } = await proxy.key()
    const other = await proxy.key()
    const url = `${proxy.url}/v1/enrollments`
    const key = { "idempotency-key": "a-first" }
    const first = await post(url, secret, record(1070), key)
    const again = await post(url, secret, record(1070), key)
    expect([again.status, again.text, again.headers.get("idempotent-replayed")]).toEqual([200, first.text, "true"])
    expect(json(await post(url, secret, record(1072), key))).toMatchObject({ status: 422, type: "urn:milepost:problem:other-request" })
    // A key is its owner's alone.
    expect(json(await post(url, other.secret, record(1070), key))).toMatchObject({ outcome: "already_enrolled" })
    const slow = post(url, secret, record(1071), { "idempotency-key": "slow" })
    await new Promise((resolve) => setTimeout(resolve, 150))
    const meanwhile = await post(url, secret, record(1071), { "idempotency-key": "slow" })
    expect([meanwhile.status, json(meanwhile)["type"], meanwhile.headers.get("retry-after")]).toEqual([409, "urn:milepost:problem:still-running", "1"])
    expect((await slow).status).toBe(200)
    expect((await post(url, secret, record(1071), { "idempotency-key": "slow" })).text).toBe((await slow).text)
    const refused = await post(url, secret, record(5), { "idempotency-key": "refused" })
    expect((await post(url, secret, record(5), { "idempotency-key": "refused" })).text).toBe(refused.text)
    expect((await post(url, secret, record(1073), { "idempotency-key": "x".repeat(300) })).status).toBe(400)
    // Durable: another process gives the same answer.
    const { data } = proxy
    const { simulatorUrl } = proxy
    await proxy.stopServing()
    const next = await start({ data, simulatorUrl })
    expect((await post(`${next.url}/v1/enrollments`, secret, record(1070), key)).text).toBe(first.text)
  })

  it("limit a key, and say when it may come again", async () => {
    const proxy = await start()
    const { secret } = await proxy.key({ perMinute: 1 })
    const url = `${proxy.url}/v1/customers/1074/target-groups`
    expect((await call(url, { secret })).headers.get("ratelimit")).toMatch(/^"key";r=0;t=\d+$/)
    const answer = await call(url, { secret })
    expect(json(answer)).toMatchObject({ status: 429, type: "urn:milepost:problem:rate-limited" })
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0)
  })

  it("tell how fast a key's organisations may be called, and nothing of others'", async () => {
    const proxy = await start({ orgs: [{ MILEPOST_RATE: "5/s", MILEPOST_CONCURRENCY: "4" }, { MILEPOST_PROXY_ORG: "other" }] })
    const { secret } = await proxy.key({ orgs: ["brand", "gone"] })
    const idle = { inFlight: 0, waiting: 0, isPaused: false, down: null }
    expect(json(await call(`${proxy.url}/v1/orgs`, { secret }))).toEqual({
      orgs: [
        { id: "brand", isConfigured: true, callsPerSecond: 5, places: 4, ...idle },
        { id: "gone", isConfigured: false, callsPerSecond: null, places: 0, ...idle }
      ]
    })
    expect((await call(`${proxy.url}/v1/orgs`)).status).toBe(401)
  })

  it("cut a client off who sends its body too slowly", { timeout: 30_000 }, async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const started = Date.now()
    const ended = await new Promise<number>((resolve) => {
      const socket = Net.connect(Number(new URL(proxy.url).port), "127.0.0.1", () => {
        socket.write(`POST /v1/enrollments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`)
      })
      socket.on("error", () => undefined)
      socket.on("close", () => resolve(Date.now() - started))
    })
    expect(ended).toBeGreaterThan(9_000)
    expect(ended).toBeLessThan(20_000)
  })

  it("let nobody go on sending what is refused already", { timeout: 30_000 }, async () => {
    const proxy = await start()
    const said = await new Promise<string>((resolve) => {
      const socket = Net.connect(Number(new URL(proxy.url).port), "127.0.0.1", () => {
        socket.write("POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 100000\r\n\r\ncustomerId\n")
      })
      let text = ""
      socket.on("data", (chunk) => (text += String(chunk)))
      socket.on("error", () => undefined)
      socket.on("close", () => resolve(text))
    })
    expect(said).toMatch(/^HTTP\/1\.1 401 /)
  })

  it("need no key where the service tells of itself, and say when it stops", async () => {
    const proxy = await start()
    expect((await call(`${proxy.url}/healthz`)).text).toBe("ok\n")
    expect((await call(`${proxy.url}/readyz`)).text).toBe("ready\n")
    expect((await call(`${proxy.url}/metrics`)).text).toContain("milepost_proxy_upstream_in_flight{org=\"brand\"} 0")
    await proxy.drain()
    expect((await call(`${proxy.url}/readyz`)).status).toBe(503)
    expect((await call(`${proxy.url}/healthz`)).status).toBe(200)
  })

  it("show no secret in any answer, log or metric", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const seen = await Promise.all([
      post(`${proxy.url}/v1/enrollments`, secret, record(1080)),
      post(`${proxy.url}/v1/enrollments`, secret, { ...record(1080), note: secret }),
      call(`${proxy.url}/v1/${secret}`, { secret }),
      call(`${proxy.url}/v1/jobs`, { secret }),
      call(`${proxy.url}/metrics`),
      call(`${proxy.url}/docs`)
    ])
    const told = [...seen.map(({ headers, text }) => `${text}${JSON.stringify([...headers])}`), proxy.logged()].join("\n")
    for (const canary of [secret, secret.slice(4, 24), upstreamSecret]) expect(told).not.toContain(canary)
  })
})
