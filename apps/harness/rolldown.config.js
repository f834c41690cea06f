import { defineConfig } from "rolldown"

// One small entry that answers --version, and chunks that are loaded when a command needs them: start-up is what a
// person waits for. Only libsql stays outside, because its binary comes in a package for each platform.
export default defineConfig({
  input: { bin: "src/bin.ts" },
  platform: "node",
  external: ["libsql"],
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
