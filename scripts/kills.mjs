// Kills runs with SIGKILL at random moments until each has ended, then holds the ledger against the upstream's own record.
//
//   node scripts/kills.mjs [--kills 200] [--records 20000] [--per-run 10] [--seed 1]
//
// The upstream runs in a process of its own. It enrols, and loses the answer of one call in a hundred after executing it.
// What must hold of every run: each record ends once, as the upstream has it; no customer ever has two calls in flight;
// sent twice is only what lost its answer, or was claimed when the process was killed.
import { fork, spawn } from "node:child_process"
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { generator } from "./witness.mjs"

const self = fileURLToPath(import.meta.url)
const bin = fileURLToPath(new URL("../apps/cli/dist/bin.cjs", import.meta.url))

/** The upstream's process: answers calls, and tells its record when it is asked. */
const serve = (seed) => {
  const random = generator(seed)
  let customers = new Map()
  let inFlight = new Set()
  let overlaps = 0
  let received = 0
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += chunk))
    request.on("end", () => {
      const customer = JSON.parse(body)[0].customerId
      const known = customers.get(customer) ?? { calls: 0, answered: 0, lost: 0, isEnrolled: false }
      customers.set(customer, known)
      received += 1
      known.calls += 1
      if (inFlight.has(customer)) overlaps += 1
      inFlight.add(customer)
      setTimeout(() => {
        inFlight.delete(customer)
        const wasEnrolled = known.isEnrolled
        known.isEnrolled = true
        if (random() < 0.01) {
          known.lost += 1
          response.destroy()
          return
        }
        known.answered += 1
        response.setHeader("content-type", "application/json")
        response.end(
          wasEnrolled
            ? `{"data":null,"errors":[{"code":310119,"message":"already enrolled"}],"warnings":null}`
            : `{"data":${customer},"errors":null,"warnings":null}`
        )
      }, random() * 4)
    })
  })
  server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }))
  process.on("message", (message) => {
    if (message === "record") process.send({ record: [...customers], overlaps, received })
    if (message === "count") process.send({ received })
    if (message === "forget") {
      customers = new Map()
      inFlight = new Set()
      overlaps = 0
      received = 0
      process.send({ forgotten: true })
    }
  })
  process.on("disconnect", () => process.exit(0))
}

const ask = (child, message) =>
  new Promise((resolve) => {
    child.once("message", resolve)
    if (message !== undefined) child.send(message)
  })

const ended = (child) => new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })))

/** Customers whose records a ledger holds as claimed, which may be sent again; seen in a copy, so that nothing is touched. */
const claimed = (folder, copies) => {
  const Database = createRequire(new URL("../apps/cli/package.json", import.meta.url))("libsql")
  const copy = mkdtempSync(join(copies, "copy-"))
  for (const name of readdirSync(folder)) {
    if (name.startsWith("ledger.db")) copyFileSync(join(folder, name), join(copy, name))
  }
  const database = new Database(join(copy, "ledger.db"))
  try {
    return database.prepare("SELECT customer_id FROM records WHERE state = 1").all().map((row) => row.customer_id)
  } catch {
    // It was killed before its tables were made.
    return []
  } finally {
    database.close()
    rmSync(copy, { recursive: true, force: true })
  }
}

