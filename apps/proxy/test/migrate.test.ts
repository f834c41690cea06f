/** The built binary with a database: what brings it up to date, who talks to it, and that its password is nowhere. */
import { SqlClient } from "@effect/sql/SqlClient"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@effect/vitest"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import * as Store from "../src/Store.js"
import * as Databases from "./databases.js"
import * as Program from "./program.js"
import { call, enrolBody, enrolPath, start } from "./running.js"

let server: PostgresServer.PostgresServer
let program: Program.Program

beforeAll(async () => {
  program = Program.build()
  server = await PostgresServer.start()
}, 60_000)
afterEach(() => program.killAll())
afterAll(async () => {
  program.remove()
  await server.close()
})

/** Runs to the end; nothing that it says holds the password. */
const ran = async (environment: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) => {
  const { code, err, out } = await program.proxy(environment, ...args).ended
  expect(out + err).not.toContain(Databases.canary)
  return { code, err, out }
}

describe("milepost-proxy migrate", () => {
  it("brings a database up to date, and then has nothing to do", async () => {
    const DATABASE_URL = await Databases.make(server)
    const first = await ran({ DATABASE_URL }, "migrate", "--json")
    expect([first.code, first.err]).toEqual([0, ""])
    expect(JSON.parse(first.out)).toMatchObject({ kind: "database", parts: [{ part: "ledger", from: 0 }, { part: "proxy", from: 0, to: Store.known }] })
    const again = await ran({ MILEPOST_DATABASE_URL: DATABASE_URL, DATABASE_URL: "mysql://elsewhere" }, "migrate")
    expect(again).toMatchObject({ code: 0, out: expect.stringMatching(/^ledger: version \d+, nothing to do\nproxy: version \d+, nothing to do\n$/) })
    const folders = Fs.readdirSync(program.folder)
    expect(folders).not.toContain("data")
  })

  it("brings the file up to date where there is no database, but not while somebody has it", async () => {
    const data = { MILEPOST_PROXY_DATA: NodePath.join(program.folder, "file") }
    expect((await ran(data, "migrate")).out).toMatch(/^ledger: from version 0 to \d+\nproxy: from version 0 to \d+\n$/)
    const { simulatorUrl } = await start()
    const serving = program.proxy({ ...data, ...Program.upstream(simulatorUrl) })
    await serving.saying(/listens at/)
    expect(await ran(data, "migrate", "--json")).toMatchObject({ code: 2, out: "", err: expect.stringContaining("is held by process") })
    serving.child.kill("SIGTERM")
    expect((await serving.ended).code).toBe(0)
    expect(JSON.parse((await ran(data, "migrate", "--json")).out)).toMatchObject({
      kind: "file",
      parts: [{ part: "ledger" }, { part: "proxy", from: Store.known, to: Store.known }]
    })
  })

  it("several times at once does everything once", async () => {
    const DATABASE_URL = await Databases.make(server)
    const ends = await Promise.all(Array.from({ length: 3 }, () => ran({ DATABASE_URL }, "migrate", "--json")))
    const from = ends.flatMap(({ code, out }) => {
      expect(code).toBe(0)
      return (JSON.parse(out) as { readonly parts: ReadonlyArray<{ readonly from: number }> }).parts.map((part) => part.from)
    })
    expect(from.filter((version) => version === 0)).toHaveLength(2)
  })

  it("and everything else refuses a database that a newer program has changed, by one line", async () => {
    const DATABASE_URL = await Databases.make(server)
    const one = await Databases.replica(DATABASE_URL)
    await one.run(Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO proxy_migrations (version, created_at) VALUES (99, 0)`))
    await one.stop()
    for (const args of [["migrate"], ["keys", "list"], ["serve"]]) {
      const { code, err, out } = await ran({ DATABASE_URL, ...Program.upstream("eu") }, ...args)
      expect([args, code, out]).toEqual([args, 2, ""])
      expect(err).toMatch(/^DATABASE_URL: the proxy's tables have version 99, this program knows up to \d+; use a newer one\n$/)
    }
    const other = await Databases.make(server)
    const two = await Databases.replica(other)
    await two.run(Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO ledger_migrations (migration_id, name) VALUES (99, 'later')`))
    await two.stop()
    const refused = await ran({ MILEPOST_DATABASE_URL: other }, "migrate")
    expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/^MILEPOST_DATABASE_URL: .*has version 99, this program knows up to \d+; use a newer one\n$/) })
  })

  it("says at once what no waiting mends", async () => {
    const url = new URL(await Databases.make(server))
    url.pathname = "/there_is_none"
    const { code, err, out } = await ran({ DATABASE_URL: url.href, ...Program.upstream("eu") }, "serve")
    expect([code, out]).toEqual([2, ""])
    expect(err).toMatch(/^DATABASE_URL: [^\n]*there is no such database[^\n]*\n$/)
  })

  it.skipIf(!Databases.isOurs)("waits for a database that is not there yet, and says so of one that never comes", async () => {
    const DATABASE_URL = await Databases.make(server)
    await server.stop()
    try {
      const never = await ran({ DATABASE_URL }, "keys", "list")
      expect(never).toMatchObject({ code: 2, out: "", err: expect.stringMatching(/^DATABASE_URL: .*cannot be reached.*\n$/) })
      expect(never.err.split("\n")).toHaveLength(2)
      const waiting = program.proxy({ DATABASE_URL }, "migrate")
      await waiting.saying(/waiting-for-database/)
      await server.start()
      const { code, err, out } = await waiting.ended
      expect([code, out]).toEqual([0, expect.stringContaining("ledger: from version 0")])
      expect(out + err).not.toContain(Databases.canary)
    } finally {
      if ((await ran({ DATABASE_URL }, "keys", "list")).code !== 0) await server.start()
    }
  })
})

