/** `milepost doctor` against a sandbox, and against everything that can be wrong on the way to it. */
import { createServer, type AddressInfo, type Socket } from "node:net"
import { createServer as createTlsServer, type Server } from "node:tls"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { generate } from "selfsigned"
import { run, sandbox, start } from "./cli.js"

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly mend: string | null
}

const examined = async (env: Readonly<Record<string, string>>) => {
  const ran = await run(["doctor", "--json"], { env })
  const { checks, ok } = JSON.parse(ran.stdout) as { readonly ok: boolean; readonly checks: ReadonlyArray<Check> }
  expect(ran.stdout + ran.stderr).not.toContain("canary")
  return { code: ran.code, ok, checks, last: checks.at(-1) }
}

const elsewhere = { MILEPOST_USERNAME: "till", MILEPOST_PASSWORD: "canary-password" }

let upstream: Awaited<ReturnType<typeof sandbox>>
let tls: Server

beforeAll(async () => {
  upstream = await sandbox()
  const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }])
  tls = createTlsServer({ cert, key }, (socket) => socket.end())
  tls.on("tlsClientError", () => undefined)
  await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve))
})

afterAll(async () => {
  tls.close()
  await upstream.stop()
})

describe("doctor", () => {
  it("finds everything well, one line each", async () => {
    const { code, checks, ok } = await examined(upstream.env)
    expect({ code, ok }).toEqual({ code: 0, ok: true })
    expect(checks.map(({ name }) => name)).toEqual(["configuration", "DNS", "connection", "credentials", "scope"])
    const forPeople = await run(["doctor"], { env: upstream.env })
    expect(forPeople.stdout.trim().split("\n")).toHaveLength(5)
  })

  it("stops at the first thing that is ill and says how to mend it", async () => {
    expect(await examined({})).toMatchObject({ code: 2, last: { name: "configuration", ok: false } })
    expect(await examined({ ...elsewhere, MILEPOST_HOST: "https://nowhere.invalid" })).toMatchObject({
      code: 2,
      last: { name: "DNS", ok: false, mend: expect.stringContaining("MILEPOST_HOST") }
    })
    expect(await examined({ ...elsewhere, MILEPOST_HOST: "http://127.0.0.1:1" })).toMatchObject({
      code: 2,
      last: { name: "connection", ok: false, detail: expect.stringContaining("nothing listens") }
    })
    expect(await examined({ ...upstream.env, MILEPOST_PASSWORD: "canary-wrong" })).toMatchObject({
      code: 2,
      last: { name: "credentials", ok: false }
    })
    expect(
      await examined({ ...upstream.env, MILEPOST_DATA_SCOPE: "OTHER", MILEPOST_DATA_SCOPE_ORG: "900" })
    ).toMatchObject({ code: 2, last: { name: "scope", ok: false, detail: expect.stringContaining("310144") } })
  })

  it("a certificate that nobody vouches for is a matter of TLS, for a call as well", async () => {
    const env = { ...elsewhere, MILEPOST_HOST: `https://127.0.0.1:${(tls.address() as AddressInfo).port}` }
    expect(await examined(env)).toMatchObject({ code: 2, last: { name: "TLS", ok: false } })
    const call = await run(["enroll", "--group", "1", "--target", "2", "--customer", "3", "--json"], { env })
    expect(call.code).toBe(2)
    expect(JSON.parse(call.stdout)).toMatchObject({ error: { tag: "NotSent", setting: "MILEPOST_HOST" } })
  })
})

describe("a signal", () => {
  it("ends a single call with exit 4 and one document", async () => {
    const sockets: Array<Socket> = []
    let called = (): void => undefined
    const isCalled = new Promise<void>((resolve) => (called = resolve))
    // It takes the call and never answers.
    const silent = createServer((socket) => {
      sockets.push(socket)
      socket.on("error", () => undefined)
      socket.on("data", called)
    })
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve))
    const running = start(["enroll", "--group", "1", "--target", "2", "--customer", "3", "--json"], {
      env: { ...elsewhere, MILEPOST_HOST: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` }
    })
    await isCalled
    running.child.kill("SIGINT")
    const ran = await running.ended
    for (const socket of sockets) socket.destroy()
    silent.close()
    expect(ran.code).toBe(4)
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { tag: "Interrupted" } })
  })

  it("ends a sandbox with exit 0", async () => {
    const other = await sandbox()
    expect((await other.stop()).code).toBe(0)
  })
})
