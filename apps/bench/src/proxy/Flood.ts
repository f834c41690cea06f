/**
 * Calls that come when they come, whoever has answered so far: so many a second, in a process of its own.
 *
 * Callers in loops wait for their answers and so never ask for more than there is; a crowd does.
 */
import { Pool } from "undici"
import * as Processes from "../Processes.js"
import * as Work from "../Work.js"
import * as Load from "./Load.js"

/** How calls are made: so many a second, for so long. */
export interface Order {
  readonly callsPerSecond: number
  readonly millis: number
}

/** What became of them. */
export interface Told {
  readonly calls: number
  readonly seconds: number
  readonly accepted: number
  /** Answered 429 or 503, with `Retry-After`. */
  readonly refused: number
  /** Anything else: another answer, or none. */
  readonly other: number
  /** The first of the others. */
  readonly firstOther: string | null
  readonly acceptedLatencies: Load.Latencies
  readonly refusedLatencies: Load.Latencies
}

/** Calls are begun together so often. */
const beatMillis = 5

const latenciesOf = (took: ReadonlyArray<number>): Load.Latencies =>
  ({ p50Millis: Load.quantile(took, 0.5), p99Millis: Load.quantile(took, 0.99) })

/** Whether an answer says *not now*, and when to come again. */
export const isRefusal = (status: number, retryAfter: unknown): boolean =>
  (status === 429 || status === 503) && typeof retryAfter === "string" && Number(retryAfter) >= 1

/** Makes the calls, and waits for what becomes of each. */
export const flood = async (pool: Pool, authorization: string, { callsPerSecond, millis }: Order): Promise<Told> => {
  const headers = { ...Work.headers, Authorization: authorization }
  const accepted: Array<number> = []
  const refused: Array<number> = []
  let other = 0
  let firstOther: string | null = null
  const strange = (what: string): void => {
    other += 1
    firstOther ??= what
  }
  const run = Work.forMillis(millis)
  const one = async (): Promise<void> => {
    const call = run.next()
    const begun = performance.now()
    try {
      const answer = await pool.request({ method: "POST", path: Work.path(call), headers, body: Work.body(call) })
      const text = await answer.body.text()
      const took = performance.now() - begun
      if (Work.ended(call, answer.statusCode, JSON.parse(text)).outcome === "enrolled") accepted.push(took)
      else if (isRefusal(answer.statusCode, answer.headers["retry-after"])) refused.push(took)
      else strange(`${answer.statusCode} ${text.slice(0, 200)}`)
    } catch (error) {
      strange(String(error))
    }
  }
  const before = performance.now()
  const open = new Set<Promise<void>>()
  let calls = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.floor((performance.now() - before) * callsPerSecond / 1000)
      for (; calls < due && !run.isOver(); calls++) {
        const made = one()
        open.add(made)
        void made.then(() => open.delete(made))
      }
      if (!run.isOver()) return
      clearInterval(timer)
      resolve()
    }, beatMillis)
  })
  const seconds = (performance.now() - before) / 1000
  await Promise.all(open)
  return {
    calls,
    seconds,
    accepted: accepted.length,
    refused: refused.length,
    other,
    firstOther,
    acceptedLatencies: latenciesOf(accepted),
    refusedLatencies: latenciesOf(refused)
  }
}

/** The process: `proxy-flood <origin> <authorization>`; each message is an order. */
export const main = async ([origin, authorization]: ReadonlyArray<string>): Promise<void> => {
  if (origin === undefined || authorization === undefined) throw new Error("the flood is not told whom to call")
  const pool = new Pool(origin, { connections: 1024 })
  process.on("message", (order) => void flood(pool, authorization, JSON.parse(String(order)) as Order).then(Processes.tellParent))
  process.on("disconnect", () => void pool.close().then(() => process.exit()))
  Processes.tellParent({ ready: true })
}
