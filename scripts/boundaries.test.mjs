/**
 * Holds the arrows between packages and apps: plants a file for each in an empty tree, lints the tree with the
 * repository's own configuration, and expects every forbidden import to be refused and every allowed one to pass.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { after, before, test } from "node:test"
import { binary, root } from "./workspace.mjs"

const restrictedImports = "no-restricted-imports"

/** @type {Array<{ title: string, file: string, code: string, refusedBy: string | null }>} */
const planted = []
let title = ""
/** Begins the cases of one test. @param {string} sentence */
const rule = (sentence) => {
  title = sentence
}

/** @param {string} file @param {string} specifier */
const refused = (file, specifier) => plant(file, `import * as it from "${specifier}"\nexport { it }\n`, restrictedImports)
/** @param {string} file @param {string} specifier */
const allowed = (file, specifier) => plant(file, `import * as it from "${specifier}"\nexport { it }\n`, null)

/** @param {string} folder @param {string} code @param {string | null} refusedBy */
const plant = (folder, code, refusedBy) => {
  const name = folder.endsWith(".ts") ? folder : `${folder}/Planted${planted.length}.ts`
  planted.push({ title, file: name, code, refusedBy })
}

rule("core knows its own files and effect's subpaths, nothing else")
for (
  const specifier of [
    "node:fs", "fs", "undici", "@effect/platform/HttpClient", "@effect/platform-node/NodeRuntime", "effect",
    "@milepost/core", "@milepost/http", "@milepost/http/UndiciTransport", "@milepost/simulator/World", "@milepost/cli",
    "../../http/src/UndiciTransport.js", "../../../apps/cli/src/bin.js", "../../http/dist/index.js"
  ]
) refused("packages/core/src", specifier)
refused("packages/core/src/internal", "../../../simulator/src/World.js")
refused("packages/core/src/internal", "node:fs")
for (const specifier of ["effect/Effect", "effect/Schema", "./Enroll.js", "./internal/clean.js"]) allowed("packages/core/src", specifier)
allowed("packages/core/src/internal", "../Enroll.js")
plant("packages/core/src", `export const load = () => import("node:fs")\n`, restrictedImports)
plant("packages/core/src", `export * from "node:fs"\n`, restrictedImports)
plant("packages/core/src", `import type { Stats } from "node:fs"\nexport type It = Stats\n`, restrictedImports)
rule("core's tests know no other package")
allowed("packages/core/src/A.test.ts", "node:fs")
allowed("packages/core/src/B.test.ts", "effect")
allowed("packages/core/test/C.test.ts", "../src/Enroll.js")
refused("packages/core/src/D.test.ts", "@milepost/simulator")
refused("packages/core/test/E.test.ts", "../../http/src/UndiciTransport.js")

rule("http, ledger and simulator know core alone, and no barrel of Effect")
const leaves = ["http", "ledger", "simulator"]
for (const leaf of leaves) {
  for (const other of [...leaves.filter((name) => name !== leaf), "engine", "rows", "cli", "harness", "proxy", "bench"]) {
    refused(`packages/${leaf}/src`, `@milepost/${other}`)
    refused(`packages/${leaf}/src`, `@milepost/${other}/Anything`)
    refused(`packages/${leaf}/src/${other}.test.ts`, `@milepost/${other}`)
  }
  refused(`packages/${leaf}/src`, "@milepost/core/internal/clean")
  refused(`packages/${leaf}/src`, "../../core/src/Enroll.js")
  refused(`packages/${leaf}/src`, "effect")
  refused(`packages/${leaf}/src`, "@effect/platform")
  allowed(`packages/${leaf}/src`, "@milepost/core")
  allowed(`packages/${leaf}/src`, "@milepost/core/Enroll")
  allowed(`packages/${leaf}/src`, "effect/Effect")
  allowed(`packages/${leaf}/src`, "node:http")
  allowed(`packages/${leaf}/src/own.test.ts`, "effect")
}
rule("the portable transport knows no Node")
refused("packages/http/src/HttpClientTransport.ts", "undici")
allowed("packages/http/src/UndiciTransport.ts", "undici")