describe("milepost-proxy on a database", () => {
  it.skipIf(!Databases.isOurs)("takes keys from the command line, without a socket or a folder, and tells its password nobody", async () => {
    const DATABASE_URL = await Databases.make(server)
    const { simulatorUrl } = await start()
    // Nobody else is there to reach it.
    const alone = { MILEPOST_PROXY_ADVERTISE: "http://127.0.0.1:9" }
    const settings = { DATABASE_URL, ...alone, ...Program.upstream(simulatorUrl), MILEPOST_PROXY_DATA: NodePath.join(program.folder, "nothing") }
    const serving = program.proxy(settings)
    const [, url = ""] = await serving.saying(/listens at (.*)$/m)
    const made = await ran({ DATABASE_URL }, "keys", "create", "--name", "app", "--org", "brand", "--json")
    const { key, secret } = JSON.parse(made.out) as { readonly key: { readonly id: string }; readonly secret: string }
    const record = (customerId: number) => JSON.stringify({ customerId, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3" })
    const enrol = (customerId: number, headers = {}) => call(`${url}/v1/enrollments`, { secret, body: record(customerId), headers })
    /** Asks until it is answered so; the test's own time limits it. */
    const until = async (status: number, ask: () => ReturnType<typeof call>) => {
      for (;;) {
        const answer = await ask()
        expect(answer.text).not.toContain(Databases.canary)
        if (answer.status === status) return answer
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    await until(200, () => call(url + enrolPath(), { secret, body: enrolBody(1_090) }))
    expect((await enrol(1_091, { "idempotency-key": "order-1" })).status).toBe(200)
    expect((await enrol(1_091, { "idempotency-key": "order-1" })).headers.get("idempotent-replayed")).toBe("true")
    await server.stop("immediate")
    const refused = await enrol(1_092, { "idempotency-key": "order-2" })
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([503, { type: "urn:milepost:problem:storage" }])
    const pages = await Promise.all(["/readyz", "/v1/jobs", "/v1/orgs", "/metrics", "/v1/jobs/job_1"].map((path) => call(url + path, { secret })))
    for (const { text } of [refused, ...pages]) expect(text).not.toContain(Databases.canary)
    // The key is known, and a call needs no database.
    expect((await call(url + enrolPath(), { secret, body: enrolBody(1_093) })).status).toBe(200)
    await server.start()
    expect((await until(200, () => enrol(1_091, { "idempotency-key": "order-1" }))).headers.get("idempotent-replayed")).toBe("true")
    expect((await ran({ DATABASE_URL }, "keys", "revoke", key.id)).out).toContain("is revoked")
    await until(401, () => enrol(1_094))
    expect(Fs.existsSync(settings.MILEPOST_PROXY_DATA)).toBe(false)
    serving.child.kill("SIGTERM")
    const { code, err, out } = await serving.ended
    expect(code).toBe(0)
    for (const hidden of [Databases.canary, secret]) expect(out + err).not.toContain(hidden)
  })
})
