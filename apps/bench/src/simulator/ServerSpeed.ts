/**
 * The simulator as a server beside a plain one: `milepost-harness serve` and a `node:http` server that answers a constant,
 * under the same load.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Client from "../Client.js"
import * as Processes from "../Processes.js"
import * as Results from "../Results.js"
import * as Rounds from "../Rounds.js"
import * as Turns from "../Turns.js"
import * as BenchWorld from "./BenchWorld.js"
import * as Load from "./Load.js"
import * as Served from "./Served.js"

/** The turns of both servers, round after round. */
export type Measured = ReadonlyMap<Load.Server, ReadonlyArray<Client.Turn>>

const titles: Readonly<Record<Load.Server, string>> = {
  plain: "node:http, a constant",
  simulator: "milepost-harness serve"
}

const speed = ({ calls, seconds }: Client.Turn): number => calls / seconds

/** Calls by the time of one core: a server whose threads took more than one has used up more than the turn's seconds. */
const coreSpeed = ({ calls, seconds, upstreamBusy }: Client.Turn): number => calls / (seconds * Math.max(1, upstreamBusy))

/** Calls by what the server itself computed, whoever was waited for: the plain one is often quicker than the load on it. */
const cpuSpeed = ({ calls, seconds, upstreamBusy }: Client.Turn): number => calls / (seconds * upstreamBusy)

const serverMicros = (turn: Client.Turn): number => 1e6 / cpuSpeed(turn)

/** The rows of the table. */
export const rowsOf = (measured: Measured): ReadonlyArray<Results.ServerRow> => {
  const series = (name: Load.Server, of: (turn: Client.Turn) => number): ReadonlyArray<number> =>
    (measured.get(name) ?? []).map(of)
  return Load.servers.map((name) => ({
    name,
    title: titles[name],
    callsPerSecond: Rounds.summary(series(name, speed)),
    callsPerCoreSecond: Rounds.summary(series(name, coreSpeed)),
    serverMicrosPerCall: Rounds.summary(series(name, serverMicros)),
    serverBusy: Rounds.summary(series(name, ({ upstreamBusy }) => upstreamBusy)),
    clientBusy: Rounds.summary(series(name, ({ cpuSeconds, seconds }) => cpuSeconds / seconds)),
    speedToPlain: Rounds.ratios(series(name, speed), series("plain", speed)),
    speedToPlainByCpu: Rounds.ratios(series(name, cpuSpeed), series("plain", cpuSpeed))
  }))
}

/** What the server promises. */
export const thresholdsOf = (rows: ReadonlyArray<Results.ServerRow>): ReadonlyArray<Results.Threshold> =>
  rows.filter(({ name }) => name === "simulator").flatMap(({ callsPerCoreSecond, speedToPlain, speedToPlainByCpu, title }) => [
    Results.atLeast(`${title}, enrolments/s beside a node:http server that answers a constant`, 0.4, speedToPlain.median),
    Results.atLeast(`${title}, enrolments by CPU second of the server, beside the same`, 0.4, speedToPlainByCpu.median),
    Results.atLeast(`${title}, enrolments/s on one core`, 5_000, callsPerCoreSecond.median)
  ])

/** What the simulator's journal counts, as far as it is looked at. */
export interface Counts {
  readonly received: number
  readonly executed: number
  readonly overlaps: number
}

/** Asks a simulator what it was asked so far. */
export const countsOf = async (origin: string): Promise<Counts> => {
  const response = await fetch(`${origin}/__sim/journal?since=${Number.MAX_SAFE_INTEGER}`)
  return ((await response.json()) as { readonly counts: Counts }).counts
}

/** Fails unless a simulator has enrolled somebody by every call of its life, and by so many since it was asked before. */
export const checkEnrolled = (before: Counts, { executed, overlaps, received }: Counts, calls: number): void => {
  if (executed === received && overlaps === 0 && executed - before.executed >= calls) return
  throw new Error(
    `the simulator executed ${executed} of ${received} calls with ${overlaps} overlaps, ` +
      `${executed - before.executed} of them in a turn of ${calls}`
  )
}

/** A turn after which the simulator itself is asked whether it enrolled everybody. */
const checked = (origin: string, ready: Client.Ready): Client.Ready["turn"] => async (millis) => {
  const before = await countsOf(origin)
  const turn = await ready.turn(millis)
  checkEnrolled(before, await countsOf(origin), turn.calls)
  return turn
}

const start = async (server: Load.Server, worldFile: string, warmUpMillis: number): Promise<Client.Ready> => {
  const served = await Served.start(server, worldFile)
  try {
    const load = Processes.start("load", server, served.origin, String(warmUpMillis))
    const ready = await Client.follow(load, Client.watching(served.cpuSeconds))
    return {
      turn: server === "simulator" ? checked(served.origin, ready) : ready.turn,
      stop: async () => {
        await ready.stop()
        await served.stop()
      }
    }
  } catch (error) {
    await served.stop()
    throw error
  }
}

/** Measures it. */
export const run = async (durations: Turns.Durations, say: (line: string) => void): Promise<ReadonlyArray<Results.ServerRow>> => {
  const folder = mkdtempSync(join(tmpdir(), "milepost-bench-"))
  try {
    const worldFile = join(folder, "world.json")
    writeFileSync(worldFile, JSON.stringify(BenchWorld.world))
    const measured: Array<Measured> = []
    for (let index = 0; index < durations.rounds; index++) {
      say(`simulator, as a server: round ${index + 1} of ${durations.rounds}`)
      measured.push(await Turns.round(Load.servers, (name) => start(name, worldFile, durations.warmUpMillis), durations))
    }
    return rowsOf(Rounds.joined(measured))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
