import { mergeConfig } from "vitest/config"
import workspace from "../../vitest.config.js"

// Most tests start processes, some several, and some wait out a backoff: on a busy machine each takes many times as long.
export default mergeConfig(workspace, { test: { include: ["page/**/*.test.ts", "src/**/*.test.ts", "test/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000 } })
