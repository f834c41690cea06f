/**
 * The script that a user writes first: lines in, so many calls at a time, a line out for each; whatever makes the call.
 *
 * It survives nothing. Killed, it knows neither what was in flight nor what a half-written last line meant.
 */
import { once } from "node:events"
import { createReadStream, createWriteStream } from "node:fs"
import { createInterface } from "node:readline"
import * as Customers from "../Customers.js"
import * as Work from "../Work.js"
import type { Job, Told } from "./Job.js"

/** Does a job with a function that makes one call. */
export const run = async ({ file, results }: Job, enroll: (call: Work.Call) => Promise<Work.Ended>): Promise<Told> => {
  const lines = createInterface({ input: createReadStream(file) })[Symbol.asyncIterator]()
  await lines.next()
  const log = createWriteStream(results, { flags: "a" })
  let enrolled = 0
  const loop = async (): Promise<void> => {
    for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
      const { outcome } = await enroll(Customers.callOf(line.value))
      if (outcome === "enrolled") enrolled += 1
      log.write(`${line.value},${outcome}\n`)
    }
  }
  await Promise.all(Array.from({ length: Work.inFlight }, loop))
  log.end()
  await once(log, "close")
  return { counts: { enrolled } }
}
