/**
 * A Chromium to test the page in: the system's own, else the one that comes inside a registry package, so that a machine
 * with nothing but Node has one as well.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import { brotliDecompressSync } from "node:zlib"
import { type Browser, chromium } from "playwright-core"

const require = createRequire(import.meta.url)

const systems = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
]

interface Found {
  readonly path: string
  readonly environment: Readonly<Record<string, string>>
}

/** The package's browser with its libraries and a font, unpacked once for each version. */
const packed = (): Found | null => {
  if (process.platform !== "linux" || process.arch !== "x64") return null
  const bin = NodePath.resolve(require.resolve("@sparticuz/chromium"), "../../../bin")
  const { version } = JSON.parse(Fs.readFileSync(NodePath.join(bin, "../package.json"), "utf8")) as { readonly version: string }
  const folder = fileURLToPath(new URL(`../build/chromium-${version}`, import.meta.url))
  if (!Fs.existsSync(folder)) {
    // Whoever is first moves it into its place as a whole.
    const building = `${folder}-${process.pid}`
    Fs.mkdirSync(building, { recursive: true })
    const opened = (name: string) => brotliDecompressSync(Fs.readFileSync(NodePath.join(bin, name)))
    Fs.writeFileSync(NodePath.join(building, "chromium"), opened("chromium.br"), { mode: 0o755 })
    for (const name of ["al2023.tar.br", "fonts.tar.br"]) execFileSync("tar", ["-x", "-C", building], { input: opened(name) })
    Fs.writeFileSync(NodePath.join(building, "fonts.conf"), `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/cache</cachedir></fontconfig>`)
    try {
      Fs.renameSync(building, folder)
    } catch {
      Fs.rmSync(building, { recursive: true, force: true })
    }
  }
  return {
    path: NodePath.join(folder, "chromium"),
    environment: { LD_LIBRARY_PATH: NodePath.join(folder, "lib"), FONTCONFIG_FILE: NodePath.join(folder, "fonts.conf") }
  }
}

/** A browser on this machine; `null` where there is none. The packed one draws the same everywhere. */
export const find = (prefersPacked: boolean): Found | null => {
  const same = prefersPacked ? packed() : null
  if (same !== null) return same
  const path = systems.find((candidate) => Fs.existsSync(candidate))
  return path === undefined ? packed() : { path, environment: {} }
}

/** Starts it with a profile of its own, and nothing that calls home. */
export const launch = ({ environment, path }: Found): Promise<Browser> =>
  chromium.launch({
    executablePath: path,
    headless: true,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/tmp", ...environment },
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"
    ]
  })
