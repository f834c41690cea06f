/** Runs that are handed to a proxy: the built command line before the built proxy. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { type AddressInfo, createServer as createSocketServer } from "node:net"
import { gzipSync } from "node:zlib"
import { parse } from "csv-parse/sync"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { type Document, documentOf, folder, type Options, type Ran, run, start } from "./cli.js"
import * as Proxy from "./proxy.js"
import { type Upstream, upstream } from "./upstream.js"

const work = folder()
afterAll(() => {
  Proxy.stopAll()
  work.remove()
})

let runs = ""
let number = 0
beforeEach(() => {
  runs = work.file(`runs-${++number}`)
})

const place = ["--group", "2154", "--target", "2309", "--period", "Cycle_1"]

/** What `--json` prints of a run that a proxy has. */
interface ViaDocument extends Document {
  readonly via: string
  readonly job: string
}

const told = (ran: Ran): ViaDocument => documentOf(ran) as ViaDocument

const write = (name: string, content: string | Uint8Array): string => {
  const file = work.file(`${number}-${name}`)
  writeFileSync(file, content)
  return file
}

const customers = (many: number, from = 564332001): string => Array.from({ length: many }, (_, index) => `${from + index}\n`).join("")

/** Rows without the id that every call has for itself. */
const rowsOf = (file: string): ReadonlyArray<Record<string, string>> =>
  (parse(readFileSync(file), { columns: true }) as ReadonlyArray<Record<string, string>>).map((row) => ({ ...row, request_id: "" }))

