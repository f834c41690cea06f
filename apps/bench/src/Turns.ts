/** Rounds of turns: everybody starts afresh, and then they take turns so closely that a slow machine is so for all. */
import type * as Client from "./Client.js"
import * as Rounds from "./Rounds.js"

/** How long they take. */
export interface Durations {
  /** How often every contender starts afresh. */
  readonly rounds: number
  readonly warmUpMillis: number
  /** How often everybody has a turn in each round. */
  readonly turns: number
  readonly turnMillis: number
}

/** One round: starts everybody, lets them take turns, and stops them again. */
export const round = async <A extends string, B>(
  names: ReadonlyArray<A>,
  start: (name: A) => Promise<Client.Ready<B>>,
  { turnMillis, turns }: Pick<Durations, "turnMillis" | "turns">
): Promise<ReadonlyMap<A, ReadonlyArray<B>>> => {
  const ready = new Map<A, Client.Ready<B>>()
  try {
    // One after another, so that nobody warms up in another's shadow.
    for (const name of names) ready.set(name, await start(name))
    return await Rounds.interleaved(names, turns, (name) => {
      const client = ready.get(name)
      if (client === undefined) throw new Error(`${name} has not been started`)
      return client.turn(turnMillis)
    })
  } finally {
    await Promise.all(Array.from(ready.values(), (client) => client.stop()))
  }
}
