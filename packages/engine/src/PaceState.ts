/**
 * What the pace of one organisation knows, as plain data, and how every event moves it.
 *
 * All functions are pure and none reads a clock, so that the data may lie in memory or in a database that several processes
 * share. Every number is finite: the data can be written as JSON and read back. Moments are milliseconds of one clock.
 */

/** A stop of the whole organisation. */
export interface Pause {
  readonly untilMillis: number
  /** For people, e.g. `429`. */
  readonly why: string
}

/** An outage of the upstream, in which one call goes every so often. */
export interface Crawl {
  readonly everyMillis: number
  /** For people: what the last calls met. */
  readonly why: string
}

/** The calls between two refusals. */
interface Cycle {
  readonly calls: number
  readonly startMillis: number
  readonly endMillis: number
}

/** What is known. */
export interface PaceState {
  /** Calls a second, never more; `null` for as many as the upstream bears. */
  readonly ceiling: number | null
  /** Calls a second that are let go; `null` without a limit. */
  readonly rate: number | null
  /** Calls a second that the upstream bore; `null` where it never refused. */
  readonly learnt: number | null
  /** The first turn that nobody has. */
  readonly nextMillis: number
  readonly pause: Pause
  readonly crawl: Crawl | null
  /** Changes when an outage begins or ends: a turn that was reserved before counts no more. */
  readonly era: number
  /** Accepted calls of the cycle that is on, and when it began: with the end of the last pause. */
  readonly calls: number
  readonly cycleStartMillis: number
  /** The cycle that the last refusal closed, and when it was noticed. */
  readonly closed: (Cycle & { readonly atMillis: number }) | null
  /** A call that left before this moment belongs to the last refusal. */
  readonly refusedMillis: number
  readonly refusalsInARow: number
  /** When a higher rate was tried last. */
  readonly probedMillis: number
}

/** Turns reserved at once: the first one, and how far apart they are. */
export interface Turns {
  readonly firstMillis: number
  /** 0 without a limit. */
  readonly spacingMillis: number
}

/** Long before every moment; finite, so that it survives JSON. */
export const never = Number.MIN_SAFE_INTEGER

/** Turns saved up while nobody called, as the time that they span. */
const burstMillis = 100

/** The wait after a 429 that names none. */
const firstPauseMillis = 1_000
const longestPauseMillis = 30_000

/** Below this many calls between two refusals nothing is learnt. */
const fewestCalls = 5

/** A learnt rate is tried a little higher when the upstream has not refused for so long. */
const probeAfterMillis = 30_000

const within = (ceiling: number | null, rate: number): number => ceiling === null ? rate : Math.min(ceiling, rate)

/** A pace that starts now. */
export const make = (options: {
  readonly nowMillis: number
  readonly callsPerSecond: number | null
  readonly learntBefore: number | null
}): PaceState => ({
  ceiling: options.callsPerSecond,
  rate: options.learntBefore === null ? options.callsPerSecond : within(options.callsPerSecond, options.learntBefore),
  learnt: options.learntBefore,
  nextMillis: options.nowMillis - burstMillis,
  pause: { untilMillis: never, why: "" },
  crawl: null,
  era: 0,
  calls: 0,
  cycleStartMillis: options.nowMillis,
  closed: null,
  refusedMillis: never,
  refusalsInARow: 0,
  probedMillis: options.nowMillis
})

/** The same at another limit; what was learnt stays. */
export const limited = (state: PaceState, callsPerSecond: number | null): PaceState =>
  callsPerSecond === state.ceiling ? state : {
    ...state,
    ceiling: callsPerSecond,
    rate: state.learnt === null ? callsPerSecond : within(callsPerSecond, state.learnt)
  }

/** Where the next turn would be, and how far apart turns are at a fraction of the rate. */
export const peek = (state: PaceState, nowMillis: number, fraction = 1): Turns => {
  const { crawl, nextMillis, pause, rate } = state
  if (crawl !== null) return { firstMillis: Math.max(nextMillis, nowMillis, pause.untilMillis), spacingMillis: crawl.everyMillis }
  if (rate === null) return { firstMillis: Math.max(nowMillis, pause.untilMillis), spacingMillis: 0 }
  return { firstMillis: Math.max(nextMillis, nowMillis - burstMillis), spacingMillis: 1000 / (rate * fraction) }
}

/** Gives away so many of the turns that {@link peek} told, from the first one on. */
export const reserved = (state: PaceState, { firstMillis, spacingMillis }: Turns, count: number): PaceState =>
  spacingMillis === 0 ? state : { ...state, nextMillis: firstMillis + spacingMillis * count }

/** Stops everybody until then; a pause is never shortened. */
export const paused = (state: PaceState, untilMillis: number, why: string): PaceState =>
  untilMillis <= state.pause.untilMillis
    ? state
    : { ...state, pause: { untilMillis, why }, nextMillis: Math.max(state.nextMillis, untilMillis) }

