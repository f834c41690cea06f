import type { Transport } from "@milepost/core/Transport"
import * as Conformance from "../src/Conformance.js"
import type { CallerOptions } from "../src/Simulator.js"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

/**
 * The contract of the upstream as tests, over the transport that `layerFor` makes for each caller; `null` where the
 * transport cannot call so, and has nothing to show.
 */
export const EnrollmentSuite = (
  name: string,
  layerFor: (caller: CallerOptions) => Layer.Layer<Transport> | null
): void => {
  describe(name, () => {
    for (const { caller, name: sentence, run } of Conformance.cases) {
      const layer = layerFor(caller)
      if (layer !== null) it.effect(sentence, () => Effect.provide(run, layer))
    }
  })
}