rule("rows knows core and ledger, and nothing that sends")
for (const below of ["core", "ledger", "core/Enrollment", "ledger/Ledger"]) allowed("packages/rows/src", `@milepost/${below}`)
for (const other of ["http", "simulator", "engine", "cli", "harness", "proxy", "bench"]) refused("packages/rows/src", `@milepost/${other}`)
refused("packages/rows/src", "@milepost/ledger/internal/sql")
refused("packages/rows/src", "effect")

rule("the engine knows the packages below it, and no app")
for (const below of ["core", "http", "ledger", "simulator"]) allowed("packages/engine/src", `@milepost/${below}`)
for (const other of ["rows", "cli", "harness", "proxy", "bench"]) refused("packages/engine/src", `@milepost/${other}`)
refused("packages/engine/src", "@milepost/ledger/internal/sql")

rule("an app knows every package, no other app, and nobody's insides")
for (const app of ["cli", "harness", "proxy", "bench"]) {
  for (const name of ["core", "http", "ledger", "simulator", "engine", "rows"]) allowed(`apps/${app}/src`, `@milepost/${name}`)
  for (const other of ["cli", "harness", "proxy", "bench"].filter((name) => name !== app)) {
    refused(`apps/${app}/src`, `@milepost/${other}`)
    refused(`apps/${app}/src`, `../../${other}/src/bin.js`)
  }
  refused(`apps/${app}/src`, "@milepost/core/internal/clean")
  refused(`apps/${app}/src`, "../../../packages/core/src/Enroll.js")
  refused(`apps/${app}/test/its.test.ts`, "../../../packages/core/test/Fixture.js")
  allowed(`apps/${app}/test/own.test.ts`, "../src/bin.js")
}

rule("the environment, the terminal, the clock and cycles are out of bounds")
plant("packages/http/src", `export const key = process.env["KEY"]\n`, "no-process-env")
plant("packages/http/src", `export const cwd = process.cwd()\n`, "no-restricted-globals")
plant("packages/simulator/src", `console.log("here")\n`, "no-console")
plant("apps/cli/src", `console.log("here")\n`, "no-console")
plant("apps/cli/src/bin.ts", `console.log("here")\n`, null)
plant("packages/simulator/src", `export const now = () => Date.now()\n`, "no-restricted-properties")
plant("packages/simulator/src", `export default 1\n`, "no-default-export")
plant("packages/core/src", `export const it = (value: any) => value\n`, "no-explicit-any")
plant("packages/http/src/Round.ts", `import * as Trip from "./Trip.js"\nexport const round = () => Trip.trip\n`, "no-cycle")
plant("packages/http/src/Trip.ts", `import * as Round from "./Round.js"\nexport const trip = () => Round.round\n`, "no-cycle")

const tree = mkdtempSync(join(tmpdir(), "milepost-boundaries-"))
/** @type {Map<string, Array<string>>} */
const found = new Map()

before(() => {
  copyFileSync(join(root, ".oxlintrc.json"), join(tree, ".oxlintrc.json"))
  for (const { code, file } of planted) {
    mkdirSync(dirname(join(tree, file)), { recursive: true })
    writeFileSync(join(tree, file), code)
  }
  const { status, stderr, stdout } = spawnSync(binary("oxlint"), ["--deny-warnings", "--format", "json"], {
    cwd: tree,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  })
  assert.equal(status, 1, `oxlint should refuse the planted tree: ${stderr}`)
  for (const { code, filename } of JSON.parse(stdout).diagnostics) {
    found.set(filename, [...found.get(filename) ?? [], code])
  }
})

after(() => rmSync(tree, { recursive: true, force: true }))

for (const sentence of new Set(planted.map((plant) => plant.title))) {
  test(sentence, () => {
    const wrong = planted.filter((plant) => plant.title === sentence).flatMap(({ code, file, refusedBy }) => {
      const rules = found.get(file) ?? []
      const right = refusedBy === null ? rules.length === 0 : rules.some((name) => name.includes(refusedBy))
      return right ? [] : [`${file} holds ${JSON.stringify(code)}: expected ${refusedBy ?? "nothing"}, found ${rules.join(", ") || "nothing"}`]
    })
    assert.deepEqual(wrong, [])
  })
}

test("every planted file has a place of its own", () => {
  assert.equal(new Set(planted.map(({ file }) => file)).size, planted.length)
})
