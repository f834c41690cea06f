/** Worlds side by side on one server, and time in them. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { basePath, control, enroll, json, record, send, served } from "../test/server.js"
import * as Simulator from "./Simulator.js"
import * as World from "./World.js"

const into = (url: string, name: string | null, customerId = 564332013) =>
  send(url + basePath + enroll, { body: record(customerId), headers: name === null ? {} : { "X-Milepost-World": name } })

describe("worlds side by side", () => {
  it.live("are made, listed, read and taken away by control", () =>
    served((url) =>
      Effect.gen(function*() {
        expect(yield* control(url, "PUT", "/worlds/a")).toMatchObject([200, { name: "a", path: "/__world/a" }])
        expect(yield* control(url, "PUT", "/worlds/b?seed=3", World.conformance)).toMatchObject([200, { name: "b" }])
        yield* into(url, "a")
        expect(yield* control(url, "GET", "/worlds")).toEqual([200, { worlds: [{ name: "a", received: 1 }, { name: "b", received: 0 }] }])
        expect(yield* control(url, "GET", "/worlds/a")).toEqual([200, World.sample])
        expect(yield* control(url, "GET", "/worlds/b")).toEqual([200, World.conformance])
        expect(yield* control(url, "DELETE", "/worlds/a")).toEqual([200, {}])
        expect((yield* into(url, "a")).text).toContain("There is no world \\\"a\\\" on this server.")
        expect((yield* into(url, "a")).status).toBe(404)
        for (const [method, path, status] of [
          ["GET", "/worlds/a", 404],
          ["DELETE", "/worlds/a", 404],
          ["PUT", "/worlds/a%20b", 400],
          ["PUT", "/worlds/a?seed=x", 400],
          ["POST", "/worlds/a", 405]
        ] as const) {
          expect((yield* control(url, method, path))[0]).toBe(status)
        }
        expect((yield* control(url, "PUT", "/worlds/c", { orgs: [] }))[0]).toBe(400)
      })
    ))

  it.live("are chosen by header or by path, and share nothing", () =>
    served((url, { journal }) =>
      Effect.gen(function*() {
        for (const name of ["a", "b"]) yield* control(url, "PUT", `/worlds/${name}`)
        expect(json(yield* into(url, "a"))).toMatchObject({ data: 564332013 })
        expect(json(yield* into(url, "a"))).toMatchObject({ errors: [{ code: 310119 }] })
        expect(json(yield* send(`${url}/__world/b${basePath}${enroll}`, { body: record(564332013) }))).toMatchObject({ data: 564332013 })
        expect(json(yield* into(url, null))).toMatchObject({ data: 564332013 })
        expect((yield* journal.counts).received).toBe(1)

        yield* control(`${url}/__world/a`, "POST", "/clock", { advanceSeconds: 86_400 })
        yield* control(`${url}/__world/a`, "POST", "/faults", { effect: { kind: "customerBusy" } })
        expect((yield* into(url, "a", 564332014)).status).toBe(521)
        expect((yield* into(url, "b", 564332014)).status).toBe(200)
        expect(yield* control(`${url}/__world/b`, "GET", "/clock")).toMatchObject([200, { now: "2026-01-15T09:00:00.000Z" }])
        expect(yield* control(`${url}/__world/a`, "GET", "/clock")).toMatchObject([200, { now: "2026-01-16T09:00:00.000Z" }])
        expect(yield* control(`${url}/__world/a`, "GET", "/journal")).toMatchObject([200, { counts: { received: 3 } }])
        yield* control(`${url}/__world/a`, "POST", "/reset")
        expect(yield* control(`${url}/__world/b`, "GET", "/journal")).toMatchObject([200, { counts: { received: 2 } }])
      })
    ))

  it.live("begin without the faults of the served one, and have none after a reset", () =>
    served((url) =>
      Effect.gen(function*() {
        yield* control(url, "PUT", "/worlds/a")
        expect((yield* into(url, null)).status).toBe(521)
        expect((yield* into(url, "a")).status).toBe(200)
        yield* control(`${url}/__world/a`, "POST", "/reset")
        expect(yield* control(`${url}/__world/a`, "GET", "/faults")).toEqual([200, { faults: [] }])
      }), [{ effect: { kind: "customerBusy" } }]))

  it.live("do not know each other's tokens, also under the same seed", () =>
    served((url) =>
      Effect.gen(function*() {
        const tokens: Array<string> = []
        for (const name of ["a", "b"]) {
          yield* control(url, "PUT", `/worlds/${name}`)
          const issued = yield* send(url + Simulator.tokenPath, {
            body: { key: "sandbox-key", secret: "sandbox-secret" },
            headers: { authorization: "", "X-Milepost-World": name }
          })
          tokens.push((json(issued) as { data: { accessToken: string } }).data.accessToken)
        }
        const status = (name: string, token: string) =>
          Effect.map(
            send(url + basePath + enroll, {
              body: record(564332013),
              headers: { authorization: "", "x-cap-api-oauth-token": token, "X-Milepost-World": name }
            }),
            (sent) => sent.status
          )
        expect(yield* status("a", tokens[1] ?? "")).toBe(401)
        expect(yield* status("b", tokens[0] ?? "")).toBe(401)
        expect(yield* status("a", tokens[0] ?? "")).toBe(200)
      })
    ))
})
