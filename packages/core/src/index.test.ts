import { describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Milepost from "./index.js"

describe("the package", () => {
  it("has every module as a namespace of the same name", () => {
    const modules = Fs.readdirSync(new URL(".", import.meta.url))
      .filter((file) => /^[A-Z]\w+\.ts$/.test(file))
      .map((file) => file.slice(0, -".ts".length))
    expect(modules.length).toBeGreaterThan(20)
    expect(Object.keys(Milepost).sort()).toEqual(modules.sort())
  })
})
