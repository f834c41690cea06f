/** Several replicas of `milepost-proxy` over one database, as their operator starts them: migrated, up, and with their lanes. */
import * as Port from "@milepost/testing/Port"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Milepost from "../Milepost.js"
import * as Proxies from "../proxy/Proxies.js"
import * as UploadMemory from "../proxy/UploadMemory.js"
import * as Upstream from "../Upstream.js"
import * as Database from "./Database.js"

/** What a part of the benchmark works with. */
export interface Place {
  readonly folder: string
  readonly upstream: Upstream.Running
  readonly database: Database.Database
  readonly group: Group
}

/** A replica, and the lanes that it has. */
export interface Replica extends Proxies.Proxy {
  readonly lanes: () => Promise<ReadonlyArray<number>>
}

/** Replicas that share the lanes. */
export interface Group {
  readonly replicas: ReadonlyArray<Replica>
  /** Where jobs and drop-in calls go in, if it does not matter to whom. */
  readonly first: Replica
  readonly stop: () => Promise<void>
}

/** How many lanes there are, of all of them together. */
export const lanes = 64

/** So long they may take to share the lanes: two lifetimes of a lease, if one was left by somebody. */
const sharingMillis = 40_000

const held = (database: Database.Database): Promise<ReadonlyArray<{ readonly address: string; readonly lane: number }>> =>
  database.ask<{ address: string; lane: number }>(
    `SELECT address, lane FROM lane_leases JOIN replicas ON replicas.id = owner
      WHERE lane_leases.expires > EXTRACT(EPOCH FROM clock_timestamp()) * 1000`
  )

/** Every lane has somebody, and everybody has some: no fewer than half of what is his share, as lanes are shared by hashing. */
export const isShared = (owners: ReadonlyArray<string>, replicas: number): boolean => {
  const counts = new Map<string, number>()
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return owners.length === lanes && counts.size === replicas && Math.min(...counts.values()) >= lanes / replicas / 2
}

const shared = async (database: Database.Database, replicas: number): Promise<void> => {
  const until = performance.now() + sharingMillis
  for (let times = 0, before = "";;) {
    const rows = await held(database)
    const now = JSON.stringify(rows.toSorted((left, right) => left.lane - right.lane))
    // Twice the same in two seconds: nothing moves any more.
    times = now === before ? times + 1 : 0
    before = now
    if (times >= 4 && isShared(rows.map(({ address }) => address), replicas)) return
    if (performance.now() > until) throw new Error(`${replicas} replicas did not share the lanes: ${now.slice(0, 500)}`)
    await sleep(500)
  }
}

/** Starts so many on a new database; `settings` are of Milepost's environment. */
export const start = async (
  replicas: number,
  upstream: string,
  database: Database.Database,
  settings: Readonly<Record<string, string>> = {}
): Promise<Group> => {
  const common = { MILEPOST_DATABASE_URL: database.url, MILEPOST_PROXY_CLUSTER: "bench", ...settings }
  execFileSync(process.execPath, [Proxies.bin, "migrate"], { env: { ...Milepost.environment(upstream), ...common }, stdio: ["ignore", "ignore", "inherit"] })
  const started: Array<Replica> = []
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((replica) => replica.stop()))
  }
  try {
    for (let index = 0; index < replicas; index++) {
      const port = await Port.free()
      const address = `http://127.0.0.1:${port}`
      const proxy = await Proxies.start("milepost", upstream, { ...common, MILEPOST_PROXY_PORT: String(port), MILEPOST_PROXY_ADVERTISE: address })
      started.push({
        ...proxy,
        lanes: async () => (await held(database)).filter((row) => row.address === address).map(({ lane }) => lane)
      })
    }
    await shared(database, replicas)
    const [first] = started
    if (first === undefined) throw new RangeError("a group has a replica")
    return { replicas: started, first, stop }
  } catch (error) {
    const logs = started.map((replica) => replica.logged().slice(-1000)).join("\n")
    await stop()
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${logs}`, { cause: error })
  }
}

/** A job as its run stands in the database. */
interface RunRow {
  readonly state: string
  readonly started: string | null
  readonly ended: string | null
  readonly enrolled: string
}

/** A job that is stored: when that was told, by the clock of this machine. */
export interface Stored {
  readonly id: string
  readonly rows: number
  readonly storedAtMillis: number
}

/** Uploads a file to the first; fails unless all of its rows are stored. */
export const upload = async ({ first }: Group, file: string, rows: number): Promise<Stored> => {
  const job = await UploadMemory.upload(first, file)
  const storedAtMillis = Date.now()
  if (job.rows !== rows || job.badRows !== 0 || job.duplicates !== 0) throw new Error(`${JSON.stringify(job)} is not an upload of ${rows} rows`)
  return { id: job.id, rows, storedAtMillis }
}

/** So long a job may take: a second for every hundred rows, and a minute. */
const patienceMillis = (rows: number): number => 60_000 + rows * 10

/** How a job went. */
export interface Finished {
  /** From the moment at which it was stored or, if that was earlier, begun, to the end that stands in its row. */
  readonly seconds: number
}

/** Waits until every row of a job is enrolled and its run is finished. */
export const finished = async (group: Group, database: Database.Database, { id, rows, storedAtMillis }: Stored): Promise<Finished> => {
  const until = performance.now() + patienceMillis(rows)
  for (;;) {
    const [run] = await database.ask<RunRow & Record<string, unknown>>(
      "SELECT state, started_at::TEXT AS started, ended_at::TEXT AS ended, enrolled::TEXT AS enrolled FROM runs WHERE id = $1",
      [id]
    )
    if (run?.state === "finished" && run.ended !== null) {
      if (Number(run.enrolled) !== rows) throw new Error(`${run.enrolled} of ${rows} rows were enrolled`)
      return { seconds: (Number(run.ended) - Math.min(storedAtMillis, Number(run.started ?? storedAtMillis))) / 1000 }
    }
    const dead = group.replicas.find((replica) => !replica.isAlive())
    if (run?.state === "stopped" || dead !== undefined || performance.now() > until) {
      const logs = group.replicas.map((replica) => replica.logged().slice(-1500)).join("\n---\n")
      throw new Error(`the job of ${rows} rows is ${run?.state}, ${run?.enrolled} are enrolled:\n${logs}`)
    }
    await sleep(100)
  }
}

/** Runs something with so many replicas over a database and an upstream of their own; afterwards nothing of them is left. */
export const within = async <A>(
  options: {
    readonly replicas: number
    /** Has the database count its statements. */
    readonly isCounted: boolean
    /** Has the upstream remember when calls arrived. */
    readonly remembers: boolean
    readonly settings: Readonly<Record<string, string>>
  },
  use: (place: Place) => Promise<A>
): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  const upstream = await Upstream.start(0, options.remembers)
  const server = await Database.start(options.isCounted)
  try {
    const database = await server.database()
    const group = await start(options.replicas, upstream.origin, database, options.settings)
    try {
      return await use({ database, folder, group, upstream })
    } finally {
      await group.stop()
    }
  } finally {
    await server.stop()
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
