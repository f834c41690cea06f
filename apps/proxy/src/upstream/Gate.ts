/**
 * What every call to one organisation passes on its way out, whoever makes it: a place among the calls in flight, and a
 * turn at the organisation's pace.
 *
 * Interactive calls go before those of jobs, and jobs take turns. A call for which place and turn are free goes out
 * synchronously. While the upstream is down one call goes out every few seconds, to see whether it is back.
 */
import * as Transport from "@milepost/core/Transport"
import { NotSent, type TransportError } from "@milepost/core/TransportError"
import * as Concurrency from "@milepost/engine/Concurrency"
import * as Learning from "@milepost/engine/Gate"
import * as Outage from "@milepost/engine/Outage"
import * as Pace from "@milepost/engine/Pace"
import type { Direct } from "@milepost/http/Direct"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Crowd from "./Crowd.js"

/** How an organisation is reached: the port, and the way without a fiber where there is one. */
export type Inner = Transport.Service & Partial<Direct>

/** How fast an organisation is called. */
export interface Limits {
  /** Calls a second at most; `null` for as many as the upstream bears. */
  readonly callsPerSecond: number | null
  readonly concurrency: number | "auto"
}

/** Why the upstream is taken for down. */
export interface Breaker {
  /** For people: what the last calls met. */
  readonly why: string
  readonly sinceMillis: number
}

/** The gate at one moment. */
export interface Snapshot {
  readonly inFlight: number
  readonly places: number
  /** Calls that wait for a place or a turn. */
  readonly waitingInteractive: number
  readonly waitingJobs: number
  /** Calls a second that are let go; `null` without a limit. */
  readonly callsPerSecond: number | null
  /** Calls that the rate lets go at once; `null` without a limit. */
  readonly turnsLeft: number | null
  /** Until when a 429 stops everybody; `null` while calls may go. */
  readonly pausedMillis: number | null
  readonly breaker: Breaker | null
}

/** What became of a call. */
export type Ended = (exit: Exit.Exit<Transport.Response, TransportError>) => void

/** Told of every call that came back. */
export type Watch = (request: Transport.Request, exit: Exit.Exit<Transport.Response, TransportError>, tookMillis: number) => void

/** How a gate's pace is made: when the gate is, and again whenever its limit changes. */
export type MakePace = (options: {
  readonly nowMillis: number
  readonly callsPerSecond: number | null
  /** How many calls wait for a turn. */
  readonly waiting: () => number
  /** For a pace that is moved from elsewhere: turns have come, or an outage has begun or ended there. */
  readonly onMoved: () => void
}) => Pace.Pace

/** The calls of one job. */
export interface JobCalls {
  readonly transport: Transport.Service
  /** Whoever waits gives up, and later calls do not leave: for a job that stops. */
  readonly close: () => void
}

/** The gate of one organisation. */
export interface Gate {
  /** For callers who wait for the answer. */
  readonly interactive: Transport.Service
  /** For those who wait for the answers to many at once: behind the others, and before jobs. */
  readonly batch: Transport.Service
  /**
   * The same without a fiber, which costs more than all else here. Calls back once, at the earliest before it returns. Returns
   * how to take the call back: `true` where it had not left, and then nobody is called back.
   */
  readonly begin: (request: Transport.Request, ended: Ended) => () => boolean
  /** For a job: behind interactive calls, and as often as every other job. */
  readonly job: () => JobCalls
  /** How long an interactive call that came now would wait at least, in milliseconds. */
  readonly expectedWaitMillis: () => number
  /**
   * Whether few of the last seconds found a place, and half as many wait now as there are places: whoever comes now would wait
   * for half as long as his call takes, and so would everybody after him. He is counted as one who came.
   */
  readonly isOverrun: () => boolean
  /** Why a call that came now would not leave, and in how many milliseconds one may: while the upstream is down. */
  readonly closed: () => { readonly why: string; readonly retryAfterMillis: number } | null
  readonly snapshot: () => Snapshot
  /** Goes on with another transport, and with other limits where those have changed; calls in flight are left alone. */
  readonly replace: (inner: Inner, limits: Limits) => void
}

/** Somebody who makes calls, and those of them that wait. */
interface Source {
  readonly waiting: Set<Waiting>
  isClosed: boolean
}

