import { mergeConfig } from "vitest/config"
import workspace from "../../vitest.config.js"

// Pure modules and no state between tests: one module graph for all files makes the run several times as fast.
export default mergeConfig(workspace, { test: { isolate: false } })
