import { defineConfig } from "rolldown"

// A person waits for the start, so the entry answers --version by itself and the rest is split into chunks that are
// loaded when a command needs them. Nothing is left external: an installed CLI is its own files and no dependency.
const common = {
  platform: "node",
  resolve: { conditionNames: ["@milepost/source", "node", "import", "default"] },
  treeshake: true
}

export default defineConfig([
  {
    ...common,
    input: { start: "src/start.ts" },
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
  }
])
