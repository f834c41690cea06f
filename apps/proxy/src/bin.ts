#!/usr/bin/env node
// The version needs nothing but itself; everything else is loaded when it is asked for.
import manifest from "../package.json" with { type: "json" }
import { writeSync } from "node:fs"

if (process.argv.length === 3 && (process.argv[2] === "--version" || process.argv[2] === "-V")) {
  writeSync(1, `${manifest.version}\n`)
} else {
  void import("./start.js").then(({ start }) => start(process.argv.slice(2)))
}
