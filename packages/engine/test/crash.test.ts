/** Kills a process under a run at random moments, and goes on in a new one. Needs the package built: a process reads `dist`. */
import { fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import type * as Transport from "@milepost/core/Transport"
import { Entry, LibsqlLedger } from "@milepost/ledger"
import * as Effect from "effect/Effect"
import { entries, imported, milestone } from "./rows.js"
import { accepted, keyOf, refused } from "./upstream.js"

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url))
const records = 3_000
const customers = 1_000

interface Upstream {
  readonly executed: Set<string>
  readonly received: Map<string, number>
  readonly overlapped: Set<number>
  readonly unanswered: Set<string>
  calls: number
}

/** One life of the process; killed after so many calls, or `null` to its end. */
const live = (path: string, owner: string, upstream: Upstream, killAfter: number | null): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = fork(worker, [path, "a", owner], { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] })
    const inFlight = new Set<number>()
    let state = "killed"
    let seen = 0
    child.on("message", (message: { readonly id: number; readonly request: Transport.Request } | { readonly state: string }) => {
      if ("state" in message) {
        state = message.state
        return
      }
      const { id, request } = message
      const key = keyOf(request)
      upstream.calls += 1
      upstream.received.set(key, (upstream.received.get(key) ?? 0) + 1)
      if (inFlight.has(request.customerId)) upstream.overlapped.add(request.customerId)
      inFlight.add(request.customerId)
      const wasIn = upstream.executed.has(key)
      upstream.executed.add(key)
      const isLost = upstream.calls % 97 === 0
      if (isLost) upstream.unanswered.add(key)
      setImmediate(() => {
        inFlight.delete(request.customerId)
        if (child.connected) {
          child.send({ id, response: isLost ? null : wasIn ? refused(310119, "already") : accepted(request.customerId) }, () => undefined)
        }
      })
      seen += 1
      if (seen === killAfter) child.kill("SIGKILL")
    })
    child.on("error", reject)
    child.on("exit", () => resolve(state))
  })

describe.each(["in-process", "cluster"])("a process with lanes %s that is killed five times", (owner) => {
  it("loses nothing, contradicts nothing, and sends twice only what was claimed when it was killed", { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "engine-crash-"))
    const path = join(folder, "ledger.db")
    try {
      const requests = Array.from({ length: records }, (_, index) => milestone(index % customers * 7919 + 1, `P${Math.floor(index / customers)}`))
      const within = <A, E>(effect: Effect.Effect<A, E, Effect.Effect.Context<ReturnType<typeof entries>>>) =>
        Effect.runPromise(Effect.provide(effect, LibsqlLedger.layer({ path })))
      await within(imported("a", requests, 16))
      const upstream: Upstream = { executed: new Set(), received: new Map(), overlapped: new Set(), unanswered: new Set(), calls: 0 }
      const lost = new Set<string>()
      const moments = Array.from({ length: 5 }, () => 1 + Math.floor(Math.random() * 500))
      for (const killAfter of moments) {
        assert.strictEqual(await live(path, owner, upstream, killAfter), "killed", `moments ${moments.join(", ")}`)
        const open = (await within(entries("a"))).filter(({ isClaimed }) => isClaimed)
        assert.isAtMost(open.length, 8 * 50)
        for (const { request } of open) lost.add(`${request.customerId} ${"periodName" in request ? request.periodName : ""}`)
      }
      assert.strictEqual(await live(path, owner, upstream, null), "finished")
      const all = await within(entries("a"))
      assert.strictEqual(all.length, records)
      assert.isTrue(all.every(({ outcome, seq }) => Entry.laneOf(seq) < 16 && outcome !== null && (outcome.outcome === "enrolled" || outcome.outcome === "already_enrolled")))
      assert.strictEqual(upstream.executed.size, records)
      assert.strictEqual(upstream.overlapped.size, 0)
      const surprising = all.filter(({ outcome }) => outcome?.outcome === "already_enrolled" && !outcome.afterAmbiguousAttempt)
      assert.deepStrictEqual(surprising, [])
      const surprises = [...upstream.received].filter(([key, times]) =>
        times > 1 && !upstream.unanswered.has(key) &&
        ![...lost].some((record) => key.includes(` ${record.split(" ")[0]} `) && key.includes(record.split(" ")[1] ?? "")))
      assert.deepStrictEqual(surprises, [], `moments ${moments.join(", ")}`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
