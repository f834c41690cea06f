/** `milepost-harness record`, `replay` and `diff` as processes, against upstreams in this one. */
import { afterEach, describe, expect, it } from "@effect/vitest"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as NodePath from "node:path"
import { harnessBinary, patience } from "./binary.js"

const { file, folder, harness } = harnessBinary()

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const served = async (world: World.World, options?: Simulator.Options): Promise<string> => {
  const scope = Effect.runSync(Scope.make())
  closing.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const simulator = await Effect.runPromise(Simulator.make(world, options))
  const serving = SimulatorServer.serve().pipe(Effect.provideService(Simulator.Simulator, simulator), Scope.extend(scope))
  return (await Effect.runPromise(serving)).url
}

const answering = async (answer: Http.RequestListener): Promise<string> => {
  const server = Http.createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
}

const till = "Basic c3RvcmUuc2VydmVyOjhhMTZhNmI3MDUwNWViMWYxZmY3Y2RjMGNkNTU1OWE3"
const base = "/api_gateway/intouch-api-v3/v3.1"

const ask = async (url: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
  const answer = await fetch(url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: till, "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
  })
  return { status: answer.status, text: await answer.text(), retryAfter: answer.headers.get("retry-after") }
}

const enroll = (url: string, customerId: number, balance?: number | null, under = base) =>
  ask(url, `${under}/targetGroups/2154/targets/2309/enroll`, [{ customerId, periodName: "Cycle_1", ...(balance === undefined ? {} : { initialBalance: balance }) }])

const recording = async (target: string, out: string) => {
  const { announced, child, ended } = harness("record", "--target", target, "--out", out)
  const url = (await announced).get("MILEPOST_HOST") ?? ""
  const stop = async () => {
    child.kill("SIGTERM")
    return (await ended).code
  }
  return { url, stop }
}

const replaying = async (cassette: string) => {
  const { announced, child, ended } = harness("replay", "--cassette", cassette)
  const url = (await announced).get("MILEPOST_HOST") ?? ""
  const stop = async () => {
    child.kill("SIGTERM")
    return (await ended).code
  }
  return { url, stop }
}

const lines = (out: string): ReadonlyArray<unknown> =>
  Fs.readFileSync(NodePath.join(folder, out, "calls.ndjson"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as unknown)

/** The calls of a small story, and what they are answered. */
const story = async (url: string) => [
  await enroll(url, 564332013, 100),
  await enroll(url, 564332013, 100),
  await enroll(url, 564332014, null),
  await enroll(url, 5),
  await ask(url, `${base}/users/564332013/targetGroups?includeInactive=true`),
  await ask(url, `${base}/targetGroups/2154/targets/2309/unEnroll`, [{ customerId: 564332013 }])
]

describe("a recording", { timeout: patience }, () => {
  it("is given again as it was, call by call, and differs in nothing from the simulator", async () => {
    const upstream = await served(World.sample, { faults: [{ customerId: 564332014, nth: 1, effect: { kind: "rateLimited", retryAfterSeconds: 3 } }] })
    const recorder = await recording(upstream, "story")
    const recorded = await story(recorder.url)
    expect(recorded.map(({ status }) => status)).toEqual([200, 200, 429, 200, 200, 200])
    expect(await recorder.stop()).toBe(0)
    expect(lines("story")).toMatchObject([
      { sequence: 1, asked: { operation: "enroll", path: "/targetGroups/2154/targets/2309/enroll", body: [{ customerId: 564332013, initialBalance: 100 }] }, answer: { status: 200 } },
      { answer: { body: { data: null, errors: [{ code: 310119 }] } } },
      { asked: { body: [{ initialBalance: null }] }, answer: { status: 429, retryAfter: "3" } },
      {},
      { asked: { path: "/users/564332013/targetGroups?includeInactive=true" }, answer: { body: { data: { customer: {}, targetGroups: [{ id: 2154, targets: expect.arrayContaining([expect.objectContaining({ periodRefCode: "Cycle_1", targetAchievedValue: 100 })]) }] } } } },
      {}
    ])

    const replay = await replaying("story")
    const again = await story(replay.url)
    expect(again.map(({ retryAfter, status }) => [status, retryAfter])).toEqual(recorded.map(({ retryAfter, status }) => [status, retryAfter]))
    expect(again.filter((_, index) => index !== 4)).toEqual(recorded.filter((_, index) => index !== 4))
    expect(JSON.parse(again[4]?.text ?? "")).toEqual({ ...JSON.parse(recorded[4]?.text ?? ""), data: { ...JSON.parse(recorded[4]?.text ?? "").data, customer: {} } })
    expect(await replay.stop()).toBe(0)

    const same = await harness("diff", "--cassette", "story", "--json").ended
    // The rate limit was a fault: the simulator alone knows none.
    expect(JSON.parse(same.out)).toEqual({
      compared: 6,
      skipped: 0,
      differences: [expect.objectContaining({ sequence: 3, what: "status", recorded: "429", simulated: "200" })]
    })
    expect(same.code).toBe(1)
  })

  it("says clearly what was not recorded, or has all been given", async () => {
    const recorder = await recording(await served(World.sample), "short")
    await enroll(recorder.url, 564332013)
    await recorder.stop()
    const { stop, url } = await replaying("short")
    expect((await enroll(url, 564332013, undefined, "/v3.1")).status).toBe(200)
    const none = await enroll(url, 564332013)
    expect(none.status).toBe(501)
    expect(none.text).toContain("it was recorded 1 times, and all of those have been given")
    const other = await enroll(url, 564332013, 0)
    expect([other.status, other.text]).toEqual([501, expect.stringContaining("it was never recorded")])
    expect((await ask(url, "/elsewhere", {})).status).toBe(501)
    await stop()
  })

  it("keeps a connection that broke, and an answer that is no JSON, as what they were", async () => {
    const faults = [
      { customerId: 564332013, effect: { kind: "reset", when: "after" } },
      { customerId: 564332014, effect: { kind: "body", body: "html" } }
    ] as const
    const recorder = await recording(await served(World.sample, { faults }), "broken")
    await expect(enroll(recorder.url, 564332013)).rejects.toThrow()
    const html = await enroll(recorder.url, 564332014)
    expect(html.text).toContain("<!DOCTYPE html>")
    await recorder.stop()
    expect(lines("broken")).toMatchObject([{ answer: null }, { answer: { contentType: "text/html", body: null, omittedLength: html.text.length } }])
    const { stop, url } = await replaying("broken")
    await expect(enroll(url, 564332013)).rejects.toThrow()
    expect((await enroll(url, 564332014)).text).toHaveLength(html.text.length)
    await stop()
  })

  it("differs in status, in code and in shape where the upstream does otherwise than the simulator", async () => {
    const upstream = await answering((req, res) => {
      const isLookUp = req.method === "GET"
      req.resume()
      req.once("end", () => {
        const envelope = isLookUp
          ? { data: { customer: { id: 1 }, targetGroups: [{ id: 2154, name: "n", tier: "gold", targets: [{ targetId: 9, targetValue: "1000" }] }] }, errors: null }
          : { data: null, errors: [{ code: 310121, message: "something new" }], warnings: null }
        res.writeHead(req.url?.includes("unEnroll") === true ? 422 : 200, { "content-type": "application/json" })
        res.end(JSON.stringify(envelope))
      })
    })
    const recorder = await recording(upstream, "other")
    await enroll(recorder.url, 564332013)
    await ask(recorder.url, `${base}/targetGroups/2154/targets/2309/unEnroll`, [{ customerId: 564332013 }])
    await ask(recorder.url, `${base}/users/564339001/targetGroups`)
    await recorder.stop()
    const world = file("other.world.json", World.sample)
    const { code, out } = await harness("diff", "--cassette", "other", "--world", world).ended
    expect(code).toBe(1)
    expect(out).toContain("code: recorded 310121, the simulator says accepted")
    expect(out).toContain("status: recorded 422, the simulator says 200")
    expect(out).toContain("shape: recorded data.targetGroups[].tier is a string, the simulator says data.targetGroups[].tier is nothing")
    expect(out).toContain("shape: recorded data.targetGroups[].targets[].targetValue is a string, the simulator says data.targetGroups[].targets[].targetValue is a number")
    expect(out).not.toContain("customer.id")
    expect(out).toMatch(/\n3 calls compared, 0 cannot be, \d+ differences\n$/)
  })

  it("holds no credential and nothing of a customer, wherever they come from", async () => {
    const canary = (name: string): string => `canary-${name}-7f3a9c`
    const person = {
      id: 564332013,
      firstName: canary("first"),
      lastName: canary("last"),
      mobile: "4915112345678",
      email: `${canary("mail")}@example.com`,
      address: { street: canary("street"), lines: [canary("line")] },
      [canary("no-key-is-kept")]: 1
    }
    const md5 = "5f4dcc3b5aa765d61d8327deb882cf99"
    const basic = Buffer.from(`${canary("till")}:${md5}`).toString("base64")
    const token = canary("token")
    const upstream = await answering((req, res) => {
      const chunks: Array<Buffer> = []
      req.on("data", (chunk: Buffer) => chunks.push(chunk))
      req.once("end", () => {
        const url = req.url ?? ""
        const echo = `${String(req.headers.authorization)} ${String(req.headers["x-cap-api-oauth-token"])} ${Buffer.concat(chunks).toString()}`
        const message = `Refused for ${person.firstName} ${person.lastName}, ${person.email}, +49 151 1234 5678: ${echo}, ${md5}`
        res.setHeader("content-type", `application/json; owner=${canary("header")}`)
        res.setHeader("set-cookie", canary("cookie"))
        res.setHeader("x-request-id", canary("request"))
        if (url.includes("oauth")) return res.end(JSON.stringify({ data: { accessToken: token, ttlSeconds: 60, owner: canary("owner") }, errors: null }))
        if (url.includes("html")) {
          res.setHeader("content-type", "text/html")
          return res.end(`<p>${message}</p>`)
        }
        if (url.includes("users")) {
          const groups = [{ id: 1, name: `Of ${person.firstName}`, owner: person, note: canary("note"), targets: [{ targetId: null, by: canary("by"), targetName: `Buy ${token}` }] }]
          return res.end(JSON.stringify({ data: { customer: person, relatives: [person], targetGroups: groups }, errors: [{ code: 1, message, detail: canary("detail") }], warnings: null }))
        }
        return res.end(JSON.stringify({ data: { customer: person, echo }, errors: [{ code: "310999", message }], debug: { headers: req.headers } }))
      })
    })
    const recorder = await recording(upstream, "canary")
    const proofs: ReadonlyArray<Record<string, string>> = [
      { authorization: `Basic ${basic}`, cookie: canary("session") },
      { authorization: "", "x-cap-api-oauth-token": token },
      { authorization: `Bearer ${canary("bearer")}`, "data-scope": "OTHER", "data-scope-org": "101", "x-cap-api-attribution-entity-code": canary("entity") }
    ]
    await ask(recorder.url, "/v3/oauth/token/generate", { key: canary("key"), secret: canary("secret") }, { authorization: "" })
    await ask(recorder.url, "/v3/oauth/token/generate", `key=${canary("key")}`, { authorization: "" })
    for (const headers of proofs) {
      const [proof = ""] = Object.values(headers).filter((value) => value !== "")
      await ask(recorder.url, `${base}/targetGroups/2154/targets/${canary("path")}/enroll?token=${canary("query")}`, [
        { customerId: 564332013, periodName: `Cycle ${proof}`, email: person.email, name: person.lastName }
      ], headers)
      await ask(recorder.url, `${base}/targetGroups/2154/targets/2309/enroll`, { password: canary("password") }, headers)
      await ask(recorder.url, `${base}/targetGroups/2154/targets/2309/enroll`, `[{"secret":"${canary("cut")}"`, headers)
      await ask(recorder.url, `${base}/users/564332013/targetGroups?access_token=${canary("query")}&targetRuleId=${encodeURIComponent(person.email)}`, undefined, headers)
      await ask(recorder.url, `${base}/users/${encodeURIComponent(person.email)}/targetGroups`, undefined, headers)
      await ask(recorder.url, `/elsewhere/html/${canary("path")}`, { any: canary("any") }, headers)
      await ask(recorder.url, `/elsewhere/${canary("path")}`, { any: canary("any") }, headers)
    }
    await recorder.stop()
    const kept = Fs.readFileSync(NodePath.join(folder, "canary", "calls.ndjson"), "utf8").replaceAll(canary("no-key-is-kept"), "")
    expect(kept.trimEnd().split("\n")).toHaveLength(23)
    expect(kept.match(/.{0,60}canary.{0,60}/g)).toBe(null)
    for (const secret of [md5, basic, encodeURIComponent(basic), "4915112345678", "1234 5678", "@example.com"]) expect(kept).not.toContain(secret)
    // What is no secret is there all the same.
    expect(kept).toContain("\"scope\":\"OTHER 101\"")
    expect(kept).toContain("\"accessToken\":\"recorded-token\",\"ttlSeconds\":60")
    expect(Fs.statSync(NodePath.join(folder, "canary", "calls.ndjson")).mode & 0o077).toBe(0)
  })

  it("is never written over, and wrong usage ends with 2", async () => {
    Fs.mkdirSync(NodePath.join(folder, "mine"))
    file("mine/calls.ndjson", "{}\n")
    const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: string]> = [
      [["record", "--target", "http://127.0.0.1:9", "--out", "mine"], "is there already"],
      [["record", "--target", "http://example.com", "--out", "new"], "--target: "],
      [["record", "--target", "http://127.0.0.1:9", "--out", "new", "--port", "x"], "--port: "],
      [["replay", "--cassette", "nowhere"], "nowhere/calls.ndjson: cannot be read"],
      [["replay", "--cassette", "mine"], "mine/calls.ndjson:1: is no exchange of a recording"],
      [["diff", "--cassette", "nowhere"], "cannot be read"]
    ]
    const ends = await Promise.all(wrong.map(([args]) => harness(...args).ended))
    ends.forEach(({ code, err, out }, index) => {
      expect({ code, out }).toEqual({ code: 2, out: "" })
      expect(err).toContain(wrong[index]?.[1])
    })
    expect(Fs.readFileSync(NodePath.join(folder, "mine", "calls.ndjson"), "utf8")).toBe("{}\n")
  })
})
