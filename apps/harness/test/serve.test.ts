/** The built binary as a process: what people and scripts see of it. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as World from "@milepost/simulator/World"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"

const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-harness-"))
const root = fileURLToPath(new URL("..", import.meta.url))
const bin = NodePath.join(folder, "dist", "bin.js")

// Built here, so that the test never runs yesterday's bundle.
beforeAll(() => {
  const rolldown = NodePath.join(root, "node_modules", ".bin", "rolldown")
  execFileSync(rolldown, ["--config", "rolldown.config.js", "--dir", NodePath.dirname(bin)], { cwd: root, stdio: "pipe" })
  Fs.writeFileSync(NodePath.join(folder, "package.json"), `{"type":"module"}`)
})

const started = new Set<ChildProcess>()
afterAll(() => {
  for (const child of started) child.kill("SIGKILL")
  Fs.rmSync(folder, { recursive: true, force: true })
})

const file = (name: string, content: unknown): string => {
  const path = NodePath.join(folder, name)
  Fs.writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content))
  return path
}

const harness = (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder, env: { PATH: process.env["PATH"] ?? "" } })
  started.add(child)
  const said = { out: "", err: "" }
  child.stdout.on("data", (chunk) => (said.out += String(chunk)))
  child.stderr.on("data", (chunk) => (said.err += String(chunk)))
  const ended = new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) =>
    child.once("close", (code) => {
      started.delete(child)
      resolve({ code, ...said })
    })
  )
  const announced = new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
    child.stdout.on("data", () => {
      const variables = new Map([...said.out.matchAll(/^(MILEPOST_\w+)=(.*)\n/gm)].map(([, name = "", value = ""]) => [name, value]))
      if (variables.has("MILEPOST_PASSWORD")) resolve(variables)
    })
    void ended.then(({ err }) => reject(new Error(err)))
  })
  announced.catch(() => undefined)
  return { child, ended, announced }
}

describe("milepost-harness serve", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("prints where it listens and as whom, serves, and ends with 0 on %s", async (signal) => {
    const { announced, child, ended } = harness("serve", "--port", "0")
    const variables = await announced
    const host = variables.get("MILEPOST_HOST") ?? ""
    expect(host).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect([variables.get("MILEPOST_USERNAME"), variables.get("MILEPOST_PASSWORD")]).toEqual(["store.server", "server123"])
    expect((await fetch(`${host}/__sim/health`)).status).toBe(200)
    child.kill(signal)
    expect(await ended).toMatchObject({ code: 0, err: "" })
  })

  it("takes a world, faults and a seed", async () => {
    const world = file("world.json", { ...World.conformance, $schema: "./world.schema.json" })
    const faults = file("faults.json", [{ effect: { kind: "customerBusy" } }])
    const { announced, child, ended } = harness("serve", "--world", world, "--faults", faults, "--seed", "7")
    const host = (await announced).get("MILEPOST_HOST") ?? ""
    expect(await (await fetch(`${host}/__sim/world`)).json()).toMatchObject({ clock: "2026-03-15T09:00:00Z" })
    expect(await (await fetch(`${host}/__sim/faults`)).json()).toMatchObject({ faults: [{ id: 1 }] })
    child.kill("SIGTERM")
    expect((await ended).code).toBe(0)
  })

  it("says one line for every mistake of a world, and ends with 2", async () => {
    const world = file("wrong.json", { ...World.conformance, clock: "soon", orgs: [{ id: 0 }] })
    expect(await harness("serve", "--world", world).ended).toEqual({
      code: 2,
      out: "",
      err: `${world}: clock: must be a date such as 2026-01-31, or an instant such as 2026-01-31T23:59:59Z\n` +
        `${world}: orgs[0].id: must be a whole number from 1 to 2^53-1\n`
    })
  })

  it("refuses files that are not there or not JSON, unknown options, and a port that is taken", async () => {
    expect(await harness("serve", "--world", "nowhere.json").ended).toMatchObject({ code: 2, err: "nowhere.json: cannot be read\n" })
    const text = file("text.json", "hello")
    expect(await harness("serve", "--faults", text).ended).toMatchObject({ code: 2, err: expect.stringContaining("is not JSON") })
    expect(await harness("serve", "--prot", "1").ended).toMatchObject({ code: 2, out: "" })
    expect(await harness("serve", "--port", "70000").ended).toMatchObject({ code: 2, err: expect.stringContaining("0 to 65535") })
    const taken = Net.createServer()
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve))
    const address = taken.address()
    const port = typeof address === "object" && address !== null ? String(address.port) : ""
    expect(await harness("serve", "--port", port).ended).toMatchObject({ code: 2, err: expect.stringContaining("something else listens there") })
    taken.close()
  })

  it("tells its version", async () => {
    expect(await harness("--version").ended).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })
})
