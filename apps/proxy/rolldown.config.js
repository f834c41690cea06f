import { readFileSync } from "node:fs"
import { defineConfig } from "rolldown"

// The entry answers --version by itself, and the rest is split into chunks that are
// loaded when a command needs them. Only libsql stays outside, because its binary comes in a package for each platform.
const common = {
  platform: "node",
  resolve: { conditionNames: ["@milepost/source", "node", "default"] },
  treeshake: true
}

/** The page's other files, beside its script. */
const still = {
  name: "still",
  buildStart() {
    for (const name of ["index.html", "page.css", "icon.svg"]) {
      this.addWatchFile(`page/${name}`)
      this.emitFile({ type: "asset", fileName: `page/${name}`, source: readFileSync(new URL(`page/${name}`, import.meta.url)) })
    }
  }
}

export default defineConfig([
  {
    ...common,
    input: { start: "src/start.ts" },
    external: ["libsql"],
    output: {
      dir: "dist",
      format: "esm",
      cleanDir: true,
      minify: true,
      entryFileNames: "[name].js",
      chunkFileNames: "chunks/[name]-[hash].js"
    }
  },
  {
    ...common,
    input: { bin: "src/bin.ts" },
    external: ["./start.js"],
    output: { dir: "dist", format: "cjs", minify: true, entryFileNames: "[name].cjs" }
  },
  {
    // The page for operators: one module.
    platform: "browser",
    treeshake: true,
    input: { main: "page/main.ts" },
    plugins: [still],
    output: { dir: "dist", format: "esm", minify: true, entryFileNames: "page/[name].js" }
  }
])
