// npm run demo: the example campaign against an upstream inside the CLI, with the troubles of a real one.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))

const { status } = spawnSync(process.execPath, [
  at("apps/cli/dist/bin.cjs"),
  "bulk",
  "enroll",
  "examples/spring-campaign.csv",
  "--sandbox",
  "--world",
  "examples/spring-campaign.world.json",
  "--faults",
  "examples/spring-campaign.faults.json"
], { cwd: at("."), stdio: "inherit" })

// The campaign has bad rows, unknown customers and a deactivated group on purpose.
const stoppedByFuse = 3
if (status !== stoppedByFuse) {
  console.error(`The demo should end with exit code ${stoppedByFuse} (a fuse kept a group's records back), not ${status}.`)
  process.exit(1)
}
console.error(
  "\nThe CLI's own exit code was 3: one target group of this campaign is deactivated on purpose, so most of its records were not sent."
)