describe("a file that a sandbox proxy is given", () => {
  let proxy: Awaited<ReturnType<typeof Proxy.sandbox>>
  beforeAll(async () => {
    proxy = await Proxy.sandbox()
  })

  const bulk = (args: ReadonlyArray<string>, options: Options = {}): Promise<Ran> =>
    run(["bulk", ...args, "--json", "--run-dir", runs], { ...options, env: { ...proxy.env, ...options.env } })

  it("ends as it does here: the same exit code, document, results and failed rows", async () => {
    const header = "\ufeffCustomerId,note,initialBalance\r\n"
    const file = write("in.csv", `${header}564332001,=1+1,\r\nx,"a, b",\r\n564332002,,resume\r\n5,no such customer,\r\n564332001,again,\r\n 7 ,"two\r\nlines",1.5`)
    const away = await bulk(["enroll", file, ...place])
    const here = await run(["bulk", "enroll", file, ...place, "--json", "--sandbox", "--run-dir", work.file("local")])
    expect([away.code, away.stderr.includes("mp_")]).toEqual([1, false])
    expect(here.code).toBe(1)
    const [one, two] = [told(away), told(here)]
    const comparable = ({ created: _c, ended: _e, failed: _f, results: _r, run: _u, seconds: _s, started: _t, ...rest }: ViaDocument & Readonly<Record<string, unknown>>) => ({
      ...rest,
      refusals: (rest["refusals"] as ReadonlyArray<object>).map((refusal) => JSON.stringify(refusal)).toSorted()
    })
    expect(comparable(one as never)).toEqual({ ...comparable(two as never), via: proxy.url, job: expect.stringMatching(/^job_/) as string })
    expect(rowsOf(one.results)).toEqual(rowsOf(two.results))
    expect(rowsOf(one.results)).toHaveLength(6)
    expect(readFileSync(one.failed)).toEqual(readFileSync(two.failed))
    expect(readFileSync(one.failed, "utf8")).toContain("\"two\r\nlines\"")
    // What stands in the folder is enough to go on, and is no secret.
    const inFolder = readdirSync(`${runs}/${one.run}`)
    expect(inFolder.toSorted()).toEqual(["failed.csv", "results.csv", "run.json", "via.json"])
    for (const name of inFolder) expect(readFileSync(`${runs}/${one.run}/${name}`, "utf8")).not.toContain(proxy.env["MILEPOST_API_KEY"])
    expect(JSON.parse(readFileSync(`${runs}/${one.run}/run.json`, "utf8"))).toEqual(one)

    const shown = await bulk(["show"])
    expect([shown.code, documentOf(shown).counts]).toEqual([0, one.counts])
    const rejected = await bulk(["results", "--outcome", "rejected"])
    expect((JSON.parse(rejected.stdout) as { readonly results: ReadonlyArray<{ readonly line: number }> }).results.map(({ line }) => line)).toEqual([3, 5, 7])
    const ndjson = await run(["bulk", "results", "--format", "ndjson", "--run-dir", runs], { env: proxy.env })
    expect(ndjson.stdout.trimEnd().split("\n")).toHaveLength(6)
    for (const verb of ["retry", "undo"]) {
      const derived = await bulk([verb])
      expect([derived.code, documentOf(derived).error?.message]).toEqual([2, expect.stringContaining(`is with ${proxy.url}: for a`)])
    }
  })

  it("may be gzipped NDJSON, come from stdin, and un-enrol", async () => {
    const text = Array.from({ length: 50 }, (_, index) => `${JSON.stringify({ customerId: 564333001 + index, periodName: "Cycle_2" })}\n`).join("")
    const zipped = await bulk(["enroll", write("in.ndjson.gz", gzipSync(text)), "--group", "2154", "--target", "2309"])
    expect([zipped.code, told(zipped).counts["enrolled"]]).toEqual([0, 50])
    const piped = await bulk(["unenroll", "-", "--group", "2154", "--target", "2309", "--format", "ndjson"], { stdin: gzipSync(`${text}{"customerId":"x"}\n`) })
    expect([piped.code, told(piped).counts]).toEqual([1, { unenrolled: 50, already_enrolled: 0, rejected: 1, unknown: 0, skipped: 0 }])
    expect(told(piped).failed).toMatch(/failed\.ndjson$/)
    expect(readFileSync(told(piped).failed, "utf8")).toBe("{\"customerId\":\"x\"}\n")
    expect(existsSync(`${runs}/${told(piped).run}/input`)).toBe(false)
    // Nobody knows whether what is typed twice is meant twice: stdin is a new job each time.
    const again = await bulk(["unenroll", "-", "--group", "2154", "--target", "2309", "--format", "ndjson"], { stdin: gzipSync(`${text}{"customerId":"x"}\n`) })
    expect(told(again).job).not.toBe(told(piped).job)
  })

  it("is one job however often the command is given, until a new one is asked for", async () => {
    const file = write("in.csv", `customerId\n${customers(20, 564334001)}`)
    const first = await bulk(["enroll", file, ...place])
    const second = await bulk(["enroll", file, ...place])
    expect([second.code, told(second).job]).toEqual([0, told(first).job])
    expect(second.stderr).toContain("--again makes a new one")
    const again = await bulk(["enroll", file, ...place, "--again"])
    expect([told(again).job === told(first).job, told(again).counts]).toEqual([false, expect.objectContaining({ already_enrolled: 20 })])
    const other = await bulk(["enroll", file, "--group", "2154", "--target", "2309", "--period", "Cycle_2"])
    expect([other.code, told(other).job === told(first).job, told(again).job === told(other).job]).toEqual([0, false, false])
    await fetch(`${proxy.url}/v1/jobs/${told(first).job}`, { method: "DELETE", headers: { authorization: `Bearer ${proxy.env["MILEPOST_API_KEY"]}` } })
    const gone = await bulk(["enroll", file, ...place])
    expect([gone.code, documentOf(gone).error]).toEqual([2, expect.objectContaining({ setting: "--again" })])
    expect(readdirSync(runs)).toHaveLength(4)
  })

  it("is only read by a dry run, and left alone after --detach", async () => {
    const file = write("in.csv", `customerId\n${customers(10, 564335001)}564335001\ny\n`)
    const dry = await bulk(["enroll", file, ...place, "--dry-run", "--rate", "60/min"])
    expect([dry.code, JSON.parse(dry.stdout)]).toEqual([1, {
      dryRun: true,
      rows: 12,
      calls: 10,
      duplicates: 1,
      badRows: 1,
      badExamples: ["line 13 (customerId): \"y\" is not a whole number"],
      destinations: [{ targetGroupId: 2154, targetId: 2309, periodName: "Cycle_1", calls: 10 }],
      etaSeconds: 10
    }])
    expect(existsSync(runs)).toBe(false)
    const left = await bulk(["enroll", file, ...place, "--detach"])
    expect([left.code, told(left)]).toEqual([0, expect.objectContaining({ job: expect.stringMatching(/^job_/) as string, results: null, resume: expect.stringContaining("bulk resume") as string })])
    const followed = await bulk(["resume"])
    expect([followed.code, told(followed)]).toEqual([1, expect.objectContaining({ run: told(left).run, job: told(left).job, state: "finished", resume: null })])
    expect(told(followed).counts["enrolled"]).toBe(10)
  })

  it("is refused with one line for each mistake, and nothing is kept of it", async () => {
    const file = write("in.csv", `customerId\n${customers(2)}`)
    const canary = "mp_canary-key-of-somebody"
    const mistakes: ReadonlyArray<readonly [ReadonlyArray<string>, Readonly<Record<string, string>>, string, RegExp]> = [
      [["--concurrency", "4"], {}, "--concurrency", /means nothing through a proxy/],
      [["--max-errors", "1"], {}, "--max-errors", /means nothing/],
      [["--no-fuse"], {}, "--no-fuse", /means nothing/],
      [["--username", "till"], {}, "--username", /means nothing/],
      [["--via", proxy.url, "--sandbox"], {}, "--sandbox", /means nothing/],
      [["--rate", "fast"], {}, "--rate", /is not a rate/],
      [["--via", "eu"], {}, "--via", /is no address of a proxy/],
      [["--via", "http://milepost.example.com"], {}, "--via", /in clear text/],
      [[], { MILEPOST_API_KEY: "" }, "MILEPOST_API_KEY", /is not set/],
      [[], { MILEPOST_API_KEY: `${canary} two` }, "MILEPOST_API_KEY", /is no API key/],
      [[], { MILEPOST_API_KEY: canary }, "MILEPOST_API_KEY", /does not know this key/],
      [["--org", "elsewhere"], {}, "MILEPOST_API_KEY", /no such organisation/],
      [["--via", "http://127.0.0.1:9"], {}, "MILEPOST_VIA", /cannot be reached \(ECONNREFUSED\)/]
    ]
    const ends = await Promise.all(mistakes.map(([flags, env]) => bulk(["enroll", file, ...place, ...flags], { env })))
    ends.forEach((ran, index) => {
      const [flags, , setting, message] = mistakes[index] ?? [[], {}, "", /never/]
      expect([flags, ran.code, documentOf(ran).error]).toEqual([flags, 2, expect.objectContaining({ setting, message: expect.stringMatching(message) as string })])
      expect(ran.stdout + ran.stderr).not.toContain("canary")
      expect(ran.stdout.trimEnd().split("\n")).toHaveLength(1)
    })
    const noTarget = await bulk(["enroll", file])
    expect([noTarget.code, documentOf(noTarget).error?.message]).toEqual([2, expect.stringContaining("give --group for all rows")])
    const lonely = await run(["bulk", "enroll", file, ...place, "--sandbox", "--detach", "--json", "--run-dir", runs])
    expect([lonely.code, documentOf(lonely).error?.setting]).toEqual([2, "--detach"])
    expect(existsSync(runs) ? readdirSync(runs) : []).toEqual([])
  })

  it("is handed over by the commands that the guide shows", async () => {
    const guide = readFileSync(new URL("../../../docs/guides/bulk.md", import.meta.url), "utf8")
    const [, section = ""] = /\n## Through a proxy\n([\s\S]*?)\n## /.exec(guide) ?? []
    const commands = [...section.matchAll(/^milepost (.*)$/gm)].map(([, line = ""]) => line.replace("https://milepost.example.com", proxy.url).split(" "))
    expect(commands).toHaveLength(1)
    writeFileSync(work.file("customers.csv"), `customerId\n${customers(5, 564336001)}`)
    for (const command of commands) {
      const ran = await run([...command, "--run-dir", runs], { cwd: work.path, env: { MILEPOST_API_KEY: proxy.env["MILEPOST_API_KEY"] ?? "" } })
      expect([ran.code, ran.stdout]).toEqual([0, expect.stringMatching(/^Finished after [\s\S]*\nJob job_\w+, handed to http[\s\S]*enrolled +5/)])
    }
  })

  it("never has its key told by whoever answers", async () => {
    const key = "mp_canary-that-is-echoed"
    const echo = createServer((request, response) => {
      const said = String(request.headers.authorization)
      response.writeHead(request.method === "POST" ? 400 : 500, { "content-type": "application/problem+json" })
      response.end(JSON.stringify({ type: `urn:milepost:problem:${said}`, title: said, status: 400, detail: `You sent ${said}` }))
    })
    await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve))
    const ran = await bulk(["enroll", write("in.csv", `customerId\n${customers(2)}`), ...place, "--via", `http://127.0.0.1:${(echo.address() as AddressInfo).port}`], {
      env: { MILEPOST_API_KEY: key }
    })
    echo.close()
    expect([ran.code, documentOf(ran).error?.message]).toEqual([2, expect.stringContaining("You sent Bearer …")])
    expect(ran.stdout + ran.stderr).not.toContain(key)
  })
})

