/**
 * A command from its start to its exit: how long it took, the CPU that it used, what it held in memory.
 *
 * Nothing inside the command is asked, so that a built CLI and a script are measured alike. CPU is what the kernel charges
 * this process for children that have ended, exact for whatever has ended there between; one command at a time.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { text } from "node:stream/consumers"
import * as Rounds from "./Rounds.js"

/** How often memory is looked at. The peak is the kernel's own high-water mark; only what comes after the last look is missed. */
const sampleMillis = 25

/** A command that has ended. */
export interface Ran {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
  /** The middle of what was resident, sampled over the whole run. */
  readonly residentMegabytes: number
}

/** Where a command runs. */
export interface Surroundings {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** One figure of `/proc/<pid>/status` in megabytes (of a million bytes); `null` once the process is gone. */
export const megabytes = (status: string, name: "VmHWM" | "VmRSS"): number | null => {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]
  return kibibytes === undefined ? null : (Number(kibibytes) * 1024) / 1e6
}

/** What `/proc` counts time in, on every platform that Node runs on. */
const ticksPerSecond = 100

/** Two neighbouring fields of `/proc/<pid>/stat`, user and system, counted from 1 as proc(5) does; the second may hold anything. */
const seconds = (stat: string, field: number): number => {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[field - 3]) + Number(fields[field - 2])) / ticksPerSecond
}

/** The CPU of a process and all its threads, out of `/proc/<pid>/stat`. */
export const ownSeconds = (stat: string): number => seconds(stat, 14)

/** The CPU of its children that have ended. */
export const childrenSeconds = (stat: string): number => seconds(stat, 16)

/** Everything here is read from `/proc`. */
export const needLinux = (): void => {
  if (process.platform !== "linux") throw new Error("what a process uses is read from /proc, which needs Linux")
}

/** The CPU that a running process has used so far, all threads; fails when there is no such process. */
export const cpuSeconds = (pid: number): number => ownSeconds(readFileSync(`/proc/${pid}/stat`, "utf8"))

/** What the scheduler says a process of one thread has run, out of `/proc/<pid>/schedstat`: in nanoseconds, and not in hundredths of a second. */
export const ranSeconds = (schedstat: string): number => Number(schedstat.slice(0, schedstat.indexOf(" "))) / 1e9

/**
 * The CPU of a process and of all its children, those that have ended included; fails when there is no such process. Each
 * child has one thread.
 */
export const familySeconds = (pid: number): number => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter((word) => word.trim() !== "")
  const running = children.reduce((sum, child) => {
    try {
      return sum + ranSeconds(readFileSync(`/proc/${child}/schedstat`, "utf8"))
    } catch {
      // It has ended in this moment, so its parent is charged for it.
      return sum
    }
  }, 0)
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  return running + ownSeconds(stat) + childrenSeconds(stat)
}

const statusOf = (pid: number | undefined): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8")
  } catch {
    return ""
  }
}

/** The memory of a running process in megabytes: its kernel's own high-water mark, and what is resident now. */
export const memory = (pid: number): { readonly peakMegabytes: number; readonly residentMegabytes: number } => {
  const status = statusOf(pid)
  return { peakMegabytes: megabytes(status, "VmHWM") ?? 0, residentMegabytes: megabytes(status, "VmRSS") ?? 0 }
}

/** Runs Node with these arguments to its end. */
export const run = async (args: ReadonlyArray<string>, { cwd, env }: Surroundings): Promise<Ran> => {
  needLinux()
  const cpuBefore = childrenSeconds(readFileSync("/proc/self/stat", "utf8"))
  const before = performance.now()
  const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] })
  const ended = once(child, "exit").then(() => ({
    seconds: (performance.now() - before) / 1000,
    cpuSeconds: childrenSeconds(readFileSync("/proc/self/stat", "utf8")) - cpuBefore
  }))
  let peakMegabytes = 0
  const resident: Array<number> = []
  const timer = setInterval(() => {
    const status = statusOf(child.pid)
    peakMegabytes = Math.max(peakMegabytes, megabytes(status, "VmHWM") ?? 0)
    const now = megabytes(status, "VmRSS")
    if (now !== null) resident.push(now)
  }, sampleMillis)
  try {
    const [{ cpuSeconds, seconds }, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
    return {
      exitCode: child.exitCode,
      stdout,
      stderr,
      seconds,
      cpuSeconds,
      peakMegabytes,
      residentMegabytes: resident.length === 0 ? 0 : Rounds.median(resident)
    }
  } finally {
    clearInterval(timer)
  }
}
