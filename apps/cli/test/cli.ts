/** Runs the built CLI as a process, the way a person does. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const bin = fileURLToPath(new URL("../dist/bin.cjs", import.meta.url))

const noNameServer = fileURLToPath(new URL("noNameServer.cjs", import.meta.url))

/** How a process ended. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What `--json` prints of a run, as far as tests look at it. */
export interface Document {
  readonly run: string
  readonly state: string
  readonly counts: Readonly<Record<string, number>>
  readonly calls: number
  readonly resume: string | null
  readonly stop: { readonly reason: string; readonly message: string } | null
  readonly results: string
  readonly failed: string
  readonly learntPerMinute: number | null
  readonly error?: { readonly tag: string; readonly message: string; readonly setting: string | null }
}

/** The one document on stdout. */
export const documentOf = (ran: Ran): Document => JSON.parse(ran.stdout) as Document

/** A process that is running. */
export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
  /** Resolves once stdout or stderr contains the text. */
  readonly says: (text: string) => Promise<void>
  /** What stdout said so far. */
  readonly stdout: () => string
}

/** What a process is started with. */
export interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly stdin?: string | Uint8Array
  /** Leaves stdin open: input that never ends. */
  readonly open?: boolean
}

/** Starts the CLI in an environment that holds nothing but what is given. */
export const start = (args: ReadonlyArray<string>, options: Options = {}): Running => {
  const child = spawn(process.execPath, ["--require", noNameServer, bin, ...args], {
    cwd: options.cwd ?? process.cwd(),
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", ...options.env }
  })
  let stdout = ""
  let stderr = ""
  const listeners = new Set<() => void>()
  const heard = (): void => listeners.forEach((listener) => listener())
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString()
    heard()
  })
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString()
    heard()
  })
  child.stdin.on("error", () => undefined)
  if (options.open !== true) child.stdin.end(options.stdin ?? "")
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const listen = (): void => {
        if (!stdout.includes(text) && !stderr.includes(text)) return
        listeners.delete(listen)
        resolve()
      }
      listeners.add(listen)
      listen()
      void ended.then(() => reject(new Error(`ended without saying ${JSON.stringify(text)}:\n${stdout}\n${stderr}`)))
    })
  return { child, ended, says, stdout: () => stdout }
}

/** Runs the CLI to its end. */
export const run = (args: ReadonlyArray<string>, options?: Options): Promise<Ran> => start(args, options).ended

/** A folder that is removed again by what it returns. */
export const folder = (): { readonly path: string; readonly file: (name: string) => string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "milepost-test-"))
  return { path, file: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A sandbox over a real socket, and the variables that point to it. */
export const sandbox = async (
  ...args: ReadonlyArray<string>
): Promise<{ readonly env: Readonly<Record<string, string>>; readonly stop: () => Promise<Ran> }> => {
  const running = start(["sandbox", "--json", ...args])
  await running.says("listens at")
  const { variables } = JSON.parse(running.stdout()) as { readonly variables: Readonly<Record<string, string>> }
  return {
    env: variables,
    stop: () => {
      running.child.kill("SIGTERM")
      return running.ended
    }
  }
}
