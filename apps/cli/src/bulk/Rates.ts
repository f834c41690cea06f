/**
 * The rate that each organisation bore when it was last called, in `rates.json` beside the runs: where the next run starts.
 *
 * A file that cannot be read or written costs a run nothing but that knowledge.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Rates = Schema.parseJson(
  Schema.Record({ key: Schema.String, value: Schema.Struct({ callsPerSecond: Schema.Positive, atMillis: Schema.Number }) })
)

type Rates = Schema.Schema.Type<typeof Rates>

const fileOf = (runs: string): Effect.Effect<string, never, Path.Path> =>
  Effect.map(Path.Path, (path) => path.join(runs, "rates.json"))

const all = (runs: string): Effect.Effect<Rates, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    return yield* Effect.flatMap(files.readFileString(yield* fileOf(runs)), Schema.decode(Rates))
  }).pipe(Effect.orElseSucceed((): Rates => ({})))

/** Calls a second that the organisation bore, or `null` where nobody knows. */
export const read = (
  runs: string,
  org: string
): Effect.Effect<number | null, never, FileSystem.FileSystem | Path.Path> =>
  Effect.map(all(runs), (rates) => rates[org]?.callsPerSecond ?? null)

/** Keeps what was learnt of an organisation. */
export const write = (
  runs: string,
  org: string,
  callsPerSecond: number
): Effect.Effect<void, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const file = yield* fileOf(runs)
    const atMillis = yield* Clock.currentTimeMillis
    const text = JSON.stringify({ ...(yield* all(runs)), [org]: { callsPerSecond, atMillis } }, null, 2)
    // Another run may read it at this moment: it finds the old file or the new one.
    yield* files.writeFileString(`${file}.new`, `${text}\n`)
    yield* files.rename(`${file}.new`, file)
  }).pipe(Effect.ignore)
