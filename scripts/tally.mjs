/** Adds up the tests of a whole check, from the JUnit files that every runner leaves in its `build/tests.xml`. */
import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { root } from "./workspace.mjs"

const members = ["packages", "apps"].flatMap((kind) => readdirSync(join(root, kind)).map((name) => join(root, kind, name)))
const reports = [root, ...members].map((path) => join(path, "build/tests.xml")).filter((path) => existsSync(path))
const text = reports.map((path) => readFileSync(path, "utf8")).join("\n")

/** @param {RegExp} tag */
const count = (tag) => [...text.matchAll(tag)].length

const failed = count(/<failure[\s>]/g)
const skipped = count(/<skipped[\s/>]/g)
const passed = count(/<testcase\s/g) - failed - skipped
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`)
if (failed > 0 || passed === 0) process.exit(1)
