#!/usr/bin/env node
// The version needs nothing but itself; everything else is loaded when it is asked for.
import manifest from "../package.json" with { type: "json" }

if (process.argv.length === 3 && process.argv[2] === "--version") {
  process.stdout.write(`${manifest.version}\n`)
} else {
  const { main } = await import("./main.js")
  await main(process.argv.slice(2))
}
