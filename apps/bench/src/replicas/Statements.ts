/**
 * What two replicas ask of the database: for an upload, for each record that is sent, and while there is nothing to do.
 *
 * A run of its own, as counting costs the server a little.
 */
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Customers from "../Customers.js"
import * as Results from "../Results.js"
import * as Database from "./Database.js"
import * as Group from "./Group.js"
import * as PairSpeed from "./PairSpeed.js"

/** How many replicas there are. */
const replicas = 2

/** So long nothing is asked of them, to know what they ask by themselves. */
const idleMillis = 10_000

/** How many of the most frequent statements are told, and how much of each. */
const shown = 12
const shownCharacters = 100

/** What is promised of the sending. */
export const thresholdsOf = ({ sendingPerRecord }: Results.StatementsPart): ReadonlyArray<Results.Threshold> => [
  Results.atMost("two replicas of milepost-proxy, statements a record from stored to finished", 0.06, sendingPerRecord)
]

/** A statement on one line, as long as a table bears. */
export const shortened = (statement: string): string => {
  const line = statement.replaceAll(/\s+/g, " ").trim()
  return line.length > shownCharacters ? `${line.slice(0, shownCharacters - 1)}…` : line
}

/** Measures it. */
export const run = async (records: number, say: (line: string) => void): Promise<Results.StatementsPart> => {
  say("replicas, statements")
  return await Group.within({ replicas, isCounted: true, remembers: false, settings: { MILEPOST_CONCURRENCY: String(PairSpeed.inFlightEach) } }, async ({ database, folder, group }) => {
    const file = join(folder, "customers.csv")
    await Customers.write(file, records)
    const begun = await database.statements()
    await sleep(idleMillis)
    const idle = await database.statements()
    const job = await Group.upload(group, file, records)
    const stored = await database.statements()
    const { seconds } = await Group.finished(group, database, job)
    const finished = await database.statements()
    const sending = Database.since(finished, stored)
    return {
      measuredAt: new Date().toISOString(),
      replicas,
      records,
      seconds,
      idlePerReplicaSecond: Database.total(Database.since(idle, begun)) / (idleMillis / 1000) / replicas,
      uploadPerRecord: Database.total(Database.since(stored, idle)) / records,
      sendingPerRecord: Database.total(sending) / records,
      mostFrequent: sending.slice(0, shown).map((counted) => ({ ...counted, statement: shortened(counted.statement) }))
    }
  })
}
