import * as Enroll from "@milepost/core/Enroll"
import type * as Enrollment from "@milepost/core/Enrollment"
import type * as Ids from "@milepost/core/Ids"
import type { Transport } from "@milepost/core/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Fault } from "../src/Faults.js"
import * as Simulator from "../src/Simulator.js"
import * as SimulatorTransport from "../src/SimulatorTransport.js"
import * as World from "../src/World.js"

/** A simulator and the transport of its first till. */
export const simulating = (options?: Simulator.Options): Layer.Layer<Transport | Simulator.Simulator> =>
  Layer.provideMerge(SimulatorTransport.layer, Simulator.layer(World.sample, options))

/** The same under faults. */
export const struckBy = (...faults: ReadonlyArray<Fault>): Layer.Layer<Transport | Simulator.Simulator> =>
  simulating({ faults })

/** An enrolment into the sample world's first milestone. */
export const into = (customerId: number, periodName = "Cycle_1"): Enrollment.Milestone => ({
  _tag: "Milestone",
  targetGroupId: 2154 as Ids.TargetGroupId,
  targetId: 2309 as Ids.TargetId,
  customerId: customerId as Ids.CustomerId,
  periodName,
  initialBalance: undefined
})

/** How a call ended, in a word or two. */
export const tagOf = <A, E extends { readonly _tag: string; readonly reason?: string }, R>(
  call: Effect.Effect<A, E, R>
): Effect.Effect<string, never, R> =>
  Effect.match(call, {
    onFailure: (error) => error.reason === undefined ? error._tag : `${error._tag} ${error.reason}`,
    onSuccess: () => "accepted"
  })

/** How one attempt to enrol ends. */
export const enrolling = (customerId: number, periodName?: string): Effect.Effect<string, never, Transport> =>
  tagOf(Enroll.call(into(customerId, periodName)))

/** Whether the upstream holds the customer as enrolled in the sample world's first milestone. */
export const isEnrolled = (customerId: number): Effect.Effect<boolean, never, Simulator.Simulator> =>
  Effect.gen(function*() {
    const simulator = yield* Simulator.Simulator
    return Option.exists(yield* simulator.standing(customerId, 2154, 2309), ({ enrolled }) => enrolled)
  })
