/**
 * A stateful simulator of the Loyalty+ enrolment API: in memory, or as an HTTP server.
 *
 * Every module is a namespace here and a subpath of its own. Only `@milepost/simulator/SimulatorServer` and
 * `@milepost/simulator/promise`, the entry for programs without Effect, load anything of Node.
 */
export * as Conformance from "./Conformance.js"
export * as Faults from "./Faults.js"
export * as Journal from "./Journal.js"
export * as Progress from "./Progress.js"
export * as Rules from "./Rules.js"
export * as Simulator from "./Simulator.js"
export * as SimulatorServer from "./SimulatorServer.js"
export * as SimulatorTransport from "./SimulatorTransport.js"
export * as VirtualClock from "./VirtualClock.js"
export * as World from "./World.js"
export { startSimulator } from "./promise.js"