/** Begins an outage or goes on with it; `null` ends it. Either way nobody's turn counts any more. */
export const crawling = (state: PaceState, crawl: Crawl | null): PaceState => {
  if ((crawl === null) === (state.crawl === null)) return crawl === null ? state : { ...state, crawl }
  return { ...state, crawl, era: state.era + 1, nextMillis: never }
}

/** Counts calls that the upstream did not refuse for their number. */
export const accepted = (state: PaceState, nowMillis: number, calls = 1): PaceState => {
  const { ceiling, learnt, probedMillis, rate } = state
  const counted = { ...state, calls: state.calls + calls, refusalsInARow: 0 }
  if (learnt === null || rate === null || rate === ceiling || nowMillis - probedMillis < probeAfterMillis) return counted
  return { ...counted, probedMillis: nowMillis, rate: within(ceiling, rate * 1.05) }
}

/** Counts calls that were accepted before the last refusal, and of which is heard only now. */
export const acceptedBefore = (state: PaceState, calls: number): PaceState => {
  const { ceiling, closed } = state
  if (closed === null || calls === 0) return state
  const all = closed.calls + calls
  const counted = { ...state, closed: { ...closed, calls: all } }
  if (all < fewestCalls || closed.endMillis <= closed.startMillis) return counted
  const learnt = all * 1000 / (closed.endMillis - closed.startMillis)
  return { ...counted, learnt, rate: within(ceiling, learnt) }
}

/**
 * A call that left at `sentMillis` was answered 429: stops everybody for as long as was asked for, or for a second that
 * doubles with every refusal in a row, and learns. Refusals of calls that left before the last one teach nothing new.
 */
export const refused = (state: PaceState, nowMillis: number, sentMillis: number, retryAfterMillis: number | null): PaceState => {
  const isNews = sentMillis >= state.refusedMillis
  const inARow = state.refusalsInARow + Number(isNews)
  const wait = retryAfterMillis ?? Math.min(longestPauseMillis, firstPauseMillis * 2 ** Math.min(inARow - 1, 10))
  const stopped = paused(state, nowMillis + Math.max(0, wait), "429")
  if (!isNews) return stopped
  const { calls, ceiling, cycleStartMillis, learnt, rate } = state
  const until = Math.max(nowMillis, stopped.pause.untilMillis)
  const next = {
    ...stopped,
    refusalsInARow: inARow,
    cycleStartMillis: until,
    probedMillis: until,
    calls: 0,
    closed: { calls, startMillis: cycleStartMillis, endMillis: until, atMillis: nowMillis },
    // Whatever left before the pause ends belongs to this refusal.
    refusedMillis: until
  }
  if (calls >= fewestCalls && until > cycleStartMillis) {
    const bore = calls * 1000 / (until - cycleStartMillis)
    return { ...next, learnt: bore, rate: within(ceiling, bore) }
  }
  if (learnt === null || rate === null) return next
  const less = Math.max(rate * 0.8, 0.1)
  return { ...next, learnt: less, rate: less }
}

/** The pause that is on; `null` while calls may go. */
export const pauseAt = (state: PaceState, nowMillis: number): Pause | null => state.pause.untilMillis > nowMillis ? state.pause : null

/** What people are told is waited for: a pause, or the next call of an outage. */
export const waiting = (state: PaceState, nowMillis: number): Pause | null => {
  const { crawl, nextMillis } = state
  const pause = pauseAt(state, nowMillis)
  if (pause !== null || crawl === null) return pause
  return { untilMillis: Math.max(nowMillis, Math.min(nextMillis, nowMillis + crawl.everyMillis)), why: crawl.why }
}

/** How many turns could be taken at once; `null` without a limit. */
export const left = (state: PaceState, nowMillis: number): number | null => {
  const { crawl, nextMillis, rate } = state
  const pause = pauseAt(state, nowMillis)
  if (crawl !== null) return nextMillis <= nowMillis && pause === null ? 1 : 0
  if (rate === null) return null
  const { firstMillis } = peek(state, nowMillis)
  return pause !== null || firstMillis > nowMillis ? 0 : Math.floor((nowMillis - firstMillis) * rate / 1000 + 1e-9) + 1
}

const moved = (moment: number, byMillis: number): number => moment === never ? never : moment + byMillis

/** The same by a clock that shows so much more: another machine's, or one that was set. */
export const shifted = (state: PaceState, byMillis: number): PaceState => ({
  ...state,
  nextMillis: moved(state.nextMillis, byMillis),
  pause: { ...state.pause, untilMillis: moved(state.pause.untilMillis, byMillis) },
  cycleStartMillis: moved(state.cycleStartMillis, byMillis),
  closed: state.closed === null ? null : {
    calls: state.closed.calls,
    startMillis: moved(state.closed.startMillis, byMillis),
    endMillis: moved(state.closed.endMillis, byMillis),
    atMillis: moved(state.closed.atMillis, byMillis)
  },
  refusedMillis: moved(state.refusedMillis, byMillis),
  probedMillis: moved(state.probedMillis, byMillis)
})
