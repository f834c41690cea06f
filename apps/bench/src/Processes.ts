/**
 * The processes of the benchmark: one for the upstream and one for each contender and round, all of them this app's own
 * `main.js` in another role.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** What a process is started for. */
export type Role = "upstream" | "client" | "load" | "in-memory" | "proxy-load" | "proxy-flood" | "worker" | "locking" | "simulated"

/** A process that this one started and talks to. */
export interface Child {
  readonly send: (message: string) => void
  /** The next message; fails when the process ends without one. */
  readonly next: <A>() => Promise<A>
  /** Lets it end, and waits for that. */
  readonly stop: () => Promise<void>
}

/** This app, for whoever starts it without talking to it. */
export const main = fileURLToPath(new URL("./main.js", import.meta.url))

/** Starts this app in a role. */
export const start = (role: Role, ...args: ReadonlyArray<string>): Child => {
  const child = fork(main, [role, ...args], { execArgv: [] })
  const heard: Array<unknown> = []
  const ended = once(child, "exit")
  child.on("message", (message) => heard.push(message))
  return {
    send: (message) => void child.send(message),
    next: async <A>() => {
      while (heard.length === 0) {
        const cancel = new AbortController()
        const [first] = await Promise.race([
          once(child, "message", { signal: cancel.signal }).then(() => ["message"] as const),
          ended.then(() => ["exit"] as const)
        ])
        cancel.abort()
        if (first === "exit" && heard.length === 0) throw new Error(`the process of the ${role} ${args[0] ?? ""} ended early`)
      }
      return heard.shift() as A
    },
    stop: async () => {
      if (child.connected) child.disconnect()
      await ended
    }
  }
}

/** Says something to the process that started this one. */
export const tellParent = (message: object): void => void process.send?.(message)

/** The seconds of CPU that this process has used, in all its threads. */
export const cpuSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}
