/**
 * How long large jobs take under an upstream's limit, and what that needs: by simulated runs of the engine, scaled up.
 *
 * Simulated is how much of a limit is used, in virtual time, of a limit that is known, unknown, or taken for twice as high, with every
 * 429 and every pause; scaled from there is the time. What the database needs is scaled from what the section `replicas` has
 * measured on this machine.
 */
import { availableParallelism } from "node:os"
import * as Processes from "./Processes.js"
import * as Simulated from "./capacity/Simulated.js"
import * as Results from "./Results.js"

/** Calls a minute; `null` for an upstream that answers at once and has no limit. */
export const limits = [60, 600, 6_000, 60_000, null] as const

/** Records of a job. */
export const sizes = [1_000_000, 10_000_000, 100_000_000] as const

/** So many minutes a simulated run lasts at least, so that a limit that counts by the minute shows. */
const leastMinutes = 3

/** There are never fewer, so that one may go. */
const leastReplicas = 2

/** A replica is not to be planned for all that it can. */
const headroom = 1.25

/** Statements for a block of turns, and blocks a second that a replica takes at most (`SharedPace`). */
const statementsPerBlock = 2
const blocksPerSecond = 2.5

/** How many records a simulated run has. */
export const sampleOf = (perMinute: number, records: number): number => Math.max(records, perMinute * leastMinutes)

/** What the section `replicas` has measured; `null` for what it has not. */
export const measuredBy = (section: Results.ReplicasSection | undefined): Results.CapacitySection["from"] => {
  const { pair, size, statements } = section ?? {}
  return {
    recordsPerSecond: pair?.rows.find(({ name }) => name === "milepost")?.recordsPerSecond.median ?? null,
    bytesPerRecord: size === undefined ? null : size.finishedMegabytes * 1e6 / size.records,
    statementsPerRecord: statements?.sendingPerRecord ?? null,
    idlePerReplicaSecond: statements?.idlePerReplicaSecond ?? null
  }
}

const map = <A, B>(value: A | null, of: (value: A) => B): B | null => value === null ? null : of(value)

/** What is used of a limit, by the lower of the two figures: a sample may begin with what had piled up of it. */
const usedOf = ({ simulated }: Results.CapacityLimit, told: Simulated.Told): number | null => {
  const found = simulated.find((one) => one.told === told)
  return found === undefined ? null : Math.min(1, found.share, found.laterShare)
}

/** Replicas for a rate: two at least, and no more than it takes. */
const replicasFor = (perMinute: number | null, recordsPerSecond: number | null): number | null =>
  perMinute === null
    ? leastReplicas
    : map(recordsPerSecond, (pair) => Math.max(leastReplicas, Math.ceil(perMinute / 60 * headroom / (pair / 2))))

const statementsAt = (limit: Results.CapacityLimit, from: Results.CapacitySection["from"], replicas: number | null): number | null => {
  const { idlePerReplicaSecond, recordsPerSecond, statementsPerRecord } = from
  if (limit.perMinute === null) return recordsPerSecond === null || statementsPerRecord === null ? null : recordsPerSecond * statementsPerRecord
  const engine = limit.simulated.find(({ told }) => told === "limit")?.statementsPerRecord
  if (engine === undefined || idlePerReplicaSecond === null || replicas === null) return null
  const rate = limit.perMinute / 60
  return rate * engine + statementsPerBlock * Math.min(rate, blocksPerSecond * replicas) + idlePerReplicaSecond * replicas
}

/** The rows of the table. */
export const rowsOf = (
  limits: ReadonlyArray<Results.CapacityLimit>,
  from: Results.CapacitySection["from"]
): ReadonlyArray<Results.CapacityRow> =>
  limits.flatMap((limit) => {
    const { perMinute } = limit
    const hours = (records: number, told: Simulated.Told): number | null =>
      perMinute === null
        ? map(from.recordsPerSecond, (speed) => records / speed / 3600)
        : map(usedOf(limit, told), (used) => records / (perMinute * used) / 60)
    const replicas = replicasFor(perMinute, from.recordsPerSecond)
    return sizes.map((records): Results.CapacityRow => ({
      perMinute,
      records,
      hours: hours(records, "limit"),
      hoursToldTwice: perMinute === null ? null : hours(records, "twice"),
      databaseGigabytes: map(from.bytesPerRecord, (bytes) => records * bytes / 1e9),
      statementsPerSecond: statementsAt(limit, from, replicas),
      replicas
    }))
  })

const simulate = async (perMinute: number, told: Simulated.Told, records: number): Promise<Results.UsedShare> => {
  const child = Processes.start("simulated", String(perMinute), told, String(records))
  const used = await child.next<Results.UsedShare>()
  await child.stop()
  return used
}

/** Simulates runs of at least so many records, and scales them up. */
export const run = async (
  records: number,
  replicas: Results.ReplicasSection | undefined,
  say: (line: string) => void
): Promise<Results.CapacitySection> => {
  const known = limits.filter((limit) => limit !== null)
  const wanted = known.flatMap((perMinute) => Simulated.told.map((told) => ({ perMinute, told })))
  const found = new Map<string, Results.UsedShare>()
  // The largest first, so that the last ones to end are short.
  const queue = wanted.toReversed()
  const loop = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      say(`capacity, ${one.perMinute} calls/min, told ${one.told}`)
      found.set(`${one.perMinute} ${one.told}`, await simulate(one.perMinute, one.told, sampleOf(one.perMinute, records)))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, loop))
  const simulated = limits.map((perMinute): Results.CapacityLimit => ({
    perMinute,
    simulated: Simulated.told.flatMap((told) => found.get(`${perMinute} ${told}`) ?? [])
  }))
  const from = measuredBy(replicas)
  return {
    ...Results.section(),
    limits: simulated,
    rows: rowsOf(simulated, from),
    from,
    thresholds: []
  }
}
