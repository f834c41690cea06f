/**
 * Two replicas beside two plain workers over the same database server, the same records and the same upstream: from stored to
 * the last outcome.
 *
 * Everybody is fresh in each round and has sent a quarter as many records before.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Customers from "../Customers.js"
import * as Processes from "../Processes.js"
import * as Results from "../Results.js"
import * as Rounds from "../Rounds.js"
import * as Upstream from "../Upstream.js"
import * as Work from "../Work.js"
import * as Database from "./Database.js"
import * as Group from "./Group.js"
import * as Workers from "./Workers.js"

/** Records that plain workers take at a time: the quickest of these is what we are held against. */
const batches = [100, 500, 2000] as const

/** Who sends. */
export const names = ["milepost", "plain-100", "plain-500", "plain-2000"] as const

/** The name of a pair. */
export type Name = (typeof names)[number]

const batchOf = (name: Name): number => batches.find((batch) => name === `plain-${batch}`) ?? 0

const titles: Readonly<Record<Name, string>> = {
  milepost: "two replicas of milepost-proxy",
  "plain-100": "two plain workers, 100 at a time",
  "plain-500": "two plain workers, 500 at a time",
  "plain-2000": "two plain workers, 2,000 at a time"
}

/** Calls at once of each process; both together have as many as everybody else here. */
export const inFlightEach = Work.inFlight / 2

/** How a pair did in one round. */
export interface Turn {
  readonly records: number
  readonly seconds: number
  /** CPU of the two processes. */
  readonly pairSeconds: readonly [number, number]
  readonly postgresSeconds: number
  readonly upstreamSeconds: number
}

const speed = ({ records, seconds }: Turn): number => records / seconds

/** The plain pair that was quickest by its median. */
export const quickest = (measured: ReadonlyMap<Name, ReadonlyArray<Turn>>): Name => {
  const middle = (name: Name): number => Rounds.median((measured.get(name) ?? []).map(speed))
  return names.slice(1).reduce((best, name) => middle(name) > middle(best) ? name : best, "plain-100")
}

/** The rows of the table. */
export const rowsOf = (measured: ReadonlyMap<Name, ReadonlyArray<Turn>>): ReadonlyArray<Results.PairRow> => {
  const series = (name: Name, of: (turn: Turn) => number): ReadonlyArray<number> => (measured.get(name) ?? []).map(of)
  const best = quickest(measured)
  return names.map((name) => {
    const perRecord = (of: (turn: Turn) => number): Rounds.Summary => Rounds.summary(series(name, (turn) => of(turn) * 1e6 / turn.records))
    const busy = (of: (turn: Turn) => number): Rounds.Summary => Rounds.summary(series(name, (turn) => of(turn) / turn.seconds))
    return {
      name,
      title: titles[name],
      recordsPerSecond: Rounds.summary(series(name, speed)),
      speedToPlain: Rounds.ratios(series(name, speed), series(best, speed)),
      pairMicrosPerRecord: perRecord(({ pairSeconds: [one, other] }) => one + other),
      postgresMicrosPerRecord: perRecord(({ postgresSeconds }) => postgresSeconds),
      oneBusy: busy(({ pairSeconds: [one] }) => one),
      otherBusy: busy(({ pairSeconds: [, other] }) => other),
      postgresBusy: busy(({ postgresSeconds }) => postgresSeconds),
      upstreamBusy: busy(({ upstreamSeconds }) => upstreamSeconds)
    }
  })
}

/** What two replicas promise. */
export const thresholdsOf = (rows: ReadonlyArray<Results.PairRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ name }) => name === "milepost").map(({ speedToPlain, title }) =>
    Results.atLeast(`${title}, records/s beside the quickest two plain workers`, 0.6, speedToPlain.median))

const ours = async (records: number, server: Database.Server, upstream: Upstream.Running, folder: string): Promise<Turn> => {
  const database = await server.database()
  const group = await Group.start(2, upstream.origin, database, { MILEPOST_CONCURRENCY: String(inFlightEach) })
  try {
    const send = async (rows: number): Promise<Turn> => {
      const file = join(folder, "customers.csv")
      await Customers.write(file, rows)
      const stored = await Group.upload(group, file, rows)
      const before = group.replicas.map((replica) => replica.cpuSeconds())
      const postgresBefore = server.cpuSeconds()
      const upstreamBefore = await upstream.cpuSeconds()
      const { seconds } = await Group.finished(group, database, stored)
      const [one = Number.NaN, other = Number.NaN] = group.replicas.map((replica, at) => replica.cpuSeconds() - (before[at] ?? 0))
      return {
        records: rows,
        seconds,
        pairSeconds: [one, other],
        postgresSeconds: server.cpuSeconds() - postgresBefore,
        upstreamSeconds: await upstream.cpuSeconds() - upstreamBefore
      }
    }
    await send(records / 4)
    return await send(records)
  } finally {
    await group.stop()
  }
}

const theirs = async (records: number, batch: number, server: Database.Server, upstream: Upstream.Running): Promise<Turn> => {
  const database = await server.database()
  const pair = [0, 1].map(() => Processes.start("worker", database.url, upstream.origin))
  try {
    for (const worker of pair) await worker.next()
    const send = async (table: string, rows: number): Promise<Turn> => {
      await Workers.fill(database, table, rows)
      const order: Workers.Order = { table, batch, inFlight: inFlightEach }
      const postgresBefore = server.cpuSeconds()
      const upstreamBefore = await upstream.cpuSeconds()
      const before = performance.now()
      for (const worker of pair) worker.send(JSON.stringify(order))
      const told = await Promise.all(pair.map((worker) => worker.next<Workers.Told>()))
      const seconds = (performance.now() - before) / 1000
      const postgresSeconds = server.cpuSeconds() - postgresBefore
      const enrolled = await Workers.enrolled(database, table)
      if (enrolled !== rows) throw new Error(`two plain workers enrolled ${enrolled} of ${rows} records`)
      const [one = Number.NaN, other = Number.NaN] = told.map(({ cpuSeconds }) => cpuSeconds)
      return {
        records: rows,
        seconds,
        pairSeconds: [one, other],
        postgresSeconds,
        upstreamSeconds: await upstream.cpuSeconds() - upstreamBefore
      }
    }
    await send("warm", records / 4)
    return await send("records", records)
  } finally {
    await Promise.all(pair.map((worker) => worker.stop()))
  }
}

/** Measures it. */
export const run = async (records: number, rounds: number, say: (line: string) => void): Promise<Results.PairPart> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  const upstream = await Upstream.start()
  const server = await Database.start()
  try {
    const measured = await Rounds.interleaved(names, rounds, (name, round) => {
      say(`replicas, two of them: round ${round + 1} of ${rounds}, ${titles[name]}`)
      return name === "milepost" ? ours(records, server, upstream, folder) : theirs(records, batchOf(name), server, upstream)
    })
    return { measuredAt: new Date().toISOString(), records, rounds, inFlightEach, rows: rowsOf(measured) }
  } finally {
    await server.stop()
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
