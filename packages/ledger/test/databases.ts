/** PostgreSQL for the tests of a file: one server, and ledgers in databases of it. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll } from "vitest"
import * as PostgresLedger from "../src/PostgresLedger.js"

/** A server that runs while the tests of this file do. */
export const server = (settings: Readonly<Record<string, string | number>> = {}): { readonly get: () => PostgresServer.PostgresServer } => {
  let running: PostgresServer.PostgresServer | null = null
  beforeAll(async () => {
    running = await PostgresServer.start(settings)
  }, 60_000)
  afterAll(() => running?.close())
  return {
    get: () => {
      if (running === null) throw new Error("the server has not been started")
      return running
    }
  }
}

/** The address of a new database. */
export const freshUrl = ({ get }: ReturnType<typeof server>): Effect.Effect<Redacted.Redacted> =>
  Effect.map(Effect.promise(() => get().database()), Redacted.make)

const all = "runs, lanes, destinations, input_rows, records, refusals"

/** A ledger that is empty each time that it is built; the database is made once. */
export const emptied = (from: ReturnType<typeof server>, options: Partial<PostgresLedger.Options> = {}) => {
  let url: Redacted.Redacted | null = null
  return Layer.fresh(Layer.unwrapEffect(Effect.gen(function*() {
    url ??= yield* freshUrl(from)
    return Layer.scopedContext(Effect.tap(PostgresLedger.make({ url, ...options, maxConnections: 4 }), (services) =>
      Effect.orDie(Effect.provide(Effect.flatMap(SqlClient, (sql) => sql.unsafe(`TRUNCATE ${all} RESTART IDENTITY`)), services))))
  })))
}
