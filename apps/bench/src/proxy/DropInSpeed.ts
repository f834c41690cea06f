/**
 * The drop-in route beside what else could stand there: calls a second, CPU a call, and how long a call takes under load.
 *
 * All proxies of a round have one upstream and take turns; whoever calls them is a process of its own for each.
 */
import * as Client from "../Client.js"
import * as Processes from "../Processes.js"
import * as Results from "../Results.js"
import * as Rounds from "../Rounds.js"
import * as Turns from "../Turns.js"
import * as Upstream from "../Upstream.js"
import type * as Load from "./Load.js"
import * as Nginx from "./Nginx.js"
import * as Proxies from "./Proxies.js"

/** One turn of a proxy: what its load tells, and what everybody computed meanwhile. */
export interface Turn extends Load.Told {
  readonly proxySeconds: number
  readonly upstreamSeconds: number
}

/** The turns of everybody, round after round. */
export type Measured = ReadonlyMap<Proxies.Name, ReadonlyArray<Turn>>

const speed = ({ calls, seconds }: Turn): number => calls / seconds

/** Calls by what the proxy itself computed: what counts where three busy processes do not share two processors. */
const cpuSpeed = ({ calls, proxySeconds }: Turn): number => calls / proxySeconds

const p99 = ({ p99Millis }: Turn): number => p99Millis

/** The rows of the table, of everybody who took part. */
export const rowsOf = (measured: Measured): ReadonlyArray<Results.DropInRow> => {
  const series = (name: Proxies.Name, of: (turn: Turn) => number): ReadonlyArray<number> => (measured.get(name) ?? []).map(of)
  const busy = (name: Proxies.Name, of: (turn: Turn) => number): Rounds.Summary =>
    Rounds.summary(series(name, (turn) => of(turn) / turn.seconds))
  return Proxies.names.filter((name) => measured.has(name)).map((name) => ({
    name,
    title: Proxies.titles[name],
    callsPerSecond: Rounds.summary(series(name, speed)),
    speedToRaw: Rounds.ratios(series(name, speed), series("raw", speed)),
    speedToRoute: Rounds.ratios(series(name, speed), series("route", speed)),
    speedToPlugin: Rounds.ratios(series(name, speed), series("http-proxy", speed)),
    proxyMicrosPerCall: Rounds.summary(series(name, (turn) => 1e6 / cpuSpeed(turn))),
    speedToRawByCpu: Rounds.ratios(series(name, cpuSpeed), series("raw", cpuSpeed)),
    p50Millis: Rounds.summary(series(name, ({ p50Millis }) => p50Millis)),
    p99Millis: Rounds.summary(series(name, p99)),
    p99ToRoute: Rounds.ratios(series(name, p99), series("route", p99)),
    proxyBusy: busy(name, ({ proxySeconds }) => proxySeconds),
    upstreamBusy: busy(name, ({ upstreamSeconds }) => upstreamSeconds),
    loadBusy: busy(name, ({ cpuSeconds }) => cpuSeconds)
  }))
}

/** What the drop-in route promises. */
export const thresholdsOf = (rows: ReadonlyArray<Results.DropInRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ name }) => name === "milepost").flatMap(({ p99ToRoute, speedToPlugin, speedToRaw, speedToRoute, title }) => [
    Results.atLeast(`${title}, calls/s beside node:http over undici`, 0.55, speedToRaw.median),
    Results.atLeast(`${title}, calls/s beside a fastify route over undici`, 0.8, speedToRoute.median),
    Results.atLeast(`${title}, calls/s beside @fastify/http-proxy`, 1, speedToPlugin.median),
    Results.atMost(`${title}, p99 under load beside the fastify route's`, 2, p99ToRoute.median)
  ])

const start = async (name: Proxies.Name, upstream: Upstream.Running, warmUpMillis: number): Promise<Client.Ready<Turn>> => {
  const proxy = await Proxies.start(name, upstream.origin)
  try {
    const load = Processes.start("proxy-load", proxy.origin, proxy.authorization, String(warmUpMillis))
    const ready = await Client.follow<Turn, Load.Told>(load, async (made) => {
      const proxyBefore = proxy.cpuSeconds()
      const upstreamBefore = await upstream.cpuSeconds()
      const told = await made()
      return {
        ...told,
        proxySeconds: proxy.cpuSeconds() - proxyBefore,
        upstreamSeconds: await upstream.cpuSeconds() - upstreamBefore
      }
    })
    return {
      turn: ready.turn,
      stop: async () => {
        await ready.stop()
        await proxy.stop()
      }
    }
  } catch (error) {
    await proxy.stop()
    throw error
  }
}

/** Measures it. */
export const run = async (
  durations: Turns.Durations,
  say: (line: string) => void,
  names: ReadonlyArray<Proxies.Name> = Proxies.names.filter((name) => name !== "nginx" || Nginx.binary() !== null)
): Promise<ReadonlyArray<Results.DropInRow>> => {
  const upstream = await Upstream.start()
  try {
    const measured: Array<Measured> = []
    for (let index = 0; index < durations.rounds; index++) {
      say(`proxy, drop-in: round ${index + 1} of ${durations.rounds}`)
      measured.push(await Turns.round(names, (name) => start(name, upstream, durations.warmUpMillis), durations))
    }
    return rowsOf(Rounds.joined(measured))
  } finally {
    await upstream.stop()
  }
}
