/**
 * Milepost without its ledger: `Enroll.outcome` over `UndiciTransport`, and nothing that would survive the process.
 *
 * What a durable run costs is what it takes longer than this. A customer's rows stay in one queue and in order, which a
 * durable run promises as well.
 */
import { createReadStream } from "node:fs"
import { writeFile } from "node:fs/promises"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Customers from "../Customers.js"
import * as Milepost from "../contenders/Milepost.js"
import * as Work from "../Work.js"
import type { Script } from "./Job.js"

const queuesOf = async (file: string): Promise<ReadonlyArray<ReadonlyArray<Work.Call>>> => {
  const queues = Array.from({ length: Work.inFlight }, (): Array<Work.Call> => [])
  let isHeader = true
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const call = Customers.callOf(line)
    if (!isHeader) queues[call.customerId % queues.length]?.push(call)
    isHeader = false
  }
  return queues
}

/** Does a job. */
export const run: Script = async ({ file, origin, results }) => {
  const queues = await queuesOf(file)
  let enrolled = 0
  const lines: Array<string> = []
  const enroll = (call: Work.Call) =>
    Effect.map(Milepost.outcome(call), ({ outcome }) => {
      if (outcome === "enrolled") enrolled += 1
      lines.push(`${call.customerId},${outcome}\n`)
    })
  const workers = Effect.forEach(queues, (queue) => Effect.forEach(queue, enroll, { discard: true }), {
    concurrency: "unbounded",
    discard: true
  })
  await Effect.runPromise(Effect.provide(workers, Milepost.transport(origin)))
  await writeFile(results, lines)
  return { counts: { enrolled } }
}
