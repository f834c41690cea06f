/** The page for operators in a real browser, before a real proxy: everything that an operator does with it, once. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@effect/vitest"
import * as World from "@milepost/simulator/World"
import Axe from "axe-core"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import type { Browser, BrowserContext, Page } from "playwright-core"
import * as Chromium from "./browser.js"
import { call, type Running, start } from "./running.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = NodePath.join(root, "build", `page-${process.pid}`)
const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-page-"))
/** Where `pnpm screenshots` wants its pictures. */
const pictures = process.env["MILEPOST_SCREENSHOTS"]

const found = Chromium.find(pictures !== undefined)
if (found === null) process.stderr.write("\n!!! NO CHROMIUM ON THIS MACHINE: the page for operators is NOT tested. Install Debian's chromium. !!!\n\n")

let browser: Browser

beforeAll(async () => {
  if (found === null) return
  execFileSync(NodePath.join(root, "node_modules/.bin/rolldown"), ["--config", "rolldown.config.js", "--dir", dist], { cwd: root, stdio: "pipe" })
  browser = await Chromium.launch(found)
})
afterAll(async () => {
  if (found !== null) await browser.close()
  Fs.rmSync(dist, { recursive: true, force: true })
  Fs.rmSync(folder, { recursive: true, force: true })
})

/** The sample world, answering slowly enough for a job to be seen on its way. */
const slowProxy = (): Promise<Running> =>
  start({
    page: NodePath.join(dist, "page"),
    world: World.sample,
    simulation: { faults: [{ operation: "enroll", effect: { kind: "latency", millis: 30 } }] },
    orgs: [{ MILEPOST_USERNAME: "store.server", MILEPOST_PASSWORD: "server123", MILEPOST_RATE: "6000/min", MILEPOST_CONCURRENCY: "8" }]
  })

/** A page of its own, and everything in it that should not be. */
interface Watched {
  readonly context: BrowserContext
  readonly page: Page
  readonly wrongs: () => ReadonlyArray<string>
  readonly asked: () => ReadonlyArray<{ readonly url: string; readonly headers: Readonly<Record<string, string>> }>
}

const watched = async (proxy: Running, allowed: RegExp): Promise<Watched> => {
  const context = await browser.newContext({ viewport: { width: 1200, height: 860 }, acceptDownloads: true, locale: "en-GB", timezoneId: "UTC" })
  await context.addInitScript("addEventListener('securitypolicyviolation', (event) => console.error('CSP: ' + event.violatedDirective + ' ' + event.blockedURI))")
  const page = await context.newPage()
  const wrongs: Array<string> = []
  const asked: Array<{ readonly url: string; readonly headers: Readonly<Record<string, string>> }> = []
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return
    if (!allowed.test(message.text())) wrongs.push(`${message.type()}: ${message.text()}`)
  })
  page.on("pageerror", (error) => wrongs.push(`error: ${error.message}`))
  page.on("request", (request) => {
    asked.push({ url: request.url(), headers: request.headers() })
    if (!request.url().startsWith(`${proxy.url}/`) && !request.url().startsWith("blob:")) wrongs.push(`asked elsewhere: ${request.url()}`)
  })
  return { context, page, wrongs: () => wrongs, asked: () => asked }
}

const relays = new Set<Net.Server>()
afterEach(() => {
  for (const server of relays) server.close()
})

/** A way to the proxy that can be cut and mended. */
const relay = async (proxy: Running) => {
  const sockets = new Set<Net.Socket>()
  const server = Net.createServer((near) => {
    const far = Net.connect(Number(new URL(proxy.url).port), "127.0.0.1")
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      sockets.add(socket)
      socket.on("error", () => undefined)
      socket.on("close", () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  relays.add(server)
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  await listen(0)
  const { port } = server.address() as Net.AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    cut: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
    mend: () => listen(port)
  }
}

const file = (name: string, content: string): string => {
  const path = NodePath.join(folder, name)
  Fs.writeFileSync(path, content)
  return path
}

const rows = (first: number, count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, index) => String(first + index))

interface Violation {
  readonly id: string
  readonly nodes: ReadonlyArray<{ readonly target: ReadonlyArray<string>; readonly failureSummary: string }>
}

/** What axe finds, in light and in dark. */
const inaccessible = async (page: Page): Promise<ReadonlyArray<string>> => {
  const all: Array<string> = []
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme })
    const violations = await page.evaluate(`${Axe.source}; axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)`) as ReadonlyArray<Violation>
    for (const { id, nodes } of violations) for (const node of nodes) all.push(`${colorScheme} ${id} ${node.target.join(" ")}: ${node.failureSummary}`)
  }
  return all
}

const picture = async (page: Page, name: string): Promise<void> => {
  if (pictures === undefined) return
  await page.evaluate("scrollTo(0, 0)")
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: NodePath.join(pictures, `proxy-${name}-${colorScheme}.png`) })
  }
}

