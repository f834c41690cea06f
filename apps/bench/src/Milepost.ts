/** The built CLI of this repository, as the benchmarks start it: with nothing of the caller's environment or folder. */
import { fileURLToPath } from "node:url"
import type * as Usage from "./Usage.js"
import * as Work from "./Work.js"

/** The CLI's entry. */
export const bin = fileURLToPath(new URL("../../cli/dist/bin.cjs", import.meta.url))

/** An environment without settings of the person who runs the benchmark. */
export const bareEnvironment: Readonly<Record<string, string>> = { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent" }

/** The environment of a CLI that calls the benchmark's upstream. */
export const environment = (origin: string): Readonly<Record<string, string>> => ({
  ...bareEnvironment,
  MILEPOST_HOST: origin,
  MILEPOST_USERNAME: Work.till.username,
  MILEPOST_PASSWORD: Work.till.password
})

/** The arguments of a bulk run over a file of customers. */
export const bulkEnroll = (file: string, runs: string, ...flags: ReadonlyArray<string>): ReadonlyArray<string> => [
  bin, "bulk", "enroll", file, "--group", "2154", "--target", "2309", "--period", "Cycle_1",
  "--json", "--run-dir", runs, ...flags
]

/** What a bulk run prints, as far as a benchmark looks at it. */
export interface Told {
  readonly run: string
  readonly counts: { readonly enrolled: number }
  /** The file with every row and its outcome. */
  readonly results: string
}

/** What a command printed that must have enrolled every row; fails when it did not: its work was not done. */
export const told = ({ exitCode, stderr, stdout }: Usage.Ran, rows: number, what: string): Told => {
  const document = JSON.parse(stdout === "" ? "{}" : stdout) as Partial<Told>
  if (exitCode !== 0 || document.counts?.enrolled !== rows) {
    throw new Error(`${what} exited ${exitCode} and enrolled ${document.counts?.enrolled} of ${rows}:\n${stdout}${stderr}`)
  }
  return document as Told
}
