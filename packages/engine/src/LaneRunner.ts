/**
 * What a lane does with one chunk: claims it, makes its calls, writes down how they ended.
 *
 * The claim is on disk before the first call leaves. The records of one customer are sent in their order and one at a
 * time, several customers at once. No call is ever interrupted: who interrupts a chunk waits for the calls in flight and
 * for their outcomes to be on disk, then what was not sent is given back. Trouble with the ledger is met in here; an owner
 * that keeps the ends of its messages must not keep such an end.
 *
 * Where a lane can be lost to another process ({@link Hold}), that is asked before every call, repeated ones included.
 */
import * as Enroll from "@milepost/core/Enroll"
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import * as Outcome from "@milepost/core/Outcome"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import type { Claimed, Seq } from "@milepost/ledger/Entry"
import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Gate from "./Gate.js"
import { canPass, patiently } from "./internal/patiently.js"
import type { Failure, Job } from "./Job.js"
import type { Source } from "./Workers.js"

/** How a call ended for its record. */
type Ending =
  | { readonly _tag: "Settle"; readonly outcome: Outcome.Outcome }
  /** It was certainly not executed: the record is pending again. */
  | { readonly _tag: "Release" }
  /** Its repetition was cut off, and it may have been executed: it stays claimed, and the next start repeats it. */
  | { readonly _tag: "Leave" }

const statusOf = (outcome: Outcome.Rejected): number | null =>
  typeof outcome.code === "number" && (ErrorCatalog.find(outcome.code)?.kind === "status" || outcome.tag === "UnexpectedStatus")
    ? outcome.code
    : null

const isPostponed = (outcome: Outcome.Outcome): boolean =>
  outcome.outcome === "rejected" && typeof outcome.code === "number" &&
  ErrorCatalog.find(outcome.code)?.disposition === "retryLater"

/** An outcome in the light of an earlier call of which nobody knows what became: that of a process which was killed. */
export const afterLostAttempts = (outcome: Outcome.Outcome): Outcome.Outcome => {
  if (outcome.outcome === "already_enrolled") return { ...outcome, afterAmbiguousAttempt: true }
  if (outcome.outcome !== "rejected") return outcome
  // A refusal of the record would have met the earlier call as well; one of the gateway says nothing about it.
  if (statusOf(outcome) === null) return { ...outcome, afterAmbiguousAttempt: true }
  const { attempts, code, message, requestId, tag } = outcome
  return { outcome: "unknown", code, tag, message, attempts, requestId }
}

const condemnsAll = (outcome: Outcome.Outcome): boolean =>
  outcome.outcome === "rejected" && (outcome.blastRadius === "everything" || outcome.blastRadius === "org")

/** A lane while it may be worked on. */
export interface Hold {
  /** What its records are claimed under. */
  readonly epoch: number
  /** Whether others write to the ledger as well, so that only what was claimed under this epoch may be touched. */
  readonly isShared: boolean
  /** Whether a call may leave now. */
  readonly isHeld: () => boolean
  /** Calls back when the lane is to be left; gives back how to forget it. */
  readonly onLeave: (callback: () => void) => () => void
  /** Told when records may stay claimed that nobody here works on: they have to be taken back before the lane is worked on. */
  readonly leftClaimed: () => void
  /** Told when nothing is in flight any more, and everything is written down and given back. */
  readonly exit: () => void
}

/** The lane of a process that has the ledger for itself. */
const alone = ({ epoch }: Job): Hold => ({
  epoch,
  isShared: false,
  isHeld: () => true,
  onLeave: () => () => undefined,
  leftClaimed: () => undefined,
  exit: () => undefined
})

