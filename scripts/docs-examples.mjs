/**
 * Type-checks every example of the documentation: the `ts` blocks of `@example` in the packages' doc comments, and those
 * of README.md, packages/*\/README.md and docs/. Every block must stand alone, as a reader would paste it. A block after
 * a line `<!-- no-check -->` is left out.
 *
 * The blocks become files of `build/examples`, which resolves `@milepost/*` to the sources of this workspace.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { binary, filesBelow, isSource, packages, root, shown } from "./workspace.mjs"

/** @typedef {{ readonly origin: string, readonly line: number, readonly code: string }} Example */

const fence = /^(\s*(?:\*\s?)?)```(\S*)/

/**
 * The checked blocks of a text.
 *
 * @param {string} path
 * @param {(line: string, index: number, lines: ReadonlyArray<string>) => boolean} checked whether the fence here counts
 * @returns {ReadonlyArray<Example>}
 */
const examplesOf = (path, checked) => {
  const lines = readFileSync(path, "utf8").split("\n")
  /** @type {Array<Example>} */
  const examples = []
  for (let index = 0; index < lines.length; index++) {
    const opening = fence.exec(lines[index])
    if (opening === null) continue
    const start = index + 1
    while (++index < lines.length && !lines[index].trimStart().replace(/^\*\s?/, "").startsWith("```"));
    if (index === lines.length) throw new Error(`${shown(path)}:${start}: the code block is not closed`)
    if (!/^(ts|typescript)$/.test(opening[2]) || !checked(lines[start - 1], start - 1, lines)) continue
    const margin = opening[1].length
    const code = lines.slice(start, index).map((line) => line.slice(margin)).join("\n")
    examples.push({ origin: shown(path), line: start + 1, code })
  }
  return examples
}

/** In a source, only blocks of an `@example` inside a doc comment count. @type {Parameters<typeof examplesOf>[1]} */
const inDocComment = (_, index, lines) => {
  for (let above = index - 1; above >= 0; above--) {
    if (/^\s*\*\s*@example/.test(lines[above])) return true
    if (/^\s*\*\s*@\w/.test(lines[above]) || /\/\*\*/.test(lines[above])) return false
  }
  return false
}

/** In a page, every block counts that is not told otherwise. @type {Parameters<typeof examplesOf>[1]} */
const notExcluded = (_, index, lines) => {
  const above = lines.slice(0, index).findLast((line) => line.trim() !== "")
  return above === undefined || !/<!--\s*no-check\s*-->/.test(above)
}

const all = packages()
const pages = [
  join(root, "README.md"),
  ...all.map(({ path }) => join(path, "README.md")),
  ...filesBelow(join(root, "docs"), (path) => path.endsWith(".md"))
].filter((path) => existsSync(path))
const sources = all.flatMap(({ path }) => filesBelow(join(path, "src"), isSource))

const examples = [
  ...sources.flatMap((path) => examplesOf(path, inDocComment)),
  ...pages.flatMap((path) => examplesOf(path, notExcluded))
]
if (examples.length === 0) throw new Error("there is no example at all: the search is broken")

const project = join(root, "build", "examples")
rmSync(project, { recursive: true, force: true })
mkdirSync(join(project, "src"), { recursive: true })

/** @param {string} name @param {string} target */
const link = (name, target) => {
  const path = join(project, "node_modules", name)
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, "dir")
}
for (const { manifest, name, path } of all) {
  link(name, path)
  for (const dependency of ["@types/node", ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })]) {
    if (!dependency.startsWith("@milepost/")) link(dependency, realpathSync(join(path, "node_modules", dependency)))
  }
}

writeFileSync(join(project, "package.json"), `${JSON.stringify({ private: true, type: "module" })}\n`)
writeFileSync(
  join(project, "tsconfig.json"),
  `${
    JSON.stringify({
      extends: "../../tsconfig.base.json",
      compilerOptions: {
        // An example may name a value only to show it.
        noUnusedLocals: false,
        noUnusedParameters: false,
        composite: false,
        incremental: false,
        declaration: false,
        declarationMap: false,
        sourceMap: false,
        noEmit: true,
        types: ["node"]
      },
      include: ["src"]
    })
  }\n`
)

/** @type {Map<string, Example>} */
const byFile = new Map()
for (const [index, example] of examples.entries()) {
  const file = `src/${String(index).padStart(3, "0")}-${example.origin.replaceAll(/[^A-Za-z0-9]+/g, "-")}.ts`
  writeFileSync(join(project, file), `${example.code}\n`)
  byFile.set(file, example)
}

const { status, stdout } = spawnSync(binary("tsc"), ["-p", "tsconfig.json", "--pretty", "false"], {
  cwd: project,
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024
})
if (status !== 0) {
  for (const line of stdout.trimEnd().split("\n")) {
    const at = /^(src\/[^(]+)\((\d+),(\d+)\): (.*)$/.exec(line)
    const example = at === null ? undefined : byFile.get(at[1])
    console.error(example === undefined ? line.replace(/^(\.\.\/)+/, "") : `${example.origin}:${example.line + Number(at?.[2]) - 1}: ${at?.[4]}`)
  }
  console.error(`\nAn example of the documentation does not compile (${examples.length} checked).`)
  process.exit(1)
}
console.log(`${examples.length} examples compile.`)
