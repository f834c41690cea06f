import { defineConfig } from "rolldown"

// One small entry that answers --version, and chunks that are loaded when a command needs them: start-up is what a
// person waits for. Nothing is left external, so that an installed harness is its own files and no dependency.
export default defineConfig({
  input: { bin: "src/bin.ts" },
  platform: "node",
  resolve: { conditionNames: ["@milepost/source", "node", "import", "default"] },
  treeshake: true,
  output: {
    dir: "dist",
    format: "esm",
    cleanDir: true,
    minify: true,
    sourcemap: false,
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js"
  }
})
