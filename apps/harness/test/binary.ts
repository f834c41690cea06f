/** The built binary as a process, in a folder of its own; built by the test, so that it never runs yesterday's bundle. */
import { afterAll, beforeAll } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** How long a test of processes may take on a machine that has much else to do. */
export const patience = 120_000

/** Builds the binary for the tests of a file, and ends what they leave running. */
export const harnessBinary = () => {
  const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-harness-"))
  const root = fileURLToPath(new URL("..", import.meta.url))
  const bin = NodePath.join(folder, "dist", "bin.js")
  const started = new Set<ChildProcess>()

  beforeAll(() => {
    const rolldown = NodePath.join(root, "node_modules", ".bin", "rolldown")
    execFileSync(rolldown, ["--config", "rolldown.config.js", "--dir", NodePath.dirname(bin)], { cwd: root, stdio: "pipe" })
    Fs.writeFileSync(NodePath.join(folder, "package.json"), `{"type":"module"}`)
    // What is left outside the bundle, as an installation would have it.
    Fs.symlinkSync(NodePath.join(root, "node_modules"), NodePath.join(folder, "node_modules"))
  }, patience)

  afterAll(() => {
    for (const child of started) child.kill("SIGKILL")
    Fs.rmSync(folder, { recursive: true, force: true })
  })

  const file = (name: string, content: unknown): string => {
    const path = NodePath.join(folder, name)
    Fs.writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content))
    return path
  }

  const harness = (...args: ReadonlyArray<string>) => harnessWith({}, ...args)

  const harnessWith = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd: folder, env: { PATH: process.env["PATH"] ?? "", ...env } })
    started.add(child)
    const said = { out: "", err: "" }
    child.stdout.on("data", (chunk) => (said.out += String(chunk)))
    child.stderr.on("data", (chunk) => (said.err += String(chunk)))
    const ended = new Promise<Ended>((resolve) =>
      child.once("close", (code) => {
        started.delete(child)
        resolve({ code, ...said })
      })
    )
    /** The variables that it prints once it listens. */
    const announced = new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      child.stdout.on("data", () => {
        const variables = new Map([...said.out.matchAll(/^(MILEPOST_\w+)=(.*)\n/gm)].map(([, name = "", value = ""]) => [name, value]))
        if (variables.has("MILEPOST_HOST") && said.out.endsWith("\n")) resolve(variables)
      })
      void ended.then(({ err }) => reject(new Error(err)))
    })
    announced.catch(() => undefined)
    return { child, ended, announced }
  }

  return { folder, file, harness, harnessWith }
}