const signIn = async (page: Page, secret: string): Promise<void> => {
  await page.getByLabel("API key").fill(secret)
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { name: "Jobs", exact: true }).waitFor()
}

const fill = async (page: Page, path: string): Promise<void> => {
  await page.getByRole("link", { name: "New job" }).click()
  await page.getByLabel("File", { exact: true }).setInputFiles(path)
  await page.getByLabel("Target group").fill("2154")
  await page.getByLabel("Target", { exact: true }).fill("2309")
  await page.getByLabel("Periods").fill("Cycle_1")
}

describe.skipIf(found === null)("the page for operators", () => {
  it("refuses a wrong key, tries a file, sends it, shows and saves what failed", async () => {
    const proxy = await slowProxy()
    const { secret } = await proxy.key()
    // The one error that a browser logs by itself.
    const { asked, context, page, wrongs } = await watched(proxy, /status of 401/)
    const answer = await page.goto(proxy.url)
    expect(answer?.headers()["content-security-policy"]).toContain("default-src 'none'; script-src 'self'")
    expect(await inaccessible(page)).toEqual([])

    // Where the keyboard is when the page opens.
    await page.keyboard.type("mp_wrong")
    await page.keyboard.press("Enter")
    await page.getByRole("alert").filter({ hasText: "This key is not accepted" }).waitFor()
    await signIn(page, secret)

    const customers = [...rows(564332001, 900), ...rows(5, 24), "x", "564332001", "9007199254740993"]
    await fill(page, file("spring.csv", `customerId\n${customers.join("\n")}\n`))
    await page.getByLabel("Rate").fill("fast")
    await page.getByRole("button", { name: "Check the file" }).click()
    await page.getByText("Such as 600/min or 10/s.").waitFor()
    await page.getByLabel("Rate").fill("")
    await page.keyboard.press("Enter")
    const preview = page.getByRole("region", { name: "Dry run: nothing was stored or sent" })
    await preview.waitFor()
    expect(await preview.locator("dl").innerText()).toMatch(/Rows\s+927\s+Calls\s+924\s+Duplicates\s+1\s+Bad rows\s+2/)
    expect(await preview.getByRole("row", { name: "926" }).count() + await preview.getByRole("row", { name: "928" }).count()).toBe(2)
    expect(await preview.innerText()).toContain("about 10 s at 100/s")
    expect((await call(`${proxy.url}/v1/jobs`, { secret })).text).toBe(`{"jobs":[]}`)
    expect(await inaccessible(page)).toEqual([])
    await picture(page, "upload")

    await preview.getByRole("button", { name: "Start: 924 calls" }).click()
    const job = page.getByRole("region", { name: "spring.csv" })
    await job.getByText("live").waitFor()
    // Progress is seen on its way, more than once.
    const shares = new Set<string>()
    while (shares.size < (pictures === undefined ? 3 : 6)) shares.add(await job.locator(".share").innerText())
    await job.getByRole("button", { name: "Pause" }).waitFor()
    await picture(page, "running")
    await job.locator(".badge", { hasText: "finished" }).waitFor({ timeout: 60_000 })
    expect(await job.getByRole("img").getAttribute("aria-label")).toBe("100 % of 927 records: 900 enrolled, 26 rejected, 1 skipped.")
    const failures = job.getByRole("table", { name: "26 failed records" })
    await failures.waitFor()
    expect(await failures.getByRole("row").count()).toBe(27)
    expect(await failures.getByRole("row", { name: "310011" }).first().innerText()).toMatch(/^902\s+5\s+Cycle_1\s+rejected\s+310011\s+The customer id is not valid\.$/)
    expect(await job.getByRole("table", { name: "Reasons" }).innerText()).toMatch(/24\s+rejected\s+310011/)
    const [download] = await Promise.all([page.waitForEvent("download"), job.getByRole("button", { name: "Download rejected (CSV)" }).click()])
    expect(download.suggestedFilename()).toMatch(/^job_.*-rejected\.csv$/)
    const saved = Fs.readFileSync(await download.path(), "utf8")
    expect(saved.trimEnd().split("\r\n")).toHaveLength(27)
    expect(saved).toMatch(/^customerId,line,period,outcome,code,message/)
    const [failed] = await Promise.all([page.waitForEvent("download"), job.getByRole("button", { name: "Download failed rows (to mend and upload again)" }).click()])
    expect(failed.suggestedFilename()).toMatch(/^job_.*-failed\.csv$/)
    expect(Fs.readFileSync(await failed.path(), "utf8")).toBe(`customerId\n${[...rows(5, 24), "x", "9007199254740993"].join("\n")}\n`)
    expect(await inaccessible(page)).toEqual([])

    // By the keyboard alone: what is skipped to, what comes next, and that it is seen.
    await page.getByRole("link", { name: "Skip to content" }).focus()
    await page.keyboard.press("Enter")
    expect(await page.evaluate("document.activeElement.id")).toBe("main")
    await page.keyboard.press("Tab")
    expect(await page.evaluate("[document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]")).toEqual(["New job", "solid"])
    await page.keyboard.press("Tab")
    expect(await page.evaluate("document.activeElement.textContent")).toContain("spring.csv")

    // Nothing of it is wider than a small telephone.
    await page.setViewportSize({ width: 360, height: 740 })
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360)
    expect(await inaccessible(page)).toEqual([])
    await picture(page, "narrow")
    await page.getByRole("link", { name: "‹ All jobs" }).click()
    await page.getByRole("link", { name: /spring\.csv/ }).waitFor()
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360)
    await page.getByRole("link", { name: "New job" }).click()
    await page.getByRole("heading", { name: "New job" }).waitFor()
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360)
    expect(await inaccessible(page)).toEqual([])

    // The key is nowhere but in memory, and gone when it is to be.
    expect(await page.evaluate("JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage), document.cookie])")).toBe(`[[],[],""]`)
    expect(asked().filter(({ url }) => url.includes(secret))).toEqual([])
    expect(await page.content()).not.toContain(secret)
    await page.getByRole("button", { name: "Forget key" }).click()
    await page.getByLabel("API key").waitFor()
    expect(await page.getByLabel("API key").inputValue()).toBe("")
    expect(wrongs()).toEqual([])
    await context.close()
  })

  it("pauses, resumes and cancels, each after a question, and comes back after the connection was lost", async () => {
    const proxy = await slowProxy()
    const { id, secret } = await proxy.key()
    const { cut, mend, url } = await relay(proxy)
    const { asked, context, page, wrongs } = await watched({ ...proxy, url }, /net::ERR_|status of 401/)
    await page.goto(url)
    await signIn(page, secret)
    await fill(page, file("slow.ndjson", rows(564332001, 4_000).map((customerId) => `{"customerId":${customerId}}\n`).join("")))
    await page.getByRole("button", { name: "Check the file" }).click()
    await page.getByRole("button", { name: "Start: 4,000 calls" }).click()
    const job = page.getByRole("region", { name: "slow.ndjson" })
    await job.getByText("live").waitFor()

    cut()
    await job.getByText("connection lost").waitFor()
    await mend()
    await job.getByText("live").waitFor({ timeout: 60_000 })
    expect(asked().some(({ headers, url }) => url.endsWith("/events") && /^\d/.test(headers["last-event-id"] ?? ""))).toBe(true)

    const question = page.getByRole("dialog")
    await job.getByRole("button", { name: "Pause" }).click()
    await question.waitFor()
    expect(await inaccessible(page)).toEqual([])
    await page.keyboard.press("Escape")
    await question.waitFor({ state: "detached" })
    expect(await page.evaluate("document.activeElement?.textContent")).toBe("Pause")
    // The answer is held until the event that tells the same has been shown: whichever comes first, the focus stays in the job.
    let release = (): void => {}
    const held = new Promise<void>((resolve) => void (release = resolve))
    await page.route(/\/pause$/, async (route) => {
      const response = await route.fetch()
      await held
      await route.fulfill({ response })
    })
    await job.getByRole("button", { name: "Pause" }).click()
    await question.getByRole("button", { name: "Pause" }).click()
    await job.locator(".badge", { hasText: "paused" }).waitFor()
    expect(await page.evaluate("document.activeElement?.id")).toBe("job-title")
    release()
    await job.getByRole("button", { name: "Resume" }).and(page.locator(":enabled")).waitFor()
    expect(await page.evaluate("document.activeElement?.id")).toBe("job-title")
    const paused = await job.locator(".share").innerText()
    await page.waitForTimeout(1_500)
    expect(await job.locator(".share").innerText()).toBe(paused)

    await job.getByRole("button", { name: "Resume" }).click()
    await question.getByRole("button", { name: "Resume" }).click()
    await job.locator(".badge", { hasText: "running" }).waitFor()
    while (await job.locator(".share").innerText() === paused) await page.waitForTimeout(100)

    await job.getByRole("button", { name: "Cancel job" }).click()
    await question.getByText("cannot be undone").waitFor()
    await question.getByRole("button", { name: "Cancel the job" }).click()
    await job.locator(".badge", { hasText: "cancelled" }).waitFor()
    expect(await job.getByRole("img").getAttribute("aria-label")).toMatch(/^100 % of 4,000 records: [\d,]+ enrolled, [\d,]+ skipped\.$/)
    await page.getByRole("link", { name: /slow\.ndjson/ }).getByText("cancelled").waitFor()

    await proxy.revoke(id)
    await page.getByRole("link", { name: "Milepost proxy" }).click()
    await page.getByRole("link", { name: /slow\.ndjson/ }).click()
    await page.getByRole("alert").filter({ hasText: "not accepted any more" }).waitFor()
    expect(wrongs()).toEqual([])
    await context.close()
  })
})
