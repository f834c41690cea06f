/**
 * A crowd: so many customers, each enrolled by a call of its own through the transport port, and afterwards a sample of them
 * held against what the simulator says of them.
 */
import * as Simulator from "@milepost/simulator/Simulator"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Work from "../Work.js"
import * as BenchWorld from "./BenchWorld.js"
import * as InMemory from "./InMemory.js"

/** One customer of so many is looked at: a prime, so that the balances of the sample are not all the same. */
const sampledOf = 997

/** What the process prints. */
export interface Told {
  readonly enrolled: number
  /** How many of them were looked at afterwards. */
  readonly sampled: number
  /** Those of the calls alone. */
  readonly seconds: number
}

const standing = (simulator: Simulator.Service, { customerId, targetGroupId, targetId }: Work.Call) =>
  Effect.runPromise(simulator.standing(customerId, targetGroupId, targetId))

/** Whether somebody stands as the call left them: in every cycle from the first on, with the balance in that one alone. */
export const standsAs = (call: Work.Call, held: Option.Option<Simulator.Standing>): boolean =>
  Option.isSome(held) && held.value.enrolled &&
  held.value.periods.length === BenchWorld.cycles.length &&
  held.value.periods.every(({ achieved, enrolled, refCode }, ordinal) =>
    enrolled && refCode === BenchWorld.cycles[ordinal] && achieved === (ordinal === 0 ? call.initialBalance : 0))

/** Enrols a crowd; fails when a call did not enrol, or somebody stands otherwise than their call said. */
export const enrol = async (simulator: Simulator.Service, customers: number): Promise<Told> => {
  const run = Work.ofCalls(customers)
  const sample: Array<Work.Call> = []
  let handedOut = 0
  const client = InMemory.into(simulator, "outcome")
  const before = performance.now()
  await client.run({
    ...run,
    next: () => {
      const call = run.next()
      if (handedOut++ % sampledOf === 0) sample.push(call)
      return call
    }
  })
  const seconds = (performance.now() - before) / 1000
  await client.close()
  const other = run.firstOther()
  if (other !== null || run.enrolled() !== customers) {
    throw new Error(`${run.enrolled()} of ${customers} calls enrolled; the first other ended ${JSON.stringify(other)}`)
  }
  for (const call of sample) {
    const held = await standing(simulator, call)
    if (!standsAs(call, held)) throw new Error(`${JSON.stringify(call)} left ${JSON.stringify(held)}`)
  }
  if (Option.isSome(await standing(simulator, run.next()))) throw new Error("somebody is enrolled for whom nobody has called")
  return { enrolled: run.enrolled(), sampled: sample.length, seconds }
}

/** The process: `crowd <customers>`. */
export const main = async ([customers]: ReadonlyArray<string>): Promise<void> => {
  const simulator = await Effect.runPromise(Simulator.make(BenchWorld.world))
  console.log(JSON.stringify(await enrol(simulator, Number(customers))))
}
