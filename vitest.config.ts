import { defineConfig } from "vitest/config"

// Tests read the sources of sibling packages, so that they need no build and coverage sees the code.
export default defineConfig({
  resolve: { conditions: ["@milepost/source"] },
  ssr: { resolve: { conditions: ["@milepost/source"] } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ["default", ["junit", { outputFile: "build/tests.xml" }]]
  }
})
