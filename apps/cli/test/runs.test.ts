/** A run over several processes: killed, interrupted, refused, gone on with, retried, undone, looked at. */
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { parse } from "csv-parse/sync"
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { type Document, documentOf, folder, type Ran, run, type Running, sandbox, start } from "./cli.js"
import { refuse, type Upstream, upstream } from "./upstream.js"

const work = folder()
afterAll(() => work.remove())

let server: Upstream
let runs = ""
let number = 0

beforeEach(async () => {
  server = await upstream()
  runs = work.file(`runs-${++number}`)
})
afterEach(() => server.stop())

const input = (count: number, name = `in-${number}.csv`): string => {
  const file = work.file(name)
  writeFileSync(file, `customerId,note\n${Array.from({ length: count }, (_, index) => `${1001 + index},n${index}\n`).join("")}`)
  return file
}

const flags = (): ReadonlyArray<string> => ["--json", "--run-dir", runs]
const target = ["--group", "1", "--target", "2", "--period", "P"]

const bulk = (verb: string, ...args: ReadonlyArray<string>): Promise<Ran> =>
  run(["bulk", verb, ...args, ...flags()], { env: server.env })

const begin = (file: string, ...more: ReadonlyArray<string>): Running =>
  start(["bulk", "enroll", file, ...target, ...flags(), ...more], { env: server.env })

/** Waits until the upstream has had so many calls. */
const called = (count: number): Promise<boolean> =>
  vi.waitUntil(() => server.calls.length >= count, { timeout: 60_000, interval: 5 })

const killed = async (running: Running): Promise<void> => {
  running.child.kill("SIGKILL")
  await running.ended
}

const onlyRun = (): string => readdirSync(runs).find((name) => /^\d{8}-/.test(name)) ?? ""

const rows = (file: string): ReadonlyArray<Record<string, string>> =>
  parse(readFileSync(file), { columns: true }) as ReadonlyArray<Record<string, string>>

