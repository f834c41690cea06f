/** `milepost-harness world` as a process: what it writes is good, what is wrong is named by its place. */
import { describe, expect, it } from "@effect/vitest"
import * as World from "@milepost/simulator/World"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import { harnessBinary, patience } from "./binary.js"

const { file, folder, harness } = harnessBinary()

describe("milepost-harness world", { timeout: patience }, () => {
  it("writes a world that is good, serves it, and writes over none", async () => {
    expect(await harness("world", "init", "mine.json").ended).toMatchObject({ code: 0, err: "" })
    expect(await harness("world", "validate", "mine.json").ended).toEqual({
      code: 0,
      out: "mine.json: is a good world: 2 orgs, 3 credentials, 2 target groups, 8001 customers\n",
      err: ""
    })
    const { announced, child, ended } = harness("serve", "--world", "mine.json")
    const host = (await announced).get("MILEPOST_HOST") ?? ""
    expect(await (await fetch(`${host}/__sim/world`)).json()).toMatchObject({ clock: "2026-01-15T09:00:00Z" })
    child.kill("SIGTERM")
    expect((await ended).code).toBe(0)

    const mine = NodePath.join(folder, "mine.json")
    Fs.writeFileSync(mine, "of somebody else")
    expect(await harness("world", "init", "mine.json").ended).toEqual({
      code: 2,
      out: "",
      err: "mine.json: is there already; --force writes over it\n"
    })
    expect(Fs.readFileSync(mine, "utf8")).toBe("of somebody else")
    expect(await harness("world", "init", "mine.json", "--force").ended).toMatchObject({ code: 0 })
    expect(await harness("world", "init", "no/such/folder.json").ended).toMatchObject({ code: 2 })
  })

  it("says what every key of a world means", async () => {
    await harness("world", "init", "every.json", "--force").ended
    const text = Fs.readFileSync(NodePath.join(folder, "every.json"), "utf8")
    for (const schema of [World.World, World.Org, World.BasicCredential, World.OAuthCredential, World.TargetGroup, World.Target]) {
      for (const key of Object.keys(schema.fields)) expect(text).toContain(JSON.stringify(key))
    }
    for (const schema of [World.Period, World.StreakLevel, World.RateLimit, World.Customers, World.PriorEnrollment, World.Range]) {
      for (const key of Object.keys(schema.fields)) expect(text).toContain(JSON.stringify(key))
    }
  })

  it("names line, column and path of every mistake", async () => {
    const wrong = `{
  // a comment
  "orgs": [{ "id": 100 }, { "id": 0 }],
  "credentials": [],
  "targetGroups": [],
  "customers": [{ "orgid": 100 }],
}`
    const path = file("wrong.json", wrong)
    expect(await harness("world", "validate", path).ended).toEqual({
      code: 2,
      out: "",
      err: `${path}:3:35: orgs[1].id: must be a whole number from 1 to 2^53-1\n` +
        `${path}:6:28: customers[0].orgid: is not a known key\n` +
        `${path}:6:17: customers[0].orgId: is missing\n`
    })
    const { code, out } = await harness("world", "validate", path, "--json").ended
    expect(code).toBe(2)
    expect(JSON.parse(out)).toMatchObject({
      valid: false,
      mistakes: [{ path: "orgs[1].id", line: 3, column: 35 }, { line: 6 }, { path: "customers[0].orgId", line: 6 }]
    })
  })

  it("names the place where a file is no JSON, and a key that is there twice", async () => {
    const cut = file("cut.json", `{\n  "orgs": [\n`)
    expect(await harness("world", "validate", cut).ended).toMatchObject({ code: 2, err: expect.stringMatching(/cut\.json:3:1: is not JSON: /) })
    const twice = file("twice.json", `{\n  "orgs": [],\n  "orgs": []\n}`)
    expect(await harness("world", "validate", twice).ended).toMatchObject({ code: 2, err: `${twice}:3:3: orgs: is there twice\n` })
    expect(await harness("world", "validate", "nowhere.json").ended).toMatchObject({ code: 2, err: "nowhere.json: cannot be read\n" })
  })

  it("prints the JSON Schemas", async () => {
    expect(JSON.parse((await harness("world", "schema").ended).out)).toEqual(World.jsonSchema)
    expect((await harness("world", "schema", "--faults").ended).out).toContain("retryAfterSeconds")
  })
})
