/** The first benchmark: calls a second and CPU a call, beside what else a user could pick. */
import * as Client from "./Client.js"
import * as Contenders from "./Contenders.js"
import * as Results from "./Results.js"
import * as Rounds from "./Rounds.js"
import * as Turns from "./Turns.js"
import * as Upstream from "./Upstream.js"

type Measured = ReadonlyMap<Contenders.Name, ReadonlyArray<Client.Turn>>

const series = (measured: Measured, name: Contenders.Name, of: (one: Client.Turn) => number): ReadonlyArray<number> =>
  (measured.get(name) ?? []).map(of)

const speed = ({ calls, seconds }: Client.Turn): number => calls / seconds

const cpuMicros = ({ calls, cpuSeconds }: Client.Turn): number => (cpuSeconds * 1e6) / calls

/** The rows of the table, in the order of the contenders. */
export const rowsOf = (measured: Measured): ReadonlyArray<Results.EnrollRow> => {
  const poolSpeed = series(measured, "undici-pool", speed)
  const fetchSpeed = series(measured, "fetch", speed)
  const poolCpu = series(measured, "undici-pool", cpuMicros)
  return Contenders.names.map((name) => {
    const ownSpeed = series(measured, name, speed)
    const ownCpu = series(measured, name, cpuMicros)
    return {
      name,
      title: Contenders.all[name].title,
      callsPerSecond: Rounds.summary(ownSpeed),
      cpuMicrosPerCall: Rounds.summary(ownCpu),
      upstreamBusy: Rounds.summary(series(measured, name, ({ upstreamBusy }) => upstreamBusy)),
      speedToPool: Rounds.ratios(ownSpeed, poolSpeed),
      speedToFetch: Rounds.ratios(ownSpeed, fetchSpeed),
      cpuToPool: Rounds.ratios(ownCpu, poolCpu)
    }
  })
}

/** What `Enroll` promises. */
export const thresholdsOf = (rows: ReadonlyArray<Results.EnrollRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ name }) => name === "milepost-outcome").flatMap(({ speedToFetch, speedToPool, title }) => [
    Results.atLeast(`${title}, calls/s beside undici Pool.request`, 0.5, speedToPool.median),
    Results.atLeast(`${title}, calls/s beside built-in fetch`, 4, speedToFetch.median)
  ])

/** Runs it. */
export const run = async (durations: Turns.Durations, say: (line: string) => void): Promise<Results.EnrollSection> => {
  const upstream = await Upstream.start()
  try {
    const measured: Array<Measured> = []
    for (let index = 0; index < durations.rounds; index++) {
      say(`enroll: round ${index + 1} of ${durations.rounds}`)
      const start = (name: Contenders.Name) => Client.start(name, upstream, durations.warmUpMillis)
      measured.push(await Turns.round(Contenders.names, start, durations))
    }
    const rows = rowsOf(Rounds.joined(measured))
    return {
      ...Results.turned(durations),
      rows,
      thresholds: thresholdsOf(rows)
    }
  } finally {
    await upstream.stop()
  }
}