/** A chunk that is being worked on. */
interface Chunk {
  readonly job: Job
  readonly hold: Hold
  /** The records of each customer, in their order. */
  readonly lines: ReadonlyArray<ReadonlyArray<Claimed>>
  /** How many of them a worker has taken, and how many workers are at one. */
  taken: number
  inHand: number
  /** What was claimed and certainly not executed, so far. */
  readonly unsent: Set<Seq>
  /** Whether no new call may start: the run stops, or the lane changes its owner. */
  isLeaving: boolean
  /** Starts no new call from now on. */
  leave: () => void
  /** A bug that ended a worker. */
  defect: Cause.Cause<never> | null
  /** Completes when no line waits for a worker any more. */
  readonly started: Deferred.Deferred<void>
  /** Completes when no call is in flight any more, and none will be. */
  readonly ended: Deferred.Deferred<void>
}

/** Says what is over of a chunk, after something has changed. */
const tell = (chunk: Chunk): void => {
  if (!chunk.isLeaving && chunk.taken < chunk.lines.length) return
  Deferred.unsafeDone(chunk.started, Effect.void)
  if (chunk.inHand === 0) Deferred.unsafeDone(chunk.ended, chunk.defect === null ? Effect.void : Effect.failCause(chunk.defect))
}

/** What an outcome means for the record and the run; stops the run where going on is of no use. */
const endingOf = ({ hold, isLeaving: isStopping, job }: Chunk, record: Claimed, outcome: Outcome.Outcome): Ending => {
  if (outcome.outcome === "skipped") {
    // `Closed` is ours: a call that gave up its turn because the run stops, or one that a fence below held back.
    if (!isStopping && !(hold.isShared && outcome.notSent === "Closed")) job.stop({ state: "stopped", reason: "unreachable", message: outcome.message })
    return { _tag: "Release" }
  }
  if (isPostponed(outcome)) {
    // A customer who is busy for an hour is that record's trouble alone.
    if (outcome.outcome === "rejected" && outcome.tag === "CustomerBusy" && !isStopping) return { _tag: "Settle", outcome }
    if (!isStopping && outcome.outcome === "rejected") {
      job.stop({
        state: "stopped",
        reason: "refused-too-long",
        message: `${outcome.code}: ${outcome.message} The wait is longer than a run is patient for.`
      })
    }
    return { _tag: "Release" }
  }
  if (isStopping && outcome.outcome === "unknown" && outcome.attempts < job.policy.maxAttempts) return { _tag: "Leave" }
  return { _tag: "Settle", outcome: record.lostAttempts > 0 ? afterLostAttempts(outcome) : outcome }
}

const send = ({ request }: Claimed): Effect.Effect<Outcome.Outcome, never, Transport> =>
  request._tag === "Unenrollment" ? Unenroll.outcome(request) : Enroll.outcome(request)

/** The records of each customer, in their order. */
const byCustomer = (claimed: ReadonlyArray<Claimed>): ReadonlyArray<ReadonlyArray<Claimed>> => {
  const found = new Map<number, Array<Claimed>>()
  for (const record of claimed) {
    const records = found.get(record.request.customerId)
    if (records === undefined) found.set(record.request.customerId, [record])
    else records.push(record)
  }
  return [...found.values()]
}

/** Hands an outcome over to be written. */
const settle = ({ hold, job }: Chunk, seq: Seq, outcome: Outcome.Outcome): void => {
  if (hold.isShared) job.settler.offer({ seq, outcome }, hold.epoch)
  else job.settler.offer({ seq, outcome })
}

/** Whether a call may leave; once one may not, none may. */
const mayLeave = (chunk: Chunk): boolean => {
  if (!chunk.hold.isHeld()) chunk.leave()
  return !chunk.isLeaving
}

