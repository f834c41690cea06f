/**
 * Stretches of periods: what a customer's standing is made of.
 *
 * A list of stays is in order and without overlap. Most calls enrol from one period to the last and hold nothing in the
 * later ones, so one stay of five numbers stands for all of them.
 */

/** A stretch of periods entered together, by their ordinals. */
export interface Stay {
  readonly first: number
  readonly last: number
  /** `false` after having been un-enrolled. */
  readonly enrolled: boolean
  /** The achieved value in the first of them; the later ones hold none yet. */
  readonly achieved: number
  /** When it was entered, in milliseconds of virtual time since the epoch. */
  readonly since: number
}

/** A stay. */
export const from = (first: number, last: number, enrolled: boolean, achieved: number, since: number): Stay => ({
  first,
  last,
  enrolled,
  achieved,
  since
})

/** The stay of one period, as if it were alone; `undefined` where that period was never entered. */
export const at = (stays: ReadonlyArray<Stay>, period: number): Stay | undefined => {
  for (const stay of stays) {
    if (stay.first <= period && period <= stay.last) {
      return stay.first === period ? stay : from(period, period, stay.enrolled, 0, stay.since)
    }
  }
  return undefined
}

/** The stays before a period and those from it on; one that straddles it is cut in two. */
export const cut = (
  stays: ReadonlyArray<Stay>,
  period: number
): readonly [before: ReadonlyArray<Stay>, from: ReadonlyArray<Stay>] => {
  const before: Array<Stay> = []
  const after: Array<Stay> = []
  for (const stay of stays) {
    if (stay.last < period) before.push(stay)
    else if (stay.first >= period) after.push(stay)
    else {
      before.push({ ...stay, last: period - 1 })
      after.push(from(period, stay.last, stay.enrolled, 0, stay.since))
    }
  }
  return [before, after]
}

/**
 * Enters the periods `first` to `last`. The first takes `achieved`; of the later ones those already entered stay as they
 * are, those left are entered again with what they held, and gaps are entered with nothing.
 */
export const fill = (
  stays: ReadonlyArray<Stay>,
  first: number,
  last: number,
  achieved: number,
  now: number
): ReadonlyArray<Stay> => {
  if (stays.length === 0) return [from(first, last, true, achieved, now)]
  const [before, rest] = cut(stays, first)
  const [within, after] = cut(rest, last + 1)
  const entered: Array<Stay> = []
  let next = first
  const enter = (to: number, held: number): void => {
    const previous = entered.at(-1)
    // A stretch that holds nothing joins the one entered just now.
    if (previous !== undefined && previous.since === now && held === 0) entered[entered.length - 1] = { ...previous, last: to }
    else entered.push(from(next, to, true, held, now))
    next = to + 1
  }
  enter(first, achieved)
  for (const stay of within) {
    if (stay.last < next) continue
    if (stay.first > next) enter(stay.first - 1, 0)
    const held = stay.first >= next ? stay.achieved : 0
    if (stay.enrolled) {
      entered.push(from(next, stay.last, true, held, stay.since))
      next = stay.last + 1
    } else enter(stay.last, held)
  }
  if (next <= last) enter(last, 0)
  return [...before, ...entered, ...after]
}
