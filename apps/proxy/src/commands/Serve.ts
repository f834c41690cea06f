/** `milepost-proxy serve`: everything that serves, until it is told to stop. */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Lanes } from "@milepost/engine/Lanes"
import { Replica } from "@milepost/engine/Replica"
import type { Ledger } from "@milepost/ledger/Ledger"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Idempotency from "../api/Idempotency.js"
import * as Native from "../api/Native.js"
import * as DropIn from "../dropIn/DropIn.js"
import * as Crew from "../jobs/Crew.js"
import * as Jobs from "../jobs/Jobs.js"
import * as Allowance from "../keys/Allowance.js"
import { Keys } from "../keys/Keys.js"
import * as KeyDesk from "../keys/KeyDesk.js"
import { Log } from "../operation/Log.js"
import type { Metrics } from "../operation/Metrics.js"
import type { Traces } from "../operation/Traces.js"
import type { Page } from "../page/Page.js"
import * as Internal from "../replicas/Internal.js"
import type { Replicas } from "../replicas/Replicas.js"
import * as Bodies from "../server/Bodies.js"
import * as Exchange from "../server/Exchange.js"
import type { Patience } from "../server/Patience.js"
import * as Server from "../server/Server.js"
import type { StoreFailed } from "../Store.js"
import { Upstreams } from "../upstream/Upstreams.js"

/** Where it listens, and what is shared with what is already there. */
export interface Options {
  readonly host: string
  readonly port: number
  readonly data: string
  /** The others that share the data; `null` where it is this process's alone. */
  readonly replicas: Replicas | null
  readonly uploadBytes: number
  readonly uploadPatience: Patience
  readonly retentionDays: number
  readonly metrics: Metrics
  readonly page: Page
  /** Where there is a collector. */
  readonly traces: Traces | null
  /** Milliseconds of a clock that never goes back. */
  readonly nowMillis: () => number
}

/** A process that is alone sends for everybody, in as many lanes as replicas share. */
const allLanes = 64

/** Serves until the scope closes. */
export const serve = (
  options: Options
): Effect.Effect<
  Server.Serving,
  Jobs.DataError | Server.CannotListen | StoreFailed,
  Keys | Lanes | Ledger | Log | Native.Platform | Scope.Scope | SqlClient | Upstreams
> =>
  Effect.gen(function*() {
    const { metrics, nowMillis, replicas } = options
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const keys = yield* Keys
    const log = yield* Log
    const upstreams = yield* Upstreams
    // A database is open to the command line by itself.
    if (replicas === null) {
      yield* Effect.catchAll(KeyDesk.open(options.data, keys), ({ message }) => Effect.sync(() => log.write("warn", "no-key-desk", { message })))
    }
    const bodies = yield* Bodies.make(nowMillis)
    const allowance = Allowance.make(() => replicas?.replica.members().length ?? 1)
    const dropIn = DropIn.make({
      keys,
      seek: (secret, then) => void run(Effect.map(keys.seek(secret), then)),
      upstreams,
      allowance,
      bodies,
      metrics,
      nowMillis
    })
    const crew = yield* replicas === null ? Crew.alone : Effect.provideService(Crew.together, Replica, replicas.replica)
    const internal = replicas === null ? () => false : yield* Internal.make({ owners: replicas.replica, upstreams, secret: replicas.secret, bodies })
    const jobs = yield* Jobs.make({ upstreams, crew, log, ended: metrics.ended, retentionMillis: options.retentionDays * 86_400_000 })
    let isDraining = false
    const native = yield* Native.make({
      keys,
      upstreams,
      allowance,
      bodies,
      metrics,
      jobs,
      idempotency: yield* Idempotency.make(replicas === null ? Idempotency.alone : { self: crew.id, isLiving: (id) => Effect.sync(() => crew.isLiving(id)) }),
      log,
      uploadBytes: options.uploadBytes,
      uploadPatience: options.uploadPatience,
      nowMillis,
      isDraining: () => isDraining,
      trouble: () => replicas?.replica.trouble() ?? null,
      lanes: () => replicas?.replica.held().length ?? allLanes
    })
    const serving = yield* Server.serve({
      ...options,
      log,
      handle: (req, res) => {
        if (dropIn.handle(req, res) || internal(req, res)) return
        res.setHeader("x-request-id", Exchange.of(req).id)
        if (!options.page.handle(req, res)) native(req, res)
      }
    })
    return {
      ...serving,
      drain: Effect.suspend(() => {
        isDraining = true
        // Lanes are given back as soon as no job needs them: what is in flight for a caller keeps its own until it has ended.
        const leave = replicas === null ? jobs.stop : Effect.zipRight(jobs.stop, replicas.replica.leave)
        return Effect.asVoid(Effect.all([serving.drain, leave], { concurrency: 2 }))
      })
    }
  })
