/** The files of the bulk benchmarks: as many customers as wanted, all different, one a row. */
import { once } from "node:events"
import { createWriteStream } from "node:fs"
import { finished } from "node:stream/promises"
import type * as Work from "./Work.js"

/** The first line. */
export const header = "customerId,initialBalance,segment\n"

/** Ids that are all different, in an order that looks like none: a prime step through a prime number of them. */
export const customer = (row: number): number => 100_000_000 + ((row * 48_271) % 2_147_483_647)

/** Writes a CSV of so many customers. */
export const write = async (path: string, rows: number): Promise<void> => {
  const file = createWriteStream(path)
  file.write(header)
  const block = 10_000
  for (let from = 0; from < rows; from += block) {
    let lines = ""
    for (let row = from; row < Math.min(from + block, rows); row++) lines += `${customer(row)},${row % 1000},spring-${row % 7}\n`
    if (!file.write(lines)) await once(file, "drain")
  }
  file.end()
  await finished(file)
}

/** The call of a line, as somebody reads it who knows that no cell is quoted. */
export const callOf = (line: string): Work.Call => {
  const [customerId, initialBalance] = line.split(",")
  return {
    targetGroupId: 2154,
    targetId: 2309,
    customerId: Number(customerId),
    periodName: "Cycle_1",
    initialBalance: Number(initialBalance)
  }
}
