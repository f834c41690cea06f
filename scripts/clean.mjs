/** Removes everything that a build makes, so that nothing of an older one is left: `dist`, `build`, and turbo's cache. */
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { root } from "./workspace.mjs"

const members = ["packages", "apps"].flatMap((kind) => readdirSync(join(root, kind)).map((name) => join(root, kind, name)))
for (const path of [root, ...members]) {
  for (const made of ["dist", "build", ".turbo"]) {
    if (existsSync(join(path, made))) rmSync(join(path, made), { recursive: true, force: true })
  }
}
