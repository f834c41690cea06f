import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as PostgresServer from "./PostgresServer.js"

let server: PostgresServer.PostgresServer

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.close())

const ask = async (url: string, text: string): Promise<ReadonlyArray<unknown>> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat()
  } finally {
    await client.end()
  }
}

describe("PostgresServer", () => {
  it("gives databases of their own", async () => {
    const [one, other] = [await server.database(), await server.database()]
    await ask(one, "CREATE TABLE t (a INTEGER)")
    expect(await ask(one, "SELECT count(*)::int FROM information_schema.tables WHERE table_name = 't'")).toEqual([1])
    expect(await ask(other, "SELECT count(*)::int FROM information_schema.tables WHERE table_name = 't'")).toEqual([0])
  })

  it.skipIf(process.env["DATABASE_URL"])("keeps what was committed over a crash", async () => {
    const url = await server.database()
    await ask(url, "CREATE TABLE t (a INTEGER)")
    await ask(url, "INSERT INTO t VALUES (7)")
    const pid = server.pid()
    expect(pid).toBeGreaterThan(0)
    await server.stop("immediate")
    expect(server.pid()).toBeNull()
    await expect(ask(url, "SELECT a FROM t")).rejects.toThrow("ECONNREFUSED")
    await server.start()
    expect(await ask(url, "SELECT a FROM t")).toEqual([7])
  })
})
