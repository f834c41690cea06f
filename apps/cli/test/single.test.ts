/** Single calls against a sandbox over a real socket: every outcome, every documented code, every bad moment. */
import { writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { folder, run, sandbox } from "./cli.js"

const work = folder()

const faults = work.file("faults.json")
writeFileSync(
  faults,
  JSON.stringify([
    { operation: "enroll", customerId: 564332101, first: 1, effect: { kind: "rateLimited", retryAfterSeconds: 1 } },
    { operation: "enroll", customerId: 564332102, first: 1, effect: { kind: "customerBusy" } },
    { operation: "enroll", customerId: 564332103, first: 1, effect: { kind: "reset", when: "after" } },
    { operation: "enroll", customerId: 564332104, effect: { kind: "apiError", code: 300004 } },
    { operation: "enroll", customerId: 564332105, effect: { kind: "body", body: "html" } },
    { operation: "enroll", customerId: 564332106, effect: { kind: "body", body: "empty" } },
    { operation: "enroll", customerId: 564332107, effect: { kind: "body", body: "truncated" } },
    { operation: "enroll", customerId: 564332108, effect: { kind: "body", body: "huge" } },
    { operation: "enroll", customerId: 564332109, effect: { kind: "body", body: "malformed" } },
    { operation: "enroll", customerId: 564332110, effect: { kind: "apiError", code: 310141 } },
    { operation: "enroll", customerId: 564332111, effect: { kind: "apiError", code: 999999, message: "Something new." } }
  ])
)

let upstream: Awaited<ReturnType<typeof sandbox>>

beforeAll(async () => {
  upstream = await sandbox("--faults", faults)
})

afterAll(async () => {
  await upstream.stop()
  work.remove()
})

const milestone = ["--group", "2154", "--target", "2309"]
const streak = ["--group", "40", "--target", "41"]

const json = async (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Promise<{ readonly code: number | null; readonly document: Record<string, unknown> }> => {
  const { code, stdout } = await run([...args, "--json"], { env: { ...upstream.env, ...env }, cwd: work.path })
  return { code, document: JSON.parse(stdout) as Record<string, unknown> }
}

const enroll = (customer: number, ...more: ReadonlyArray<string>) =>
  json(["enroll", ...milestone, "--customer", String(customer), "--period", "Cycle_1", ...more])

describe("a single call over a real socket", () => {
  it("a first enrolment is enrolled, its repeat is already enrolled, both exit 0", async () => {
    const first = await enroll(564332050)
    expect(first.code).toBe(0)
    expect(first.document).toMatchObject({
      outcome: "enrolled",
      customerId: 564332050,
      targetGroupId: 2154,
      targetId: 2309,
      periodName: "Cycle_1",
      warnings: []
    })
    const second = await enroll(564332050)
    expect(second.code).toBe(0)
    expect(second.document).toMatchObject({ outcome: "already_enrolled", code: 310119, afterAmbiguousAttempt: false })
  })

  it("re-enrols with resume after unenroll, and the status shows the value held", async () => {
    await enroll(564332051, "--initial-balance", "320")
    const left = await json(["unenroll", ...milestone, "--customer", "564332051"])
    expect(left).toMatchObject({ code: 0, document: { outcome: "unenrolled", periodName: null } })
    expect(await enroll(564332051, "--initial-balance", "resume")).toMatchObject({ code: 0, document: { outcome: "enrolled" } })
    const { document } = await json(["status", "--customer", "564332051", "--group", "2154"])
    const groups = document["targetGroups"] as ReadonlyArray<{ readonly targets: ReadonlyArray<Record<string, unknown>> }>
    expect(groups[0]?.targets.find((target) => target["periodRefCode"] === "Cycle_1")).toMatchObject({
      targetAchievedValue: 320
    })
  })

  it("enrols into a streak, and re-enrols with --reset-streak", async () => {
    const call = ["enroll", ...streak, "--customer", "564332052"]
    expect(await json(call)).toMatchObject({ code: 0, document: { outcome: "enrolled", periodName: null } })
    await json(["unenroll", ...streak, "--customer", "564332052"])
    expect(await json([...call, "--reset-streak"])).toMatchObject({ code: 0, document: { outcome: "enrolled" } })
  })

  it("enrols into several periods, one call each, already there where an earlier one covered it", async () => {
    const { code, document } = await enroll(564332053, "--period", "Cycle_2")
    expect(code).toBe(0)
    expect(document).toMatchObject({
      outcome: "already_enrolled",
      periods: [{ outcome: "enrolled", periodName: "Cycle_1" }, { outcome: "already_enrolled", periodName: "Cycle_2" }]
    })
  })

  it.each([
    [310011, ["--group", "2154", "--target", "2309", "--customer", "999", "--period", "Cycle_1"], {}],
    [310017, ["--group", "2155", "--target", "2310", "--customer", "564332060", "--period", "Cycle_1"], {}],
    [310018, ["--group", "2154", "--target", "1", "--customer", "564332060", "--period", "Cycle_1"], {}],
    [310019, ["--group", "2154", "--target", "2309", "--customer", "564332060", "--period", "Cycle_99"], {}],
    [300004, ["--group", "2154", "--target", "2309", "--customer", "564332104", "--period", "Cycle_1"], {}],
    [310141, ["--group", "2154", "--target", "2309", "--customer", "564332110", "--period", "Cycle_1"], {}],
    [
      310144,
      ["--group", "2154", "--target", "2309", "--customer", "564332060", "--period", "Cycle_1"],
      { MILEPOST_DATA_SCOPE: "OTHER", MILEPOST_DATA_SCOPE_ORG: "900" }
    ],
    [999999, ["--group", "2154", "--target", "2309", "--customer", "564332111", "--period", "Cycle_1"], {}]
  ])("code %i is rejected with its code, exit 1", async (code, args, env) => {
    expect(await json(["enroll", ...args], env)).toMatchObject({ code: 1, document: { outcome: "rejected", code } })
  })

  it("401 is rejected and says what to do", async () => {
    const ran = await run(["enroll", ...milestone, "--customer", "564332060", "--period", "Cycle_1"], {
      env: { ...upstream.env, MILEPOST_PASSWORD: "canary-wrong-password" }
    })
    expect(ran.code).toBe(1)
    expect(ran.stdout).toContain("401: The credentials were refused.")
    expect(ran.stdout + ran.stderr).not.toContain("canary")
  })

  it("429 with Retry-After is waited out", async () => {
    expect(await enroll(564332101)).toMatchObject({ code: 0, document: { outcome: "enrolled", attempts: 2 } })
  })

  it("521 is tried again", async () => {
    expect(await enroll(564332102)).toMatchObject({ code: 0, document: { outcome: "enrolled", attempts: 2 } })
  })

  it("an answer lost after execution ends already enrolled, ours or somebody's", async () => {
    expect(await enroll(564332103)).toMatchObject({
      code: 0,
      document: { outcome: "already_enrolled", afterAmbiguousAttempt: true, attempts: 2 }
    })
  })

  // The first answer is unreadable, the second says 310119: the call was executed. Every answer of these customers is
  // unreadable, so it stays unknown.
  it.each([
    [564332105, "not JSON"],
    [564332106, "empty"],
    [564332107, "JSON"],
    [564332108, "larger than"],
    [564332109, "answered 200"]
  ])("an answer that is none (customer %i) ends unknown, exit 5, and says why", async (customer, words) => {
    const { code, document } = await enroll(customer)
    expect(code).toBe(5)
    expect(document).toMatchObject({ outcome: "unknown" })
    expect(document["message"]).toContain(words)
  })
})

describe("a call that cannot leave", () => {
  const valid = ["enroll", ...milestone, "--customer", "564332060", "--period", "Cycle_1"]

  it.each([
    ["no host", {}, "MILEPOST_HOST", "is not set"],
    ["no credentials", { MILEPOST_HOST: "eu" }, "MILEPOST_USERNAME", "no credentials"],
    ["no password", { MILEPOST_HOST: "eu", MILEPOST_USERNAME: "till" }, "MILEPOST_PASSWORD", "the password of the till"],
    [
      "both kinds",
      {
        MILEPOST_HOST: "eu",
        MILEPOST_USERNAME: "till",
        MILEPOST_PASSWORD: "canary-p",
        MILEPOST_OAUTH_KEY: "canary-k",
        MILEPOST_OAUTH_SECRET: "canary-s"
      },
      "MILEPOST_OAUTH_KEY",
      "both kinds"
    ],
    ["an http host elsewhere", { MILEPOST_HOST: "http://example.org" }, "MILEPOST_HOST", "clear text"],
    [
      "the scope ALL",
      { MILEPOST_HOST: "eu", MILEPOST_USERNAME: "till", MILEPOST_PASSWORD: "canary-p", MILEPOST_DATA_SCOPE: "ALL" },
      "MILEPOST_DATA_SCOPE",
      "310141"
    ],
    [
      "a wrong timeout",
      { MILEPOST_HOST: "eu", MILEPOST_USERNAME: "till", MILEPOST_PASSWORD: "canary-p", MILEPOST_TIMEOUT: "soon" },
      "MILEPOST_TIMEOUT",
      "\"soon\""
    ]
  ])("%s: one line that names the setting, exit 2", async (_, env, setting, words) => {
    const ran = await run([...valid, "--json"], { env, cwd: work.path })
    expect(ran.code).toBe(2)
    const { error } = JSON.parse(ran.stdout) as { readonly error: Record<string, string> }
    expect(error).toMatchObject({ setting })
    expect(error["message"]).toContain(words)
    expect(ran.stdout + ran.stderr).not.toContain("canary")
    const forPeople = await run(valid, { env, cwd: work.path })
    expect(forPeople.code).toBe(2)
    expect(forPeople.stderr.trim().split("\n")).toHaveLength(1)
    expect(forPeople.stdout).toBe("")
  })

  it("a host that does not resolve: exit 2, nothing was sent", async () => {
    const env = { MILEPOST_HOST: "https://nowhere.invalid", MILEPOST_USERNAME: "till", MILEPOST_PASSWORD: "canary-p" }
    const ran = await run([...valid, "--json"], { env })
    expect(ran.code).toBe(2)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { tag: "NotSent", setting: "MILEPOST_HOST" } })
    expect(ran.stdout).toContain("nowhere.invalid")
  })

  it("an OAuth key that the token service refuses: exit 2, and the setting is the key", async () => {
    const env = {
      MILEPOST_HOST: upstream.env["MILEPOST_HOST"] ?? "",
      MILEPOST_OAUTH_KEY: "canary-key",
      MILEPOST_OAUTH_SECRET: "canary-secret"
    }
    const ran = await run([...valid, "--json"], { env })
    expect(ran.code).toBe(2)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { tag: "NotSent", setting: "MILEPOST_OAUTH_KEY" } })
    expect(ran.stdout + ran.stderr).not.toContain("canary")
    const good = { ...env, MILEPOST_OAUTH_KEY: "sandbox-key", MILEPOST_OAUTH_SECRET: "sandbox-secret" }
    expect((await run([...valid, "--json"], { env: good })).code).toBe(0)
  })

  it.each([
    [["enroll", "--bogus"], "--bogus"],
    [["enroll", ...milestone, "--customer", "1.5"], "--customer"],
    [["enroll", ...milestone, "--customer", "-7"], "--customer"],
    [["enroll", ...milestone, "--customer", "9007199254740993"], "--customer"],
    [["enroll", ...milestone], "--customer"],
    [["enroll", ...streak, "--customer", "7", "--initial-balance", "100"], "--initial-balance"],
    [["enroll", ...milestone, "--customer", "7", "--period", "Cycle_1", "--reset-streak"], "--reset-streak"],
    [["enrol"], "enrol"]
  ])("%j is wrong usage: exit 2, and the message names it", async (args, name) => {
    const ran = await run(args, { env: { ...upstream.env } })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain(name)
    const asJson = await run([...args, "--json"], { env: { ...upstream.env } })
    expect(asJson.code).toBe(2)
    expect(JSON.parse(asJson.stdout)).toHaveProperty("error.message")
  })
})
