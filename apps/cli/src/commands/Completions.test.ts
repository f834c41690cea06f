import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as Program from "../Program.js"
import * as Completions from "./Completions.js"

const program = Program.make(() => Promise.resolve())

/** What bash offers for a line that ends where the cursor is. */
const offered = (line: string): ReadonlyArray<string> => {
  const words = line.split(" ")
  const { stdout } = spawnSync("bash", ["--norc", "-c", `${Completions.script("bash", program)}
    COMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length - 1}; _milepost; echo "\${COMPREPLY[@]}"`])
  return stdout.toString().trim().split(" ").filter((word) => word !== "")
}

describe("Completions", () => {
  it("bash offers commands, then their flags", () => {
    assert.includeMembers([...offered("milepost ")], ["enroll", "unenroll", "bulk", "doctor"])
    assert.deepStrictEqual(offered("milepost bu"), ["bulk"])
    assert.deepStrictEqual(offered("milepost bulk en"), ["enroll"])
    assert.deepStrictEqual(offered("milepost bulk enroll f.csv --dry"), ["--dry-run"])
    assert.deepStrictEqual(offered("milepost enroll --reset"), ["--reset-streak"])
  })

  it.each(Completions.shells)("the script of %s knows every command and every flag", (shell) => {
    const script = Completions.script(shell, program)
    for (const command of [...program.commands, ...program.commands.flatMap((child) => child.commands)]) {
      assert.include(script, command.name())
      for (const option of command.options) assert.include(script, (option.long ?? "").slice(2))
    }
  })
})
