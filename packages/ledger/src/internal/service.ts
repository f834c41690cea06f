/** The service, put together from its statements. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type { Service } from "../Ledger.js"
import * as claims from "./claims.js"
import type { Dialect } from "./dialect.js"
import * as imports from "./imports.js"
import * as lanes from "./lanes.js"
import * as reading from "./reading.js"
import * as removal from "./removal.js"
import * as runs from "./runs.js"
import { boundary, type Storage } from "./storage.js"

/** The ledger over a database whose tables are up to date. */
export const make = (dialect: Dialect): Effect.Effect<Service, never, SqlClient> =>
  Effect.map(SqlClient, (sql) => {
    const storage: Storage = { sql, dialect }
    const open = dialect.hasLanes ? lanes.make(storage) : claims.make(storage)
    return {
      begin: (run) => runs.begin(storage, run),
      append: (run, rows, reached) => imports.append(storage, run, rows, reached),
      finishImport: (run, input) => runs.finishImport(storage, run, input),
      verifyInput: (run, input) => runs.verifyInput(storage, run, input),
      start: (run) => runs.start(storage, run),
      end: (run, state, stop) => runs.end(storage, run, state, stop),
      join: (run) => runs.join(storage, run),
      finishIfDone: open.finishIfDone,
      pendingLanes: open.pendingLanes,
      claim: open.claim,
      settle: (run, settlements, epoch) => claims.settle(storage, run, settlements, epoch ?? null),
      release: (run, seqs, epoch) => open.release(run, seqs, epoch ?? null),
      reclaim: (run, epoch, lanes) => open.reclaim(run, epoch, typeof lanes === "number" ? [lanes] : lanes ?? null),
      skipWhere: open.skipWhere,
      rearm: open.rearm,
      run: (run) => Effect.map(boundary(storage, runs.find(storage, run)), (known) => known.run),
      list: runs.list(storage),
      destinations: (run) => runs.destinations(storage, run),
      refusals: (run) => runs.refusals(storage, run),
      results: (run, options = {}) => reading.results(storage, run, options),
      failedRows: (run) => reading.failedRows(storage, run),
      derivable: (run, kind, after) => reading.derivable(storage, run, kind, after),
      remove: (run) => removal.remove(storage, run)
    }
  })