describe("a job on its way", () => {
  let server: Upstream
  let proxy: Proxy.Proxy
  beforeEach(async () => {
    server = await upstream(20)
    proxy = await Proxy.before(work.file(`data-${number}`), { ...server.env, MILEPOST_CONCURRENCY: "4" })
  })
  afterEach(async () => {
    await proxy.kill()
    await server.stop()
  })

  const target = ["--group", "1", "--target", "2", "--period", "P"]
  const args = (...more: ReadonlyArray<string>): ReadonlyArray<string> => ["bulk", ...more, "--json", "--run-dir", runs]
  const called = (many: number): Promise<boolean> => vi.waitUntil(() => server.calls.length >= many, { timeout: 60_000, interval: 5 })

  it("goes on over a proxy that is killed and comes back", async () => {
    const running = start(args("enroll", write("in.csv", `customerId\n${customers(400, 1001)}`), ...target), { env: proxy.env })
    await called(50)
    await proxy.kill()
    // Without a proxy there is nobody to ask; what was known is shown.
    const shown = await run(args("show"), { env: proxy.env })
    expect([shown.code, told(shown).job, shown.stderr]).toEqual([0, expect.stringMatching(/^job_/), expect.stringContaining("What follows was known before.")])
    expect((await run(args("list"), { env: proxy.env })).stdout).toContain(told(shown).run)
    const results = await run(args("results"), { env: proxy.env })
    expect([results.code, documentOf(results).error?.tag]).toEqual([2, "NotSent"])
    await proxy.again()
    const ran = await running.ended
    const { counts } = told(ran)
    expect([ran.code, (counts["enrolled"] ?? 0) + (counts["already_enrolled"] ?? 0), server.overlaps()]).toEqual([0, 400, 0])
    expect(rowsOf(told(ran).results)).toHaveLength(400)
  })

  it("is handed over once, though the answer to its upload is lost, and followed over cut connections", async () => {
    let lost = 0
    const relay = await Proxy.relay(proxy.url, (request) => request.startsWith("POST /v1/jobs?") && lost++ === 0 ? "drop the answer" : "pass")
    const running = start(args("enroll", write("in.csv", `customerId\n${customers(200, 1001)}`), ...target), { env: { ...proxy.env, MILEPOST_VIA: relay.url } })
    await called(20)
    relay.cut()
    await called(60)
    relay.cut()
    const ran = await running.ended
    relay.close()
    expect(lost).toBeGreaterThan(1)
    expect([ran.code, told(ran).counts["enrolled"], server.calls.length]).toEqual([0, 200, 200])
    const { jobs } = await (await fetch(`${proxy.url}/v1/jobs`, { headers: { authorization: `Bearer ${proxy.env["MILEPOST_API_KEY"]}` } })).json() as { readonly jobs: ReadonlyArray<unknown> }
    expect(jobs).toHaveLength(1)
  })

  it("is paused by Ctrl-C, and goes on with bulk resume, each customer once", async () => {
    const running = start(args("enroll", write("in.csv", `customerId,note\n${Array.from({ length: 200 }, (_, index) => `${1001 + index},n${index}\n`).join("")}`), ...target), { env: proxy.env })
    await called(20)
    running.child.kill("SIGINT")
    const ended = await running.ended
    const sent = server.calls.length
    expect([ended.code, told(ended)]).toEqual([4, expect.objectContaining({ state: "interrupted", resume: expect.stringContaining("milepost bulk resume") as string })])
    expect(told(ended).counts["enrolled"]).toBe(sent)
    expect(rowsOf(told(ended).results).filter(({ outcome }) => outcome === "skipped")).toHaveLength(200 - sent)
    const other = await run(args("resume", "--via", "https://elsewhere.example.com"), { env: proxy.env })
    expect([other.code, documentOf(other).error?.message]).toEqual([2, expect.stringContaining(`is with ${proxy.url}`)])
    const rated = await run(args("resume", "--rate", "1/s"), { env: proxy.env })
    expect([rated.code, documentOf(rated).error?.setting]).toEqual([2, "--rate"])
    expect(server.calls).toHaveLength(sent)
    // A run stays with its proxy, also where the setting is gone.
    const resumed = await run(args("resume"), { env: { MILEPOST_API_KEY: proxy.env["MILEPOST_API_KEY"] ?? "" } })
    expect([resumed.code, told(resumed).counts["enrolled"], told(resumed).job]).toEqual([0, 200, told(ended).job])
    expect(new Set(server.calls).size).toBe(server.calls.length)
    expect(server.calls).toHaveLength(200)
    expect(readFileSync(told(resumed).failed, "utf8")).toBe("customerId,note\n")
  })

  it("that a fuse stops ends with 3, as it does here", async () => {
    server.answer(({ response }) => {
      response.statusCode = 403
      response.end("no")
    })
    const stopped = await run(args("enroll", write("in.csv", `customerId\n${customers(50, 1001)}`), ...target), { env: proxy.env })
    expect([stopped.code, told(stopped)]).toEqual([3, expect.objectContaining({ state: "stopped", stop: expect.objectContaining({ reason: "fuse" }) as object })])
    server.answer(({ accept }) => accept())
    const resumed = await run(args("resume"), { env: proxy.env })
    expect([resumed.code, told(resumed).counts["enrolled"]]).toEqual([0, 50])
  })

  it("that somebody cancels ends with 4, and has nothing to go on with", async () => {
    const running = start(args("enroll", write("in.csv", `customerId\n${customers(200, 1001)}`), ...target), { env: proxy.env })
    await called(10)
    const headers = { authorization: `Bearer ${proxy.env["MILEPOST_API_KEY"]}` }
    const { jobs } = await (await fetch(`${proxy.url}/v1/jobs`, { headers })).json() as { readonly jobs: ReadonlyArray<{ readonly id: string }> }
    await fetch(`${proxy.url}/v1/jobs/${jobs[0]?.id}/cancel`, { method: "POST", headers })
    const ran = await running.ended
    expect([ran.code, told(ran)]).toEqual([4, expect.objectContaining({ state: "interrupted", resume: null })])
  })
})

