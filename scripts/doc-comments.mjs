/**
 * Every module of a package begins with a doc comment that says what it is, and every export carries one of its own.
 *
 * The compiler of this repository has no JavaScript interface, so this reads lines: an export of ours begins in the first
 * column, and a doc comment ends on the line above it. Files of `src/internal` are closed to users and left out.
 */
import { readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { filesBelow, isSource, packages, shown } from "./workspace.mjs"

/** `export * as Name from …` and `export { … } from …` hand on what is documented where it stands. */
const handsOn = /^export\s+(type\s+)?[*{]/

/**
 * Whether the line above ends a doc comment.
 *
 * @param {ReadonlyArray<string>} lines
 * @param {number} index
 */
const documented = (lines, index) => {
  let above = index - 1
  if (above < 0 || !lines[above].trimEnd().endsWith("*/")) return false
  while (above >= 0 && !lines[above].trimStart().startsWith("/*")) above--
  return above >= 0 && lines[above].trimStart().startsWith("/**")
}

/**
 * The name that a line exports, for overloads: only the first signature needs the comment.
 *
 * @param {string} line
 */
const functionName = (line) => /^export\s+(?:declare\s+)?(?:async\s+)?function\*?\s+(\w+)/.exec(line)?.[1]

let exported = 0
/** @type {Array<string>} */
const missing = []
for (const { path } of packages()) {
  const isPublic = (/** @type {string} */ file) => isSource(file) && !file.includes("/internal/")
  for (const file of filesBelow(join(path, "src"), isPublic)) {
    const lines = readFileSync(file, "utf8").split("\n")
    const first = lines.findIndex((line) => line.trim() !== "")
    if (!lines[first]?.startsWith("/**")) missing.push(`${shown(file)}:1: the module does not say what it is`)
    /** @type {Set<string>} */
    const functions = new Set()
    for (const [index, line] of lines.entries()) {
      if (!line.startsWith("export ") || handsOn.test(line)) continue
      const name = functionName(line)
      if (name !== undefined && functions.has(name)) continue
      if (name !== undefined) functions.add(name)
      exported += 1
      if (!documented(lines, index)) missing.push(`${shown(file)}:${index + 1}: no doc comment: ${line.slice(0, 80)}`)
    }
    if (basename(file) === "index.ts" && lines.some((line) => line.startsWith("export {") && !line.includes(" from "))) {
      missing.push(`${shown(file)}:1: an index only hands on namespaces`)
    }
  }
}

if (exported === 0) throw new Error("there is no export at all: the search is broken")
if (missing.length > 0) {
  console.error(`${missing.join("\n")}\n\n${missing.length} doc comments are missing.`)
  process.exit(1)
}
console.log(`${exported} exports are documented.`)
