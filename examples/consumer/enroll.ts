/** Enrols one customer against the simulator, without a network: the shortest program that does. */
import { Enroll, Enrollment } from "@milepost/core"
import { Simulator, SimulatorTransport, World } from "@milepost/simulator"
import { Effect, Layer } from "effect"

const upstream = SimulatorTransport.layer.pipe(Layer.provide(Simulator.layer(World.sample)))
const cycle = { targetGroupId: 2154, targetId: 2309, customerId: 564332013, periodName: "Cycle_1" }

const outcome = Enrollment.milestone(cycle).pipe(Effect.flatMap(Enroll.outcome), Effect.provide(upstream))
console.log(JSON.stringify(await Effect.runPromise(outcome)))
