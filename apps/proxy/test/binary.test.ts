/** The built binary as a process: settings, keys, signals. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import * as Program from "./program.js"
import { call, enrolBody, enrolPath, start } from "./running.js"

let program: Program.Program
let folder = ""

beforeAll(() => {
  program = Program.build()
  folder = program.folder
})
afterEach(() => program.killAll())
afterAll(() => program.remove())

const proxy: Program.Program["proxy"] = (...asked) => program.proxy(...asked)
const { upstream } = Program

describe("milepost-proxy", () => {
  it("tells its version and its settings", async () => {
    expect(await proxy({}, "--version").ended).toMatchObject({ code: 0, out: "0.0.0\n", err: "" })
    expect((await proxy({}, "serve", "--help").ended).out).toContain("MILEPOST_PROXY_UPSTREAMS")
  })

  it("ends with 2 and one line for each mistake", async () => {
    const wrong: ReadonlyArray<readonly [Readonly<Record<string, string>>, ReadonlyArray<string>, RegExp]> = [
      [{}, ["serve"], /^MILEPOST_PROXY_ORG: is not set/],
      [{ ...upstream("eu"), MILEPOST_PROXY_PORT: "x" }, [], /^MILEPOST_PROXY_PORT: "x" is not/],
      [{ ...upstream("eu"), MILEPOST_PROXY_DATA: "/dev/null/nowhere" }, [], /^MILEPOST_PROXY_DATA: /],
      [{}, ["keys", "create", "--name", "a", "--org", "a/b"], /^--org: "a\/b" is no/],
      [{}, ["keys", "create", "--name", "a", "--org", "a", "--group", "0"], /^--group: /],
      [{}, ["keys", "revoke", "key_none"], /^ID: there is no key/],
      [{}, ["serve", "--nothing"], /unknown option/]
    ]
    const ends = await Promise.all(wrong.map(([environment, args], index) =>
      proxy({ MILEPOST_PROXY_DATA: NodePath.join(folder, `wrong-${index}`), ...environment }, ...args).ended))
    ends.forEach(({ code, err, out }, index) => {
      expect({ code, out }).toEqual({ code: 2, out: "" })
      expect(err).toMatch(wrong[index]![2])
      expect(err.trimEnd().split("\n")).toHaveLength(1)
    })
  })

  it("can be tried by one command, and ends in order", async () => {
    const { child, ended, saying } = proxy({}, "serve", "--sandbox")
    const [, url = ""] = await saying(/^MILEPOST_PROXY_URL=(.*)$/m)
    const [, secret = ""] = await saying(/^MILEPOST_API_KEY=(.*)$/m)
    const answer = await call(url + enrolPath(), { secret, body: enrolBody(564332013, { periodName: "Cycle_1" }) })
    expect([answer.status, answer.text]).toEqual([200, `{"data":564332013,"errors":null,"warnings":null}`])
    const page = await call(`${url}/`)
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"])
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';.*frame-ancestors 'none'/)
    expect([page.headers.get("x-content-type-options"), page.headers.get("referrer-policy")]).toEqual(["nosniff", "no-referrer"])
    const parts = [...page.text.matchAll(/(?:href|src)="(\/page\/[^"]+)"/g)].map(([, path = ""]) => path)
    expect(parts).toHaveLength(3)
    for (const path of parts) expect((await call(url + path)).status).toBe(200)
    expect((await call(`${url}/`, { headers: { "if-none-match": page.headers.get("etag") ?? "" } })).status).toBe(304)
    expect((await call(`${url}/page/../start.js`)).status).toBe(404)
    expect((await call(`${url}/`, { method: "POST" })).status).toBe(404)
    child.kill("SIGTERM")
    const { code, err } = await ended
    expect(code).toBe(0)
    expect(err).not.toContain(secret)
    for (const line of err.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("event")
  })

  it("makes and revokes keys while it runs and while it does not", async () => {
    const { simulatorUrl } = await start()
    const data = { MILEPOST_PROXY_DATA: NodePath.join(folder, "keys") }
    const created = await proxy(data, "keys", "create", "--name", "app", "--org", "brand", "--group", "2154", "--json").ended
    const before = JSON.parse(created.out) as { readonly secret: string; readonly key: { readonly id: string } }
    const serving = proxy({ ...data, ...upstream(simulatorUrl) })
    const [, url = ""] = await serving.saying(/listens at (.*)$/m)
    expect((await call(url + enrolPath(), { secret: before.secret, body: enrolBody(1070) })).status).toBe(200)
    const meanwhile = JSON.parse((await proxy(data, "keys", "create", "--name", "late", "--org", "brand", "--json").ended).out) as typeof before
    expect((await call(url + enrolPath(), { secret: meanwhile.secret, body: enrolBody(1071) })).status).toBe(200)
    expect((await proxy(data, "keys", "revoke", before.key.id).ended).out).toContain("is revoked")
    expect((await call(url + enrolPath(), { secret: before.secret, body: enrolBody(1072) })).status).toBe(401)
    const listed = await proxy(data, "keys", "list").ended
    expect(listed.out).toMatch(/late[\s\S]*revoked/)
    expect(listed.out).not.toContain(meanwhile.secret)
    expect(Fs.statSync(NodePath.join(data.MILEPOST_PROXY_DATA, "keys.sock")).mode & 0o777).toBe(0o600)
    // The file is the running process's alone.
    expect(await proxy({ ...data, ...upstream(simulatorUrl) }).ended).toMatchObject({ code: 2, err: expect.stringContaining("is held by process") })
    serving.child.kill("SIGTERM")
    expect((await serving.ended).code).toBe(0)
    expect((await proxy(data, "keys", "list", "--json").ended).out).not.toContain("\"hash\"")
  })

  it("reads its organisations again at SIGHUP, and keeps the old ones where the file is wrong", async () => {
    const { simulatorUrl } = await start()
    const file = NodePath.join(folder, "upstreams.toml")
    const org = (id: string, password: string) =>
      `[[org]]\nid = "${id}"\nhost = "${simulatorUrl}"\nusername = "parent.till"\npassword = "${password}"\n`
    Fs.writeFileSync(file, org("brand", "wrong"))
    const settings = { MILEPOST_PROXY_DATA: NodePath.join(folder, "reload"), MILEPOST_PROXY_UPSTREAMS: file }
    const serving = proxy(settings)
    const [, url = ""] = await serving.saying(/listens at (.*)$/m)
    const made = await proxy(settings, "keys", "create", "--name", "app", "--org", "brand", "--json").ended
    const { secret } = JSON.parse(made.out) as { readonly secret: string }
    const enrol = (id: number) => call(url + enrolPath(), { secret, body: enrolBody(id) })
    expect((await enrol(1080)).status).toBe(502)
    Fs.writeFileSync(file, org("brand", "parent-secret"))
    serving.child.kill("SIGHUP")
    await serving.saying(/settings-reloaded/)
    expect((await enrol(1081)).status).toBe(200)
    Fs.writeFileSync(file, "[[org]]\nid = 7\n")
    serving.child.kill("SIGHUP")
    await serving.saying(/settings-refused.*org\[0\]\.host: is not set/)
    expect((await enrol(1082)).status).toBe(200)
    serving.child.kill("SIGTERM")
    expect((await serving.ended).code).toBe(0)
  })
})
