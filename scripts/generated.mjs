/** Generated files that are kept in the repository: written by a script, and checked by it to be up to date. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { shown } from "./workspace.mjs"

/** Whether this run only checks. */
export const checking = process.argv.includes("--check")

/**
 * Writes a generated file, or with `--check` prints how it differs from what is there and makes the process fail.
 *
 * @param {string} path
 * @param {string} text
 * @param {string} command what brings the file up to date
 */
export const keep = (path, text, command) => {
  if (!checking) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    console.log(`${shown(path)} written.`)
    return
  }
  if (existsSync(path) && readFileSync(path, "utf8") === text) {
    console.log(`${shown(path)} is up to date.`)
    return
  }
  const folder = mkdtempSync(join(tmpdir(), "milepost-generated-"))
  const expected = join(folder, "expected")
  writeFileSync(expected, text)
  const before = existsSync(path) ? path : "/dev/null"
  const { stdout } = spawnSync("diff", ["-u", "--label", shown(path), "--label", "as it should be", before, expected], {
    encoding: "utf8"
  })
  rmSync(folder, { recursive: true, force: true })
  console.error(stdout ?? "")
  console.error(`${shown(path)} is out of date: run \`${command}\` and look at the change.`)
  process.exitCode = 1
}
