/** The sessions of docs/guides/proxy.md, run as they stand against the sandbox of the built binary. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = NodePath.join(root, "build", `guide-${process.pid}`)
const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-proxy-guide-"))
let child: ChildProcess | null = null
const variables: Record<string, string> = {}

beforeAll(async () => {
  execFileSync(NodePath.join(root, "node_modules/.bin/rolldown"), ["--config", "rolldown.config.js", "--dir", dist], { cwd: root, stdio: "pipe" })
  const sandbox = spawn(process.execPath, [NodePath.join(dist, "bin.cjs"), "serve", "--sandbox"], {
    env: { PATH: process.env["PATH"] ?? "", MILEPOST_PROXY_PORT: "0" }
  })
  child = sandbox
  await new Promise<void>((resolve, reject) => {
    let out = ""
    sandbox.stdout.on("data", (chunk) => {
      out += String(chunk)
      for (const [, name = "", value = ""] of out.matchAll(/^(MILEPOST_\w+)=(.*)\n/gm)) variables[name] = value
      if (variables["MILEPOST_SIMULATOR_URL"] !== undefined) resolve()
    })
    sandbox.once("close", () => reject(new Error("the sandbox ended")))
  })
})
afterAll(() => {
  child?.kill("SIGKILL")
  Fs.rmSync(dist, { recursive: true, force: true })
  Fs.rmSync(folder, { recursive: true, force: true })
})

interface Session {
  readonly command: string
  readonly expected: string
}

const guide = Fs.readFileSync(NodePath.join(root, "../../docs/guides/proxy.md"), "utf8")

/** Every command of the guide with what it shows, but for the first block, which starts the sandbox. */
const sessions: ReadonlyArray<Session> = [...guide.matchAll(/```console\n([\s\S]*?)```/g)].slice(1).flatMap(([, block = ""]) =>
  block.split(/^\$ /m).slice(1).map((text) => {
    const lines = text.split("\n")
    const end = lines.findIndex((line) => !line.endsWith("\\")) + 1
    return { command: lines.slice(0, end).join("\n"), expected: lines.slice(end).join("\n").trim() }
  }))

/** What is shown as … may be anything. */
const pattern = (expected: string): RegExp =>
  new RegExp(`^${expected.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("[\\s\\S]*")}$`)

describe("docs/guides/proxy.md", () => {
  it("shows what its commands answer", () => {
    // One shell for all of them, because a later command uses a variable of an earlier one.
    const mark = "@@session@@"
    const script = sessions.map(({ command }) => `echo ${mark}\n${command}`).join("\n")
    const out = execFileSync("sh", ["-c", script], { cwd: folder, env: { PATH: process.env["PATH"] ?? "", ...variables }, encoding: "utf8" })
    const answers = out.split(`${mark}\n`).slice(1).map((answer) => answer.replaceAll("\r", "").trim())
    expect(answers).toHaveLength(sessions.length)
    expect(sessions.length).toBeGreaterThan(10)
    for (const [index, { command, expected }] of sessions.entries()) expect(answers[index], command).toMatch(pattern(expected))
  })
})
