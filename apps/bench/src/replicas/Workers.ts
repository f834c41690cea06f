/**
 * What somebody writes instead: a table of records and processes that take some of them at a time, `FOR UPDATE SKIP LOCKED`.
 *
 * Each takes a batch in a transaction, makes its calls, and writes all outcomes in one statement. That is the whole of it: no
 * customer's order, no limit, nothing tried again, and what a process that dies has taken stays taken.
 */
import { Client } from "pg"
import * as Customers from "../Customers.js"
import * as Processes from "../Processes.js"
import * as UndiciPool from "../contenders/UndiciPool.js"
import * as Work from "../Work.js"
import type * as Database from "./Database.js"

/** What a worker tells when nothing is left to take. */
export interface Told {
  readonly enrolled: number
  readonly cpuSeconds: number
}

/** What a worker is told to do. */
export interface Order {
  readonly table: string
  /** Records that are taken at a time. */
  readonly batch: number
  /** Calls at once. */
  readonly inFlight: number
}

/** Makes a table of so many records, all of them pending. */
export const fill = async (database: Database.Database, table: string, records: number): Promise<void> => {
  await database.ask(`CREATE TABLE ${table} (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id BIGINT NOT NULL,
    initial_balance BIGINT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    outcome TEXT,
    claimed_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ
  )`)
  const block = 10_000
  for (let from = 0; from < records; from += block) {
    const rows = Array.from({ length: Math.min(block, records - from) }, (_, at) => from + at)
    await database.ask(
      `INSERT INTO ${table} (customer_id, initial_balance) SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[])`,
      [rows.map(Customers.customer), rows.map((row) => row % 1000)]
    )
  }
  await database.ask(`CREATE INDEX ${table}_pending ON ${table} (id) WHERE state = 'pending'`)
  await database.ask(`ANALYZE ${table}`)
}

/** How many records of a table have been enrolled. */
export const enrolled = async (database: Database.Database, table: string): Promise<number> => {
  const [row] = await database.ask<{ count: string }>(`SELECT count(*)::TEXT AS count FROM ${table} WHERE state = 'done' AND outcome = 'enrolled'`)
  return Number(row?.count)
}

interface Taken {
  readonly id: string
  readonly customer_id: string
  readonly initial_balance: string
}

const take = async (client: Client, { batch, table }: Order): Promise<ReadonlyArray<Taken>> => {
  await client.query("BEGIN")
  const { rows } = await client.query<Taken>({
    name: `take-${table}`,
    text: `SELECT id, customer_id, initial_balance FROM ${table} WHERE state = 'pending' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`,
    values: [batch]
  })
  await client.query({
    name: `claim-${table}`,
    text: `UPDATE ${table} SET state = 'claimed', claimed_at = now() WHERE id = ANY($1::BIGINT[])`,
    values: [rows.map(({ id }) => id)]
  })
  await client.query("COMMIT")
  return rows
}

/** Works until nothing is pending. */
export const work = async (client: Client, enroll: (call: Work.Call) => Promise<Work.Ended>, order: Order): Promise<number> => {
  let all = 0
  for (let taken = await take(client, order); taken.length > 0; taken = await take(client, order)) {
    const ids: Array<string> = []
    const outcomes: Array<string> = []
    let next = 0
    const loop = async (): Promise<void> => {
      for (let one = taken[next++]; one !== undefined; one = taken[next++]) {
        const { outcome } = await enroll({
          targetGroupId: Work.targetGroupId,
          targetId: Work.targetId,
          customerId: Number(one.customer_id),
          periodName: "Cycle_1",
          initialBalance: Number(one.initial_balance)
        })
        ids.push(one.id)
        outcomes.push(outcome)
      }
    }
    await Promise.all(Array.from({ length: order.inFlight }, loop))
    await client.query({
      name: `settle-${order.table}`,
      text: `UPDATE ${order.table} SET state = 'done', outcome = told.outcome, ended_at = now()
        FROM unnest($1::BIGINT[], $2::TEXT[]) AS told (id, outcome) WHERE ${order.table}.id = told.id`,
      values: [ids, outcomes]
    })
    all += outcomes.filter((outcome) => outcome === "enrolled").length
  }
  return all
}

/** The process: `worker <database> <origin of the upstream>`; each message is an order. */
export const main = async ([url, origin]: ReadonlyArray<string>): Promise<void> => {
  if (url === undefined || origin === undefined) throw new Error("a worker is not told where to work")
  const client = new Client({ connectionString: url })
  await client.connect()
  const pool = UndiciPool.pool(origin)
  const enroll = UndiciPool.enroll(pool)
  const obey = async (order: Order): Promise<void> => {
    const before = Processes.cpuSeconds()
    const enrolled = await work(client, enroll, order)
    const told: Told = { enrolled, cpuSeconds: Processes.cpuSeconds() - before }
    Processes.tellParent(told)
  }
  process.on("message", (message) => void obey(JSON.parse(String(message)) as Order))
  process.on("disconnect", () => void Promise.all([client.end(), pool.close()]).then(() => process.exit()))
  Processes.tellParent({ ready: true })
}