describe("a run that was cut off", () => {
  it("goes on after SIGKILL, and every record ends once", async () => {
    const running = begin(input(2000), "--concurrency", "16")
    await called(600)
    await killed(running)
    const before = server.calls.length
    const again = await bulk("resume")
    expect(again.code).toBe(0)
    const document = documentOf(again)
    expect(document).toMatchObject({ state: "finished", resume: null })
    expect((document.counts["enrolled"] ?? 0) + (document.counts["already_enrolled"] ?? 0)).toBe(2000)
    expect(new Set(server.calls).size).toBe(2000)
    expect(server.overlaps()).toBe(0)
    // Sent twice is only what was claimed when it was killed; what was on disk is not sent again.
    const twice = server.calls.length - 2000
    expect(twice).toBeLessThan(before)
    const ambiguous = rows(document.results).filter((row) => row["message"]?.includes("after an attempt without an answer"))
    expect(ambiguous).toHaveLength(document.counts["already_enrolled"] ?? -1)
  })

  it("a second process is refused, and told who has it", async () => {
    const running = begin(input(500), "--rate", "50/s")
    await called(5)
    const second = await bulk("resume")
    expect(second.code).toBe(2)
    expect(documentOf(second).error).toMatchObject({ tag: "LedgerBusy", setting: "RUN" })
    expect(documentOf(second).error?.message).toContain(`process ${running.child.pid}`)
    const shown = await bulk("show")
    expect(JSON.parse(shown.stdout)).toMatchObject({ run: onlyRun(), state: "running", pid: running.child.pid })
    expect(JSON.parse((await bulk("list")).stdout)).toMatchObject({ runs: [{ state: "running" }] })
    running.child.kill("SIGINT")
    expect((await running.ended).code).toBe(4)
  })

  it("Ctrl-C sends nothing twice: resume makes exactly the calls that are left", async () => {
    const running = begin(input(1500), "--concurrency", "8")
    await called(300)
    running.child.kill("SIGTERM")
    const ran = await running.ended
    expect(ran.code).toBe(4)
    const document = documentOf(ran)
    expect(document).toMatchObject({ state: "interrupted", stop: { reason: "cancelled" } })
    expect(document.resume).toBe(`milepost bulk resume ${document.run} --run-dir ${runs}`)
    expect(JSON.parse((await bulk("show")).stdout)).toMatchObject({ state: "interrupted", counts: document.counts })
    const again = await bulk("resume", document.run)
    expect(again.code).toBe(0)
    expect(documentOf(again).counts).toMatchObject({ enrolled: 1500, already_enrolled: 0 })
    expect(server.calls).toHaveLength(1500)
  })

  it("is resumed with the options that it was begun with, unless a flag says otherwise", async () => {
    const running = begin(input(120), "--rate", "20/s")
    await called(5)
    running.child.kill("SIGINT")
    await running.ended
    const slow = start(["bulk", "resume", ...flags()], { env: server.env })
    const from = server.calls.length
    await called(from + 22)
    expect((server.moments[from + 21] ?? 0) - (server.moments[from + 1] ?? 0)).toBeGreaterThan(500)
    slow.child.kill("SIGINT")
    await slow.ended
    expect((await bulk("resume", "--rate", "auto")).code).toBe(0)
  })

  it("an import that was killed says so and goes on", async () => {
    const file = input(150_000)
    const running = begin(file)
    await vi.waitUntil(() => existsSync(runs) && onlyRun() !== "" && existsSync(`${runs}/${onlyRun()}/ledger.db-wal`), {
      timeout: 60_000,
      interval: 2
    })
    await new Promise<void>((resolve) => setTimeout(resolve, 700))
    await killed(running)
    const shown = JSON.parse((await bulk("show")).stdout) as Document & { readonly rows: number }
    // On a quick machine the import may be over; then there is nothing to see here.
    if (shown.state === "importing") expect(shown.rows).toBeLessThan(150_000)
    server.answer(({ response, before }) => {
      if (before >= 20) refuse(response, 310144, "stop here")
      else refuse(response, 310119, "already enrolled")
    })
    const again = documentOf(await bulk("resume"))
    expect(again.state).toBe("stopped")
    expect(Object.values(again.counts).reduce((sum, count) => sum + count, 0)).toBe(150_000)
  })
})