/** Lets a record go out, or waits until it may, or skips it. */
const attempt = (chunk: Chunk, record: Claimed): Effect.Effect<void, never, Transport> => {
  if (!mayLeave(chunk)) return Effect.void
  const { hold, job, unsent } = chunk
  const condemned = record.lostAttempts > 0 ? null : job.fuse.condemnation(record.request)
  if (condemned !== null) {
    unsent.delete(record.seq)
    settle(chunk, record.seq, Outcome.skipped("fuse", condemned))
    return Effect.void
  }
  if (job.settler.trouble() !== null) {
    return Effect.zipRight(job.settler.untilReady, Effect.suspend(() => attempt(chunk, record)))
  }
  if (!job.fuse.enter(record.request)) {
    return Effect.zipRight(job.untilFuseMoves, Effect.suspend(() => attempt(chunk, record)))
  }
  unsent.delete(record.seq)
  return Effect.map(send(record), (outcome) => {
    const ending = endingOf(chunk, record, outcome)
    if (ending._tag !== "Settle") {
      if (ending._tag === "Release") unsent.add(record.seq)
      else hold.leftClaimed()
      job.giveUp(record.request)
      return
    }
    job.judge(record.request, outcome)
    // Refused for what the whole run lacks: it says nothing of the record, which is sent again by the next sitting.
    if (job.stopped()?.reason === "fuse" && condemnsAll(outcome)) unsent.add(record.seq)
    else settle(chunk, record.seq, ending.outcome)
    const why = job.outage.ended(ending.outcome.outcome === "unknown")
    if (why !== null) job.stop({ state: "stopped", reason: "outage", message: why })
  })
}

const nothing: ReadonlyArray<Claimed> = []

/** What one worker does in a chunk: takes a customer, makes the calls one after another, takes the next customer. */
const work = (chunk: Chunk, goesOn: () => boolean): Effect.Effect<void, never, Transport> =>
  Effect.suspend(() => {
    let line = nothing
    let index = 0
    const drop = (): void => {
      if (line === nothing) return
      line = nothing
      chunk.inHand -= 1
      tell(chunk)
    }
    return Effect.whileLoop({
      while: () => {
        if (!chunk.isLeaving && index < line.length) return true
        drop()
        // Asked before looking: it may start another worker, which takes what is left before this one does.
        if (chunk.isLeaving || !goesOn() || chunk.taken >= chunk.lines.length) return false
        line = chunk.lines[chunk.taken++] ?? nothing
        index = 0
        chunk.inHand += 1
        tell(chunk)
        return true
      },
      body: () => attempt(chunk, line[index++] as Claimed),
      step: () => undefined
    }).pipe(
      // Whoever waits for the chunk dies of it; calls of other workers get their answers first.
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          chunk.defect = cause
          chunk.isLeaving = true
          drop()
        })
      )
    )
  })

/** Claims the next chunk of a lane; `null` when there is none. */
const claim = (job: Job, lane: number, hold: Hold): Effect.Effect<Chunk | null, Failure> => {
  const { chunkSize, ledger, patience, run } = job
  const claiming = Effect.suspend(() => ledger.claim(run, { epoch: hold.epoch, lane, limit: chunkSize })).pipe(
    Effect.catchAll((error) => {
      // The answer may have got lost, and not the claim.
      hold.leftClaimed()
      return canPass(error) && (job.stopped() !== null || !hold.isHeld()) ? Effect.succeed([]) : Effect.fail(error)
    })
  )
  return Effect.map(patiently(claiming, patience), (claimed) =>
    claimed.length === 0 ? null : {
      job,
      hold,
      lines: byCustomer(claimed),
      taken: 0,
      inHand: 0,
      unsent: new Set(claimed.map(({ seq }) => seq)),
      isLeaving: false,
      leave: () => undefined,
      defect: null,
      started: Deferred.unsafeMake(FiberId.none),
      ended: Deferred.unsafeMake(FiberId.none)
    })
}

