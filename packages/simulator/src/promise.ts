/**
 * The simulator for programs without Effect: promises and plain values, nothing else.
 *
 * `startSimulator` serves a world on a port of this machine; whatever speaks HTTP can call it. What a test wants to know
 * or to break is a method away. Users of Effect have more: `Simulator.layer` and `SimulatorServer.serve`.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Faults from "./Faults.js"
import * as Journal from "./Journal.js"
import * as Progress from "./Progress.js"
import * as Simulator from "./Simulator.js"
import * as SimulatorServer from "./SimulatorServer.js"
import * as World from "./World.js"

/** How a simulator is started; everything has a default. */
export interface StartOptions {
  /** Default `World.sample`. */
  readonly world?: World.World | undefined
  /** Faults in force from the start, and again after a reset. */
  readonly faults?: ReadonlyArray<Faults.Fault> | undefined
  /** Decides probabilities and tokens; default 0. */
  readonly seed?: number | undefined
  /** Default: any that is free. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** How many calls the journal keeps; default 10,000. */
  readonly journalCapacity?: number | undefined
  /** Default `/api_gateway/intouch-api-v3/v3.1`. */
  readonly basePath?: string | undefined
}

/** A stretch of virtual time: the sum of what is given. */
export interface Stretch {
  readonly days?: number | undefined
  readonly hours?: number | undefined
  readonly minutes?: number | undefined
  readonly seconds?: number | undefined
  readonly millis?: number | undefined
}

/** What the upstream holds of somebody in a target. */
export interface HeldStanding {
  /** Whether there is an enrolment in a period that has not ended. */
  readonly enrolled: boolean
  /** Every period that was ever entered, in order. */
  readonly periods: ReadonlyArray<{
    readonly refCode: string | null
    readonly enrolled: boolean
    readonly achieved: number
    readonly enrolledOn: Date
  }>
  /** Streaks: how many levels are achieved. */
  readonly level: number
}

/** A simulator that listens, until it is closed. */
export interface RunningSimulator {
  /** The base URL, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** The environment variables that point a Milepost program to it. */
  readonly env: Readonly<Record<string, string>>
  /** The calls that are kept, oldest first; all, or those that fit. */
  readonly journal: (filter?: Journal.Filter) => Promise<ReadonlyArray<Journal.Entry>>
  /** Complete since the start or the last reset, however many calls are kept. */
  readonly counts: () => Promise<Journal.Counts>
  /** Adds a fault, and answers its id. */
  readonly fault: (fault: Faults.Fault) => Promise<number>
  /** Takes one fault away, or all. */
  readonly clearFaults: (id?: number) => Promise<void>
  /** Virtual time. */
  readonly now: () => Promise<Date>
  /** Moves virtual time forward, and answers the new time. */
  readonly advance: (by: Stretch) => Promise<Date>
  /** Moves virtual time to an instant, also backwards. */
  readonly setClock: (to: Date | string) => Promise<void>
  /** Somebody made progress: an activity, or a streak level. Rejects where that counts for nobody. */
  readonly progress: (event: Progress.Event) => Promise<HeldStanding>
  /** What is held of somebody in a target; `null` for who was never enrolled. */
  readonly standing: (customerId: number, targetGroupId: number, targetId: number) => Promise<HeldStanding | null>
  /** Starts over, in this world or another, with the faults of the start. */
  readonly reset: (world?: World.World) => Promise<void>
  /** Stops listening; calls that are not answered yet are cut off. */
  readonly close: () => Promise<void>
  /** The same, for `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

const rightOrThrow = <A>(read: Either.Either<A, { readonly message: string }>): A => {
  if (Either.isLeft(read)) throw new Error(read.left.message)
  return read.right
}

/** Runs to a value, or throws an error with the message of what went wrong and nothing of how it was run. */
const settled = async <A>(effect: Effect.Effect<A, { readonly message: string }>): Promise<A> =>
  rightOrThrow(await Effect.runPromise(Effect.either(effect)))

const held = ({ enrolled, level, periods }: Simulator.Standing): HeldStanding => ({
  enrolled,
  level,
  periods: periods.map((period) => ({ ...period, enrolledOn: DateTime.toDateUtc(period.enrolledOn) }))
})

const units: Readonly<Record<keyof Stretch, number>> = { days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1000, millis: 1 }

const millisOf = (by: Stretch): number => {
  const words = Object.entries(by)
  const unknown = words.find(([word, amount]) => !(word in units) || (amount !== undefined && !Number.isFinite(amount)))
  if (unknown !== undefined) throw new Error(`advance: ${unknown.join(" ")} is no stretch of ${Object.keys(units).join(", ")}`)
  return Object.entries(units).reduce((sum, [unit, millis]) => sum + millis * (by[unit as keyof Stretch] ?? 0), 0)
}

const running = (
  simulator: Simulator.Service,
  { port, url }: SimulatorServer.Serving,
  env: Readonly<Record<string, string>>,
  close: () => Promise<void>
): RunningSimulator => ({
  url,
  port,
  env,
  journal: (filter = {}) => settled(Effect.map(simulator.journal.entries, (entries) => Journal.select(entries, filter))),
  counts: () => settled(simulator.journal.counts),
  fault: async (fault) => {
    const [one] = rightOrThrow(Faults.decode([fault]))
    return one === undefined ? 0 : settled(simulator.faults.add(one))
  },
  clearFaults: async (id) => {
    if (id === undefined) await settled(simulator.faults.clear)
    else if (!(await settled(simulator.faults.remove(id)))) throw new Error(`there is no fault ${id}`)
  },
  now: () => settled(Effect.map(simulator.clock.now, DateTime.toDateUtc)),
  advance: async (by) => settled(Effect.map(simulator.clock.advance(millisOf(by)), DateTime.toDateUtc)),
  setClock: async (to) => {
    const instant = DateTime.make(to)
    if (Option.isNone(instant)) throw new Error(`setClock: ${String(to)} is no instant`)
    await settled(simulator.clock.set(instant.value))
  },
  progress: async (event) => settled(Effect.map(simulator.progress(rightOrThrow(Progress.decode(event))), held)),
  standing: (customerId, targetGroupId, targetId) =>
    settled(Effect.map(simulator.standing(customerId, targetGroupId, targetId), Option.match({ onNone: () => null, onSome: held }))),
  reset: async (world) => {
    await settled(simulator.reset(world === undefined ? undefined : rightOrThrow(World.decode(world))))
  },
  close,
  [Symbol.asyncDispose]: close
})

/**
 * Serves a world on this machine. Rejects where the world or a fault is wrong, with a line a mistake, and where the port
 * cannot be listened on.
 *
 * @example
 * ```ts
 * import { startSimulator } from "@milepost/simulator/promise"
 *
 * const simulator = await startSimulator()
 * const health = await fetch(`${simulator.url}/__sim/health`)
 * const calls = await simulator.journal()
 * await simulator.close()
 * ```
 */
export const startSimulator = async (options: StartOptions = {}): Promise<RunningSimulator> => {
  const world = rightOrThrow(World.decode(options.world ?? World.sample))
  const faults = rightOrThrow(Faults.decode(options.faults ?? []))
  const simulator = await settled(Simulator.make(world, { ...options, faults }))
  const scope = await settled(Scope.make())
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= settled(Scope.close(scope, Exit.void)))
  try {
    const serving = await settled(
      SimulatorServer.serve(options).pipe(Effect.provideService(Simulator.Simulator, simulator), Scope.extend(scope))
    )
    return running(simulator, serving, SimulatorServer.variables(serving.url, world), close)
  } catch (error) {
    await close()
    throw error
  }
}
