/**
 * The arithmetic of a benchmark: interleaved turns, medians, and ratios within one turn of everybody.
 *
 * A ratio is taken between measurements that lie close together, and the median of all such ratios is what is reported:
 * whatever slows the machine down for a while slows both sides of it.
 */

/** A measured quantity over all rounds. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The middle of the values, the mean of the two middle ones for an even number; there must be a value. */
export const median = (values: ReadonlyArray<number>): number => {
  const ascending = values.toSorted((left, right) => left - right)
  const middle = ascending.length >> 1
  const upper = ascending[middle]
  if (upper === undefined) throw new RangeError("a median needs a value")
  return ascending.length % 2 === 1 ? upper : ((ascending[middle - 1] ?? upper) + upper) / 2
}

/** Median, least and greatest. */
export const summary = (values: ReadonlyArray<number>): Summary => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values)
})

/** The ratios to another series, round by round; both must have as many rounds. */
export const ratios = (values: ReadonlyArray<number>, to: ReadonlyArray<number>): Summary => {
  if (values.length !== to.length) throw new RangeError(`${values.length} rounds cannot be held against ${to.length}`)
  return summary(values.map((value, round) => value / (to[round] ?? Number.NaN)))
}

/** The order of one round: everybody moves up by one place, so that nobody always runs after the same neighbour. */
export const rotated = <A>(order: ReadonlyArray<A>, round: number): ReadonlyArray<A> => {
  const by = order.length === 0 ? 0 : round % order.length
  return [...order.slice(by), ...order.slice(0, by)]
}

/** Measures everybody once a round, one after another, and keeps each one's measurements in the order of the rounds. */
export const interleaved = async <A extends string, B>(
  names: ReadonlyArray<A>,
  rounds: number,
  measure: (name: A, round: number) => B | Promise<B>
): Promise<ReadonlyMap<A, ReadonlyArray<B>>> => {
  const measured = new Map<A, Array<B>>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of rotated(names, round)) measured.get(name)?.push(await measure(name, round))
  }
  return measured
}

/** What several such rounds measured, one after another. */
export const joined = <A extends string, B>(
  rounds: ReadonlyArray<ReadonlyMap<A, ReadonlyArray<B>>>
): ReadonlyMap<A, ReadonlyArray<B>> => {
  const all = new Map<A, ReadonlyArray<B>>()
  for (const round of rounds) {
    for (const [name, measured] of round) all.set(name, [...(all.get(name) ?? []), ...measured])
  }
  return all
}