const main = async ({ kills, perRun, records, seed }) => {
  const random = generator(seed)
  const work = mkdtempSync(join(tmpdir(), "milepost-kills-"))
  const upstream = fork(self, ["--serve", String(seed)])
  const { port } = await ask(upstream)
  const environment = {
    PATH: process.env.PATH,
    HOME: work,
    MILEPOST_HOST: `http://127.0.0.1:${port}`,
    MILEPOST_USERNAME: "till",
    MILEPOST_PASSWORD: "secret"
  }
  const input = join(work, "customers.csv")
  writeFileSync(input, `customerId\n${Array.from({ length: records }, (_, index) => 1_000_001 + index).join("\n")}\n`)
  const start = (args) => {
    const child = spawn(process.execPath, [bin, ...args, "--json", "--run-dir", work], {
      env: environment,
      stdio: ["ignore", "pipe", "ignore"]
    })
    let out = ""
    child.stdout.on("data", (chunk) => (out += chunk))
    return { child, ended: ended(child), out: () => out }
  }
  const total = { runs: 0, kills: 0, killsInImport: 0, lost: 0, contradictions: 0, overlaps: 0, twice: 0, unexplained: 0, ambiguous: 0 }
  const problems = []
  const problem = (kind, text) => {
    total[kind] += 1
    if (problems.length < 20) problems.push(`${kind}: ${text}`)
  }

  while (total.kills < kills) {
    await ask(upstream, "forget")
    const before = new Set(readdirSync(work))
    const resendable = new Set()
    const folderOf = () => readdirSync(work).find((name) => /^\d{8}-\d{6}-/.test(name) && !before.has(name))
    let begun = false
    let last = null
    for (let killed = 0; ; ) {
      const folder = folderOf()
      const running = start(folder === undefined || !begun
        ? ["bulk", "enroll", input, "--group", "1", "--target", "2", "--period", "P", "--concurrency", "64"]
        : ["bulk", "resume", folder])
      if (killed >= perRun || total.kills >= kills) {
        const how = await running.ended
        last = { ...how, document: JSON.parse(running.out() || "null") }
        break
      }
      // At any moment: while it starts, while it reads, while it sends, while it ends.
      const wait = 150 + random() * Math.max(400, (records / 20_000) * 1600)
      const race = await Promise.race([running.ended, new Promise((resolve) => setTimeout(() => resolve(null), wait))])
      if (race !== null) {
        last = { ...race, document: JSON.parse(running.out() || "null") }
        break
      }
      running.child.kill("SIGKILL")
      await running.ended
      killed += 1
      total.kills += 1
      const now = folderOf()
      if (now === undefined) continue
      const hadTables = claimed(join(work, now), work)
      for (const customer of hadTables) resendable.add(customer)
      const { received } = await ask(upstream, "count")
      if (received === 0) total.killsInImport += 1
      // A run that was killed before its first row was written has nothing to go on with: it is begun again.
      const shown = start(["bulk", "show", now])
      begun = (await shown.ended).code === 0
      if (!begun && received > 0) problem("lost", `${now} cannot be gone on with: ${shown.out()}`)
      if (!begun) rmSync(join(work, now), { recursive: true, force: true })
    }
    total.runs += 1
    const folder = folderOf()
    const { overlaps, record } = await ask(upstream, "record")
    const known = new Map(record)
    if (last.code !== 0) problem("lost", `the last sitting of ${folder} ended with ${last.code}: ${JSON.stringify(last.document)}`)
    if (!existsSync(join(work, folder, "results.csv"))) break
    if (overlaps > 0) problem("overlaps", `${overlaps} moments with two calls for one customer`)
    const results = readFileSync(join(work, folder, "results.csv"), "utf8").trimEnd().split("\r\n").slice(1).map((line) => line.split(","))
    const seen = new Map()
    for (const [customer, , , outcome, , message] of results) {
      seen.set(Number(customer), outcome)
      const theirs = known.get(Number(customer))
      const isIn = theirs?.isEnrolled === true
      const isAmbiguous = message.includes("after an attempt without an answer")
      if (isAmbiguous) total.ambiguous += 1
      if (outcome !== "enrolled" && outcome !== "already_enrolled") problem("lost", `${customer} is ${outcome}`)
      else if (!isIn) problem("contradictions", `${customer} is ${outcome} and the upstream does not have it`)
      else if (outcome === "already_enrolled" && !isAmbiguous) problem("contradictions", `${customer} is already_enrolled, by nobody else`)
      else if (theirs.answered === 0) problem("contradictions", `${customer} is ${outcome} without any answer`)
    }
    for (let customer = 1_000_001; customer < 1_000_001 + records; customer++) {
      if (!seen.has(customer)) problem("lost", `${customer} has no outcome`)
    }
    for (const [customer, { calls, lost }] of known) {
      if (calls < 2) continue
      total.twice += 1
      if (lost === 0 && !resendable.has(customer)) problem("unexplained", `${customer} was called ${calls} times`)
    }
    rmSync(join(work, folder), { recursive: true, force: true })
    process.stderr.write(`run ${total.runs}: ${total.kills}/${kills} kills\n`)
  }
  upstream.disconnect()
  rmSync(work, { recursive: true, force: true })
  const bad = total.lost + total.contradictions + total.overlaps + total.unexplained
  console.log(
    `${total.kills} kills (${total.killsInImport} before the first call) over ${total.runs} runs of ${records} records: ` +
      `${total.lost} without a final outcome, ${total.contradictions} contradictions with the upstream's record, ` +
      `${total.overlaps} overlaps, ${total.twice} sent twice, ${total.unexplained} of them neither claimed when killed nor unanswered. Seed ${seed}.`
  )
  for (const line of problems) console.log(`  ${line}`)
  process.exitCode = bad === 0 ? 0 : 1
}

if (process.argv[2] === "--serve") serve(Number(process.argv[3]))
else {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "200" },
      records: { type: "string", default: "20000" },
      "per-run": { type: "string", default: "10" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) }
    }
  })
  await main({
    kills: Number(values.kills),
    records: Number(values.records),
    perRun: Number(values["per-run"]),
    seed: Number(values.seed)
  })
}
