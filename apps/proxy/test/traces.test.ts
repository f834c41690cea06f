/** Traces of the built binary, as a collector receives them, and as the upstream is told of them. */
import { afterAll, beforeAll, describe, expect, it, vi } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import { call, enrolBody, enrolPath } from "./running.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = NodePath.join(root, "build", `traces-${process.pid}`)
const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-proxy-traces-"))
const servers: Array<Http.Server> = []
const children: Array<ChildProcess> = []

interface Span {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly status: { readonly code: number }
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: Readonly<Record<string, unknown>> }>
}

interface Traced {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: Span["attributes"] }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
  }>
}

const received: Array<{ readonly url: string; readonly authorization: string | undefined; readonly body: string }> = []
const upstreamCalls: Array<{ readonly traceparent: string | undefined; readonly customer: number }> = []

const listening = async (handle: (req: Http.IncomingMessage, body: string, res: Http.ServerResponse) => void): Promise<string> => {
  const server = Http.createServer((req, res) => {
    let body = ""
    req.on("data", (chunk) => (body += String(chunk)))
    req.on("end", () => handle(req, body, res))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
}

const served = async (name: string, more: Readonly<Record<string, string>>): Promise<{ readonly url: string; readonly secret: string; readonly child: ChildProcess }> => {
  const upstream = await listening((req, body, res) => {
    const [{ customerId }] = JSON.parse(body) as [{ readonly customerId: number }]
    const traceparent = req.headers["traceparent"]
    upstreamCalls.push({ traceparent: typeof traceparent === "string" ? traceparent : undefined, customer: customerId })
    const isBusy = customerId === 7 && upstreamCalls.filter(({ customer }) => customer === 7).length === 1
    res.writeHead(isBusy ? 521 : 200, { "content-type": "application/json" })
    res.end(isBusy ? "" : `{"data":${customerId},"errors":null,"warnings":null}`)
  })
  const env = {
    PATH: process.env["PATH"] ?? "", MILEPOST_PROXY_PORT: "0", MILEPOST_PROXY_DATA: NodePath.join(folder, name), MILEPOST_PROXY_ORG: "brand",
    MILEPOST_HOST: upstream, MILEPOST_USERNAME: "till", MILEPOST_PASSWORD: "a-secret", ...more
  }
  const bin = NodePath.join(dist, "bin.cjs")
  const { secret } = JSON.parse(String(execFileSync(process.execPath, [bin, "keys", "create", "--name", "x", "--org", "brand", "--json"], { env }))) as { readonly secret: string }
  const child = spawn(process.execPath, [bin], { env, stdio: ["ignore", "pipe", "ignore"] })
  children.push(child)
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk) => resolve(/listens at (.*)\n/.exec(String(chunk))?.[1] ?? ""))
    child.once("close", () => reject(new Error("it ended")))
  })
  return { url, secret, child }
}

beforeAll(() => {
  execFileSync(NodePath.join(root, "node_modules/.bin/rolldown"), ["--config", "rolldown.config.js", "--dir", dist], { cwd: root, stdio: "pipe" })
})
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  Fs.rmSync(dist, { recursive: true, force: true })
  Fs.rmSync(folder, { recursive: true, force: true })
})

