/** What somebody would try: everything is refused, and nothing of it is told on. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Net from "node:net"
import { basePath, call, enrolBody, enrolPath, start, upstreamSecret } from "./running.js"

/** Bytes as they are, and everything that comes back until the other side closes. */
const raw = (url: string, text: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = Net.connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(text))
    let answer = ""
    socket.on("data", (chunk) => (answer += String(chunk)))
    socket.on("error", () => undefined)
    socket.on("close", () => resolve(answer))
    socket.setTimeout(2_000, () => socket.destroy())
  })

describe("somebody who tries", () => {
  it("to send calls elsewhere, by any parameter, reaches nobody", async () => {
    const hits: Array<string> = []
    const elsewhere = Http.createServer((req, res) => {
      hits.push(req.url ?? "")
      res.end()
    })
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve))
    const address = elsewhere.address()
    const evil = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    try {
      const proxy = await start()
      const { secret } = await proxy.key()
      const headers = { host: new URL(evil).host, "x-forwarded-host": evil, forwarded: `host=${evil}`, "x-original-url": evil, "data-scope-org": evil }
      await call(proxy.url + enrolPath(), { secret, body: enrolBody(1_050), headers: { ...headers, host: "127.0.0.1" } })
      await call(`${proxy.url}/v1/enrollments`, { secret, body: JSON.stringify({ org: evil, host: evil, customerId: 1_050, targetGroupId: 2154, targetId: 2309 }) })
      await call(`${proxy.url}/v1/jobs?org=${encodeURIComponent(evil)}&name=${encodeURIComponent(evil)}`, { secret, body: "customerId\n1\n", headers: { "content-type": "text/csv" } })
      // A request line that names another host is what proxies of the other kind are asked with.
      const absolute = await raw(proxy.url, `GET ${evil}/ HTTP/1.1\r\nHost: ${new URL(evil).host}\r\nAuthorization: Bearer ${secret}\r\nConnection: close\r\n\r\n`)
      expect(absolute).toMatch(/^HTTP\/1\.1 404 /)
      expect(await raw(proxy.url, `CONNECT ${new URL(evil).host} HTTP/1.1\r\nHost: x\r\n\r\n`)).toBe("")
      expect(hits).toEqual([])
    } finally {
      elsewhere.closeAllConnections()
      elsewhere.close()
    }
  })

  it("to leave the path, or to break a header, is answered and sends nothing", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const auth = `Authorization: Bearer ${secret}\r\n`
    const body = enrolBody(1_051)
    const rest = `Host: x\r\n${auth}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
    const paths = [
      `${basePath}/targetGroups/2154/../../../targets/2309/enroll`,
      `${basePath}/targetGroups/2154%0d%0aX:1/targets/2309/enroll`,
      `${basePath}/targetGroups/2154/targets/2309/enroll%00`,
      `${basePath}/../v3.1/targetGroups/2154/targets/2309/enroll`,
      `${basePath}//targetGroups/2154/targets/2309/enroll`,
      `${basePath}/targetGroups/2154;x/targets/2309/enroll`,
      `/v1/customers/..%2f..%2f1/target-groups`
    ]
    for (const path of paths) {
      const answer = await raw(proxy.url, `POST ${path} HTTP/1.1\r\n${rest}`)
      expect(answer, path).toMatch(/^HTTP\/1\.1 4\d\d /)
    }
    for (const id of ["a\r\nset-cookie: x", "x".repeat(200), "a b c d e f g h", "../../../../etc"]) {
      const answer = await raw(proxy.url, `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n`)
      expect(answer).not.toContain(id)
      expect(answer.toLowerCase()).not.toContain("set-cookie")
    }
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(0)
  })

  it("to smuggle a second request behind the first is cut off", async () => {
    const proxy = await start()
    const { secret } = await proxy.key()
    const second = `POST ${enrolPath()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nContent-Length: 0\r\n\r\n`
    for (
      const framing of [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked"
      ]
    ) {
      const answer = await raw(proxy.url, `POST ${enrolPath()} HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n0\r\n\r\n${second}`)
      expect(answer, framing).toMatch(/^HTTP\/1\.1 400 /)
      expect(answer.match(/HTTP\/1\.1/g), framing).toHaveLength(1)
    }
  })

  it("to fill the service with bodies that are huge or never come is cut off, and sends nothing", { timeout: 30_000 }, async () => {
    const proxy = await start({ uploadBytes: 50_000, uploadPatience: { silenceMillis: 300, windowMillis: 300, bytesPerSecond: 1_000 } })
    const { secret } = await proxy.key()
    const huge = " ".repeat(2_000_000)
    for (const path of [enrolPath(), "/v1/enrollments", "/v1/unenrollments", "/v1/enrollments/batch", "/v1/jobs"]) {
      const type = path === "/v1/jobs" ? "text/csv" : "application/json"
      const answer = await call(`${proxy.url}${path}`, { secret, body: huge, headers: { "content-type": type } })
      expect([path, answer.status]).toEqual([path, 413])
    }
    const head = `Host: x\r\nAuthorization: Bearer ${secret}\r\nContent-Length: 40000\r\n`
    expect(await raw(proxy.url, `POST /v1/jobs?group=2154&target=2309 HTTP/1.1\r\n${head}Content-Type: text/csv\r\n\r\ncustomerId\n`)).toMatch(/^HTTP\/1\.1 400 [^]*too slowly/)
    expect(await raw(proxy.url, `POST ${enrolPath()} HTTP/1.1\r\nX-Long: ${"x".repeat(40_000)}\r\n${head}\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(0)
  })

  it("to guess a key is told the same, whether there is one like it or not", async () => {
    const proxy = await start()
    const { id, secret } = await proxy.key()
    const answerTo = async (presented: string) => {
      const { status, text } = await call(`${proxy.url}/v1/jobs`, { secret: presented })
      return [status, text.replace(/"instance":"[^"]*"/, "")]
    }
    const unknown = await answerTo(`mp_${"a".repeat(43)}`)
    expect(unknown[0]).toBe(401)
    for (const guess of [secret.slice(0, -1), `${secret}x`, secret.toUpperCase(), "mp_", "x"]) expect(await answerTo(guess)).toEqual(unknown)
    await proxy.revoke(id)
    expect(await answerTo(secret)).toEqual(unknown)
  })

  it("other people's keys, groups and jobs is refused, and the log tells who without telling how", async () => {
    const proxy = await start({ orgs: [{}, { MILEPOST_PROXY_ORG: "other" }] })
    const mine = await proxy.key({ targetGroups: [2154] })
    const theirs = await proxy.key({ orgs: ["other"] })
    await proxy.revoke(theirs.id)
    const record = (more: object) => JSON.stringify({ customerId: 1_052, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3", ...more })
    const tries = [
      [await call(`${proxy.url}/v1/enrollments`, { secret: theirs.secret, body: record({}) }), 401],
      [await call(`${proxy.url}/v1/enrollments`, { secret: mine.secret, body: record({ org: "other" }) }), 403],
      [await call(`${proxy.url}/v1/enrollments`, { secret: mine.secret, body: record({ targetGroupId: 40, targetId: 41 }) }), 403],
      [await call(`${proxy.url}/v1/enrollments/batch`, { secret: mine.secret, body: `{"records":[${record({})},${record({ targetGroupId: 40 })}]}` }), 403],
      [await call(`${proxy.url}/v1/enrollments?api_key=${mine.secret}`, { body: record({}) }), 401],
      [await call(`${proxy.url}/v1/jobs/..%2f..%2fproxy.db/results`, { secret: mine.secret }), 404],
      [await call(`${proxy.url}/v1/enrollments`, { secret: mine.secret, body: record({ __proto__: null, constructor: {} }) }), 400]
    ] as const
    for (const [answer, status] of tries) expect([answer.status, answer.text]).toEqual([status, expect.stringContaining("urn:milepost:problem:")])
    expect((await Effect.runPromise(proxy.simulator.journal.counts)).received).toBe(0)
    const logged = proxy.logged()
    expect(logged.match(/"status":403/g)).toHaveLength(3)
    expect(logged).toContain(mine.id)
    for (const canary of [mine.secret, theirs.secret, upstreamSecret]) expect(logged).not.toContain(canary)
  })

  it("to be told what the upstream says is told the message of a code, and no page of a gateway", async () => {
    const proxy = await start({ simulation: { faults: [{ operation: "enroll", effect: { kind: "body", body: "html" } }] } })
    const { secret } = await proxy.key()
    const answer = await call(`${proxy.url}/v1/enrollments`, {
      secret,
      body: JSON.stringify({ customerId: 1_053, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3" })
    })
    expect(answer.status).toBe(502)
    expect(answer.text).not.toMatch(/<html|Please wait|DOCTYPE/i)
  })
})
