/**
 * Real processes over a real PostgreSQL, of which one is frozen or killed in the middle of a run. Needs the package built: a
 * process reads `dist`.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import type * as Transport from "@milepost/core/Transport"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import { Engine, Replica } from "@milepost/engine"
import { Ledger } from "@milepost/ledger"
import * as PostgresLedger from "@milepost/ledger/PostgresLedger"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll } from "vitest"
import { entries, imported, milestone } from "./rows.js"
import { accepted, keyOf, refused } from "./upstream.js"

let server: PostgresServer.PostgresServer
beforeAll(async () => {
  server = await PostgresServer.start()
}, 60_000)
afterAll(() => server.close())

const joiner = fileURLToPath(new URL("joiner.mjs", import.meta.url))
const lanes = 16
const customers = 400
const periods = ["P0", "P1", "P2", "P3", "P4"]
const latencyMillis = 4

type Said =
  | { readonly id: number; readonly request: Transport.Request }
  | { readonly held: number }
  | { readonly left: string; readonly state: string; readonly calls: number }

interface Joiner {
  readonly child: ChildProcess
  held: number
  end: { readonly left: string; readonly state: string } | null
}

/** An upstream of processes: executes a call once, and remembers who sent what. */
class Upstream {
  readonly executed = new Map<string, Joiner>()
  readonly received: Array<{ readonly by: Joiner; readonly key: string; readonly wasExecuted: boolean; readonly isLate: boolean }> = []
  readonly overlapped = new Set<number>()
  private readonly inFlight = new Set<number>()
  /** Somebody who was frozen and goes on: what it sends now is late. */
  woken: Joiner | null = null

  take(by: Joiner, id: number, request: Transport.Request): void {
    const key = keyOf(request)
    const wasExecuted = this.executed.has(key)
    this.received.push({ by, key, wasExecuted, isLate: by === this.woken })
    if (this.inFlight.has(request.customerId)) this.overlapped.add(request.customerId)
    this.inFlight.add(request.customerId)
    if (!wasExecuted) this.executed.set(key, by)
    setTimeout(() => {
      this.inFlight.delete(request.customerId)
      if (by.child.connected) by.child.send({ id, response: wasExecuted ? refused(310119, "already") : accepted(request.customerId) }, () => undefined)
    }, latencyMillis)
  }
}

const until = async (isTrue: () => boolean, what: string): Promise<void> => {
  const end = Date.now() + 30_000
  while (!isTrue()) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const launch = (url: string, upstream: Upstream): Joiner => {
  const child = fork(joiner, [url, "a", String(lanes)], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] })
  const made: Joiner = { child, held: 0, end: null }
  child.on("message", (said: Said) => {
    if ("held" in said) made.held = said.held
    else if ("left" in said) made.end = said
    else upstream.take(made, said.id, said.request)
  })
  return made
}

const scene = async (): Promise<{
  readonly url: string
  readonly upstream: Upstream
  readonly one: Joiner
  readonly two: Joiner
  readonly within: <A, E>(effect: Effect.Effect<A, E, Ledger.Ledger>) => Promise<A>
}> => {
  const url = await server.database()
  const within = <A, E>(effect: Effect.Effect<A, E, Ledger.Ledger>): Promise<A> =>
    Effect.runPromise(Effect.scoped(Effect.flatMap(PostgresLedger.make({ url: Redacted.make(url), maxConnections: 2 }), (ledger) =>
      Effect.zipRight(Effect.provide(Replica.create, ledger), Effect.provide(effect, ledger)))))
  const requests = periods.flatMap((period) => Array.from({ length: customers }, (_, index) => milestone(index * 7919 + 1, period)))
  await within(imported("a", requests, lanes))
  const upstream = new Upstream()
  const [one, two] = [launch(url, upstream), launch(url, upstream)]
  await until(() => one.held > 0 && two.held > 0 && one.held + two.held === lanes, "both have lanes")
  await within(Engine.begin("a"))
  for (const { child } of [one, two]) child.send("join")
  return { url, upstream, one, two, within }
}

const sentBy = (upstream: Upstream, who: Joiner) => upstream.received.filter(({ by }) => by === who)

const judge = async (upstream: Upstream, within: Awaited<ReturnType<typeof scene>>["within"]): Promise<void> => {
  const all = await within(entries("a"))
  assert.strictEqual(all.length, customers * periods.length)
  for (const { outcome } of all) assert.include(["enrolled", "already_enrolled"], outcome?.outcome ?? "none")
  const surprising = all.filter(({ outcome }) => outcome?.outcome === "already_enrolled" && !outcome.afterAmbiguousAttempt)
  assert.deepStrictEqual(surprising, [])
  assert.strictEqual(upstream.executed.size, customers * periods.length)
  assert.strictEqual(upstream.overlapped.size, 0)
  assert.strictEqual((await within(Effect.flatMap(Ledger.Ledger, (ledger) => ledger.run("a")))).state, "finished")
}

describe("a process that shares a run with another one", () => {
  it("is frozen, and sends nothing of what the other has taken over when it wakes up", { timeout: 90_000 }, async () => {
    const { one, two, upstream, within } = await scene()
    try {
      await until(() => sentBy(upstream, one).length >= 60, "it has begun")
      one.child.kill("SIGSTOP")
      const before = new Set(sentBy(upstream, one).map(({ key }) => key))
      await until(() => sentBy(upstream, two).some(({ key }) => before.has(key)), "the other one repeats what it had claimed")
      await until(() => two.end !== null || sentBy(upstream, two).length > 1_200, "the other one has gone on")
      upstream.woken = one
      one.child.kill("SIGCONT")
      await until(() => one.end !== null && two.end !== null, "both have ended")
      assert.deepStrictEqual(upstream.received.filter(({ isLate, wasExecuted }) => isLate && wasExecuted), [])
      await judge(upstream, within)
    } finally {
      for (const { child } of [one, two]) child.kill("SIGKILL")
    }
  })

  it("is killed, and the other one finishes: only what it had claimed is sent twice", { timeout: 90_000 }, async () => {
    const { one, two, upstream, within } = await scene()
    try {
      await until(() => sentBy(upstream, one).length >= 60, "it has begun")
      one.child.kill("SIGKILL")
      await until(() => two.end !== null, "the other one has finished")
      const twice = upstream.received.filter(({ wasExecuted }) => wasExecuted)
      assert.isAtMost(twice.length, 3 * 50)
      assert.isTrue(twice.every(({ key }) => upstream.executed.get(key) === one))
      await judge(upstream, within)
    } finally {
      for (const { child } of [one, two]) child.kill("SIGKILL")
    }
  })

  it("waits for a database that crashes: nothing is sent meanwhile, and nothing is lost", { timeout: 90_000 }, async () => {
    const { one, two, upstream, within } = await scene()
    try {
      await until(() => sentBy(upstream, one).length >= 60 && sentBy(upstream, two).length >= 60, "both have begun")
      await server.stop("immediate")
      let sent = -1
      let since = 0
      await until(() => {
        if (upstream.received.length !== sent) {
          sent = upstream.received.length
          since = Date.now()
        }
        return Date.now() - since > 2_000
      }, "nothing is sent any more")
      assert.isBelow(sent, customers * periods.length)
      await server.start()
      await until(() => one.end !== null && two.end !== null, "both have ended")
      await judge(upstream, within)
    } finally {
      for (const { child } of [one, two]) child.kill("SIGKILL")
    }
  })
})
