/** A service that is killed while it sends a job, again and again: nothing is lost, and nothing is told twice. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import type * as World from "@milepost/simulator/World"
import { conformance } from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import { call } from "./running.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = NodePath.join(root, "build", `kill-${process.pid}`)
const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-proxy-kill-"))
const bin = NodePath.join(dist, "bin.cjs")
let child: ChildProcess | null = null

beforeAll(() => {
  execFileSync(NodePath.join(root, "node_modules/.bin/rolldown"), ["--config", "rolldown.config.js", "--dir", dist], { cwd: root, stdio: "pipe" })
})
afterAll(() => {
  child?.kill("SIGKILL")
  Fs.rmSync(dist, { recursive: true, force: true })
  Fs.rmSync(folder, { recursive: true, force: true })
})

const records = 1_500
const kills = 6
const world: World.World = {
  ...conformance,
  customers: [...conformance.customers, { orgId: 100, from: 200_000, count: records }]
}

const environment = (url: string) => ({
  PATH: process.env["PATH"] ?? "",
  MILEPOST_PROXY_PORT: "0",
  MILEPOST_PROXY_DATA: folder,
  MILEPOST_PROXY_ORG: "brand",
  MILEPOST_HOST: url,
  MILEPOST_USERNAME: "parent.till",
  MILEPOST_PASSWORD: "parent-secret",
  MILEPOST_CONCURRENCY: "8"
})

const started = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [bin], { env: environment(url) })
    child = process_
    let out = ""
    let err = ""
    process_.stderr.on("data", (chunk) => (err += String(chunk)))
    process_.stdout.on("data", (chunk) => {
      out += String(chunk)
      const found = /listens at (.*)\n/.exec(out)?.[1]
      if (found !== undefined) resolve(found)
    })
    process_.once("close", () => reject(new Error(err)))
  })

describe("milepost-proxy", () => {
  it(`killed ${kills} times during a job of ${records} records loses none of them`, { timeout: 120_000 }, async () => {
    const scope = Effect.runSync(Scope.make())
    try {
      const simulator = await Effect.runPromise(Simulator.make(world, { faults: [{ operation: "enroll", effect: { kind: "latency", millis: 10 } }] }))
      const upstream = await Effect.runPromise(
        SimulatorServer.serve().pipe(Effect.provideService(Simulator.Simulator, simulator), Scope.extend(scope))
      )
      const made = execFileSync(process.execPath, [bin, "keys", "create", "--name", "kill", "--org", "brand", "--json"], { env: environment(upstream.url) })
      const { secret } = JSON.parse(String(made)) as { readonly secret: string }
      let url = await started(upstream.url)
      const body = `customerId\n${Array.from({ length: records }, (_, index) => 200_000 + index).join("\n")}\n`
      const stored = await call(`${url}/v1/jobs?group=2154&target=2309&period=Cycle_3`, { secret, body, headers: { "content-type": "text/csv" } })
      expect(stored.status).toBe(202)
      const { id } = JSON.parse(stored.text) as { readonly id: string }
      for (let kill = 0; kill < kills; kill++) {
        await new Promise((resolve) => setTimeout(resolve, 120 + 40 * kill))
        const dying = child
        await new Promise((resolve) => {
          dying?.once("exit", resolve)
          dying?.kill("SIGKILL")
        })
        url = await started(upstream.url)
      }
      let job: { readonly state: string; readonly open: number; readonly counts: Readonly<Record<string, number>> }
      do {
        await new Promise((resolve) => setTimeout(resolve, 100))
        job = JSON.parse((await call(`${url}/v1/jobs/${id}`, { secret })).text) as typeof job
      } while (job.state !== "finished")
      expect(job.open).toBe(0)
      expect((job.counts["enrolled"] ?? 0) + (job.counts["already_enrolled"] ?? 0)).toBe(records)
      // What is told agrees with what is so: everybody is in, and was enrolled once.
      const entries = await Effect.runPromise(simulator.journal.entries)
      const executed = entries.filter((entry) => entry.executed && entry.code === null).map(({ customerId }) => customerId)
      expect(new Set(executed).size).toBe(records)
      expect(executed).toHaveLength(records)
      expect(entries.every(({ overlapped }) => !overlapped)).toBe(true)
    } finally {
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  })
})
