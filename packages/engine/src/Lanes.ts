/**
 * Who works on the lanes of a job: the port between a run and what owns its lanes.
 *
 * However it is done, a lane has one owner at a time, so that no customer ever has two calls in flight.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Job } from "./Job.js"
import * as LaneRunner from "./LaneRunner.js"

/** Works on lanes. */
export interface Service {
  /**
   * Works on these lanes until none of them has anything pending, or the job stops; no call is in flight when it
   * completes, also when it is interrupted.
   */
  readonly work: (job: Job, lanes: ReadonlyArray<number>) => Effect.Effect<void>
}

/** Who works on the lanes of a job. */
export class Lanes extends Context.Tag("@milepost/engine/Lanes")<Lanes, Service>() {}

/**
 * Lanes as fibers of this process, without a cluster: for one process that owns its ledger's file.
 *
 * The ledger lets nobody else in, so nobody else can work on the same lanes.
 */
export const layerInProcess: Layer.Layer<Lanes> = Layer.succeed(Lanes, {
  work: (job, lanes) =>
    Effect.forEach(
      lanes,
      (lane) => {
        let hasMore = true
        return Effect.whileLoop({
          while: () => hasMore,
          body: () => LaneRunner.runChunk(job, lane),
          step: (more) => {
            hasMore = more
          }
        })
      },
      { concurrency: "unbounded", discard: true }
    )
})
