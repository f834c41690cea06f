/** The upstream's contract, held to the proxy by the harness as a process. */
import { describe, expect, it } from "@effect/vitest"
import { execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import { start } from "./running.js"

interface Report {
  readonly green: boolean
  readonly counts: { readonly passed: number; readonly failed: number }
  readonly cases: ReadonlyArray<{ readonly outcome: string }>
}

describe("milepost-harness conform --against proxy", () => {
  it("is green, but for what a proxy answers by itself", async () => {
    const folder = Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-conform-"))
    try {
      const harness = fileURLToPath(new URL("../../harness", import.meta.url))
      execFileSync(NodePath.join(harness, "node_modules/.bin/rolldown"), ["--config", "rolldown.config.js", "--dir", folder], { cwd: harness, stdio: "pipe" })
      Fs.writeFileSync(NodePath.join(folder, "package.json"), `{"type":"module"}`)
      const proxy = await start()
      const { secret } = await proxy.key()
      const args = ["conform", "--base-url", proxy.url, "--against", "proxy", "--control", proxy.simulatorUrl, "--json"]
      const out = await new Promise<string>((resolve) => {
        const child = spawn(process.execPath, [NodePath.join(folder, "bin.js"), ...args], {
          env: { PATH: process.env["PATH"] ?? "", MILEPOST_API_KEY: secret }
        })
        let text = ""
        child.stdout.on("data", (chunk) => (text += String(chunk)))
        child.on("close", () => resolve(text))
      })
      const report = JSON.parse(out) as Report
      expect(report.cases.filter(({ outcome }) => outcome === "failed")).toEqual([])
      expect(report).toMatchObject({ green: true, counts: { failed: 0 } })
      expect(report.counts.passed).toBeGreaterThan(25)
    } finally {
      Fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})
