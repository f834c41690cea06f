/** `milepost-proxy serve`: everything that serves, until it is told to stop. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as DropIn from "../dropIn/DropIn.js"
import * as Allowance from "../keys/Allowance.js"
import { Keys } from "../keys/Keys.js"
import * as KeyDesk from "../keys/KeyDesk.js"
import { Log } from "../operation/Log.js"
import type { Metrics } from "../operation/Metrics.js"
import * as Bodies from "../server/Bodies.js"
import * as Server from "../server/Server.js"
import { Upstreams } from "../upstream/Upstreams.js"

/** Where it listens, and what is shared with what is already there. */
export interface Options {
  readonly host: string
  readonly port: number
  readonly data: string
  readonly metrics: Metrics
  /** Milliseconds of a clock that never goes back. */
  readonly nowMillis: () => number
}

/** Serves until the scope closes. */
export const serve = (
  options: Options
): Effect.Effect<Server.Serving, Server.CannotListen, FileSystem.FileSystem | Keys | Log | Scope.Scope | Upstreams> =>
  Effect.gen(function*() {
    const { metrics, nowMillis } = options
    const keys = yield* Keys
    const log = yield* Log
    const upstreams = yield* Upstreams
    yield* Effect.catchAll(KeyDesk.open(options.data, keys), ({ message }) => Effect.sync(() => log.write("warn", "no-key-desk", { message })))
    const bodies = yield* Bodies.make(nowMillis)
    const allowance = Allowance.make()
    const dropIn = yield* DropIn.make({ keys, upstreams, allowance, bodies, metrics, nowMillis })
    return yield* Server.serve({
      ...options,
      log,
      handle: (req, res) => {
        if (dropIn.handle(req, res)) return
        res.writeHead(404)
        res.end()
      }
    })
  })
