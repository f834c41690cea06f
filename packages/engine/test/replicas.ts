/** Paces that replicas share over one PostgreSQL, each with a client of its own. */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Statement from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as SharedPace from "../src/SharedPace.js"

/** One of them, and how many statements it has run. */
export interface Replica {
  readonly pace: SharedPace.SharedPace
  readonly statements: () => number
}

/** Joins the pace of `org` in the database as one more replica. */
export const replica = (url: string, name: string, callsPerSecond: number | null): Effect.Effect<Replica, never, Scope.Scope> =>
  Effect.gen(function*() {
    const sql = yield* PgClient.make({ url: Redacted.make(url), maxConnections: 2 })
    yield* SharedPace.create(sql)
    let statements = 0
    const pace = yield* Effect.locally(
      SharedPace.make({ sql, org: "org", replica: name, callsPerSecond }),
      Statement.currentTransformer,
      Option.some((statement: Statement.Statement<unknown>) => {
        statements += 1
        return Effect.succeed(statement)
      })
    )
    return { pace, statements: () => statements }
  }).pipe(Effect.provide(Reactivity.layer), Effect.orDie)
