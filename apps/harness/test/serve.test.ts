/** The built binary as a process: what people and scripts see of it. */
import { describe, expect, it } from "@effect/vitest"
import * as World from "@milepost/simulator/World"
import * as Net from "node:net"
import { harnessBinary, patience } from "./binary.js"

const { file, harness } = harnessBinary()

describe("milepost-harness serve", { timeout: patience }, () => {
  it.each(["SIGTERM", "SIGINT"] as const)("prints where it listens and as whom, serves, and ends with 0 on %s", async (signal) => {
    const { announced, child, ended } = harness("serve", "--port", "0")
    const variables = await announced
    const host = variables.get("MILEPOST_HOST") ?? ""
    expect(host).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect([variables.get("MILEPOST_USERNAME"), variables.get("MILEPOST_PASSWORD")]).toEqual(["store.server", "server123"])
    expect((await fetch(`${host}/__sim/health`)).status).toBe(200)
    child.kill(signal)
    expect(await ended).toMatchObject({ code: 0, err: "" })
  })

  it("listens where it is told to", async () => {
    const { announced, child, ended } = harness("serve", "--host", "localhost")
    expect((await announced).get("MILEPOST_HOST")).toMatch(/^http:\/\/localhost:\d+$/)
    child.kill("SIGTERM")
    expect((await ended).code).toBe(0)
    expect(await harness("serve", "--host", "no.such.host.invalid").ended).toMatchObject({ code: 2, err: expect.stringContaining("does not resolve") })
  })

  it("takes a world, faults and a seed", async () => {
    const world = file("world.json", { ...World.conformance, $schema: "./world.schema.json" })
    const faults = file("faults.json", [{ effect: { kind: "customerBusy" } }])
    const { announced, child, ended } = harness("serve", "--world", world, "--faults", faults, "--seed", "7")
    const host = (await announced).get("MILEPOST_HOST") ?? ""
    expect(await (await fetch(`${host}/__sim/world`)).json()).toMatchObject({ clock: "2026-03-15T09:00:00Z" })
    expect(await (await fetch(`${host}/__sim/faults`)).json()).toMatchObject({ faults: [{ id: 1 }] })
    child.kill("SIGTERM")
    expect((await ended).code).toBe(0)
  })

  it("says one line for every mistake of a world, and ends with 2", async () => {
    const world = file("wrong.json", { ...World.conformance, clock: "soon", orgs: [{ id: 0 }] })
    const { code, err, out } = await harness("serve", "--world", world).ended
    expect({ code, out }).toEqual({ code: 2, out: "" })
    const lines = err.split("\n").map((line) => line.replace(/:1:\d+:/, ":1:COLUMN:"))
    expect(lines).toEqual([
      `${world}:1:COLUMN: clock: must be a date such as 2026-01-31, or an instant such as 2026-01-31T23:59:59Z`,
      `${world}:1:COLUMN: orgs[0].id: must be a whole number from 1 to 2^53-1`,
      ""
    ])
  })

  it("refuses files that are not there or not JSON, unknown options, and a port that is taken", async () => {
    expect(await harness("serve", "--world", "nowhere.json").ended).toMatchObject({ code: 2, err: "nowhere.json: cannot be read\n" })
    const text = file("text.json", "hello")
    expect(await harness("serve", "--faults", text).ended).toMatchObject({ code: 2, err: expect.stringContaining("is not JSON") })
    expect(await harness("serve", "--prot", "1").ended).toMatchObject({ code: 2, out: "" })
    expect(await harness("serve", "--port", "70000").ended).toMatchObject({ code: 2, err: expect.stringContaining("0 to 65535") })
    const taken = Net.createServer()
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve))
    const address = taken.address()
    const port = typeof address === "object" && address !== null ? String(address.port) : ""
    expect(await harness("serve", "--port", port).ended).toMatchObject({ code: 2, err: expect.stringContaining("something else listens there") })
    taken.close()
  })

  it("tells its version", async () => {
    expect(await harness("--version").ended).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })
})
