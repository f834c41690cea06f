/**
 * What the upstream does, as cases that run over any transport: the simulator in memory, over a socket, or a proxy.
 *
 * The cases are data, each with its source and the rules that it is about, and they touch the transport only through the
 * requests and the decoding of `@milepost/core`. They belong to `World.conformance`: every case has customers of its
 * own, so that all of them can run on one upstream, in any order, at once.
 */
import type { Transport } from "@milepost/core/Transport"
import type * as Effect from "effect/Effect"
import { behaviourCases } from "./internal/conformanceBehaviour.js"
import { liveOf } from "./internal/conformanceLive.js"
import { refusalCases } from "./internal/conformanceRefusals.js"
import type { ConformanceFailure } from "./internal/conformanceSteps.js"
import type { RuleId } from "./Rules.js"
import type { CallerOptions } from "./Simulator.js"

export { ConformanceFailure } from "./internal/conformanceSteps.js"

/** One case. */
export interface Case {
  /** A short name that stays: for reports, and to run one case. */
  readonly id: string
  /** What is so, as a sentence. */
  readonly name: string
  /** Where it comes from: a section of the seed or of `docs/upstream.md`. */
  readonly source: string
  /** The rules of the simulator that it is about. */
  readonly rules: ReadonlyArray<RuleId>
  /** Who calls, in `World.conformance`. A transport that cannot call so, such as one that refuses `ALL`, skips the case. */
  readonly caller: CallerOptions
  /** Succeeds where the upstream does as the case says. */
  readonly run: Effect.Effect<void, ConformanceFailure, Transport>
}

/**
 * Every case, in the order of `docs/upstream.md`.
 *
 * @example
 * ```ts
 * import { Conformance, Simulator, SimulatorTransport, World } from "@milepost/simulator"
 * import { Effect, Layer } from "effect"
 *
 * const all = Effect.forEach(Conformance.cases, ({ caller, run }) =>
 *   Effect.provide(run, SimulatorTransport.layerWith(caller)))
 * const program = Effect.provide(all, Simulator.layer(World.conformance))
 * ```
 */
export const cases: ReadonlyArray<Case> = [...behaviourCases, ...refusalCases]

/** A target of a live tenant. */
export interface LiveTarget {
  readonly targetGroupId: number
  readonly targetId: number
}

/** What a live tenant was named for: whatever is missing, the cases that need it are skipped. */
export interface LivePlace {
  /** Somebody who may be enrolled and un-enrolled, and is not enrolled in the targets below. */
  readonly customerId?: number | undefined
  readonly milestone?: LiveTarget & { readonly periodName: string } | undefined
  readonly streak?: LiveTarget | undefined
}

/** How a case runs on a live tenant. One that writes may leave the customer enrolled in `where`, also when it fails. */
export type Live =
  | { readonly kind: "skipped"; readonly why: string }
  | { readonly kind: "reads"; readonly run: Case["run"] }
  | { readonly kind: "writes"; readonly where: LiveTarget; readonly run: Case["run"] }

/** How the case of an id runs on a live tenant, where there is no `World.conformance`. */
export const live = (id: string, place: LivePlace): Live => liveOf(id, place)
