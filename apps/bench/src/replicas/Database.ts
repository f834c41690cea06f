/**
 * The PostgreSQL of a benchmark: a real server of its own, what it computes, what it is asked, and how large it gets.
 *
 * Statements are counted by the server (`pg_stat_statements`), each execution of a prepared one, BEGIN and COMMIT as well. What
 * the benchmark itself asks carries a mark and is left out.
 */
import * as PostgresServer from "@milepost/testing/PostgresServer"
import { Client, type QueryResultRow } from "pg"
import * as Usage from "../Usage.js"

/** As somebody has it who runs a service on it; everything else as PostgreSQL comes. */
export const settings = { shared_buffers: "256MB", max_wal_size: "2GB" } as const

/** What the benchmark's own statements are known by. */
const mark = "milepost_bench"

/** How often a statement was executed, whatever its parameters were. */
export interface Counted {
  readonly statement: string
  readonly calls: number
  /** How long the server was at it, in all. */
  readonly millis: number
}

/** A database on the server. */
export interface Database {
  readonly url: string
  /** Asks something of it, on one connection, one after another. */
  readonly ask: <A extends QueryResultRow>(text: string, values?: ReadonlyArray<unknown>) => Promise<ReadonlyArray<A>>
  /** What it was asked since it was made, by everybody but the benchmark. */
  readonly statements: () => Promise<ReadonlyArray<Counted>>
  /** What it takes on the disk, without the write-ahead log, which belongs to the server. */
  readonly megabytes: () => Promise<number>
  readonly close: () => Promise<void>
}

/** A server. */
export interface Server {
  /** CPU of all its processes so far. */
  readonly cpuSeconds: () => number
  readonly database: () => Promise<Database>
  readonly stop: () => Promise<void>
}

const connect = async (url: string): Promise<Client> => {
  const client = new Client({ connectionString: url })
  // One that goes away is noticed by whoever asks next.
  client.on("error", () => undefined)
  await client.connect()
  return client
}

const open = async (url: string, countsStatements: boolean): Promise<Database> => {
  const client = await connect(url)
  // Behind the statement: a comment before it is not kept by whoever counts.
  const ask = async <A extends QueryResultRow>(text: string, values: ReadonlyArray<unknown> = []): Promise<ReadonlyArray<A>> =>
    (await client.query<A>(`${text} /* ${mark} */`, [...values])).rows
  if (countsStatements) await ask("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
  return {
    url,
    ask,
    statements: async () => {
      const rows = await ask<{ statement: string; calls: string; millis: number }>(
        `SELECT query AS statement, sum(calls)::TEXT AS calls, sum(total_exec_time) AS millis FROM pg_stat_statements
          WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%${mark}%'
          GROUP BY query ORDER BY sum(calls) DESC`
      )
      const [info] = await ask<{ dealloc: string }>("SELECT dealloc::TEXT FROM pg_stat_statements_info")
      if (info?.dealloc !== "0") throw new Error("PostgreSQL has forgotten statements that it had counted")
      return rows.map(({ calls, millis, statement }) => ({ statement, calls: Number(calls), millis }))
    },
    megabytes: async () => {
      const [row] = await ask<{ bytes: string }>("SELECT pg_database_size(current_database())::TEXT AS bytes")
      return Number(row?.bytes) / 1e6
    },
    close: () => client.end()
  }
}

/** Starts a server; it counts statements where that is wanted, which costs it a little. */
export const start = async (countsStatements = false): Promise<Server> => {
  Usage.needLinux()
  const server = await PostgresServer.start({
    ...settings,
    ...(countsStatements ? { shared_preload_libraries: "pg_stat_statements", "pg_stat_statements.max": 20_000 } : {})
  })
  const pid = server.pid()
  if (pid === null) throw new Error("the benchmark measures a PostgreSQL of its own: unset DATABASE_URL")
  const opened: Array<Database> = []
  return {
    cpuSeconds: () => Usage.familySeconds(pid),
    database: async () => {
      const database = await open(await server.database(), countsStatements)
      opened.push(database)
      return database
    },
    stop: async () => {
      await Promise.allSettled(opened.map((database) => database.close()))
      await server.close()
    }
  }
}

/** Executions in all. */
export const total = (counted: ReadonlyArray<Counted>): number => counted.reduce((sum, { calls }) => sum + calls, 0)

/** What came on top, the most frequent first. */
export const since = (now: ReadonlyArray<Counted>, before: ReadonlyArray<Counted>): ReadonlyArray<Counted> => {
  const had = new Map(before.map((counted) => [counted.statement, counted]))
  return now
    .map(({ calls, millis, statement }) => ({
      statement,
      calls: calls - (had.get(statement)?.calls ?? 0),
      millis: millis - (had.get(statement)?.millis ?? 0)
    }))
    .filter(({ calls }) => calls > 0)
    .toSorted((left, right) => right.calls - left.calls)
}
