/**
 * Several processes on one connection: each has a session, and from BEGIN to its end a transaction has the connection to itself.
 *
 * Turns are given in the order in which they are asked for, so that the same calls always meet the same order.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"

/** A turn of a session: what it holds the connection for, or waits with. */
interface Turn {
  readonly session: object
  /** Goes on: the turn has come, or never will. */
  goOn: () => void
  isGone: boolean
}

const gone = (): SqlError =>
  new SqlError({ cause: Object.assign(new Error("the session has ended"), { code: "SQLITE_IOERR" }), message: "the statement failed" })

/** Gives out sessions over a connection; `rollback` ends whatever transaction is open. */
export const make = (connection: Connection, rollback: Effect.Effect<void>) => {
  let holder: Turn | null = null
  let waiting: Array<Turn> = []

  const passOn = (): void => {
    holder = waiting.shift() ?? null
    holder?.goOn()
  }

  const take = (session: object): Effect.Effect<Turn> =>
    Effect.async((resume) => {
      const turn: Turn = { session, goOn: () => resume(Effect.succeed(turn)), isGone: false }
      waiting.push(turn)
      if (holder === null) passOn()
    })

  return () => {
    const session = {}
    /** The turn of the transaction that is open, by what its process knows. */
    let open: Turn | null = null

    const give = (turn: Turn): Effect.Effect<void> =>
      Effect.sync(() => {
        if (holder === turn) passOn()
      })
    const inTurn = <A>(turn: Turn, statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
      Effect.suspend(() => turn.isGone ? Effect.fail(gone()) : statement)

    /** A statement of its own, or one of the transaction that is open. */
    const statement = <A>(run: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
      Effect.suspend(() =>
        open !== null
          ? inTurn(open, run)
          : Effect.uninterruptible(Effect.flatMap(take(session), (turn) => Effect.ensuring(inTurn(turn, run), give(turn))))
      )

    const begin = (run: Effect.Effect<ReadonlyArray<unknown>, SqlError>) =>
      Effect.uninterruptible(Effect.flatMap(take(session), (turn) =>
        Effect.tapBoth(inTurn(turn, run), {
          onFailure: () => give(turn),
          onSuccess: () =>
            Effect.sync(() => {
              open = turn
            })
        })))

    const end = (turn: Turn, sql: string, run: Effect.Effect<ReadonlyArray<unknown>, SqlError>) => {
      open = null
      // What the server has rolled back by itself cannot be committed any more.
      if (turn.isGone) return sql === "COMMIT" ? Effect.fail(gone()) : Effect.succeed([])
      // A COMMIT that fails leaves a transaction behind.
      return Effect.ensuring(Effect.tapError(run, () => rollback), give(turn))
    }

    const unprepared = (sql: string, run: Effect.Effect<ReadonlyArray<unknown>, SqlError>): Effect.Effect<ReadonlyArray<unknown>, SqlError> =>
      Effect.suspend(() => {
        if (sql.startsWith("BEGIN")) return begin(run)
        if (sql !== "COMMIT" && sql !== "ROLLBACK") return statement(run)
        return open === null ? Effect.succeed([]) : end(open, sql, run)
      })

    const own: Connection = {
      execute: (...args) => statement(connection.execute(...args)),
      executeRaw: (...args) => statement(connection.executeRaw(...args)),
      executeStream: (...args) => connection.executeStream(...args),
      executeUnprepared: (sql, ...args) => unprepared(sql, connection.executeUnprepared(sql, ...args)),
      executeValues: (...args) => statement(connection.executeValues(...args))
    }

    return {
      connection: own,
      end: Effect.suspend(() => {
        const dropped = waiting.filter((turn) => turn.session === session)
        waiting = waiting.filter((turn) => turn.session !== session)
        for (const turn of dropped) {
          turn.isGone = true
          turn.goOn()
        }
        if (holder === null || holder.session !== session) return Effect.void
        holder.isGone = true
        return Effect.zipRight(rollback, Effect.sync(passOn))
      })
    }
  }
}
