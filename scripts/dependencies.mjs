/** Every dependency of the catalog and of the root has a line in docs/dependencies.md that says why it is there. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { catalog, root } from "./workspace.mjs"

const page = readFileSync(join(root, "docs/dependencies.md"), "utf8")
const rows = page.split("\n").filter((line) => line.startsWith("|")).map((line) => line.split("|")[1])
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const names = [...new Set([catalog(), catalog("ranges"), manifest.devDependencies].flatMap((one) => Object.keys(one)))]

const missing = names.filter((name) => !rows.some((row) => row.includes(`\`${name}\``)))
const gone = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
  .filter((name) => !names.includes(name))
for (const name of missing) console.error(`docs/dependencies.md: no line for ${name}`)
for (const name of gone) console.error(`docs/dependencies.md: ${name} is not used any more`)
if (missing.length + gone.length > 0) process.exit(1)
console.log(`${names.length} dependencies have their reason.`)
