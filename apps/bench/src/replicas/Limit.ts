/**
 * One limit over three replicas, in real time, as the upstream sees it: never more within any minute, and hardly less within
 * each.
 */
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Customers from "../Customers.js"
import * as Results from "../Results.js"
import * as Database from "./Database.js"
import * as Group from "./Group.js"

const replicas = 3
const limit = 600
const leastUsed = 570
const minuteMillis = 60_000

/** The most of these moments that lie within so long a time, wherever it begins; they must be ascending. */
export const mostWithin = (moments: ReadonlyArray<number>, millis: number): number => {
  let most = 0
  for (let first = 0, last = 0; last < moments.length; last++) {
    while ((moments[last] ?? 0) - (moments[first] ?? 0) >= millis) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** How many of these moments lie in each stretch of so long, from the first of them on; one that the last moment cuts off does not count. */
export const stretches = (moments: ReadonlyArray<number>, millis: number): ReadonlyArray<number> => {
  const [begin = 0] = moments
  const whole = Math.floor(((moments.at(-1) ?? begin) - begin) / millis)
  const counts = Array.from({ length: whole }, () => 0)
  for (const moment of moments) {
    const at = Math.floor((moment - begin) / millis)
    if (at < whole) counts[at] = (counts[at] ?? 0) + 1
  }
  return counts
}

/** What is promised of the limit. */
export const thresholdsOf = ({ leastAMinute, perMinute, replicas, worstMinute }: Results.LimitPart): ReadonlyArray<Results.Threshold> => [
  Results.atMost(`${perMinute} calls/min over ${replicas} replicas, most calls within any minute`, perMinute, worstMinute),
  Results.atLeast(`${perMinute} calls/min over ${replicas} replicas, fewest calls in a whole minute`, leastUsed, leastAMinute)
]

/** What the upstream saw. */
export const partOf = (arrivals: ReadonlyArray<number>, minutes: number): Omit<Results.LimitPart, "callsOfEach" | "statementsPerSecond"> => {
  const counts = stretches(arrivals, minuteMillis)
  if (counts.length === 0) throw new Error(`${arrivals.length} calls arrived, and that was no minute`)
  return {
    measuredAt: new Date().toISOString(),
    replicas,
    perMinute: limit,
    minutes,
    calls: arrivals.length,
    worstMinute: mostWithin(arrivals, minuteMillis),
    leastAMinute: Math.min(...counts),
    meanAMinute: counts.reduce((sum, count) => sum + count, 0) / counts.length
  }
}

/** Measures it for so many minutes. */
export const run = async (minutes: number, say: (line: string) => void): Promise<Results.LimitPart> => {
  say(`replicas, a limit over three of them, ${minutes} minutes`)
  return await Group.within({ replicas, isCounted: true, remembers: true, settings: { MILEPOST_RATE: `${limit}/min` } }, async ({ database, folder, group, upstream }) => {
    const records = Math.ceil(limit * (minutes + 1))
    const file = join(folder, "customers.csv")
    await Customers.write(file, records)
    await Group.upload(group, file, records)
    const before = performance.now()
    const statements = Database.total(await database.statements())
    // A little longer, so that the last minute is a whole one.
    await sleep(minutes * minuteMillis + 2_000)
    const statementsPerSecond = (Database.total(await database.statements()) - statements) * 1000 / (performance.now() - before)
    const arrivals = await upstream.arrivals()
    const calls = await Promise.all(group.replicas.map((replica) => callsOf(replica)))
    return { ...partOf(arrivals, minutes), statementsPerSecond, callsOfEach: calls }
  })
}

/** The calls that a replica says it has made. */
export const madeIn = (metrics: string): number =>
  metrics.split("\n").filter((line) => line.startsWith("milepost_proxy_upstream_calls_total{")).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0)

const callsOf = async ({ authorization, origin }: Group.Replica): Promise<number> =>
  madeIn(await (await fetch(`${origin}/metrics`, { headers: { authorization } })).text())
