/**
 * `milepost-harness serve`: the simulator as a server, until it is told to stop.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Faults from "@milepost/simulator/Faults"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as JsonFile from "./JsonFile.js"
import { Refused } from "./Refused.js"

/** What `serve` is asked for, as texts of the command line. */
export interface Arguments {
  readonly host?: string
  readonly port?: string
  readonly world?: string
  readonly seed?: string
  readonly faults?: string
}

const refused = (line: string): Refused => new Refused({ lines: [line] })

const whole = (flag: string, text: string | undefined): Effect.Effect<number, Refused> =>
  text === undefined
    ? Effect.succeed(0)
    : /^\d{1,9}$/.test(text)
    ? Effect.succeed(Number(text))
    : refused(`${flag}: ${JSON.stringify(text)} is not a whole number from 0`)

const announced = (url: string, served: World.World): string =>
  [
    `The simulator listens at ${url}`,
    ...Object.entries(SimulatorServer.variables(url, served)).map(([name, value]) => `${name}=${value}`)
  ].join("\n")

/** Serves until it is interrupted; fails with {@link Refused} where a file or the port cannot be used. */
export const command = (given: Arguments): Effect.Effect<never, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const port = yield* whole("--port", given.port)
    const seed = yield* whole("--seed", given.seed)
    const served = given.world === undefined ? World.sample : yield* JsonFile.load(given.world, World.decode)
    const faults = given.faults === undefined ? [] : yield* JsonFile.load(given.faults, Faults.decode)
    const simulator = yield* Simulator.make(served, { seed, faults })
    const { url } = yield* SimulatorServer.serve({ port, host: given.host }).pipe(
      Effect.provideService(Simulator.Simulator, simulator),
      Effect.mapError(({ message }) => refused(message))
    )
    yield* Console.log(announced(url, served))
    return yield* Effect.never
  }).pipe(Effect.scoped)
