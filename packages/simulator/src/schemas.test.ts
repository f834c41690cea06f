/** The JSON Schemas that come with the package are those of the code; `pnpm exec vitest run -u` writes them. */
import { describe, expect, it } from "@effect/vitest"
import * as Faults from "./Faults.js"
import * as World from "./World.js"

const files = { world: World.jsonSchema, faults: Faults.jsonSchema }

describe("the published JSON Schemas", () => {
  for (const [name, schema] of Object.entries(files)) {
    it(`${name}.schema.json is up to date`, async () => {
      await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(`../${name}.schema.json`)
    })
  }
})