describe("what keeps a run from being gone on with", () => {
  const interrupted = async (file: string): Promise<string> => {
    const running = begin(file, "--rate", "50/s")
    await called(10)
    running.child.kill("SIGINT")
    return documentOf(await running.ended).run
  }

  it("an input that has changed is refused and named; one that is gone is no matter", async () => {
    const file = input(60)
    await interrupted(file)
    appendFileSync(file, "9999,late\n")
    const changed = await bulk("resume")
    expect(changed.code).toBe(2)
    expect(documentOf(changed).error).toMatchObject({ tag: "InputChanged", setting: "FILE" })
    expect(documentOf(changed).error?.message).toContain(file)
    rmSync(file)
    const again = await bulk("resume", "--rate", "auto")
    expect(again.code).toBe(0)
    expect(again.stderr).toContain("the run has all its rows")
    expect(server.calls).toHaveLength(60)
  })

  it("another upstream is refused: the run is not for it", async () => {
    await interrupted(input(60))
    const other = await run(["bulk", "resume", ...flags()], { env: { ...server.env, MILEPOST_HOST: "eu" } })
    expect(other.code).toBe(2)
    expect(documentOf(other).error?.message).toContain("is for http://127.0.0.1")
    const boxed = await bulk("resume", "--sandbox")
    expect(boxed.code).toBe(2)
  })

  it("a damaged ledger, one of a newer version and one that is no ledger are named, exit 2", async () => {
    const id = await interrupted(input(60))
    const ledger = `${runs}/${id}/ledger.db`
    const whole = readFileSync(ledger)
    truncateSync(ledger, 6000)
    const cut = await bulk("resume")
    expect(cut.code).toBe(2)
    expect(documentOf(cut).error).toMatchObject({ tag: "LedgerDamaged" })
    writeFileSync(ledger, "customerId\n1\n".repeat(1000))
    expect(documentOf(await bulk("resume")).error).toMatchObject({ tag: "LedgerDamaged" })
    writeFileSync(ledger, whole)
    expect((await bulk("resume", "--rate", "auto")).code).toBe(0)
  })

  it.each([["resume"], ["retry"], ["undo"], ["show"], ["results"]])("%s without any run: one line, exit 2", async (verb) => {
    const ran = await bulk(verb)
    expect(ran.code).toBe(2)
    expect(documentOf(ran).error?.message).toContain(`there is no run in ${runs}`)
  })

  it("a run that is not there is named with those that are", async () => {
    const id = await interrupted(input(60))
    const ran = await bulk("show", "20200101-000000-aaaa")
    expect(ran.code).toBe(2)
    expect(documentOf(ran).error?.message).toContain(id)
  })

  it.runIf(process.getuid?.() !== 0)("a folder that may not be written: exit 2 before anything is sent", async () => {
    const closed = work.file("closed")
    writeFileSync(closed, "")
    chmodSync(closed, 0o500)
    const ran = await run(["bulk", "enroll", input(5), ...target, "--json", "--run-dir", `${closed}/runs`], { env: server.env })
    expect(ran.code).toBe(2)
  })

  it("a run folder below a file: exit 2, nothing sent", async () => {
    const file = input(5)
    const ran = await run(["bulk", "enroll", file, ...target, "--json", "--run-dir", `${file}/runs`], { env: server.env })
    expect(ran.code).toBe(2)
    expect(documentOf(ran).error).toMatchObject({ setting: "--run-dir" })
    expect(server.calls).toHaveLength(0)
  })
})

describe("the fuse", () => {
  it("a file in which one of three groups is missing sends a handful of calls there and finishes the others, exit 3", async () => {
    const file = work.file("three.csv")
    const lines = Array.from({ length: 3000 }, (_, index) => `${1001 + index},${1 + (index % 3)},9,P`)
    writeFileSync(file, `customerId,targetGroupId,targetId,periodName\n${lines.join("\n")}\n`)
    const there: Array<number> = []
    server.answer(({ accept, group, response }) => {
      if (group !== 2) {
        setTimeout(accept, 1)
        return
      }
      there.push(group)
      refuse(response, 310017, "Target group not found or deactivated")
    })
    const ran = await run(["bulk", "enroll", file, ...flags(), "--concurrency", "64"], { env: server.env })
    expect(ran.code).toBe(3)
    const stopped = documentOf(ran)
    expect(stopped).toMatchObject({ state: "stopped", stop: { reason: "fuse" }, counts: { enrolled: 2000 } })
    // Three in a row blow it; two more may have been on their way.
    expect(there.length).toBeGreaterThanOrEqual(3)
    expect(there.length).toBeLessThanOrEqual(5)
    expect(stopped.counts).toMatchObject({ rejected: there.length, skipped: 1000 - there.length })
    // The group is made: resume arms again what was skipped, and retry takes what was rejected.
    server.answer(({ accept }) => accept())
    const again = await bulk("resume")
    expect(again.code).toBe(1)
    expect(documentOf(again)).toMatchObject({
      state: "finished",
      counts: { enrolled: 3000 - there.length, rejected: there.length, skipped: 0 }
    })
    const retried = await bulk("retry")
    expect(retried.code).toBe(0)
    expect(documentOf(retried)).toMatchObject({ counts: { enrolled: there.length, rejected: 0 } })
    expect(server.overlaps()).toBe(0)
  })

  it("credentials that are revoked midway stop it; with new ones it goes on, and nothing is sent twice", async () => {
    server.answer(({ accept, before, response }) => {
      if (before < 200) setTimeout(accept, 1)
      else {
        response.statusCode = 401
        response.end()
      }
    })
    const ran = await bulk("enroll", input(600), ...target, "--concurrency", "8")
    expect(ran.code).toBe(3)
    // A 401 says nothing of the customer whose call met it.
    expect(documentOf(ran)).toMatchObject({ state: "stopped", stop: { reason: "fuse" }, counts: { enrolled: 200, rejected: 0, skipped: 400 } })
    expect(server.calls.length).toBeLessThanOrEqual(208)
    expect(ran.stdout + ran.stderr).not.toContain("canary")
    server.answer(({ accept }) => accept())
    const again = await bulk("resume")
    expect(again.code).toBe(0)
    expect(documentOf(again).counts).toMatchObject({ enrolled: 600, already_enrolled: 0 })
  })
})

