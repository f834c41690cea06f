/** The statements that forget a run, a part at a time: no transaction grows with the run. */
import * as Effect from "effect/Effect"
import type { RunNotFound, StorageError } from "../LedgerError.js"
import * as runs from "./runs.js"
import { boundary, type Storage, transaction } from "./storage.js"

/** How many rows one transaction forgets. */
const atOnce = 10_000

/** Forgets rows of a table, until none of them is left. */
const removeFrom = (storage: Storage, table: "input_rows" | "records", number: "row_number" | "seq", key: number): Effect.Effect<void, StorageError> =>
  Effect.flatMap(
    transaction(storage, storage.sql.unsafe<object>(
      `DELETE FROM ${table} WHERE run = ${key} AND ${number} IN (SELECT ${number} FROM ${table} WHERE run = ${key} LIMIT ${atOnce}) RETURNING run`
    )),
    (removed) => removed.length < atOnce ? Effect.void : removeFrom(storage, table, number, key)
  )

/** Forgets a run; what was cut off goes on when it is asked for again. */
export const remove = (storage: Storage, id: string): Effect.Effect<void, RunNotFound | StorageError> =>
  Effect.gen(function*() {
    const { key } = yield* boundary(storage, runs.find(storage, id))
    yield* removeFrom(storage, "records", "seq", key)
    yield* removeFrom(storage, "input_rows", "row_number", key)
    yield* transaction(storage, Effect.gen(function*() {
      const lanes = storage.dialect.hasLanes ? ["lanes"] : []
      for (const table of [...lanes, "refusals", "destinations", "runs"]) yield* storage.sql.unsafe(`DELETE FROM ${table} WHERE run = ${key}`)
    }))
  })
