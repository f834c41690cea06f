/** `milepost sandbox`: an upstream simulator on this machine, until Ctrl-C. */
import type * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import type * as World from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Flags } from "../Invocation.js"
import { Output } from "../output/Output.js"

const portOf = (port: string | undefined): Effect.Effect<number, Failure.Refused> => {
  if (port === undefined) return Effect.succeed(0)
  const value = /^\d{1,5}$/.test(port) ? Number(port) : -1
  return value >= 0 && value <= 65_535
    ? Effect.succeed(value)
    : Failure.usage(`--port: ${JSON.stringify(port)} is no port from 0 to 65535`, "--port")
}

const quoted = (value: string): string => (/^[\w.:/-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`)

/** Serves until interrupted; prints the variables that point to it. Its credentials are a simulation's, not secrets. */
export const command = (
  flags: Flags,
  world: World.World
): Effect.Effect<ExitCode, Failure.Refused, Output | Simulator.Simulator> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output
    const port = yield* portOf(flags.port)
    const { url } = yield* Effect.mapError(
      SimulatorServer.serve({ port }),
      (error) => Failure.usage(error.message, "--port")
    )
    const variables = SimulatorServer.variables(url, world)
    output.result(
      output.json
        ? JSON.stringify({ url, variables })
        : Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`).join("\n")
    )
    output.note(`The sandbox listens at ${url}. Ctrl-C ends it.`)
    return yield* Effect.never
  }))
