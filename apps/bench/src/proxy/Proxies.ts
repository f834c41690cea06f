/** Everybody who can stand between callers and the upstream, each started as a process of its own. */
import * as Port from "@milepost/testing/Port"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Milepost from "../Milepost.js"
import * as Processes from "../Processes.js"
import * as Usage from "../Usage.js"
import * as Forwarding from "./Forwarding.js"
import * as Nginx from "./Nginx.js"

/** Who takes part; nginx where there is one. */
export const names = ["milepost", ...Forwarding.names, "nginx"] as const

/** The name of a proxy. */
export type Name = (typeof names)[number]

/** As tables call them. */
export const titles: Readonly<Record<Name, string>> = {
  milepost: "milepost-proxy, drop-in",
  raw: "node:http over Pool.request",
  dispatch: "node:http over Pool.dispatch",
  route: "fastify route over Pool.request",
  "http-proxy": "@fastify/http-proxy",
  nginx: "nginx"
}

/** A proxy that listens. */
export interface Proxy {
  readonly origin: string
  /** What a caller sends in `Authorization`. */
  readonly authorization: string
  readonly cpuSeconds: () => number
  readonly memory: () => { readonly peakMegabytes: number; readonly residentMegabytes: number }
  /** Whether the process is still there. */
  readonly isAlive: () => boolean
  /** What it wrote to its log. */
  readonly logged: () => string
  readonly stop: () => Promise<void>
}

/** The entry of the service. */
export const bin = fileURLToPath(new URL("../../../proxy/dist/bin.cjs", import.meta.url))

interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly authorization: string
  /** Where it listens, when it cannot tell. */
  readonly origin: string | null
}

/** A key of the service, made as its operator does it. */
const key = (env: Readonly<Record<string, string>>): string => {
  const made = execFileSync(process.execPath, [bin, "keys", "create", "--name", "bench", "--org", "bench", "--json"], { env: { ...env } })
  return (JSON.parse(String(made)) as { readonly secret: string }).secret
}

const commandOf = async (
  name: Name,
  upstream: string,
  folder: string,
  settings: Readonly<Record<string, string>>
): Promise<Command> => {
  const env = Milepost.bareEnvironment
  // As long as a key of the service is, so that everybody has the same bytes to read.
  const authorization = `Bearer mp_${"x".repeat(43)}`
  if (name === "milepost") {
    const env = {
      ...Milepost.environment(upstream),
      MILEPOST_PROXY_PORT: "0",
      MILEPOST_PROXY_DATA: join(folder, "data"),
      MILEPOST_PROXY_ORG: "bench",
      ...settings
    }
    return { file: process.execPath, args: [bin, "serve"], env, authorization: `Bearer ${key(env)}`, origin: null }
  }
  if (name === "nginx") {
    const file = Nginx.binary()
    if (file === null) throw new Error("nginx is not installed")
    const port = await Port.free()
    return { file, args: Nginx.prepare(folder, port, upstream), env, authorization, origin: `http://127.0.0.1:${port}` }
  }
  return { file: process.execPath, args: [Processes.main, "forwarding", name, upstream], env, authorization, origin: null }
}

/** Starts a proxy before an upstream; `settings` are of Milepost's environment. What it logs goes to a file, as in service. */
export const start = async (
  name: Name,
  upstream: string,
  settings: Readonly<Record<string, string>> = {}
): Promise<Proxy> => {
  Usage.needLinux()
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  const { args, authorization, env, file, origin: known } = await commandOf(name, upstream, folder, settings)
  const out = join(folder, "stdout.log")
  const err = join(folder, "stderr.log")
  const child = spawn(file, args, { cwd: folder, env: { ...env }, stdio: ["ignore", openSync(out, "w"), openSync(err, "w")] })
  const ended = once(child, "exit")
  const { pid } = child
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  const told = async (): Promise<string> => {
    for (let tries = 0; tries < 400 && child.exitCode === null; tries++) {
      const origin = known ?? /http:\/\/\S+/.exec(readFileSync(out, "utf8"))?.[0]
      if (origin !== undefined && await fetch(origin).then((answer) => answer.arrayBuffer(), () => null) !== null) return origin
      await sleep(25)
    }
    throw new Error(`${titles[name]} does not listen:\n${readFileSync(err, "utf8")}`)
  }
  try {
    const origin = await told()
    if (pid === undefined) throw new Error(`${titles[name]} has no process`)
    return {
      origin,
      authorization,
      cpuSeconds: () => Usage.cpuSeconds(pid),
      memory: () => Usage.memory(pid),
      isAlive: () => child.exitCode === null && child.signalCode === null,
      logged: () => readFileSync(err, "utf8"),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}
