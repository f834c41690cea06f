/** A server in a process of its own that is asked nothing but for its answers: where it listens, and the CPU that it uses. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import * as Milepost from "../Milepost.js"
import * as Processes from "../Processes.js"
import * as Usage from "../Usage.js"
import type * as Load from "./Load.js"

/** A server that listens. */
export interface Served {
  readonly origin: string
  /** The seconds of CPU that it has used, all threads. */
  readonly cpuSeconds: () => Promise<number>
  readonly stop: () => Promise<void>
}

/** The built `milepost-harness` of this repository. */
const harness = fileURLToPath(new URL("../../../harness/dist/bin.js", import.meta.url))

const argsOf = (server: Load.Server, worldFile: string): ReadonlyArray<string> =>
  server === "plain" ? [Processes.main, "plain"] : [harness, "serve", "--port", "0", "--world", worldFile]

/** Starts a server; both tell where they listen in their first line. */
export const start = async (server: Load.Server, worldFile: string): Promise<Served> => {
  Usage.needLinux()
  const child = spawn(process.execPath, argsOf(server, worldFile), {
    cwd: tmpdir(),
    env: Milepost.bareEnvironment,
    stdio: ["ignore", "pipe", "inherit"]
  })
  const ended = once(child, "exit")
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
  }
  for await (const line of createInterface({ input: child.stdout })) {
    const origin = /http:\/\/\S+$/.exec(line)?.[0]
    const { pid } = child
    if (origin !== undefined && pid !== undefined) {
      return { origin, cpuSeconds: () => Promise.resolve(Usage.cpuSeconds(pid)), stop }
    }
  }
  throw new Error(`the ${server} server ended before it listened`)
}
