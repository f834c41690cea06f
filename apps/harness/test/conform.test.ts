/** `milepost-harness conform` as a process: against simulators in this one, with their rules as they are and broken. */
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import * as Conformance from "@milepost/simulator/Conformance"
import * as Rules from "@milepost/simulator/Rules"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as NodePath from "node:path"
import { harnessBinary, patience } from "./binary.js"

const { folder, harness, harnessWith } = harnessBinary()

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const served = async (world: World.World, options?: Simulator.Options) => {
  const scope = Effect.runSync(Scope.make())
  const simulator = await Effect.runPromise(Simulator.make(world, options))
  const { url } = await Effect.runPromise(
    SimulatorServer.serve().pipe(Effect.provideService(Simulator.Simulator, simulator), Scope.extend(scope))
  )
  closing.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return { simulator, url }
}

interface Report {
  readonly green: boolean
  readonly counts: { readonly passed: number; readonly failed: number; readonly skipped: number }
  readonly leftBehind: ReadonlyArray<string>
  readonly cases: ReadonlyArray<{ readonly id: string; readonly outcome: string; readonly expected?: string; readonly actual?: string; readonly reason?: string }>
}

const reported = (out: string): Report => JSON.parse(out) as Report

const zeroIsAbsent: typeof Rules.enroll = (facts, now, standing, command) =>
  Rules.enroll(facts, now, standing, { ...command, initialBalance: command.initialBalance === 0 ? null : command.initialBalance })

