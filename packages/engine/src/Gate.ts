/**
 * What every attempt passes on its way out: a place among the calls in flight, then a turn at the pace of the organisation.
 *
 * Repeated attempts pass it as well. What comes back teaches both: latency, refusals, strain.
 */
import * as Decode from "@milepost/core/Decode"
import * as Transport from "@milepost/core/Transport"
import { NotSent, type TransportError } from "@milepost/core/TransportError"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { steadyMillis } from "./internal/steadyMillis.js"
import type { Job } from "./Job.js"
import type * as Outage from "./Outage.js"
import * as Pace from "./Pace.js"

const givenUp = new NotSent({ reason: "Closed", message: "the run stopped before this call's turn" })

/** Answers that say that the upstream has too much to do. */
const strained: ReadonlySet<number> = new Set([429, 461, 503])

const isTimeout = (cause: Cause.Cause<TransportError>): boolean =>
  Option.exists(Cause.failureOption(cause), (error) => error._tag === "NoAnswer")

/** Teaches pace and concurrency what a call that left at `sent` came back with. */
export const learn = (
  { concurrency, pace }: Pick<Job, "concurrency" | "pace">,
  exit: Exit.Exit<Transport.Response, TransportError>,
  sent: number,
  now: number
): void => {
  if (Exit.isFailure(exit)) {
    if (isTimeout(exit.cause)) concurrency.observe("strained", sent, now)
  } else if (strained.has(exit.value.status)) {
    if (exit.value.status === 429) pace.refused(now, sent, Decode.retryAfterMillis(exit.value.headers))
    concurrency.observe("strained", sent, now)
  } else {
    pace.accepted(now)
    if (exit.value.status < 500) concurrency.observe("good", sent, now)
  }
}

/** Failures of the gateway itself; 503 is among them, because an upstream that is down may say so. */
const failing: ReadonlySet<number> = new Set([500, 502, 503, 504])

const well: Outage.Sign = { _tag: "Well" }

/** What a call says of an outage; `null` where it was interrupted, or is a bug. */
export const signOf = (exit: Exit.Exit<Transport.Response, TransportError>): Outage.Sign | null => {
  if (Exit.isSuccess(exit)) {
    const { status } = exit.value
    return failing.has(status) ? { _tag: "Failed", status } : status === 429 || status === 461 ? null : well
  }
  const error = Cause.failureOption(exit.cause)
  return Option.isNone(error) || (error.value._tag === "NotSent" && error.value.reason === "Closed") ? null : { _tag: "Broken", error: error.value }
}

/** A wish to give up waiting, seen at once and waited for. */
export interface Abandon {
  readonly isAsked: () => boolean
  readonly asked: Effect.Effect<void>
  /** Whether a call may leave, where that can end by itself: asked in the turn of the event loop in which it leaves. */
  readonly mayLeave?: () => boolean
}

/**
 * The transport of a job, behind its pace and its places; who waits gives up when that is asked for.
 *
 * Every call comes through here: one effect around the call, and no more where neither place nor turn is waited for. A call
 * that has left is not interrupted, or nobody would know what became of it.
 */
export const transport = (
  { concurrency, outage, pace, progress, stop, transport: inner }: Pick<
    Job,
    "concurrency" | "outage" | "pace" | "progress" | "stop" | "transport"
  >,
  abandon: Abandon,
  clock: Clock.Clock
): Transport.Service => {
  const watch = (sign: Outage.Sign, customerId: number, now: number): void => {
    const verdict = outage.observe(sign, customerId, now)
    if (verdict._tag === "Crawl") pace.crawl(verdict.everyMillis, verdict.why)
    else if (verdict._tag === "Over") pace.crawl(null, "")
    else if (verdict._tag === "Stop") stop({ state: "stopped", reason: verdict.reason, message: verdict.message })
  }

  const learnFrom = (request: Transport.Request, sent: number, exit: Exit.Exit<Transport.Response, TransportError>): void => {
    const now = steadyMillis(clock)
    progress.called(now - sent, now)
    const sign = signOf(exit)
    if (sign !== null) watch(sign, request.customerId, now)
    learn({ concurrency, pace }, exit, sent, now)
    concurrency.release()
  }

  /** With a place and a turn. */
  const go = (request: Transport.Request, sent: number): Effect.Effect<Transport.Response, TransportError> => {
    if (abandon.mayLeave?.() === false) {
      concurrency.release()
      return givenUp
    }
    const ended = (exit: Exit.Exit<Transport.Response, TransportError>) => {
      learnFrom(request, sent, exit)
      return exit
    }
    return Effect.uninterruptible(Effect.matchCauseEffect(inner.send(request), {
      onFailure: (cause) => ended(Exit.failCause(cause)),
      onSuccess: (response) => ended(Exit.succeed(response))
    }))
  }

  /** With a place: waits for the turn. */
  const turn = (request: Transport.Request): Effect.Effect<Transport.Response, TransportError> => {
    const now = steadyMillis(clock)
    const mine = pace.turn(now)
    if (mine <= now) return go(request, now)
    return Effect.flatMap(
      Effect.onInterrupt(Pace.wait(pace, mine, abandon.asked), () => Effect.sync(concurrency.release)),
      (isMine) => {
        if (isMine) return go(request, steadyMillis(clock))
        concurrency.release()
        return givenUp
      }
    )
  }

  return Transport.make((request) =>
    Effect.suspend(() =>
      concurrency.tryTake()
        ? turn(request)
        // Not a race, which would cost two fibers a call: whoever is in flight gives the place back, and then this one gives up.
        : Effect.flatMap(concurrency.take, (): Effect.Effect<Transport.Response, TransportError> => {
          if (!abandon.isAsked()) return turn(request)
          concurrency.release()
          return givenUp
        })
    )
  )
}
