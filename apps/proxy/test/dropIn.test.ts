/** The upstream's own routes over sockets: the real server before the real simulator. */
import { describe, expect, it, vi } from "@effect/vitest"
import * as World from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { basePath, call, enrolBody, enrolPath, start, upstreamSecret } from "./running.js"

const codeOf = (text: string): unknown => (JSON.parse(text) as { readonly errors: ReadonlyArray<{ readonly code: unknown }> | null }).errors?.[0]?.code

describe("the upstream's own routes", () => {
  it("answer in the upstream's envelope, with what the upstream said", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const first = await call(proxy.url + enrolPath(), { secret, body: enrolBody(1050) })
    expect([first.status, first.text]).toEqual([200, `{"data":1050,"errors":null,"warnings":null}`])
    expect(codeOf((await call(proxy.url + enrolPath(), { secret, body: enrolBody(1050) })).text)).toBe(310119)
    const unenrolled = await call(proxy.url + enrolPath(2154, 2309, "unEnroll"), { secret, body: `[{"customerId":1050}]` })
    expect(unenrolled.text).toBe(`{"data":1050,"errors":null,"warnings":null}`)
    const lookUp = await call(`${proxy.url}${basePath}/users/1050/targetGroups`, { secret })
    expect(JSON.parse(lookUp.text)).toMatchObject({ data: { customer: { id: 1050 } } })
  })

  it("refuse a key that is missing, wrong, revoked or in the query", async () => {
    const proxy = await start()
    const { id, secret } = await proxy.key()
    const enrol = (options: Parameters<typeof call>[1], query = "") => call(`${proxy.url}${enrolPath()}${query}`, { body: enrolBody(1051), ...options })
    expect((await enrol({})).status).toBe(401)
    expect((await enrol({ secret: `${secret}x` })).status).toBe(401)
    expect((await enrol({}, `?access_token=${secret}`)).status).toBe(401)
    expect((await enrol({ headers: { authorization: `Basic ${secret}` } })).status).toBe(401)
    await proxy.revoke(id)
    const refused = await enrol({ secret })
    expect([refused.status, codeOf(refused.text)]).toEqual([401, 401])
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(0)
  })

  it("let a key touch its own organisation and target groups only", async () => {
    const proxy = await start({ orgs: [{}, { MILEPOST_PROXY_ORG: "other" }] })
    const narrow = await proxy.key({ targetGroups: [40] })
    const both = await proxy.key({ orgs: ["brand", "other"] })
    expect((await call(proxy.url + enrolPath(), { secret: narrow.secret, body: enrolBody(1052) })).status).toBe(403)
    const elsewhere = await call(proxy.url + enrolPath(), { secret: narrow.secret, body: enrolBody(1052), headers: { "data-scope-org": "other" } })
    expect(elsewhere.status).toBe(403)
    const unnamed = await call(proxy.url + enrolPath(), { secret: both.secret, body: enrolBody(1052) })
    expect([unnamed.status, codeOf(unnamed.text)]).toEqual([400, 310144])
    const named = await call(proxy.url + enrolPath(), { secret: both.secret, body: enrolBody(1052), headers: { "data-scope-org": "other" } })
    expect(named.status).toBe(200)
    const scopeAll = await call(proxy.url + enrolPath(), { secret: narrow.secret, body: enrolBody(1052), headers: { "data-scope": "ALL" } })
    expect(codeOf(scopeAll.text)).toBe(310141)
    // The look-up of a narrow key shows nothing of the other groups.
    const seen = await call(`${proxy.url}${basePath}/users/1052/targetGroups`, { secret: narrow.secret })
    expect(JSON.parse(seen.text)).toMatchObject({ data: { targetGroups: [] } })
  })

  it("turn a refusal of the proxy's own credentials into 502, without a word of them", async () => {
    const proxy = await start({ orgs: [{ MILEPOST_PASSWORD: "not-the-password" }] })
    const { secret } = await proxy.key()
    const answer = await call(proxy.url + enrolPath(), { secret, body: enrolBody(1053) })
    expect([answer.status, codeOf(answer.text)]).toEqual([502, 502])
    expect(answer.text).not.toContain("not-the-password")
  })

  it("repeat what may be repeated, and pass on what may not", async () => {
    const proxy = await start({
      simulation: { faults: [{ operation: "enroll", customerId: 1054, first: 1, effect: { kind: "status", status: 502, executed: true } }] }
    })
    const { secret } = await proxy.key()
    const answer = await call(proxy.url + enrolPath(), { secret, body: enrolBody(1054) })
    // Executed by the attempt whose answer got lost: the second one meets 310119.
    expect(codeOf(answer.text)).toBe(310119)
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(2)
  })

  it("never have two calls in flight for one customer, in the order of their arrival", async () => {
    const proxy = await start({
      simulation: { faults: [{ operation: "enroll", customerId: 1055, effect: { kind: "latency", millis: 30 } }] }
    })
    const { secret } = await proxy.key()
    const balances = [1, 2, 3, 4, 5]
    const answers: Array<Promise<{ readonly text: string }>> = []
    for (const initialBalance of balances) {
      answers.push(call(proxy.url + enrolPath(), { secret, body: enrolBody(1055, { periodName: "Cycle_3", initialBalance }) }))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect((await Promise.all(answers)).map(({ text }) => codeOf(text) ?? "in")).toEqual(["in", 310119, 310119, 310119, 310119])
    const entries = await Effect.runPromise(proxy.simulator.journal.entries)
    expect(entries.map(({ initialBalance }) => initialBalance)).toEqual(balances)
    expect(entries.every(({ overlapped }) => !overlapped)).toBe(true)
  })

  it("are given another base path, method, content type or size by nobody", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    expect((await call(`${proxy.url}${basePath}/targetGroups/2154/targets/2309/unenroll`, { secret, body: "[]" })).status).toBe(404)
    expect((await call(proxy.url + enrolPath(), { secret, method: "PUT", body: "[]" })).status).toBe(405)
    expect((await call(proxy.url + enrolPath(), { secret, body: "[]", headers: { "content-type": "text/plain" } })).status).toBe(415)
    expect((await call(proxy.url + enrolPath(), { secret, body: `[${" ".repeat(70_000)}]` })).status).toBe(413)
    expect(codeOf((await call(`${proxy.url}${basePath}/targetGroups/..%2F..%2F/targets/2309/enroll`, { secret, body: enrolBody(1) })).text)).toBe(300004)
    const host = await call(proxy.url + enrolPath(), { secret, body: enrolBody(1056), headers: { "x-forwarded-host": "evil.example" } })
    expect(host.status).toBe(200)
  })

  it("refuse both a length and chunks, and headers without end", async () => {
    const proxy = await start()
    const port = Number(new URL(proxy.url).port)
    const raw = (text: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = Net.connect(port, "127.0.0.1", () => socket.write(text))
        let answer = ""
        socket.on("data", (chunk) => (answer += String(chunk)))
        socket.on("error", () => undefined)
        socket.on("close", () => resolve(answer))
      })
    const smuggled = await raw(`POST ${enrolPath()} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)
    expect(smuggled).toMatch(/^HTTP\/1\.1 400 /)
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nA: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
  })

  it("count a key's requests, and say what is left", async () => {
    const proxy = await start()
    const { secret } = await proxy.key({ perMinute: 2 })
    const lookUp = () => call(`${proxy.url}${basePath}/users/1057/targetGroups`, { secret })
    expect((await lookUp()).headers.get("ratelimit")).toMatch(/^"key";r=1;t=\d+$/)
    expect((await lookUp()).headers.get("ratelimit-policy")).toBe(`"key";q=2;w=60`)
    const third = await lookUp()
    expect([third.status, codeOf(third.text)]).toEqual([429, 429])
    expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(0)
  })

  it("refuse at once what would wait behind a full queue, and let in again what comes later", async () => {
    const proxy = await start({
      queue: 2,
      simulation: { faults: [{ operation: "enroll", effect: { kind: "latency", millis: 200 } }] }
    })
    const { secret } = await proxy.key()
    const answers = await Promise.all([1060, 1061, 1062, 1063].map((id) => call(proxy.url + enrolPath(), { secret, body: enrolBody(id) })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429])
    expect(answers.find(({ status }) => status === 429)?.headers.get("retry-after")).toBe("1")
    expect((await call(proxy.url + enrolPath(), { secret, body: enrolBody(1064) })).status).toBe(200)
  })

  it("finish what has begun when the service stops, and begin nothing", async () => {
    const proxy = await start({ simulation: { faults: [{ operation: "enroll", effect: { kind: "latency", millis: 300 } }] } })
    const { secret } = await proxy.key()
    const begun = call(proxy.url + enrolPath(), { secret, body: enrolBody(1065) })
    await vi.waitUntil(async () => (await Effect.runPromise(proxy.simulator.journal.counts)).received === 1)
    const drained = proxy.drain()
    const late = await call(proxy.url + enrolPath(), { secret, body: enrolBody(1066) })
    expect(late.status).toBe(503)
    expect((await begun).status).toBe(200)
    await drained
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(1)
  })

  it("show no secret in any answer, log or metric", async () => {
    const proxy = await start({ world: World.conformance })
    const { secret } = await proxy.key()
    const seen: Array<string> = []
    for (
      const [path, options] of [
        [enrolPath(), { secret, body: enrolBody(1067) }],
        [enrolPath(), { secret, body: "[" }],
        [`${enrolPath()}?key=${secret}`, { body: enrolBody(1067) }],
        [`${basePath}/users/1067/targetGroups`, { secret }],
        [`/nowhere/${secret}`, { secret }]
      ] as const
    ) {
      const answer = await call(proxy.url + path, options)
      seen.push(answer.text, JSON.stringify([...answer.headers]))
    }
    const told = [...seen, proxy.logged(), proxy.metrics.render({ upstreams: proxy.upstreams, jobs: {}, lanes: 64 })].join("\n")
    const basic = Buffer.from("parent.till:").toString("base64").slice(0, 12)
    for (const canary of [secret, secret.slice(3, 20), upstreamSecret, basic]) expect(told).not.toContain(canary)
    expect(proxy.logged()).toContain(`"route":"enroll"`)
  })
})
