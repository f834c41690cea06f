/** Clients that others' generators make from the served contract: they compile, with either compiler, and work. */
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { call, start } from "./running.js"

const clients = fileURLToPath(new URL("clients", import.meta.url))
// Beside the generators' own modules, so that what is made finds what it imports.
const folder = NodePath.join(clients, "build", String(process.pid))
const modules = NodePath.join(clients, "../../node_modules")
const execute = promisify(execFile)
/** A command that fails says why on stdout. */
const run = (...[command, args, options]: [string, ReadonlyArray<string>, object]) =>
  execute(command, args, options).catch((error: { readonly message: string; readonly stdout?: string }) => {
    throw new Error(`${error.message}\n${error.stdout ?? ""}`)
  })
const tool = (name: string, ...args: ReadonlyArray<string>) => run(NodePath.join(clients, "node_modules/.bin", name), args, { cwd: folder })

afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

const settings = {
  compilerOptions: {
    target: "ES2022", module: "NodeNext", moduleResolution: "NodeNext", strict: true, rootDir: ".", outDir: "out", types: ["node"],
    typeRoots: [NodePath.join(modules, "@types")]
  },
  include: ["*.ts", "hey"]
}

const done = {
  one: "enrolled",
  problem: ["urn:milepost:problem:rejected", 310011],
  batch: ["enrolled", "rejected"],
  location: true,
  counts: { enrolled: 2, rejected: 1, unenrolled: 0, already_enrolled: 0, unknown: 0, skipped: 0 },
  results: expect.stringMatching(/^customerId,.*\r?\nx,4,,rejected,input,/),
  groups: [2154]
}

const { MILEPOST_HOST: _host, ...credentials } = SimulatorServer.variables("", World.sample)

describe("a client made from /openapi.json", () => {
  it("by openapi-typescript or by @hey-api/openapi-ts compiles and works", async () => {
    const { text: contract } = await call(`${(await start()).url}/openapi.json`)
    Fs.mkdirSync(folder, { recursive: true })
    Fs.writeFileSync(NodePath.join(folder, "openapi.json"), contract)
    Fs.writeFileSync(NodePath.join(folder, "tsconfig.json"), JSON.stringify(settings))
    for (const name of ["openapiFetch.ts", "heyApi.ts"]) Fs.copyFileSync(NodePath.join(clients, name), NodePath.join(folder, name))
    await Promise.all([
      tool("openapi-typescript", "openapi.json", "-o", "schema.d.ts"),
      tool("openapi-ts", "-i", "openapi.json", "-o", "hey", "-c", "@hey-api/client-fetch")
    ])
    await Promise.all([
      tool("tsc"),
      run(NodePath.join(modules, ".bin/tsc"), ["--noEmit", "-p", folder], {})
    ])
    for (const program of ["openapiFetch.js", "heyApi.js"]) {
      const proxy = await start({ world: World.sample, orgs: [credentials] })
      const { secret } = await proxy.key()
      const { stdout } = await run(process.execPath, [NodePath.join(folder, "out", program)], {
        env: { MILEPOST_PROXY_URL: proxy.url, MILEPOST_API_KEY: secret },
        timeout: 30_000
      })
      expect(JSON.parse(stdout)).toEqual(done)
    }
  })
})
