/** Whole files through the built CLI: against the sandbox inside, over a real socket, and against bad input. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { parse } from "csv-parse/sync"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Document, documentOf, folder, type Ran, run, sandbox, start } from "./cli.js"

const work = folder()
afterAll(() => work.remove())

const examples = new URL("../../../examples/", import.meta.url).pathname
const campaign = [`${examples}spring-campaign.csv`, "--world", `${examples}spring-campaign.world.json`, "--sandbox"]

const resultsOf = (document: Document): ReadonlyArray<Record<string, string>> =>
  parse(readFileSync(document.results), { columns: true }) as ReadonlyArray<Record<string, string>>

const write = (name: string, content: string | Uint8Array): string => {
  const file = work.file(name)
  writeFileSync(file, content)
  return file
}

const bulk = (file: string, ...more: ReadonlyArray<string>): Promise<Ran> =>
  run(["bulk", "enroll", file, "--sandbox", "--json", "--run-dir", work.file("runs"), ...more], { cwd: work.path })

const forMilestone = ["--group", "2154", "--target", "2309", "--period", "Cycle_1"]

describe("the example campaign", () => {
  it("ends with every record accounted for, in the order of the file", async () => {
    const ran = await bulk(campaign[0] ?? "", ...campaign.slice(1, 3))
    // One of its groups is deactivated: three customers meet that, the others are not sent there.
    expect(ran.code).toBe(3)
    const document = documentOf(ran)
    expect(document).toMatchObject({
      state: "stopped",
      stop: { reason: "fuse", message: expect.stringContaining("310017") },
      counts: { enrolled: 4401, already_enrolled: 60, unknown: 0 },
      resume: expect.stringContaining(`milepost bulk resume ${document.run}`)
    })
    const { rejected = 0, skipped = 0 } = document.counts
    expect(rejected + skipped).toBe(112)
    expect(document.calls).toBe(4401 + 60 + rejected - 12)
    const results = resultsOf(document)
    expect(results).toHaveLength(4573)
    const lines = results.map((row) => Number(row["line"]))
    expect(lines).toEqual(lines.toSorted((left, right) => left - right))
    // Three in a row blow it; two more may have been on their way.
    const met = results.filter((row) => row["code"] === "310017").length
    expect(met).toBeGreaterThanOrEqual(3)
    expect(met).toBeLessThanOrEqual(5)
    expect(results.filter((row) => row["message"]?.startsWith("fuse: 310017"))).toHaveLength(30 - met)
    expect(results.filter((row) => row["code"] === "310011")).toHaveLength(25)
    expect(results.filter((row) => row["code"] === "input")).toHaveLength(12)
    expect(results.find((row) => row["segment"]?.includes("HYPERLINK"))?.["segment"]).toMatch(/^'=/)
    // What it says goes on as it stands.
    const [, ...words] = document.resume?.split(" ") ?? []
    expect((await run([...words, "--json"], { cwd: work.path })).code).toBe(3)
  })

  it("failed.csv holds the failed rows byte for byte and can be fed in again", async () => {
    const document = documentOf(await bulk(campaign[0] ?? "", ...campaign.slice(1, 3)))
    const original = readFileSync(campaign[0] ?? "", "utf8").split("\r\n")
    const failed = readFileSync(document.failed, "utf8").split("\r\n")
    expect(failed[0]).toBe(original[0])
    expect(failed).toHaveLength(1 + 72 + 1)
    for (const line of failed) expect(original).toContain(line)
    const again = await bulk(document.failed, ...campaign.slice(1, 3))
    const { counts } = documentOf(again)
    expect(counts).toMatchObject({ enrolled: 0, already_enrolled: 0 })
    expect((counts["rejected"] ?? 0) + (counts["skipped"] ?? 0)).toBe(72)
  })

  it("--no-fuse sends every record, whatever the answers condemn", async () => {
    const ran = await bulk(campaign[0] ?? "", ...campaign.slice(1, 3), "--no-fuse")
    expect(ran.code).toBe(1)
    expect(documentOf(ran)).toMatchObject({ state: "finished", counts: { rejected: 72, skipped: 40 }, calls: 4521, resume: null })
  })

  it("--max-errors stops it when more records fail than that", async () => {
    const ran = await bulk(campaign[0] ?? "", ...campaign.slice(1, 3), "--max-errors", "20", "--concurrency", "4")
    expect(ran.code).toBe(3)
    const document = documentOf(ran)
    expect(document).toMatchObject({ state: "stopped", stop: { reason: "max-errors" } })
    // Calls that were in flight when the twenty-first failed still count; the twelve bad rows never left.
    expect(document.counts["rejected"]).toBeGreaterThanOrEqual(12 + 21)
    expect(document.counts["rejected"]).toBeLessThanOrEqual(12 + 21 + 4)
  })

  it("--max-errors sends nothing at all when there are more bad rows than that", async () => {
    for (const most of ["11", "0.2%"]) {
      const ran = await bulk(campaign[0] ?? "", ...campaign.slice(1, 3), "--max-errors", most)
      expect(ran.code).toBe(3)
      expect(documentOf(ran)).toMatchObject({ state: "stopped", stop: { reason: "max-errors" }, calls: 0 })
      expect(documentOf(ran).stop?.message).toContain("rows cannot be sent")
    }
  })

  it.each(["many", "5 percent", "-1"])("--max-errors %s is refused with exit 2", async (value) => {
    const ran = await bulk(campaign[0] ?? "", ...campaign.slice(1, 3), `--max-errors=${value}`)
    expect(ran.code).toBe(2)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { setting: "--max-errors" } })
  })

  it("--dry-run sends nothing and says what would be sent", async () => {
    const { code, stdout } = await bulk(campaign[0] ?? "", "--dry-run", "--rate", "600/min")
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ rows: 4573, calls: 4521, duplicates: 40, badRows: 12, etaSeconds: 452.1 })
  })
})

describe("input", () => {
  const rows = "564332013,a\n564332014,b\n"

  it.each([
    ["with CRLF, a byte order mark and another case", "\ufeffCUSTOMERID,Note\r\n564332013,a\r\n564332014,b\r\n"],
    ["without a line end at the end", "customerId,note\n564332013,a\n564332014,b"],
    ["with other columns first", "note,customerId\na,564332013\nb,564332014\n"],
    ["with quoted cells and line breaks in them", "customerId,note\n564332013,\"a\nb\"\n\"564332014\",\"c, \"\"d\"\"\"\n"]
  ])("%s is read", async (_, text) => {
    const ran = await bulk(write("ok.csv", text), ...forMilestone)
    expect(ran.code).toBe(0)
    expect(documentOf(ran).counts).toMatchObject({ enrolled: 2 })
  })

  it("gzip is seen by its content, NDJSON by its name", async () => {
    const gzipped = await bulk(write("input.csv", gzipSync(`customerId,note\n${rows}`)), ...forMilestone)
    expect(documentOf(gzipped).counts).toMatchObject({ enrolled: 2 })
    const ndjson = "{\"customerId\":564332013,\"periodName\":\"Cycle_1\",\"initialBalance\":null}\n{\"customerId\":\"564332014\"}\n"
    const ran = await bulk(write("input.ndjson", ndjson), "--group", "2154", "--target", "2309")
    expect(documentOf(ran).counts).toMatchObject({ enrolled: 1, rejected: 1 })
    expect(documentOf(ran).failed).toMatch(/failed\.ndjson$/)
  })

  it("- reads stdin", async () => {
    const ran = await run(
      ["bulk", "enroll", "-", "--sandbox", "--json", "--run-dir", work.file("runs"), ...forMilestone],
      { stdin: `customerId,note\n${rows}` }
    )
    expect(ran.code).toBe(0)
    expect(documentOf(ran).counts).toMatchObject({ enrolled: 2 })
    const ndjson = await run(
      ["bulk", "enroll", "-", "--sandbox", "--json", "--run-dir", work.file("runs"), ...forMilestone],
      { stdin: "{\"customerId\":564332013}\n" }
    )
    expect(documentOf(ndjson).counts).toMatchObject({ enrolled: 1 })
  })

  it("several --period make one call each, in order, for each customer", async () => {
    const ran = await bulk(write("two.csv", `customerId,note\n${rows}`), ...forMilestone, "--period", "Cycle_2")
    expect(ran.code).toBe(0)
    expect(resultsOf(documentOf(ran)).map((row) => `${row["line"]} ${row["period"]} ${row["outcome"]}`)).toEqual([
      "2 Cycle_1 enrolled",
      "2 Cycle_2 already_enrolled",
      "3 Cycle_1 enrolled",
      "3 Cycle_2 already_enrolled"
    ])
  })

  it("bad rows are told with line, column and value, and the good ones are enrolled", async () => {
    const text = [
      "customerId,initialBalance,periodName,resetStreakStatus",
      "564332013,1,Cycle_1,",
      "564332014,1",
      "-5,1,Cycle_1,",
      "564332015,1,Cycle_1,\"open",
      "564332016,100,,",
      "9007199254740993,,Cycle_1,",
      "5643\"32017,,Cycle_1,",
      "564332018,1.5,Cycle_1,",
      "564332019,,Cycle_1,",
      "564332013,7,Cycle_1,"
    ].join("\n")
    const ran = await bulk(write("bad.csv", text), "--group", "2154", "--target", "2309")
    expect(ran.code).toBe(1)
    const document = documentOf(ran)
    expect(document.counts).toMatchObject({ enrolled: 2, rejected: 7, skipped: 1 })
    const message = (line: number): string => resultsOf(document).find((row) => row["line"] === String(line))?.["message"] ?? ""
    expect(message(3)).toBe("line 3: has 2 cells where the header has 4")
    expect(message(4)).toContain("line 4, column 1 (customerId): \"-5\"")
    expect(message(5)).toContain("line 5: has a quote")
    expect(message(6)).toContain("line 6, column 2 (initialBalance): \"100\"")
    expect(message(7)).toContain("line 7, column 1 (customerId): \"9007199254740993\"")
    expect(message(8)).toContain("line 8: has a quote")
    expect(message(9)).toContain("line 9, column 2 (initialBalance): \"1.5\"")
    expect(message(11)).toBe("duplicate: of line 2")
  })

  it("a cell that is not UTF-8 is a bad row, not a bad file", async () => {
    const bytes = Buffer.concat([
      Buffer.from("customerId,note\n564332013,caf"),
      Buffer.from([0xe9]),
      Buffer.from("\n564332014,ok\n")
    ])
    const ran = await bulk(write("latin.csv", bytes), ...forMilestone)
    expect(documentOf(ran).counts).toMatchObject({ enrolled: 1, rejected: 1 })
    expect(resultsOf(documentOf(ran))[0]?.["message"]).toContain("line 2, column 2 (note): is not UTF-8")
    expect(readFileSync(documentOf(ran).failed).includes(0xe9)).toBe(true)
  })

  mkdirSync(work.file("folder"))
  it.each([
    ["a missing file", work.file("nothing.csv"), "there is no such file"],
    ["a folder", work.file("folder"), "it is a folder"],
    ["an empty file", write("empty.csv", ""), "is empty"],
    ["a file of blank lines", write("blank.csv", "\n\n"), "is empty"],
    ["a file without customerId", write("no-id.csv", "id,name\n1,a\n"), "no column customerId"],
    ["semicolons", write("semicolons.csv", "customerId;name\n1;a\n"), "separated by \";\""],
    ["UTF-16", write("utf16.csv", Buffer.from("\ufeffcustomerId\n1\n", "utf16le")), "UTF-16"],
    ["a spreadsheet", write("book.csv", Buffer.from([0x50, 0x4b, 3, 4, 0, 0])), "spreadsheet"],
    ["damaged gzip", write("cut.csv.gz", gzipSync("customerId\n".repeat(10_000)).subarray(0, 40)), "gzip"],
    ["a header with an open quote", write("quote.csv", "\"customerId\n1\n"), "line 1"],
    ["columns named alike", write("twice.csv", "customerId,CustomerID\n1,1\n"), "columns 1 and 2"]
  ])("%s: one line, exit 2, nothing sent", async (_, file, words) => {
    const ran = await bulk(file, ...forMilestone)
    expect(ran.code).toBe(2)
    const { error } = JSON.parse(ran.stdout) as { readonly error: Record<string, string> }
    expect(error["message"]).toContain(words)
    expect(error["message"]).toContain(file)
  })

  it("a file without a target needs one by flag", async () => {
    const ran = await bulk(write("no-target.csv", `customerId,note\n${rows}`), "--group", "2154")
    expect(ran.code).toBe(2)
    expect(ran.stdout).toContain("--target")
  })
})

describe("a run over a real socket", () => {
  let upstream: Awaited<ReturnType<typeof sandbox>>
  beforeAll(async () => {
    upstream = await sandbox()
  })
  afterAll(() => upstream.stop().then(() => undefined))

  const many = (count: number): string =>
    `customerId,periodName\n${Array.from({ length: count }, (_, index) => `${564_332_001 + index},Cycle_1`).join("\n")}\n`

  const live = (file: string, env: Readonly<Record<string, string>>, ...more: ReadonlyArray<string>) =>
    start(
      ["bulk", "enroll", file, "--json", "--run-dir", work.file("runs"), "--group", "2154", "--target", "2309", ...more],
      { env }
    )

  it("Ctrl-C ends it with exit 4: calls in flight finish, the rest is skipped, the document is written", async () => {
    const running = live(write("many.csv", many(3000)), upstream.env, "--rate", "200/s")
    await running.says("Run ")
    await new Promise<void>((resolve) => setTimeout(resolve, 600))
    running.child.kill("SIGINT")
    const ran = await running.ended
    expect(ran.code).toBe(4)
    const document = documentOf(ran)
    expect(document).toMatchObject({ state: "interrupted", stop: { reason: "cancelled" } })
    const { enrolled = 0, skipped = 0 } = document.counts
    expect(enrolled + skipped).toBe(3000)
    expect(enrolled).toBe(document.calls)
    expect(resultsOf(document)).toHaveLength(3000)
  })

  it("Ctrl-C does not wait for the turns of a slow pace", async () => {
    const running = live(write("slow.csv", many(200)), upstream.env, "--rate", "30/min")
    await running.says("Run ")
    running.child.kill("SIGINT")
    const ran = await running.ended
    expect(ran.code).toBe(4)
    const document = documentOf(ran)
    expect(document.calls).toBeLessThanOrEqual(2)
    expect(document.counts["skipped"]).toBeGreaterThanOrEqual(198)
  })

  it.each([["a dry run", ["--dry-run"]], ["a run that still reads its input", []]])("Ctrl-C ends %s at once, exit 4", async (_, more) => {
    const runs = mkdtempSync(work.file("stdin-"))
    const running = start(["bulk", "enroll", "-", "--sandbox", "--json", "--run-dir", runs, ...more], { open: true })
    // The folder of the run is the first thing that shows that it is at work.
    await vi.waitUntil(() => readdirSync(runs).length > 0, { timeout: 60_000, interval: 20 })
    running.child.kill("SIGINT")
    const ran = await running.ended
    expect(ran.code).toBe(4)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { tag: "Interrupted" } })
  })

  it("wrong credentials stop it at once, exit 3, and the rest is not sent", async () => {
    const env = { ...upstream.env, MILEPOST_PASSWORD: "canary-wrong" }
    const ran = await live(write("many2.csv", many(2000)), env, "--concurrency", "8").ended
    expect(ran.code).toBe(3)
    const document = documentOf(ran)
    expect(document).toMatchObject({ state: "stopped", stop: { reason: "fuse" } })
    expect(document.calls).toBeLessThanOrEqual(8)
    expect(document.counts["skipped"]).toBeGreaterThanOrEqual(1992)
    expect(ran.stdout + ran.stderr).not.toContain("canary")
  })

  it("an upstream that nobody runs: exit 2, nothing was sent", async () => {
    const env = { MILEPOST_HOST: "https://nowhere.invalid", MILEPOST_USERNAME: "till", MILEPOST_PASSWORD: "canary-p" }
    const ran = await live(write("many3.csv", many(5)), env, "--concurrency", "2").ended
    expect(ran.code).toBe(2)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { tag: "NotSent", setting: "MILEPOST_HOST" } })
  })
})

describe("the order of one customer's calls", () => {
  let server: Server
  const seen: Array<{ readonly customer: number; readonly balance: number }> = []
  let overlaps = 0

  beforeAll(async () => {
    const inFlight = new Set<number>()
    server = createServer((request, response) => {
      let body = ""
      request.on("data", (chunk: Buffer) => (body += chunk.toString()))
      request.on("end", () => {
        const [record] = JSON.parse(body) as ReadonlyArray<{ readonly customerId: number; readonly initialBalance: number }>
        const customer = record?.customerId ?? 0
        if (inFlight.has(customer)) overlaps += 1
        inFlight.add(customer)
        seen.push({ customer, balance: record?.initialBalance ?? -1 })
        // Answers come back in any order: a runner that only spreads records over workers would mix them up.
        setTimeout(() => {
          inFlight.delete(customer)
          response.setHeader("content-type", "application/json")
          response.end(`{"data":${customer},"errors":null,"warnings":null}`)
        }, (seen.length * 7) % 11)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  it("is the order of the file, with never two at once, also when 2,000 rows share 20 customers", async () => {
    // Every row names another period, so none is a duplicate of another.
    const rows = Array.from({ length: 2000 }, (_, index) => `${1 + (index % 20)},P${index},${index}`)
    const file = write("collide.csv", `customerId,periodName,initialBalance\n${rows.join("\n")}\n`)
    const env = {
      MILEPOST_HOST: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      MILEPOST_USERNAME: "till",
      MILEPOST_PASSWORD: "secret"
    }
    const ran = await run(
      ["bulk", "enroll", file, "--json", "--group", "1", "--target", "2", "--run-dir", work.file("runs")],
      { env }
    )
    expect(documentOf(ran).counts).toMatchObject({ enrolled: 2000 })
    expect(overlaps).toBe(0)
    for (let customer = 1; customer <= 20; customer++) {
      const balances = seen.filter((call) => call.customer === customer).map((call) => call.balance)
      expect(balances).toHaveLength(100)
      expect(balances).toEqual(balances.toSorted((left, right) => left - right))
    }
    // The control: over all customers the calls did overtake each other, so the order above is no accident.
    const all = seen.map((call) => call.balance)
    expect(all).not.toEqual(all.toSorted((left, right) => left - right))
  })
})
