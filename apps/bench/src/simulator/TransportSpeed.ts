/** The simulator in memory: enrolments a second through the transport port, without a network. */
import * as Client from "../Client.js"
import * as Processes from "../Processes.js"
import * as Results from "../Results.js"
import * as Rounds from "../Rounds.js"
import * as Turns from "../Turns.js"
import * as InMemory from "./InMemory.js"

/** The turns of everybody, round after round. */
export type Measured = ReadonlyMap<InMemory.Name, ReadonlyArray<Client.Stretch>>

const speed = ({ calls, seconds }: Client.Stretch): number => calls / seconds

const cpuMicros = ({ calls, cpuSeconds }: Client.Stretch): number => (cpuSeconds * 1e6) / calls

/** The rows of the table. */
export const rowsOf = (measured: Measured): ReadonlyArray<Results.InMemoryRow> => {
  const series = (name: InMemory.Name, of: (turn: Client.Stretch) => number): ReadonlyArray<number> =>
    (measured.get(name) ?? []).map(of)
  return InMemory.names.map((name) => ({
    name,
    title: InMemory.titles[name],
    callsPerSecond: Rounds.summary(series(name, speed)),
    cpuMicrosPerCall: Rounds.summary(series(name, cpuMicros)),
    speedToConstant: Rounds.ratios(series(name, speed), series("constant", speed))
  }))
}

/** What the transport promises. */
export const thresholdsOf = (rows: ReadonlyArray<Results.InMemoryRow>): ReadonlyArray<Results.Threshold> =>
  rows
    .filter(({ name }) => name === "transport")
    .map(({ callsPerSecond, title }) => Results.atLeast(`${title}, enrolments/s in memory`, 100_000, callsPerSecond.median))

const start = (name: InMemory.Name, warmUpMillis: number): Promise<Client.Ready<Client.Stretch>> =>
  Client.follow(Processes.start("in-memory", name, String(warmUpMillis)), (made) => made())

/** Measures it. */
export const run = async (
  durations: Turns.Durations,
  say: (line: string) => void
): Promise<ReadonlyArray<Results.InMemoryRow>> => {
  const measured: Array<Measured> = []
  for (let index = 0; index < durations.rounds; index++) {
    say(`simulator, in memory: round ${index + 1} of ${durations.rounds}`)
    measured.push(await Turns.round(InMemory.names, (name) => start(name, durations.warmUpMillis), durations))
  }
  return rowsOf(Rounds.joined(measured))
}
