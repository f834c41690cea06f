/** Processes that work on a ledger, and folders for them. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"

const script = fileURLToPath(new URL("worker.mjs", import.meta.url))

/** A path for a ledger in a folder that goes with the scope. */
export const freshPath = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "ledger-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  ),
  (folder) => join(folder, "ledger.db")
)

export interface Worker {
  readonly child: ChildProcess
  /** Waits until it has said this. */
  readonly said: (text: string) => Effect.Effect<void>
  /** Waits for its end; everything that it said. */
  readonly ended: Effect.Effect<ReadonlyArray<string>>
}

/** Starts a process; `before` are words of the shell ahead of it. */
export const worker = (path: string, args: ReadonlyArray<string>, before?: string) =>
  Effect.acquireRelease(
    Effect.sync((): Worker => {
      const command = [process.execPath, script, path, ...args]
      const child = before === undefined
        ? spawn(command[0] ?? "", command.slice(1), { stdio: ["ignore", "pipe", "inherit"] })
        : spawn("bash", ["-c", `${before}; exec "$@"`, "bash", ...command], { stdio: ["ignore", "pipe", "inherit"] })
      let text = ""
      child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk.toString()
      })
      const closed = once(child, "close")
      return {
        child,
        said: (wanted) =>
          Effect.repeat(Effect.sleep("5 millis"), { until: () => text.includes(wanted) || child.exitCode !== null }).pipe(
            Effect.asVoid
          ),
        ended: Effect.map(Effect.promise(() => closed), () => text.split("\n").slice(0, -1))
      }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )
