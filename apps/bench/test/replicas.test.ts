/** Those whom replicas are held against, over a real PostgreSQL: that they do the work, and that they notice a wrong answer. */
import { Client, Pool as Sessions } from "pg"
import { Pool } from "undici"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as UndiciPool from "../src/contenders/UndiciPool.js"
import * as Database from "../src/replicas/Database.js"
import * as Locking from "../src/replicas/Locking.js"
import * as Workers from "../src/replicas/Workers.js"
import * as Upstream from "../src/Upstream.js"
import * as Work from "../src/Work.js"

let server: Database.Server

beforeAll(async () => {
  server = await Database.start(true)
})
afterAll(() => server.stop())

/** Two workers at once over so many records; what each enrolled, and what stands in the table. */
const worked = async (records: number, answers: Upstream.Answers): Promise<{ readonly told: ReadonlyArray<number>; readonly enrolled: number; readonly upstream: Upstream.Listening }> => {
  const upstream = await Upstream.listen(answers)
  const database = await server.database()
  const pool = UndiciPool.pool(upstream.origin)
  const clients = [0, 1].map(() => new Client({ connectionString: database.url }))
  try {
    await Workers.fill(database, "records", records)
    await Promise.all(clients.map((client) => client.connect()))
    const order: Workers.Order = { table: "records", batch: 50, inFlight: 8 }
    const told = await Promise.all(clients.map((client) => Workers.work(client, UndiciPool.enroll(pool), order)))
    return { told, enrolled: await Workers.enrolled(database, "records"), upstream }
  } finally {
    await Promise.all([...clients.map((client) => client.end()), pool.close()])
    await upstream.close()
  }
}

describe("two plain workers", () => {
  it("enrol every record once between them", async () => {
    const { enrolled, told, upstream } = await worked(1_000, "right")
    expect(enrolled).toBe(1_000)
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(1_000)
    expect(upstream.accepted()).toBe(1_000)
  })

  it("do not take another customer's answer for an enrolment", async () => {
    const { enrolled, told } = await worked(10, "another customer")
    expect(enrolled).toBe(0)
    expect(told).toEqual([0, 0])
  })
})

describe("a proxy that orders calls by a lock", () => {
  /** Calls for so few customers at once, through a proxy, to an upstream that takes its time; how many it had at once. */
  const mostAtOnce = async (name: Locking.Name, customers: number): Promise<number> => {
    const upstream = await Upstream.listen("right", 20)
    const database = await server.database()
    const proxy = await Locking.listen(name, upstream.origin, database.url)
    const pool = new Pool(proxy.origin, { connections: 12 })
    try {
      const { next } = Work.ofCalls(1)
      const calls = Array.from({ length: 12 }, (_, at) => ({ ...next(), customerId: Work.firstCustomer + at % customers }))
      const ended = await Promise.all(calls.map(UndiciPool.enroll(pool)))
      expect(ended.every(({ outcome }) => outcome === "enrolled")).toBe(true)
      return upstream.mostAtOnce()
    } finally {
      await pool.close()
      await proxy.close()
      await upstream.close()
    }
  }

  it("has one call at a time for a customer, and as many as come without the lock", async () => {
    expect(await mostAtOnce("lock", 1)).toBe(1)
    expect(await mostAtOnce("no-lock", 1)).toBeGreaterThan(1)
  })

  it("lets calls for several customers through at once", async () => {
    expect(await mostAtOnce("lock", 6)).toBeGreaterThan(1)
  })
})

describe("the database", () => {
  it("counts what others ask, BEGIN and COMMIT as well, and not what the benchmark asks", async () => {
    const database = await server.database()
    const sessions = new Sessions({ connectionString: database.url, max: 1 })
    try {
      await sessions.query("CREATE TABLE t (a INTEGER)")
      const before = await database.statements()
      await sessions.query("BEGIN")
      for (let a = 0; a < 3; a++) await sessions.query({ name: "put", text: "INSERT INTO t VALUES ($1)", values: [a] })
      await sessions.query("COMMIT")
      await database.ask("SELECT count(*) FROM t")
      const counted = Database.since(await database.statements(), before)
      expect(counted[0]).toMatchObject({ statement: "INSERT INTO t VALUES ($1)", calls: 3 })
      expect(Database.total(counted)).toBe(5)
    } finally {
      await sessions.end()
    }
  })

  it("tells what it takes on the disk, and what its processes have computed", async () => {
    const database = await server.database()
    const before = await database.megabytes()
    const computed = server.cpuSeconds()
    await database.ask("CREATE TABLE t AS SELECT generate_series(1, 200000) AS a")
    expect(await database.megabytes() - before).toBeGreaterThan(5)
    expect(server.cpuSeconds()).toBeGreaterThan(computed)
  })
})

it("an upstream that remembers tells when calls arrived, and another one forgets", async () => {
  const [remembers, forgets] = [await Upstream.listen("right", 0, 0, true), await Upstream.listen("right")]
  const pools = [remembers, forgets].map(({ origin }) => UndiciPool.pool(origin))
  try {
    const { next } = Work.ofCalls(3)
    for (const pool of pools) for (let call = 0; call < 3; call++) await UndiciPool.enroll(pool)(next())
    const arrivals = remembers.arrivals()
    expect(arrivals).toHaveLength(3)
    expect(arrivals.toSorted((left, right) => left - right)).toEqual(arrivals)
    expect(forgets.arrivals()).toEqual([])
  } finally {
    await Promise.all(pools.map((pool) => pool.close()))
    await remembers.close()
    await forgets.close()
  }
})
