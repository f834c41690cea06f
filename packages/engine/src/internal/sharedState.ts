/**
 * The pace of an organisation that several processes share: what lies in its row, how it moves with what one of them tells,
 * and who of them is given how many turns.
 *
 * Turns lie one behind the other at 99 % of the rate and are taken at most {@link lateMillis} after their moment, so that
 * within any minute no more calls leave than the rate allows: 0.99 * (60 s + 0.5 s) < 60 s.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as PaceState from "../PaceState.js"

/** Somebody who takes turns. */
interface Taker {
  readonly id: string
  /** When it asked last, within {@link quietMillis}. */
  readonly askedMillis: number
}

/** What lies in the row. */
export interface SharedState {
  readonly pace: PaceState.PaceState
  /** Who has asked lately, in the order of what they were given last: who has waited longest comes first. */
  readonly takers: ReadonlyArray<Taker>
  /** The first turn that nobody had when the outage that is on began: some may still be taken by who has not heard of it. */
  readonly resumeMillis: number
}

/** What a process has seen since it told last. Moments are those of the database's clock. */
export interface Told {
  /** A limit that holds for all from now on; `undefined` where it is the old one. */
  readonly callsPerSecond: number | null | undefined
  /** Calls that were accepted, and since when they are counted. */
  readonly accepted: number
  readonly sinceMillis: number
  readonly refused: ReadonlyArray<{ readonly atMillis: number; readonly sentMillis: number; readonly retryAfterMillis: number | null }>
  readonly paused: PaceState.Pause | null
  /** An outage began, goes on, or is over; `undefined` where nothing is told. */
  readonly crawl: PaceState.Crawl | null | undefined
  /** When a call tried an upstream that is down, later than its turn was. */
  readonly triedMillis: number | null
}

/** Turns that a process was given. */
export interface Grant extends PaceState.Turns {
  readonly count: number
}

/** Turns are spaced as if the rate was so much of what it is. */
export const fraction = 0.99

/** So long after its moment a turn may be taken. */
export const lateMillis = 500

/** Turns of so long a time are given away at once, divided among those who ask. */
export const blockMillis = 400

/** No turn is given away longer before its moment. */
export const reachMillis = 1_200

/** Who has not asked for so long takes no part. */
const quietMillis = 5_000

/** So often it is written down that somebody still asks. */
const askedMillis = 1_000

/** A row as it is made. */
export const make = (nowMillis: number, callsPerSecond: number | null): SharedState => ({
  pace: PaceState.make({ nowMillis, callsPerSecond, learntBefore: null }),
  takers: [],
  resumeMillis: PaceState.never
})

/** What has happened, without the calls that were accepted: those move the pace of all only. */
export const noticed = (pace: PaceState.PaceState, told: Pick<Told, "crawl" | "paused" | "refused">): PaceState.PaceState => {
  const refused = told.refused.reduce(
    (pace, { atMillis, retryAfterMillis, sentMillis }) => PaceState.refused(pace, atMillis, sentMillis, retryAfterMillis),
    told.paused === null ? pace : PaceState.paused(pace, told.paused.untilMillis, told.paused.why)
  )
  return told.crawl === undefined ? refused : PaceState.crawling(refused, told.crawl)
}

/** Moves the row by what one process tells; the same object where that is nothing new. */
export const moved = (before: SharedState, told: Told, nowMillis: number): SharedState => {
  const { accepted, sinceMillis, triedMillis } = told
  let { pace } = before
  if (told.callsPerSecond !== undefined) pace = PaceState.limited(pace, told.callsPerSecond)
  if (accepted > 0) {
    const isOld = pace.closed !== null && sinceMillis < pace.closed.atMillis
    pace = isOld ? PaceState.acceptedBefore(pace, accepted) : PaceState.accepted(pace, nowMillis, accepted)
  }
  pace = noticed(pace, told)
  if (triedMillis !== null && pace.crawl !== null) {
    pace = { ...pace, nextMillis: Math.max(pace.nextMillis, triedMillis + pace.crawl.everyMillis) }
  }
  if (pace === before.pace) return before
  const isDown = pace.crawl !== null
  if (isDown === (before.pace.crawl !== null)) return { ...before, pace }
  return isDown
    ? { ...before, pace, resumeMillis: before.pace.nextMillis }
    : { ...before, pace: { ...pace, nextMillis: Math.max(pace.nextMillis, before.resumeMillis, pace.pause.untilMillis) } }
}

