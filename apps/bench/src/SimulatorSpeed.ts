/**
 * The fifth benchmark: what the simulator answers as a server and in memory, and what a large crowd in it takes.
 *
 * Each part is a module of `simulator/` with its rows and its promises; this one runs them one after another.
 */
import * as Results from "./Results.js"
import * as CrowdMemory from "./simulator/CrowdMemory.js"
import * as ServerSpeed from "./simulator/ServerSpeed.js"
import * as SimulatedRuns from "./simulator/SimulatedRuns.js"
import * as TransportSpeed from "./simulator/TransportSpeed.js"
import type * as Turns from "./Turns.js"

/** Runs it; the turns are those of the first two parts, the sizes those of the crowds, and so many runs are simulated. */
export const run = async (
  durations: Turns.Durations,
  crowds: ReadonlyArray<number>,
  runs: number,
  say: (line: string) => void
): Promise<Results.SimulatorSection> => {
  const server = await ServerSpeed.run(durations, say)
  const inMemory = await TransportSpeed.run(durations, say)
  const crowd = await CrowdMemory.run(crowds, say)
  const simulated = await SimulatedRuns.run(runs, say)
  return {
    ...Results.turned(durations),
    server,
    inMemory,
    crowd,
    simulated,
    thresholds: [
      ...ServerSpeed.thresholdsOf(server),
      ...TransportSpeed.thresholdsOf(inMemory),
      ...CrowdMemory.thresholdsOf(crowd),
      ...SimulatedRuns.thresholdsOf(simulated)
    ]
  }
}