interface Waiting {
  readonly source: Source
  readonly sinceMillis: number
  readonly deadlineMillis: number
  /** It has a place and its turn. */
  readonly leave: (call: Waiting, place: Concurrency.Concurrency) => void
  readonly fail: (error: TransportError) => void
  /** Where it has a place, while it has its turn and has not left yet. */
  place: Concurrency.Concurrency | null
}

const tooLateToTakeBack = (): boolean => false

const stopped = new NotSent({ reason: "Closed", message: "the job stopped before this call's turn" })

const tooLate = (millis: number): NotSent =>
  new NotSent({ reason: "Closed", message: `there was no turn for this call within ${Math.round(millis / 100) / 10} s; it was not sent` })

/** While somebody waits, that often it is looked who has waited too long. */
const sweepMillis = 1_000

/** So many may wait however few places there are. */
const fewestWaiting = 8

/** Between two calls to an upstream that nobody has ever reached. */
const unreachedMillis = 5_000

/** So long a call of a job is sent again after a 429, which every other caller of the organisation waits for as well. */
const longestRefusedMillis = 3_600_000

/** A gate that nobody has passed yet. */
export const make = (options: {
  readonly inner: Inner
  readonly limits: Limits
  readonly watch: Watch
  /** A pace of this process alone, unless replicas share one. */
  readonly pace?: MakePace | undefined
}): Effect.Effect<Gate> =>
  Effect.map(Effect.zip(Effect.clock, Effect.runtime<never>()), ([clock, runtime]) => {
    const now = (): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
    const run = Runtime.runFork(runtime)
    let { inner, limits } = options
    const makePace = options.pace ?? Pace.make
    const paceAt = ({ callsPerSecond }: Limits): Pace.Pace =>
      // Called only once the gate stands.
      makePace({ nowMillis: now(), callsPerSecond, waiting: () => withoutTurn(), onMoved: () => moved() })
    let pace = paceAt(limits)
    let concurrency = Concurrency.make(limits.concurrency)
    const outage = Outage.make({ isArmed: true })
    let breaker: Breaker | null = null
    /** The turn that the next call has, where one was asked for and nobody has taken it; a new era makes it void. */
    let turn: number | null = null
    let era = pace.era()
    /** When it is looked next, by the earliest timer. */
    let timedFor = Number.POSITIVE_INFINITY

    const interactive: Source = { waiting: new Set(), isClosed: false }
    const batch: Source = { waiting: new Set(), isClosed: false }
    const isJob = (source: Source): boolean => source !== interactive && source !== batch
    const crowd = Crowd.make()
    /** Jobs of which a call waits, the next one first. */
    const jobs = new Set<Source>()
    let waitingJobs = 0

    const hasTurn = (at: number): boolean => {
      if (turn === null || era !== pace.era()) {
        era = pace.era()
        turn = pace.turn(at)
      }
      // A reservation that is older than a pause is worth nothing.
      if (turn <= at && !pace.holds(turn, at)) turn = pace.turn(at)
      if (turn <= at) return true
      if (turn === Number.POSITIVE_INFINITY) turn = null
      return false
    }

    const turnsLeft = (at: number): number | null => {
      const left = pace.left(at)
      // One that was asked for and nobody has taken yet.
      return left !== null && turn !== null && turn <= at && era === pace.era() && pace.holds(turn, at) ? left + 1 : left
    }

    const takePlace = (at: number): boolean => {
      if (!hasTurn(at) || !concurrency.tryTake()) return false
      if (turn !== null) pace.taken(turn, at)
      turn = null
      return true
    }

    /** `false` where it does not wait any more. */
    const forget = (call: Waiting): boolean => {
      if (!call.source.waiting.delete(call)) return false
      if (isJob(call.source)) {
        waitingJobs -= 1
        if (call.source.waiting.size === 0) jobs.delete(call.source)
      }
      return true
    }

    const next = (): Waiting | undefined => {
      const first = interactive.waiting.values().next().value ?? batch.waiting.values().next().value
      if (first !== undefined) {
        forget(first)
        return first
      }
      const source = jobs.values().next().value
      const call = source?.waiting.values().next().value
      if (source === undefined || call === undefined) return undefined
      source.waiting.delete(call)
      waitingJobs -= 1
      // Behind the other jobs, if it has more.
      jobs.delete(source)
      if (source.waiting.size > 0) jobs.add(source)
      return call
    }

    const isAnybodyWaiting = (): boolean => interactive.waiting.size > 0 || batch.waiting.size > 0 || jobs.size > 0

    /** Calls that wait, without the one whose turn is held here. */
    const withoutTurn = (): number => Math.max(0, interactive.waiting.size + batch.waiting.size + waitingJobs - Number(turn !== null))

    const people = (): ReadonlyArray<Waiting> => [...interactive.waiting, ...batch.waiting]

    const sweep = (at: number): void => {
      for (const call of people()) {
        if (call.deadlineMillis > at) continue
        forget(call)
        call.fail(tooLate(at - call.sinceMillis))
      }
    }

    const pump = (): void => {
      const at = now()
      while (isAnybodyWaiting() && takePlace(at)) {
        const call = next()
        if (call === undefined) return
        call.leave(call, concurrency)
      }
      if (!isAnybodyWaiting()) return
      const wait = turn === null || turn <= at ? sweepMillis : Math.min(sweepMillis, turn - at)
      const due = at + wait
      // A timer that was set while there was no turn would come too late for one that there is by now.
      if (timedFor <= due) return
      timedFor = due
      run(Effect.map(Effect.sleep(wait), () => {
        if (timedFor === due) timedFor = Number.POSITIVE_INFINITY
        sweep(now())
        pump()
      }))
    }

    /** Calls of jobs wait for the end of it; people do not. */
    const shut = (why: string, at: number): void => {
      breaker = { why, sinceMillis: breaker?.sinceMillis ?? at }
      for (const call of people()) {
        forget(call)
        call.fail(new NotSent({ reason: "Closed", message: `the upstream is taken for down (${why}); the call was not sent` }))
      }
    }

    const trip = (everyMillis: number, why: string, at: number): void => {
      pace.crawl(everyMillis, why)
      shut(why, at)
    }

    /** Another process has moved the pace: its turns have come, or it has found the upstream down, or up again. */
    const moved = (): void => {
      const crawl = pace.crawling()
      const at = now()
      if (crawl === null && breaker !== null) {
        breaker = null
        outage.observe({ _tag: "Well" }, 0, at)
      } else if (crawl !== null && breaker === null) shut(crawl.why, at)
      if (isAnybodyWaiting()) pump()
    }

    const watch = (exit: Exit.Exit<Transport.Response, TransportError>, customerId: number, at: number): void => {
      const sign = Learning.signOf(exit)
      if (sign === null) return
      const verdict = outage.observe(sign, customerId, at)
      if (verdict._tag === "Crawl") trip(verdict.everyMillis, verdict.why, at)
      else if (verdict._tag === "Stop") trip(unreachedMillis, verdict.message, at)
      else if (sign._tag === "Well" && breaker !== null) {
        breaker = null
        pace.crawl(null, "")
      }
    }

    /** A call that had a place came back: teaches everybody who learns, and lets the next one go. */
    const ended = (
      request: Transport.Request,
      sent: number,
      place: Concurrency.Concurrency,
      exit: Exit.Exit<Transport.Response, TransportError>
    ): void => {
      const at = now()
      Learning.learn({ concurrency: place, pace }, exit, sent, at)
      watch(exit, request.customerId, at)
      options.watch(request, exit, at - sent)
      place.release()
      if (isAnybodyWaiting()) pump()
    }

    /** With a place and a turn. A call that has left is not interrupted, or nobody would know what became of it. */
    const go = (
      request: Transport.Request,
      sent: number,
      place: Concurrency.Concurrency
    ): Effect.Effect<Transport.Response, TransportError> => {
      const back = (exit: Exit.Exit<Transport.Response, TransportError>) => {
        ended(request, sent, place, exit)
        return exit
      }
      return Effect.uninterruptible(Effect.matchCauseEffect(inner.send(request), {
        onFailure: (cause) => back(Exit.failCause(cause)),
        onSuccess: (response) => back(Exit.succeed(response))
      }))
    }

    /** What is left of a call's time when it leaves. */
    const inTime = (request: Transport.Request, { deadlineMillis }: Waiting, sent: number): Transport.Request =>
      Number.isFinite(deadlineMillis) ? { ...request, timeoutMillis: deadlineMillis - sent } : request

    const queue = (source: Source, request: Transport.Request, at: number, waiting: Pick<Waiting, "fail" | "leave">): Waiting => {
      const patience = isJob(source) ? Number.POSITIVE_INFINITY : request.timeoutMillis ?? Number.POSITIVE_INFINITY
      const call: Waiting = { ...waiting, source, sinceMillis: at, deadlineMillis: at + patience, place: null }
      source.waiting.add(call)
      if (isJob(source)) {
        waitingJobs += 1
        jobs.add(source)
      }
      pump()
      return call
    }

    const wait = (source: Source, request: Transport.Request, at: number): Effect.Effect<Transport.Response, TransportError> =>
      Effect.async((resume) => {
        const call = queue(source, request, at, {
          fail: (error) => resume(Effect.fail(error)),
          leave: (call, place) => {
            call.place = place
            resume(Effect.suspend(() => {
              call.place = null
              const sent = now()
              return go(inTime(request, call, sent), sent, place)
            }))
          }
        })
        return Effect.sync(() => {
          if (call.place === null) return void forget(call)
          call.place.release()
          pump()
        })
      })

    /** {@link go} without a fiber, where the transport can. */
    const goDirectly = (request: Transport.Request, sent: number, place: Concurrency.Concurrency, then: Ended): void => {
      if (inner.begin == null) return void run(Effect.map(Effect.exit(go(request, sent, place)), then))
      inner.begin(request, (exit) => {
        ended(request, sent, place, exit)
        then(exit)
      })
    }

    const begin: Gate["begin"] = (request, then) => {
      const at = now()
      const isFree = !isAnybodyWaiting() && takePlace(at)
      crowd.came(isFree, at)
      if (isFree) {
        goDirectly(request, at, concurrency, then)
        return tooLateToTakeBack
      }
      const call = queue(interactive, request, at, {
        fail: (error) => then(Exit.fail(error)),
        leave: (call, place) => {
          const sent = now()
          goDirectly(inTime(request, call, sent), sent, place, then)
        }
      })
      return () => forget(call)
    }

    const send = (source: Source) => (request: Transport.Request): Effect.Effect<Transport.Response, TransportError> =>
      Effect.suspend(() => {
        if (source.isClosed) return Effect.fail(stopped)
        const at = now()
        const isFree = !isAnybodyWaiting() && takePlace(at)
        if (source === interactive) crowd.came(isFree, at)
        return isFree ? go(request, at, concurrency) : wait(source, request, at)
      })

    /** A 429 is the organisation's, not the job's: the call was not executed, and goes again when calls may go. */
    const patiently = (source: Source, request: Transport.Request, sinceMillis: number): Effect.Effect<Transport.Response, TransportError> =>
      Effect.flatMap(send(source)(request), (response) =>
        response.status === 429 && !source.isClosed && now() - sinceMillis < longestRefusedMillis
          ? patiently(source, request, sinceMillis)
          : Effect.succeed(response))

    return {
      interactive: Transport.make(send(interactive)),
      batch: Transport.make(send(batch)),
      begin,
      job: () => {
        const source: Source = { waiting: new Set(), isClosed: false }
        return {
          transport: Transport.make((request) => Effect.suspend(() => patiently(source, request, now()))),
          close: () => {
            source.isClosed = true
            for (const call of source.waiting) {
              forget(call)
              call.fail(stopped)
            }
          }
        }
      },
      expectedWaitMillis: () => {
        const at = now()
        const paused = Math.max(0, (pace.paused(at)?.untilMillis ?? at) - at)
        const rate = pace.share()
        return paused + (rate === null ? 0 : interactive.waiting.size * 1000 / rate)
      },
      isOverrun: () => {
        if (interactive.waiting.size < Math.max(fewestWaiting, concurrency.limit() / 2)) return false
        const at = now()
        if (!crowd.isStanding(at)) return false
        crowd.came(false, at)
        return true
      },
      closed: () => {
        if (breaker === null) return null
        const at = now()
        if (!isAnybodyWaiting() && hasTurn(at)) return null
        return { why: breaker.why, retryAfterMillis: Math.max(sweepMillis, (turn ?? at) - at) }
      },
      snapshot: () => ({
        inFlight: concurrency.inFlight(),
        places: concurrency.limit(),
        waitingInteractive: interactive.waiting.size + batch.waiting.size,
        waitingJobs,
        callsPerSecond: pace.rate() ?? pace.learnt(),
        turnsLeft: turnsLeft(now()),
        pausedMillis: pace.paused(now())?.untilMillis ?? null,
        breaker
      }),
      replace: (transport, wanted) => {
        inner = transport
        if (wanted.callsPerSecond !== limits.callsPerSecond) {
          pace = paceAt(wanted)
          turn = null
        }
        if (wanted.concurrency !== limits.concurrency) concurrency = Concurrency.make(wanted.concurrency)
        limits = wanted
        pump()
      }
    }
  })