describe("milepost-harness conform", { timeout: patience }, () => {
  it("is all green against the simulator, whatever world it serves", async () => {
    const { simulator, url } = await served(World.sample)
    const { code, err, out } = await harness("conform", "--base-url", url, "--junit", "green.xml").ended
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out).toContain(`\n${Conformance.cases.length} passed, 0 failed, 0 skipped against the simulator at ${url}\n`)
    expect(out).toContain("ok   again-with-zero        re-enrolling with 0 starts at 0 (docs/upstream.md, Behaviour)\n")
    const junit = Fs.readFileSync(NodePath.join(folder, "green.xml"), "utf8")
    expect(junit).toContain(`<testsuites tests="${Conformance.cases.length}" failures="0" skipped="0"`)
    // Nothing is left of it: no world, and no call in the one that is served.
    expect(await (await fetch(`${url}/__sim/worlds`)).json()).toEqual({ worlds: [] })
    expect((await Effect.runPromise(simulator.journal.counts)).received).toBe(0)
  })

  it("is red in exactly the case whose rule is broken, and shows the difference", async () => {
    const { url } = await served(World.sample, { rules: { enroll: zeroIsAbsent } })
    const { code, out } = await harness("conform", "--base-url", url, "--json", "--junit", "red.xml").ended
    expect(code).toBe(1)
    const report = reported(out)
    expect(report).toMatchObject({ green: false, counts: { passed: Conformance.cases.length - 1, failed: 1, skipped: 0 } })
    expect(report.cases.filter(({ outcome }) => outcome === "failed")).toMatchObject([
      { id: "again-with-zero", expected: "Cycle_3=0 Cycle_4=0 Cycle_5=0", actual: "Cycle_3=250 Cycle_4=0 Cycle_5=0" }
    ])
    expect(Fs.readFileSync(NodePath.join(folder, "red.xml"), "utf8")).toContain(
      `<failure message="look up: expected Cycle_3=0 Cycle_4=0 Cycle_5=0, got Cycle_3=250 Cycle_4=0 Cycle_5=0">`
    )
    const people = await harness("conform", "--base-url", url, "--case", "again-with-zero", "again-with-null").ended
    expect(people.code).toBe(1)
    expect(people.out).toContain("- expected  Cycle_3=0 Cycle_4=0 Cycle_5=0\n       + got       Cycle_3=250")
    expect(people.out).toContain("1 passed, 1 failed, 0 skipped")
  })

  it("runs through a proxy, the world started over for every case", async () => {
    const { simulator, url } = await served(World.sample)
    const md5 = createHash("md5").update("parent-secret").digest("hex")
    const authorization = `Basic ${Buffer.from(`parent.till:${md5}`).toString("base64")}`
    const keys = new Set<string | undefined>()
    const proxy = Http.createServer((req, res) => {
      keys.add(req.headers.authorization)
      req.pipe(Http.request(url + req.url, { method: req.method, headers: { ...req.headers, authorization } }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(res)
      }))
    })
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
    closing.push(() => {
      proxy.closeAllConnections()
      proxy.close()
    })
    const address = proxy.address()
    const proxyUrl = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    const { code, out } = await harnessWith({ MILEPOST_API_KEY: "mine" }, "conform", "--base-url", proxyUrl, "--against", "proxy", "--control", url, "--json").ended
    const report = reported(out)
    expect(report.cases.filter(({ outcome }) => outcome === "failed")).toEqual([])
    expect(code).toBe(0)
    expect(report.counts.passed).toBeGreaterThan(25)
    expect(report.cases.find(({ id }) => id === "scope-other")).toMatchObject({ outcome: "skipped", reason: expect.stringContaining("calls as itself") })
    expect([...keys]).toEqual(["Bearer mine"])
    expect(await Effect.runPromise(simulator.world)).toEqual(World.conformance)
  })

  const tenant = ["--against", "live", "--json", "--customer", "1050"]
  const milestone = ["--group", "2154", "--target", "2309", "--period", "Cycle_3"]
  const till = { MILEPOST_USERNAME: "parent.till", MILEPOST_PASSWORD: "parent-secret" }

  it("only reads from a live tenant, unless writing is allowed", async () => {
    const { simulator, url } = await served(World.conformance)
    const { code, err, out } = await harnessWith(till, "conform", "--base-url", url, ...tenant, ...milestone).ended
    expect({ code, err }).toEqual({ code: 0, err: "" })
    const report = reported(out)
    expect(report.counts).toEqual({ passed: 2, failed: 0, skipped: Conformance.cases.length - 2 })
    expect(report.cases.every(({ outcome, reason }) => outcome === "passed" || (reason ?? "") !== "")).toBe(true)
    const { byOperation } = await Effect.runPromise(simulator.journal.counts)
    expect(byOperation).toEqual({ targetGroups: 2 })
  })

  it("writes for one named customer where that is allowed, says so before, and cleans up", async () => {
    const { simulator, url } = await served(World.conformance)
    const args = [...tenant, ...milestone, "--streak-group", "40", "--streak-target", "41", "--allow-writes"]
    const { code, err, out } = await harnessWith(till, "conform", "--base-url", url, ...args).ended
    const report = reported(out)
    expect(report.cases.filter(({ outcome }) => outcome === "failed")).toEqual([])
    expect(code).toBe(0)
    expect(report).toMatchObject({ green: true, leftBehind: [], counts: { passed: 20 } })
    expect(err).toContain("This run writes: it enrols customer 1050")
    expect(err).toContain(`  POST /targetGroups/2154/targets/2309/unEnroll [{"customerId":1050}]\n`)
    expect(err).toContain(`  POST /targetGroups/40/targets/41/unEnroll [{"customerId":1050}]\n`)
    const entries = await Effect.runPromise(simulator.journal.entries)
    expect([...new Set(entries.filter(({ executed, operation }) => executed && operation !== "targetGroups").map(({ customerId }) => customerId))]).toEqual([1050])
    for (const [group, target] of [[2154, 2309], [40, 41]] as const) {
      const standing = await Effect.runPromise(simulator.standing(1050, group, target))
      expect(standing._tag === "Some" && standing.value.enrolled).toBe(false)
    }
  })

  it("cleans up when it is interrupted in the middle of a case", async () => {
    const faults = [{ operation: "enroll", effect: { kind: "hang", when: "after" } }] as const
    const { simulator, url } = await served(World.conformance, { faults })
    const args = ["conform", "--base-url", url, ...tenant, ...milestone, "--allow-writes", "--case", "first-balance"]
    const { child, ended } = harnessWith(till, ...args)
    const enrolled = () =>
      Effect.runPromise(simulator.standing(1050, 2154, 2309)).then((standing) => standing._tag === "Some" && standing.value.enrolled)
    await vi.waitUntil(enrolled, { timeout: 60_000, interval: 5 })
    child.kill("SIGINT")
    expect(await ended).toMatchObject({ code: 130, out: "" })
    expect(await enrolled()).toBe(false)
  })

  it("touches nobody who is enrolled already, and says what it could not clean up", async () => {
    const enrolled = await served({
      ...World.conformance,
      enrollments: [{ customerId: 1050, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3", achieved: 9 }]
    })
    const refused = await harnessWith(till, "conform", "--base-url", enrolled.url, ...tenant, ...milestone, "--allow-writes").ended
    expect(refused).toMatchObject({ code: 2, out: "" })
    expect(refused.err).toContain("customer 1050 is enrolled in target group 2154 already: name somebody who is not, nothing was written\n")
    expect((await Effect.runPromise(enrolled.simulator.journal.counts)).byOperation).toEqual({ targetGroups: 1 })

    const stuck = await served(World.conformance, { faults: [{ operation: "unenroll", effect: { kind: "apiError", code: 310017 } }] })
    const args = ["conform", "--base-url", stuck.url, ...tenant, ...milestone, "--allow-writes", "--case", "first-balance"]
    const { code, err, out } = await harnessWith(till, ...args).ended
    expect(code).toBe(1)
    expect(reported(out)).toMatchObject({ counts: { passed: 1 }, green: false, leftBehind: [expect.stringMatching(/^customer 1050 in target group 2154/)] })
    expect(err).toContain("LEFT BEHIND: customer 1050")
  })

  it("ends with 2 where it cannot be run as asked", async () => {
    const nobody = Http.createServer()
    await new Promise<void>((resolve) => nobody.listen(0, "127.0.0.1", resolve))
    const address = nobody.address()
    const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    await new Promise((resolve) => nobody.close(resolve))
    const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: string]> = [
      [[], "required option '--base-url <url>'"],
      [["--base-url", "nowhere"], "--base-url: "],
      [["--base-url", url], "is no simulator of Milepost"],
      [["--base-url", url, "--against", "staging"], "is none of simulator, proxy, live"],
      [["--base-url", url, "--against", "proxy"], "needs --control"],
      [["--base-url", url, "--case", "nothing"], "--case: nothing is not known"],
      [["--base-url", url, "--against", "live"], "set either MILEPOST_USERNAME"],
      [["--base-url", url, "--against", "live", "--allow-writes"], "--allow-writes needs --customer"],
      [["--base-url", url, "--against", "live", "--customer", "7", "--group", "1"], "belong together"],
      [["--base-url", url, "--against", "live", "--customer", "x"], "is not a whole number"]
    ]
    const ends = await Promise.all(wrong.map(([args]) => harness("conform", ...args).ended))
    ends.forEach(({ code, err, out }, index) => {
      expect({ code, out }).toEqual({ code: 2, out: "" })
      expect(err).toContain(wrong[index]?.[1])
    })
  })
})