const spans = (): ReadonlyArray<Span> =>
  received.flatMap(({ body }) => (JSON.parse(body) as Traced).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
const attribute = (span: Span | undefined, key: string): unknown => Object.values(span?.attributes.find((one) => one.key === key)?.value ?? {})[0]

describe("traces", () => {
  it("go to the collector, from the caller's span to every attempt at the upstream, without anybody's data", async () => {
    const collector = await listening((req, body, res) => {
      const { authorization } = req.headers
      received.push({ url: req.url ?? "", authorization, body })
      res.end("{}")
    })
    const { child, secret, url } = await served("on", {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20collector-secret",
      OTEL_BSP_SCHEDULE_DELAY: "50"
    })
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
    // The first attempt for customer 7 is answered 521, the second is accepted.
    expect((await call(url + enrolPath(), { secret, body: enrolBody(7), headers: { traceparent } })).status).toBe(200)
    const record = (customerId: number) => ({ customerId, targetGroupId: 2154, targetId: 2309, periodName: "Cycle_1" })
    expect((await call(`${url}/v1/enrollments`, { secret, body: JSON.stringify(record(424_242_001)) })).status).toBe(200)
    await call(`${url}/v1/enrollments/batch`, { secret, body: JSON.stringify({ records: [record(424_242_002), record(424_242_003)] }) })
    const unsampled = traceparent.replace(/01$/, "00")
    await call(url + enrolPath(), { secret, body: enrolBody(424_242_004), headers: { traceparent: unsampled } })
    await call(`${url}/v1/jobs?group=2154&target=2309&period=Cycle_1`, { secret, body: "customerId\n424242005\n424242006\n", headers: { "content-type": "text/csv" } })
    await vi.waitUntil(() => upstreamCalls.some(({ customer }) => customer === 424_242_006), { timeout: 10_000 })
    child.kill("SIGTERM")
    await new Promise((resolve) => child.once("close", resolve))

    const servers_ = spans().filter(({ kind }) => kind === 2)
    const calls = spans().filter(({ kind }) => kind === 3)
    expect(servers_.map(({ name }) => name)).toEqual(["POST enroll", "POST /v1/enrollments", "POST /v1/enrollments/batch", "POST /v1/jobs"])
    const [dropIn, native, batch, job] = servers_
    expect(dropIn).toMatchObject({ traceId, parentSpanId: "00f067aa0ba902b7" })
    expect([attribute(dropIn, "http.route"), Number(attribute(dropIn, "http.response.status_code")), attribute(dropIn, "milepost.org")]).toEqual(["enroll", 200, "brand"])
    const below = (span: Span | undefined) => calls.filter(({ parentSpanId }) => parentSpanId === span?.spanId)
    expect(below(dropIn).map((span) => [span.traceId, Number(attribute(span, "http.response.status_code")), span.status.code])).toEqual([[traceId, 521, 2], [traceId, 200, 1]])
    expect([below(native).length, below(batch).length, below(job).length]).toEqual([1, 2, 0])
    expect(calls).toHaveLength(5)
    // The upstream is told the attempt's own context; of who was not to be sampled, what he said; of a job's records, nothing.
    const told = (customer: number) => upstreamCalls.filter((one) => one.customer === customer).map((one) => one.traceparent)
    expect(told(7)).toEqual(below(dropIn).map(({ spanId }) => `00-${traceId}-${spanId}-01`))
    expect(told(424_242_001)).toEqual(below(native).map((span) => `00-${span.traceId}-${span.spanId}-01`))
    expect([told(424_242_004), told(424_242_005)]).toEqual([[unsampled], [undefined]])
    for (const { authorization, body, url: path } of received) {
      expect([path, authorization]).toEqual(["/v1/traces", "Bearer collector-secret"])
      expect(body).not.toMatch(/4242420\d\d|a-secret|collector-secret|mp_[A-Za-z0-9_-]{20}|\\n\s+at |node_modules/)
      expect(body).toContain(`"milepost-proxy"`)
    }
  })

  it("are not made, nor is anything of them loaded, without a collector; a collector that is gone harms nobody", async () => {
    const off = await served("off", {})
    await call(off.url + enrolPath(), { secret: off.secret, body: enrolBody(8) })
    expect(upstreamCalls.filter(({ customer }) => customer === 8)).toEqual([{ customer: 8, traceparent: undefined }])
    const loaded = Fs.readdirSync(NodePath.join(dist, "chunks")).filter((name) => Fs.readFileSync(NodePath.join(dist, "chunks", name), "utf8").includes("OtlpTracer"))
    expect(loaded).toEqual([expect.stringMatching(/^Otlp-/)])
    const gone = await served("gone", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_BSP_SCHEDULE_DELAY: "20" })
    for (const customer of [9, 10, 11]) expect((await call(gone.url + enrolPath(), { secret: gone.secret, body: enrolBody(customer) })).status).toBe(200)
    gone.child.kill("SIGTERM")
    expect(await new Promise((resolve) => gone.child.once("close", resolve))).toBe(0)
  })
})
