/** Databases of a real PostgreSQL, with a password in their addresses that nobody asks for and that must be nowhere. */
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Ledger } from "@milepost/ledger/Ledger"
import type { PostgresServer } from "@milepost/testing/PostgresServer"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Database from "../src/Database.js"

/** What must not be told anywhere. */
export const canary = "canary-of-the-database"

/** Whether the server is ours to stop, or one that somebody has given us. */
export const isOurs = (process.env["DATABASE_URL"] ?? "") === ""

/** The address of a new database. */
export const make = async (server: PostgresServer): Promise<string> => {
  const url = new URL(await server.database())
  url.password ||= canary
  return url.href
}

/** What settings would say of it. */
export const placeOf = (url: string): Database.Place => ({
  data: "/nowhere",
  database: { url: Redacted.make(url), named: "DATABASE_URL", connections: 4, cluster: "milepost", leaseMillis: 15_000, advertise: null }
})

/** Opens it as the program does, without waiting for it. */
export const open = (url: string) =>
  Effect.provide(Database.open(placeOf(url), { patienceMillis: 1, waiting: () => undefined }), NodeFileSystem.layer)

/** One process with connections of its own. */
export interface Replica {
  readonly run: <A, E>(effect: Effect.Effect<A, E, Ledger | Scope.Scope | SqlClient>) => Promise<A>
  readonly stop: () => Promise<void>
}

/** Works with a database as one process would, until it is stopped. */
export const replica = async (url: string): Promise<Replica> => {
  const scope = Effect.runSync(Scope.make())
  const context: Context.Context<Ledger | SqlClient> = await Effect.runPromise(Scope.extend(open(url), scope))
  return {
    run: (effect) => Effect.runPromise(Scope.extend(Effect.provide(effect, context), scope)),
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
