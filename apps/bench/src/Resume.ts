/** How soon a run that was killed sends again: from the start of `milepost bulk resume` to the first call at the upstream. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import * as Milepost from "./Milepost.js"
import type * as Upstream from "./Upstream.js"

/** Slow enough that hardly a row is done when the process is killed, as if it had been at the very beginning. */
const rate = "100/s"

/** How many calls the run makes before it is killed. */
const callsBefore = 50

/** Waits until something holds of a command, and kills it in the middle of whatever it does. */
const killedAfter = async (
  args: ReadonlyArray<string>,
  upstream: Upstream.Running,
  calls: number,
  folder: string
): Promise<number> => {
  const arrived = upstream.arrived(calls)
  const before = performance.now()
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: folder,
    env: Milepost.environment(upstream.origin),
    stdio: ["ignore", "ignore", "pipe"]
  })
  const said = child.stderr === null ? Promise.resolve("") : text(child.stderr)
  const exited = once(child, "exit")
  const early = exited.then(async () => {
    throw new Error(`${args.slice(1, 3).join(" ")} ended before its ${calls} calls:\n${await said}`)
  })
  const seconds = await Promise.race([arrived.then(() => (performance.now() - before) / 1000), early])
  child.kill("SIGKILL")
  await exited
  await early.catch(() => undefined)
  return seconds
}

/** The seconds until the first call of each of so many resumes, of a run over a file that was killed after a few calls. */
export const seconds = async (
  file: string,
  folder: string,
  runs: string,
  upstream: Upstream.Running,
  times: number
): Promise<ReadonlyArray<number>> => {
  await killedAfter(Milepost.bulkEnroll(file, runs, "--rate", rate), upstream, callsBefore, folder)
  const measured: Array<number> = []
  for (let time = 0; time < times; time++) {
    measured.push(await killedAfter([Milepost.bin, "bulk", "resume", "--json", "--run-dir", runs], upstream, 1, folder))
  }
  return measured
}
