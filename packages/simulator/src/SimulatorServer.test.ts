import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Net from "node:net"
import { arrived, basePath, control, enroll, json, record, type Sent, send, served, till } from "../test/server.js"
import type { Fault } from "./Faults.js"
import * as Simulator from "./Simulator.js"
import * as SimulatorServer from "./SimulatorServer.js"
import * as World from "./World.js"

describe("the four operations", () => {
  it.live("are served under the documented base path and under the short one", () =>
    served((url) =>
      Effect.gen(function*() {
        expect(yield* send(url + basePath + enroll, { body: record(564332013) })).toMatchObject({
          status: 200,
          text: `{"data":564332013,"errors":null,"warnings":null}`
        })
        const again = yield* send(`${url}/v3.1${enroll}`, { body: record(564332013) })
        expect(json(again)).toMatchObject({ data: null, errors: [{ code: 310119 }] })
        const left = yield* send(`${url}${basePath}/targetGroups/2154/targets/2309/unEnroll`, { body: [{ customerId: 564332013 }] })
        expect(json(left)).toMatchObject({ data: 564332013 })
        const seen = yield* send(`${url}${basePath}/users/564339004/targetGroups`, { method: "GET" })
        expect(json(seen)).toMatchObject({
          data: {
            customer: { id: 564339004, email: "customer.564339004@example.com" },
            targetGroups: [{
              id: 40,
              orgId: 100,
              trackingType: "STREAKS",
              targets: expect.arrayContaining([expect.objectContaining({
                targetId: null,
                targetRuleId: 41,
                periodRefCode: "Streak_1",
                periodStartDate: "2026-01-01T00:00:00.000Z",
                periodStartDateWithTimeStamp: "2026-01-01T00:00:00.000+0000",
                enrolledOn: "2026-01-15T09:00:00.000+0000",
                currentPeriod: true
              })]),
              streaks: expect.arrayContaining([
                expect.objectContaining({ streakName: "Silver", status: "ACHIEVED", currentCount: 6 }),
                expect.objectContaining({ streakName: "Gold", status: "NOT_STARTED", totalTargetCountOfSequence: 9 })
              ])
            }]
          }
        })
      })
    ))

  it.live("take a token in place of the till, until virtual time has passed it", () =>
    served((url, { clock }) =>
      Effect.gen(function*() {
        const ask = (secret: string) =>
          send(url + Simulator.tokenPath, { body: { key: "sandbox-key", secret }, headers: { authorization: "" } })
        expect((yield* ask("wrong")).status).toBe(401)
        const { data } = json(yield* ask("sandbox-secret")) as { data: { accessToken: string; ttlSeconds: number } }
        expect(data.ttlSeconds).toBe(3600)
        const headers = { authorization: "", "x-cap-api-oauth-token": data.accessToken }
        const status = Effect.map(send(url + basePath + enroll, { body: record(564332013), headers }), (sent) => sent.status)
        expect(yield* status).toBe(200)
        yield* clock.advance("59 minutes")
        expect(yield* status).toBe(200)
        yield* clock.advance("1 minute")
        expect(yield* status).toBe(401)
      })
    ))

  it.live("read credentials and data scope from the headers", () =>
    served((url) =>
      Effect.gen(function*() {
        const said = (headers: Record<string, string>) =>
          Effect.map(send(url + basePath + enroll, { body: record(564332013), headers }), ({ status, text }) =>
            /"code":(\d+)/.exec(text)?.[1] ?? status)
        expect(yield* said({ authorization: "Basic bm9ib2R5OnNlY3JldA==" })).toBe(401)
        expect(yield* said({ authorization: "Bearer whatever" })).toBe(401)
        expect(yield* said({ authorization: "basic " + till.slice(6), "data-scope": "all" })).toBe("310141")
        expect(yield* said({ "data-scope": "OTHER", "data-scope-org": "900" })).toBe("310144")
        expect(yield* said({ "data-scope": "OTHER", "data-scope-org": "101,101" })).toBe("310144")
        expect(yield* said({ "data-scope": "OTHER", "data-scope-org": "101" })).toBe("310017")
        expect(yield* said({ "data-scope": "ELSEWHERE" })).toBe("310144")
        expect(yield* said({ "data-scope": "SELF" })).toBe(200)
      })
    ))

  it.live("answer 404, 405, 415 and 413 as a gateway does", () =>
    served((url) =>
      Effect.gen(function*() {
        const status = (path: string, sent: Sent) => Effect.map(send(url + path, sent), (answer) => answer.status)
        expect(yield* status("/targetGroups/1/targets/2/enroll", { body: [] })).toBe(404)
        expect(yield* status(basePath + enroll + "ed", { body: [] })).toBe(404)
        expect(yield* status(basePath + enroll, { method: "GET" })).toBe(405)
        expect(yield* status(`${basePath}/users/564332013/targetGroups`, { body: [] })).toBe(405)
        expect(yield* status(basePath + enroll, { body: "a=b", headers: { "content-type": "text/plain" } })).toBe(415)
        expect(yield* status(basePath + enroll, { body: " ".repeat(17 * 1024 * 1024) }).pipe(
          Effect.catchAll(() => Effect.succeed(413))
        )).toBe(413)
      })
    ))
})

