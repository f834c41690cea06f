/**
 * `milepost-harness record`, `replay` and `diff`: what an upstream really answered, kept, given again, and held beside the
 * simulator.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as Simulator from "@milepost/simulator/Simulator"
import * as World from "@milepost/simulator/World"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as JsonFile from "./JsonFile.js"
import * as Cassette from "./recording/Cassette.js"
import * as Difference from "./recording/Difference.js"
import * as Listening from "./recording/Listening.js"
import * as Recorder from "./recording/Recorder.js"
import * as Replayer from "./recording/Replayer.js"
import { Refused } from "./Refused.js"

/** What `record` is asked for. */
export interface RecordArguments {
  readonly target: string
  readonly out: string
  readonly port?: string
}

/** What `replay` is asked for. */
export interface ReplayArguments {
  readonly cassette: string
  readonly port?: string
}

/** What `diff` is asked for. */
export interface DiffArguments {
  readonly cassette: string
  readonly world?: string
  readonly json?: boolean
}

const portOf = (text: string | undefined): Effect.Effect<number, Refused> =>
  text === undefined
    ? Effect.succeed(0)
    : /^\d{1,5}$/.test(text) && Number(text) <= 65_535
    ? Effect.succeed(Number(text))
    : new Refused({ lines: [`--port: ${JSON.stringify(text)} is not a whole number from 0 to 65535`] })

/** Records until it is interrupted. */
export const record = (given: RecordArguments): Effect.Effect<never, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const port = yield* portOf(given.port)
    const target = yield* Effect.mapError(BaseUrl.fromText(given.target), ({ message }) => new Refused({ lines: [`--target: ${message}`] }))
    const keep = yield* Cassette.begin(given.out)
    const run = Runtime.runPromise(yield* Effect.runtime<never>())
    const url = yield* Listening.serve(port, Recorder.make(target, (exchange) => run(keep(exchange))))
    yield* Console.log(`What is asked of ${url} is asked of ${target}, and kept in ${given.out} without secrets.\nMILEPOST_HOST=${url}`)
    return yield* Effect.never
  }).pipe(Effect.scoped)

/** Replays until it is interrupted. */
export const replay = (given: ReplayArguments): Effect.Effect<never, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const port = yield* portOf(given.port)
    const exchanges = yield* Cassette.read(given.cassette)
    const url = yield* Listening.serve(port, Replayer.make(exchanges))
    yield* Console.log(`${exchanges.length} recorded answers are given at ${url}\nMILEPOST_HOST=${url}`)
    return yield* Effect.never
  }).pipe(Effect.scoped)

/** Says where the simulator answers otherwise: exit code 1 where it does anywhere. */
export const diff = (given: DiffArguments): Effect.Effect<number, Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const exchanges = yield* Cassette.read(given.cassette)
    const world = given.world === undefined ? World.sample : yield* JsonFile.load(given.world, World.decode)
    const simulator = yield* Simulator.make(world)
    const { compared, differences } = Difference.against(simulator, exchanges)
    const skipped = exchanges.length - compared
    if (given.json === true) yield* Console.log(JSON.stringify({ compared, skipped, differences }))
    else {
      const told = `${compared} calls compared, ${skipped} cannot be, ${differences.length} differences`
      yield* Console.log([...differences.map(Difference.line), told].join("\n"))
    }
    return differences.length === 0 ? 0 : 1
  })
