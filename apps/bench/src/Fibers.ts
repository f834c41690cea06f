/** The loops of contenders that are Effect programs: one worker fiber for each call in flight, over one source. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type { Client } from "./Contender.js"
import * as Work from "./Work.js"

/** A client out of a program that makes one call and a layer that is built once; a failure ends the run. */
export const client = <E, R, E2>(
  enroll: (call: Work.Call) => Effect.Effect<Work.Ended, E, R>,
  layer: Layer.Layer<R, E2>
): Client => {
  const runtime = ManagedRuntime.make(layer)
  return {
    run: (run) => {
      const worker = Effect.whileLoop({
        while: () => !run.isOver(),
        body: () => enroll(run.next()),
        step: run.count
      })
      return runtime.runPromise(
        Effect.forEach(Array.from({ length: Work.inFlight }), () => worker, { concurrency: "unbounded", discard: true })
      )
    },
    close: () => runtime.dispose()
  }
}
