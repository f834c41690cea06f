/** After `changeset version`: writes http's version, which goes into the user agent, into its source as well. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packages, shown } from "./workspace.mjs"

const { manifest, path } = packages().find(({ folder }) => folder === "http") ?? {}
if (path === undefined) throw new Error("there is no package http")
const file = join(path, "src/internal/version.ts")
const before = readFileSync(file, "utf8")
const after = before.replace(/version = "[^"]*"/, `version = ${JSON.stringify(manifest?.version)}`)
if (!/version = "/.test(before)) throw new Error(`${shown(file)} holds no version`)
writeFileSync(file, after)
