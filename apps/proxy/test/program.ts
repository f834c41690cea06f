/** The built binary, and processes of it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

/** A process of the binary. */
export interface Process {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>
  /** Waits until it has said something; fails where it ends before. */
  readonly saying: (pattern: RegExp) => Promise<RegExpExecArray>
}

/** The binary, and a folder that its processes work in. */
export interface Program {
  readonly folder: string
  readonly proxy: (environment: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) => Process
  /** Kills what still runs. */
  readonly killAll: () => void
  /** Removes everything. */
  readonly remove: () => void
}

/** Builds the binary. */
export const build = (): Program => {
  // Beside the package's own modules: libsql is loaded from there.
  Fs.mkdirSync(NodePath.join(root, "build"), { recursive: true })
  const dist = Fs.mkdtempSync(NodePath.join(root, "build", "bin-"))
  const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-proxy-bin-"))
  const started = new Set<ChildProcess>()
  execFileSync(NodePath.join(root, "node_modules/.bin/rolldown"), ["--config", "rolldown.config.js", "--dir", dist], { cwd: root, stdio: "pipe" })
  return {
    folder,
    proxy: (environment, ...args) => {
      const child = spawn(process.execPath, [NodePath.join(dist, "bin.cjs"), ...args], {
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", MILEPOST_PROXY_PORT: "0", MILEPOST_PROXY_DATA: NodePath.join(folder, "data"), ...environment }
      })
      started.add(child)
      const said = { out: "", err: "" }
      child.stdout.on("data", (chunk) => (said.out += String(chunk)))
      child.stderr.on("data", (chunk) => (said.err += String(chunk)))
      const ended = new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((resolve) =>
        child.once("close", (code) => {
          started.delete(child)
          resolve({ code, ...said })
        }))
      const saying = async (pattern: RegExp): Promise<RegExpExecArray> => {
        for (;;) {
          const found = pattern.exec(said.out) ?? pattern.exec(said.err)
          if (found !== null) return found
          if (child.exitCode !== null) throw new Error(said.err)
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
      return { child, ended, saying }
    },
    killAll: () => {
      for (const child of started) child.kill("SIGKILL")
    },
    remove: () => {
      Fs.rmSync(dist, { recursive: true, force: true })
      Fs.rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** The settings of one organisation at a simulator with the conformance world. */
export const upstream = (url: string): Readonly<Record<string, string>> =>
  ({ MILEPOST_PROXY_ORG: "brand", MILEPOST_HOST: url, MILEPOST_USERNAME: "parent.till", MILEPOST_PASSWORD: "parent-secret" })