describe("retry, undo and results", () => {
  it("failed.csv is mended and fed in; undo takes out what the run enrolled and only that", async () => {
    const file = work.file("mend.csv")
    writeFileSync(file, "customerId,note\r\n1001,a\r\n-1,\"mend, me\"\r\n1003,c\r\nx,d\r\n1005,=1+1\r\n")
    // Somebody else has enrolled 1003 before.
    expect((await bulk("enroll", input(3, "before.csv"), ...target)).code).toBe(0)
    const ran = await bulk("enroll", file, ...target)
    expect(ran.code).toBe(1)
    const document = documentOf(ran)
    expect(document.counts).toMatchObject({ enrolled: 1, already_enrolled: 2, rejected: 2 })
    expect(rows(document.results).find((row) => row["customerId"] === "1005")?.["note"]).toBe("'=1+1")
    const failed = readFileSync(document.failed, "utf8")
    expect(failed).toBe("customerId,note\r\n-1,\"mend, me\"\r\nx,d\r\n")
    const mended = work.file("mended.csv")
    writeFileSync(mended, failed.replace("-1", "2001").replace("x", "2002"))
    expect(documentOf(await bulk("enroll", mended, ...target)).counts).toMatchObject({ enrolled: 2, rejected: 0 })

    const undone = await bulk("undo", document.run)
    expect(undone.code).toBe(0)
    expect(documentOf(undone)).toMatchObject({ counts: { unenrolled: 1 }, calls: 1, parent: { run: document.run, kind: "undo" } })
    expect(server.calls.at(-1)).toBe(1005)
  })

  it("results are printed by outcome, as CSV, NDJSON and JSON", async () => {
    const file = work.file("print.csv")
    writeFileSync(file, "customerId,note\n1001,a\nx,b\n1001,c\n")
    const { run: id } = documentOf(await bulk("enroll", file, ...target))
    const print = (...more: ReadonlyArray<string>): Promise<Ran> => run(["bulk", "results", id, "--run-dir", runs, ...more])
    const all = parse((await print()).stdout, { columns: true }) as ReadonlyArray<Record<string, string>>
    expect(all.map((row) => row["outcome"])).toEqual(["enrolled", "rejected", "skipped"])
    const rejected = (await print("--outcome", "rejected", "--format", "ndjson")).stdout.trim().split("\n")
    expect(rejected.map((line) => JSON.parse(line) as object)).toMatchObject([{ line: 3, outcome: "rejected", code: "input", input: { note: "b" } }])
    expect(JSON.parse((await print("--json", "--outcome", "skipped")).stdout)).toMatchObject({ run: id, results: [{ line: 4, message: "duplicate: of line 2" }] })
    expect((await print("--outcome", "done")).code).toBe(2)
    expect((await print("--format", "xml")).code).toBe(2)
  })

  it("bulk unenroll takes a file of customers out", async () => {
    const ran = await bulk("unenroll", input(5), "--group", "1", "--target", "2")
    expect(ran.code).toBe(0)
    expect(documentOf(ran)).toMatchObject({ operation: "unenroll", counts: { unenrolled: 5, rejected: 0 } })
    const planned = await bulk("unenroll", input(5), "--group", "1", "--target", "2", "--dry-run")
    expect(JSON.parse(planned.stdout)).toMatchObject({ calls: 5, destinations: [{ targetGroupId: 1, targetId: 2, periodName: null }] })
  })

  it("answers that got lost become unknown when attempts are used up, exit 5, and retry settles them", async () => {
    server.answer(({ accept, customer, response }) => {
      if (customer === 1003) response.destroy()
      else accept()
    })
    const ran = await bulk("enroll", input(5), ...target)
    expect(ran.code).toBe(5)
    expect(documentOf(ran).counts).toMatchObject({ enrolled: 4, unknown: 1 })
    server.answer(({ accept }) => accept())
    const again = await bulk("retry")
    expect(again.code).toBe(0)
    expect(server.overlaps()).toBe(0)
  })
})

