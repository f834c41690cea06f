/** A person's wish to stop: asked for once, seen by everything that would start something new. */
import * as Context from "effect/Context"
import type * as Deferred from "effect/Deferred"

/** A person's wish to stop. */
export interface Service {
  /** Completes when the person asks to stop. */
  readonly requested: Deferred.Deferred<void>
}

/** A person's wish to stop. */
export class Cancellation extends Context.Tag("@milepost/cli/Cancellation")<Cancellation, Service>() {}