/** The calls of a chunk, under the job's policy and over its gate; both give up waiting once the chunk is left. */
const sourceOf = (chunk: Chunk, asked: Effect.Effect<void>, clock: Clock.Clock): Source => {
  const { job } = chunk
  const context = Context.make(Transport, Gate.transport(job, { isAsked: () => chunk.isLeaving, asked, mayLeave: () => mayLeave(chunk) }, clock)).pipe(
    Context.add(RetryPolicy.RetryPolicy, {
      ...job.policy,
      abandon: job.workers.resting(asked),
      // What everybody meets is held against no record: an outage, and a way there that was open before.
      isExcused: ({ _tag }) => job.outage.isOn() || (_tag === "NotSent" && job.outage.wasReached())
    })
  )
  return {
    ready: () => chunk.isLeaving ? 0 : chunk.lines.length - chunk.taken,
    work: (goesOn) => Effect.provide(work(chunk, goesOn), context)
  }
}

/** Gives back what was claimed and certainly not executed. */
const giveBack = ({ hold, job, unsent }: Chunk): Effect.Effect<void> =>
  unsent.size === 0
    ? Effect.void
    : patiently(
      hold.isShared ? job.ledger.release(job.run, [...unsent], hold.epoch) : job.ledger.release(job.run, [...unsent]),
      job.patience
    ).pipe(
      Effect.catchAll((error) => Effect.sync(() => job.fail(error)))
    )

/** Has a chunk worked off; completes when its outcomes are on disk, and what was not sent is given back. */
const workOff = (chunk: Chunk, onStarted: Effect.Effect<void>, restore: Restore): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const { hold, job } = chunk
    const asked = Deferred.unsafeMake<void>(FiberId.none)
    const leave = (): void => {
      chunk.isLeaving = true
      Deferred.unsafeDone(asked, Effect.void)
      tell(chunk)
    }
    chunk.leave = leave
    const forgetStop = job.onStop(leave)
    const forgetHold = hold.onLeave(leave)
    // It may have been lost while its records were being claimed.
    if (!hold.isHeld()) leave()
    job.workers.add(sourceOf(chunk, Deferred.await(asked), clock))
    const over = Effect.zipRight(Effect.zipRight(Deferred.await(chunk.started), onStarted), Deferred.await(chunk.ended))
    return restore(over).pipe(
      // A call and the record of its answer are one: who interrupts waits for both.
      Effect.onInterrupt(() => Effect.zipRight(Effect.sync(leave), Deferred.await(chunk.ended))),
      Effect.ensuring(Effect.suspend(() => {
        forgetStop()
        forgetHold()
        return Effect.zipRight(job.settler.flushed, giveBack(chunk))
      }))
    )
  })

/** Makes an effect interruptible, where whoever runs the whole is. */
type Restore = <A>(effect: Effect.Effect<A>) => Effect.Effect<A>

/**
 * Works through the next chunk of a lane; says whether the lane may have more.
 *
 * `enter` is asked once it is this lane's turn, and says `null` where the lane is not to be worked on.
 *
 * Never fails: what goes wrong with the ledger ends the job (`Job.failed`).
 */
export const runChunk = (job: Job, lane: number, enter: () => Hold | null = () => alone(job)): Effect.Effect<boolean> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      yield* restore(job.chunks.take(1))
      let hasTurn = true
      // Passed on when nothing of the chunk waits any more: the next chunk is there before the last calls of this one end.
      const passOn = Effect.suspend(() => {
        if (!hasTurn) return Effect.void
        hasTurn = false
        return Effect.asVoid(job.chunks.release(1))
      })
      const hold = job.stopped() === null ? enter() : null
      if (hold === null) {
        yield* passOn
        return false
      }
      return yield* Effect.flatMap(claim(job, lane, hold), (chunk) =>
        chunk === null
          ? Effect.succeed(false)
          : Effect.map(workOff(chunk, passOn, restore), () => job.stopped() === null && hold.isHeld())
      ).pipe(
        Effect.catchAll((error) =>
          Effect.sync(() => {
            job.fail(error)
            return false
          })
        ),
        Effect.ensuring(Effect.zipRight(Effect.sync(hold.exit), passOn))
      )
    })
  )
