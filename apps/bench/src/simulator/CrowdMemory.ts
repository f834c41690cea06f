/** What a simulator holds in memory by how many customers are enrolled in it: a fresh process for each crowd. */
import { tmpdir } from "node:os"
import * as Milepost from "../Milepost.js"
import * as Processes from "../Processes.js"
import * as Results from "../Results.js"
import * as Usage from "../Usage.js"
import type * as Crowd from "./Crowd.js"

/** From how many customers on a crowd is what something is promised of. */
const large = 1_000_000

/** What is promised of a large crowd. */
export const thresholdsOf = (rows: ReadonlyArray<Results.CrowdRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ customers }) => customers === large).map(({ customers, peakMegabytes }) =>
    Results.atMost(`simulator with ${customers.toLocaleString("en")} enrolled customers, peak MB`, 1000, peakMegabytes))

/** The row of a crowd; fails when its process did not enrol everybody and look at some of them. */
export const rowOf = (
  { exitCode, peakMegabytes, residentMegabytes, stderr, stdout }: Usage.Ran,
  customers: number
): Results.CrowdRow => {
  const { enrolled, sampled = 0, seconds = 0 } = JSON.parse(stdout === "" ? "{}" : stdout) as Partial<Crowd.Told>
  if (exitCode !== 0 || enrolled !== customers || !(sampled > 0)) {
    throw new Error(`a crowd exited ${exitCode}, enrolled ${enrolled} of ${customers} and looked at ${sampled}:\n${stdout}${stderr}`)
  }
  return { customers, seconds, callsPerSecond: customers / seconds, peakMegabytes, residentMegabytes, sampled }
}

/** Measures crowds of so many each, smallest first. */
export const run = async (
  sizes: ReadonlyArray<number>,
  say: (line: string) => void
): Promise<ReadonlyArray<Results.CrowdRow>> => {
  const rows: Array<Results.CrowdRow> = []
  for (const customers of sizes.toSorted((left, right) => left - right)) {
    say(`simulator, ${customers} customers`)
    const args = [Processes.main, "crowd", String(customers)]
    rows.push(rowOf(await Usage.run(args, { cwd: tmpdir(), env: Milepost.bareEnvironment }), customers))
  }
  return rows
}
