/**
 * How large the database gets by a large job, stored and sent, and what the replica holds that took it.
 *
 * A database does not shrink by itself: what a statement leaves behind is written over by later ones once VACUUM, or the
 * autovacuum that comes by itself, has been there.
 */
import { join } from "node:path"
import * as Customers from "../Customers.js"
import * as Results from "../Results.js"
import type * as Database from "./Database.js"
import * as Group from "./Group.js"
import * as PairSpeed from "./PairSpeed.js"

/** What is promised is promised of a million. */
const promised = 1_000_000

/** What is promised of the database. */
export const thresholdsOf = ({ finishedMegabytes, records, storedMegabytes }: Results.SizePart): ReadonlyArray<Results.Threshold> =>
  records < promised ? [] : [
    Results.atMost(`${records.toLocaleString("en")} records stored, MB of database`, 400, storedMegabytes),
    Results.atMost(`${records.toLocaleString("en")} records stored and sent, MB of database`, 400, finishedMegabytes)
  ]

interface Relation extends Record<string, unknown> {
  readonly name: string
  readonly bytes: string
}

const largest = (database: Database.Database): Promise<ReadonlyArray<Relation>> =>
  database.ask<Relation>(
    `SELECT relname AS name, pg_total_relation_size(oid)::TEXT AS bytes FROM pg_class
      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_total_relation_size(oid) DESC LIMIT 4`
  )

const vacuums = async (database: Database.Database): Promise<number> => {
  const [row] = await database.ask<{ count: string }>("SELECT coalesce(sum(autovacuum_count), 0)::TEXT AS count FROM pg_stat_user_tables")
  return Number(row?.count)
}

/** Measures it with so many records. */
export const run = async (records: number, say: (line: string) => void): Promise<Results.SizePart> => {
  say(`replicas, ${records} records stored`)
  return await Group.within({ replicas: 2, isCounted: false, remembers: false, settings: { MILEPOST_CONCURRENCY: String(PairSpeed.inFlightEach) } }, async ({ database, folder, group }) => {
    const file = join(folder, "customers.csv")
    await Customers.write(file, records)
    const empty = await database.megabytes()
    const before = performance.now()
    const job = await Group.upload(group, file, records)
    const uploadSeconds = (performance.now() - before) / 1000
    const storedMegabytes = await database.megabytes() - empty
    const uploadPeakMegabytes = group.first.memory().peakMegabytes
    say(`replicas, ${records} records sent`)
    const { seconds } = await Group.finished(group, database, job)
    const finishedMegabytes = await database.megabytes() - empty
    const autovacuums = await vacuums(database)
    const relations = await largest(database)
    const peaks = group.replicas.map((replica) => replica.memory().peakMegabytes)
    await database.ask("VACUUM ANALYZE")
    return {
      measuredAt: new Date().toISOString(),
      records,
      uploadSeconds,
      storedPerSecond: records / uploadSeconds,
      sentPerSecond: records / seconds,
      emptyMegabytes: empty,
      storedMegabytes,
      finishedMegabytes,
      autovacuums,
      vacuumedMegabytes: await database.megabytes() - empty,
      relations: relations.map(({ bytes, name }) => ({ name, megabytes: Number(bytes) / 1e6 })),
      uploadPeakMegabytes,
      firstPeakMegabytes: peaks[0] ?? Number.NaN,
      otherPeakMegabytes: peaks[1] ?? Number.NaN
    }
  })
}