describe("an upload that is interrupted", () => {
  it("leaves nothing behind while something of the file is missing at the proxy, and says so where it may be there", async () => {
    const deaf = createSocketServer((socket) => {
      socket.on("error", () => undefined)
      socket.pause()
    })
    await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve))
    const met = new Promise<void>((resolve) => deaf.once("connection", () => resolve()))
    const url = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`
    const running = start(["bulk", "enroll", write("big.csv", `customerId\n${customers(1_500_000)}`), ...place, "--via", url, "--json", "--run-dir", runs], { env: { MILEPOST_API_KEY: "mp_key" } })
    await met
    running.child.kill("SIGINT")
    const ran = await running.ended
    deaf.close()
    expect([ran.code, documentOf(ran).error?.tag]).toEqual([4, "Interrupted"])
    expect(readdirSync(runs)).toEqual([])
  })

  it("whose answer never came can be found out about later", async () => {
    const server = await upstream()
    const proxy = await Proxy.before(work.file(`data-${number}`), server.env)
    const relay = await Proxy.relay(proxy.url, () => "drop the answer")
    const running = start(["bulk", "enroll", write("in.csv", `customerId\n${customers(5)}`), "--group", "1", "--target", "2", "--period", "P", "--via", relay.url, "--run-dir", runs], { env: proxy.env })
    await running.says("trying again")
    running.child.kill("SIGKILL")
    await running.ended
    relay.close()
    const listed = await run(["bulk", "list", "--run-dir", runs])
    expect(listed.stdout).toContain("at a proxy")
    const none = await run(["bulk", "results", "--json", "--run-dir", runs], { env: proxy.env })
    expect([none.code, documentOf(none).error?.message]).toEqual([2, expect.stringContaining("has no results yet")])
    // The relay is gone for good: the run is with that address, and says so.
    const lost = await run(["bulk", "resume", "--json", "--run-dir", runs], { env: { MILEPOST_API_KEY: proxy.env["MILEPOST_API_KEY"] ?? "" } })
    expect([lost.code, documentOf(lost).error]).toEqual([3, expect.objectContaining({ tag: "NotSent", message: expect.stringContaining("finds out") as string })])
    expect(readdirSync(runs)).toHaveLength(1)
    await proxy.kill()
    await server.stop()
  })
})

describe("a proxy with limits", () => {
  it("tells that a file is too large, whatever it is packed in, and that a key may not touch a group", async () => {
    const server = await upstream()
    const proxy = await Proxy.before(work.file(`data-${number}`), server.env, { MILEPOST_PROXY_UPLOAD_BYTES: "2000" }, ["--group", "1"])
    const text = `customerId\n${customers(20_000)}`
    for (const file of [write("in.csv", text), write("in.csv.gz", gzipSync(text))]) {
      const ran = await run(["bulk", "enroll", file, "--group", "1", "--target", "2", "--period", "P", "--json", "--run-dir", runs], { env: proxy.env })
      expect([ran.code, documentOf(ran).error]).toEqual([2, expect.objectContaining({ tag: "too-large", setting: "FILE", message: expect.stringContaining("MILEPOST_PROXY_UPLOAD_BYTES") as string })])
    }
    const other = await run(["bulk", "enroll", write("small.csv", `customerId\n${customers(2)}`), "--group", "3", "--target", "2", "--period", "P", "--json", "--run-dir", runs], { env: proxy.env })
    expect([other.code, documentOf(other).error]).toEqual([2, expect.objectContaining({ tag: "forbidden", message: expect.stringContaining("may not touch target group 3") as string })])
    expect(readdirSync(runs)).toEqual([])
    expect(server.calls).toEqual([])
    await proxy.kill()
    await server.stop()
  })
})