describe("faults over a socket", () => {
  const breaks: ReadonlyArray<readonly [effect: Fault["effect"], executed: number]> = [
    [{ kind: "reset", when: "before" }, 0],
    [{ kind: "reset", when: "after" }, 1],
    [{ kind: "halfWritten" }, 1]
  ]
  for (const [effect, executed] of breaks) {
    it.live(`${effect.kind}${"when" in effect ? ` ${effect.when}` : ""} really breaks the connection`, () =>
      served((url, { journal }) =>
        Effect.gen(function*() {
          expect(yield* Effect.flip(send(url + basePath + enroll, { body: record(564332013) }))).toBe("the connection broke")
          expect((yield* journal.counts).executed).toBe(executed)
          expect((yield* send(url + basePath + enroll, { body: record(564332013) })).status).toBe(200)
        }), [{ nth: 1, effect }]))
  }

  it.live("a token that expires is answered 401 once, a till never notices", () =>
    served((url) =>
      Effect.gen(function*() {
        const token = json(yield* send(url + Simulator.tokenPath, { body: { key: "sandbox-key", secret: "sandbox-secret" } }))
        const { accessToken } = (token as { data: { accessToken: string } }).data
        const call = (headers: Record<string, string>) =>
          Effect.map(send(url + basePath + enroll, { body: record(564332013), headers }), (sent) => sent.status)
        expect(yield* call({})).toBe(200)
        expect(yield* call({ "x-cap-api-oauth-token": accessToken })).toBe(401)
      }), [{ operation: "enroll", effect: { kind: "tokenExpiry" } }]))

  it.live("a call that hangs frees its customer when the client goes, and does not keep the server open", () =>
    served((url, { journal, standing }) =>
      Effect.gen(function*() {
        const gone = Effect.tryPromise(() =>
          fetch(url + basePath + enroll, {
            method: "POST",
            headers: { authorization: till, "content-type": "application/json" },
            body: JSON.stringify(record(564332013)),
            signal: AbortSignal.timeout(100)
          })
        )
        yield* Effect.flip(gone)
        const again = send(url + basePath + enroll, { body: record(564332013) })
        // The server learns a moment later that the client has gone.
        const answered = yield* Effect.repeat(again, { until: ({ status }) => status !== 521, times: 1000 })
        expect(json(answered)).toMatchObject({ errors: [{ code: 310119 }] })
        expect(yield* standing(564332013, 2154, 2309)).toBeDefined()
        expect((yield* journal.entries)[0]).toMatchObject({ executed: true, status: null, fault: "hang" })
        yield* Effect.forkDaemon(Effect.ignore(send(url + basePath + enroll, { body: record(564332014) })))
      }), [{ customerId: 564332013, nth: 1, effect: { kind: "hang", when: "after" } }, {
      customerId: 564332014,
      effect: { kind: "hang", when: "before" }
    }]))

  it.live("slow bytes come one at a time, and all of them", () =>
    served((url, { journal }) =>
      Effect.gen(function*() {
        expect(json(yield* send(url + basePath + enroll, { body: record(564332013) }))).toMatchObject({ data: 564332013 })
        expect((yield* journal.entries)[0]).toMatchObject({ executed: true, status: 200, fault: "slowBytes" })
        expect(json(yield* send(url + basePath + enroll, { body: record(564332013) }))).toMatchObject({ errors: [{ code: 310119 }] })
      }), [{ nth: 1, effect: { kind: "slowBytes", millisPerByte: 1 } }]))

  it.live("slow bytes occupy the customer until the last of them", () =>
    served((url) =>
      Effect.gen(function*() {
        const slow = yield* Effect.fork(Effect.ignore(send(url + basePath + enroll, { body: record(564332013) })))
        yield* arrived(url, 1)
        expect((yield* send(url + basePath + enroll, { body: record(564332013) })).status).toBe(521)
        yield* Fiber.interruptFork(slow)
      }), [{ nth: 1, effect: { kind: "slowBytes", millisPerByte: 60_000 } }]))

  it.live("two calls for one customer in one segment: the second is answered 521", () =>
    served((url, { journal }) =>
      Effect.gen(function*() {
        const { host, hostname, port } = new URL(url)
        const body = JSON.stringify(record(564332013))
        const call = `POST ${basePath}${enroll} HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${till}\r\n` +
          `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
        const text = yield* Effect.async<string>((resume) => {
          let read = ""
          const socket = Net.connect(Number(port), hostname, () => socket.write(call + call))
          socket.on("data", (chunk) => {
            read += String(chunk)
            if (read.split("HTTP/1.1").length === 3 && read.endsWith("}")) {
              socket.destroy()
              resume(Effect.succeed(read))
            }
          })
        })
        expect(text).toContain("HTTP/1.1 521")
        expect(yield* journal.counts).toMatchObject({ overlaps: 1, executed: 1 })
      })
    ))
})

describe("control", () => {
  it.live("reads and moves the clock, adds faults, reads the journal, starts over", () =>
    served((url) =>
      Effect.gen(function*() {
        expect(yield* control(url, "GET", "/health")).toEqual([200, { status: "ok" }])
        expect(yield* control(url, "POST", "/clock", { advanceSeconds: 60 })).toEqual([200, { now: "2026-01-15T09:01:00.000Z", runs: false }])
        expect(yield* control(url, "POST", "/clock", { set: "2026-02-01T00:00:00Z" })).toEqual([200, { now: "2026-02-01T00:00:00.000Z", runs: false }])
        expect(yield* control(url, "POST", "/clock", { set: "soon" })).toMatchObject([400, { issues: [{ path: "set" }] }])
        expect(yield* control(url, "POST", "/clock", {})).toMatchObject([400, {}])
        expect(yield* control(url, "POST", "/faults", { nth: 1, effect: { kind: "customerBusy" } })).toEqual([200, { ids: [1] }])
        expect(yield* control(url, "POST", "/faults", { effect: {} })).toMatchObject([400, {}])
        expect((yield* send(url + basePath + enroll, { body: record(564332013) })).status).toBe(521)
        expect(yield* control(url, "GET", "/faults")).toMatchObject([200, { faults: [{ id: 1, matched: 1, struck: 1 }] }])
        expect(yield* control(url, "DELETE", "/faults/1")).toEqual([200, {}])
        expect(yield* control(url, "DELETE", "/faults/1")).toMatchObject([404, {}])
        expect(yield* control(url, "DELETE", "/faults")).toEqual([200, {}])
        expect(yield* control(url, "GET", "/journal?customerId=564332013")).toMatchObject([200, {
          counts: { received: 1 },
          entries: [{ operation: "enroll", status: 521, fault: "customerBusy" }]
        }])
        expect(yield* control(url, "GET", "/journal?operation=enroll&outcome=refused&since=0")).toMatchObject([200, { entries: [{ sequence: 1 }] }])
        expect(yield* control(url, "GET", "/journal?outcome=accepted")).toMatchObject([200, { entries: [] }])
        expect(yield* control(url, "GET", "/journal?since=1")).toMatchObject([200, { entries: [] }])
        expect(yield* control(url, "GET", "/journal?outcome=good")).toMatchObject([400, { issues: [{ path: "outcome" }] }])
        expect(yield* control(url, "GET", "/journal?customerId=1")).toMatchObject([200, { entries: [] }])
        expect(yield* control(url, "POST", "/reset", World.conformance)).toEqual([200, {}])
        expect(yield* control(url, "GET", "/world")).toEqual([200, World.conformance])
        expect(yield* control(url, "GET", "/clock")).toEqual([200, { now: "2026-03-15T09:00:00.000Z", runs: false }])
        expect(yield* control(url, "POST", "/reset", { orgs: [] })).toMatchObject([400, {}])
        expect(yield* control(url, "POST", "/reset")).toEqual([200, {}])
        expect(yield* control(url, "DELETE", "/journal")).toEqual([200, {}])
        expect(yield* control(url, "PUT", "/journal")).toMatchObject([405, {}])
        expect(yield* control(url, "GET", "/nothing")).toMatchObject([404, {}])
        expect((yield* send(`${url}/__sim/clock`, { body: "{", headers: { "content-type": "text/plain" } })).status).toBe(415)
        expect((yield* send(`${url}/__sim/clock`, { body: "{" })).status).toBe(400)
      })
    ))

  it.live("the journal tells what was sent: an absent balance, null and 0 apart", () =>
    served((url) =>
      Effect.gen(function*() {
        const sends = (body: object) => send(url + basePath + enroll, { body: [{ customerId: 564332013, periodName: "Cycle_1", ...body }] })
        for (const body of [{}, { initialBalance: null }, { initialBalance: 0 }, { resetStreakStatus: true }]) yield* sends(body)
        const { entries } = json(yield* send(`${url}/__sim/journal`, { method: "GET" })) as { entries: ReadonlyArray<object> }
        expect(entries.map((entry) => ["initialBalance" in entry, "initialBalance" in entry ? entry.initialBalance : undefined])).toEqual([
          [false, undefined],
          [true, null],
          [true, 0],
          [false, undefined]
        ])
        expect(entries[3]).toMatchObject({ resetStreakStatus: true, periodName: "Cycle_1", targetGroupId: 2154, targetId: 2309 })
      })
    ))

  it.live("asserts that there were never two calls at once for one customer, or shows both", () =>
    served((url) =>
      Effect.gen(function*() {
        expect((yield* send(url + basePath + enroll, { body: record(564332013) })).status).toBe(200)
        expect(yield* control(url, "GET", "/journal/assert?rule=no-overlap")).toEqual([200, { rule: "no-overlap", holds: true, overlaps: 0, entries: [] }])
        yield* control(url, "POST", "/faults", { nth: 1, effect: { kind: "hang", when: "after" } })
        const hanging = yield* Effect.fork(Effect.ignore(send(url + basePath + enroll, { body: record(564332014) })))
        yield* arrived(url, 2)
        expect((yield* send(url + basePath + enroll, { body: record(564332014) })).status).toBe(521)
        expect(yield* control(url, "GET", "/journal/assert?rule=no-overlap")).toMatchObject([409, {
          holds: false,
          entries: [{ entry: { status: 521, overlapped: true }, during: { customerId: 564332014, overlapped: false } }]
        }])
        expect((yield* control(url, "GET", "/journal/assert?rule=other"))[0]).toBe(400)
        yield* Fiber.interruptFork(hanging)
      })
    ))

  it.live("takes progress, and says why an event counts for nobody", () =>
    served((url) =>
      Effect.gen(function*() {
        yield* send(url + basePath + enroll, { body: record(564332013) })
        const activity = { type: "activity", customerId: 564332013, targetGroupId: 2154, targetId: 2309, add: 50 }
        expect(yield* control(url, "POST", "/events", activity)).toMatchObject([200, { standing: { periods: expect.arrayContaining([expect.objectContaining({ achieved: 150 })]) } }])
        expect(yield* control(url, "POST", "/events", { ...activity, customerId: 1 })).toMatchObject([409, {
          issues: [{ problem: "customer 1 is not enrolled in target 2309 of target group 2154, period Cycle_1" }]
        }])
        expect(yield* control(url, "POST", "/events", { ...activity, add: "1" })).toMatchObject([400, { issues: [{ path: "add" }] }])
        expect(yield* control(url, "PUT", "/world", World.conformance)).toEqual([200, {}])
        expect(yield* control(url, "GET", "/world")).toEqual([200, World.conformance])
      })
    ))

  it.live("the journal holds no credential", () =>
    served((url) =>
      Effect.gen(function*() {
        yield* send(url + Simulator.tokenPath, { body: { key: "sandbox-key", secret: "sandbox-secret" } })
        yield* send(url + basePath + enroll, { body: record(564332013) })
        const { text } = yield* send(`${url}/__sim/journal`, { method: "GET" })
        expect(text).not.toMatch(/secret|server123|store\.server|c3Rvc/)
      })
    ))
})

describe("the variables that point to it", () => {
  it("name the first till, else the first OAuth client, else nobody", () => {
    const till = { type: "basic", username: "u", password: "p", orgId: 1 } as const
    const client = { type: "oauth", key: "k", secret: "s", orgId: 1 } as const
    const of = (credentials: World.World["credentials"]) =>
      SimulatorServer.variables("http://x", { ...World.sample, credentials })
    expect(of([client, till])).toEqual({ MILEPOST_HOST: "http://x", MILEPOST_USERNAME: "u", MILEPOST_PASSWORD: "p" })
    expect(of([client])).toEqual({ MILEPOST_HOST: "http://x", MILEPOST_OAUTH_KEY: "k", MILEPOST_OAUTH_SECRET: "s" })
    expect(of([])).toEqual({ MILEPOST_HOST: "http://x" })
  })
})

describe("listening", () => {
  it.live("a port that is taken is a typed error in plain words", () =>
    Effect.gen(function*() {
      const { port } = yield* SimulatorServer.serve()
      const error = yield* Effect.flip(SimulatorServer.serve({ port }))
      expect(error).toMatchObject({ _tag: "ServeError", reason: "PortInUse" })
      expect(error.message).toBe(
        `Cannot listen on 127.0.0.1:${port}: something else listens there; choose another port, or 0 for any that is free.`
      )
    }).pipe(Effect.scoped, Effect.provide(Simulator.layer(World.sample))))

  it.live("a port that is none is a typed error too", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(SimulatorServer.serve({ port: 70_000 }))).toMatchObject({ reason: "InvalidPort" })
    }).pipe(Effect.scoped, Effect.provide(Simulator.layer(World.sample))))

  it.live("the server is gone when its scope is", () =>
    Effect.gen(function*() {
      const { url } = yield* Effect.scoped(SimulatorServer.serve())
      expect(yield* Effect.flip(send(`${url}/__sim/health`, { method: "GET" }))).toBe("the connection broke")
    }).pipe(Effect.provide(Layer.fresh(Simulator.layer(World.sample)))))
})
