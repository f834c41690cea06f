/** What both measurements of the ledger store, and how they tell what it took. */
import * as Effect from "effect/Effect"
import process from "node:process"

export const print = (line) => process.stdout.write(`${line}\n`)

const megabytes = (bytes) => Math.round(bytes / 2 ** 20)
const memory = () => {
  const { external, heapUsed, rss } = process.memoryUsage()
  return `MB: rss ${megabytes(rss)}, heap ${megabytes(heapUsed)}, external ${megabytes(external)}`
}

/** Tells how long so many took, and how much memory the process has at the end. */
export const timed = (name, count, effect) =>
  Effect.gen(function*() {
    const start = performance.now()
    const result = yield* effect
    const seconds = (performance.now() - start) / 1000
    print(`${name.padEnd(34)} ${seconds.toFixed(2).padStart(8)} s  ${Math.round(count / seconds).toLocaleString("en").padStart(10)}/s  ${memory()}`)
    return result
  })

// Scattered like real customer numbers: 1 to 10^9 in no order, each once.
const customer = (row) => (row * 611_953) % 999_999_937 + 1

let bytesSoFar = 0

/** How many bytes of rows were made. */
export const rawBytes = () => bytesSoFar

/** A row of the input, as it is stored. */
export const row = (number) => {
  const bytes = Buffer.from(`${customer(number)},Cycle_1,100\n`)
  bytesSoFar += bytes.length
  const request = {
    _tag: "Milestone", targetGroupId: 2154, targetId: 2309, customerId: customer(number), periodName: "Cycle_1", initialBalance: 100
  }
  return { row: number, line: number + 1, bytes, problem: null, calls: [{ request }] }
}