/** How many share the rate now, whoever asks among them. */
const active = ({ takers }: SharedState, taker: string, nowMillis: number): ReadonlyArray<Taker> => {
  const asking = takers.filter(({ askedMillis, id }) => id !== taker && nowMillis - askedMillis < quietMillis)
  const own = takers.findIndex(({ id }) => id === taker)
  // Somebody new has waited longest.
  const place = own < 0 ? 0 : asking.filter((other) => takers.indexOf(other) < own).length
  return [...asking.slice(0, place), { id: taker, askedMillis: takers[own]?.askedMillis ?? PaceState.never }, ...asking.slice(place)]
}

/** How many share the rate now. */
export const sharers = (state: SharedState, nowMillis: number): number =>
  Math.max(1, state.takers.filter(({ askedMillis }) => nowMillis - askedMillis < quietMillis).length)

/**
 * Gives turns under a limit to one who wants some: no more than its share of a block, and none too far ahead. Who was given
 * some last may not reach as far as the others, so that they take turns. Without any, it is said when to ask again.
 */
export const leased = (
  state: SharedState,
  { nowMillis, taker, wanted }: { readonly nowMillis: number; readonly taker: string; readonly wanted: number }
): { readonly state: SharedState; readonly grant: Grant | null; readonly againMillis: number } => {
  const all = active(state, taker, nowMillis)
  const rank = all.findIndex(({ id }) => id === taker)
  const { crawl, rate } = state.pace
  if (crawl === null && rate === null) return { state, grant: null, againMillis: nowMillis }
  const turns = PaceState.peek(state.pace, nowMillis, fraction)
  const reach = reachMillis * (1 - rank / (2 * all.length))
  const most = crawl !== null || rate === null ? 1 : Math.max(1, Math.ceil(rate * fraction * blockMillis / 1000 / all.length))
  const count = Math.min(wanted, most)
  const lastMillis = turns.firstMillis + (count - 1) * turns.spacingMillis
  const me: Taker = { id: taker, askedMillis: nowMillis }
  if (lastMillis > nowMillis + reach) {
    const isKnown = nowMillis - (all[rank]?.askedMillis ?? PaceState.never) < askedMillis
    return {
      state: isKnown ? state : { ...state, takers: all.map((one) => one.id === taker ? me : one) },
      grant: null,
      againMillis: Math.max(nowMillis + 1, lastMillis - reach)
    }
  }
  return {
    state: { ...state, takers: [...all.filter(({ id }) => id !== taker), me], pace: PaceState.reserved(state.pace, turns, count) },
    grant: { ...turns, count },
    againMillis: nowMillis
  }
}

/** The same by a clock that shows so much more. */
export const shifted = ({ pace, resumeMillis, takers }: SharedState, byMillis: number): SharedState => ({
  pace: PaceState.shifted(pace, byMillis),
  takers: takers.map(({ askedMillis, id }) => ({ id, askedMillis: askedMillis + byMillis })),
  resumeMillis: resumeMillis === PaceState.never ? resumeMillis : resumeMillis + byMillis
})

const Row: Schema.Schema<SharedState, string> = Schema.parseJson(Schema.Struct({
  pace: Schema.Struct({
    ceiling: Schema.NullOr(Schema.Number),
    rate: Schema.NullOr(Schema.Number),
    learnt: Schema.NullOr(Schema.Number),
    nextMillis: Schema.Number,
    pause: Schema.Struct({ untilMillis: Schema.Number, why: Schema.String }),
    crawl: Schema.NullOr(Schema.Struct({ everyMillis: Schema.Number, why: Schema.String })),
    era: Schema.Number,
    calls: Schema.Number,
    cycleStartMillis: Schema.Number,
    closed: Schema.NullOr(Schema.Struct({
      calls: Schema.Number,
      startMillis: Schema.Number,
      endMillis: Schema.Number,
      atMillis: Schema.Number
    })),
    refusedMillis: Schema.Number,
    refusalsInARow: Schema.Number,
    probedMillis: Schema.Number
  }),
  takers: Schema.Array(Schema.Struct({ id: Schema.String, askedMillis: Schema.Number })),
  resumeMillis: Schema.Number
}))

const decode = Schema.decodeOption(Row)

/** As it lies in the row. */
export const encode: (state: SharedState) => string = Schema.encodeSync(Row)

/**
 * What lies in the row at this moment. A database whose clock was set back, or that gave its place to another with a clock of
 * its own, moves everything with it; a row that cannot be read begins anew, behind all turns that somebody may have of it.
 */
export const read = (text: string, movedMillis: number, nowMillis: number): SharedState => {
  const found = Option.getOrElse(decode(text), (): SharedState => {
    const made = make(nowMillis, null)
    return { ...made, pace: { ...made.pace, nextMillis: nowMillis + reachMillis } }
  })
  return movedMillis - nowMillis > 1_000 ? shifted(found, nowMillis - movedMillis) : found
}