describe("an outage", () => {
  it("is waited for: no attempt of any record is used up, and nothing ends as unknown", async () => {
    let isDown = false
    let met = 0
    server.answer(({ accept, before, response }) => {
      if (before === 300) {
        isDown = true
        setTimeout(() => (isDown = false), 4_000)
      }
      if (!isDown) {
        setTimeout(accept, 1)
        return
      }
      met += 1
      response.statusCode = 502
      response.end()
    })
    const ran = await bulk("enroll", input(1500), ...target, "--concurrency", "32")
    expect(ran.code).toBe(0)
    expect(documentOf(ran).counts).toMatchObject({ enrolled: 1500, unknown: 0, rejected: 0 })
    // Twenty customers tell that it is one, and those that were on their way meet it too; then one call goes out a second.
    expect(met).toBeLessThan(200)
  })
})

describe("pace", () => {
  it("a 429 stops everybody for as long as it says; the rate learnt is told and kept for the next run", async () => {
    server.answer(({ accept, before, response }) => {
      if (before !== 100) {
        setTimeout(accept, 2)
        return
      }
      response.statusCode = 429
      response.setHeader("Retry-After", "1")
      response.end()
    })
    const ran = await bulk("enroll", input(400), ...target, "--concurrency", "16")
    expect(ran.code).toBe(0)
    const refusedAt = server.moments[100] ?? 0
    // Only what was in flight may still have come in.
    expect(server.moments.filter((moment) => moment > refusedAt && moment < refusedAt + 950).length).toBeLessThanOrEqual(16)
    const { learntPerMinute } = documentOf(ran)
    expect(learntPerMinute).toBeGreaterThan(0)
    const rates = JSON.parse(readFileSync(`${runs}/rates.json`, "utf8")) as Record<string, { readonly callsPerSecond: number }>
    expect(Object.values(rates)).toHaveLength(1)
    expect(readFileSync(`${runs}/rates.json`, "utf8")).not.toMatch(/till|127\.0\.0\.1/)
    const planned = await bulk("enroll", input(400), ...target, "--dry-run")
    expect((JSON.parse(planned.stdout) as { readonly etaSeconds: number }).etaSeconds).toBeGreaterThan(0)
    const next = await bulk("enroll", input(3), ...target)
    expect(next.stderr).toContain("which this upstream bore last time")
  })
})

describe("a sandbox run", () => {
  it("does not go on against the live upstream", async () => {
    const box = await sandbox()
    await box.stop()
    const boxed = await run(["bulk", "enroll", input(3), "--group", "2154", "--target", "2309", "--period", "Cycle_1", "--sandbox", ...flags()])
    expect(boxed.code).toBeLessThanOrEqual(3)
    const live = await bulk("resume")
    expect(live.code).toBe(2)
    expect(documentOf(live).error?.message).toContain("--sandbox")
  })
})
