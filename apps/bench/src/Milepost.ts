/** The built CLI of this repository, as the benchmarks start it: with nothing of the caller's environment or folder. */
import { fileURLToPath } from "node:url"
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
