/**
 * What a lane does with one chunk: claims it, makes its calls, writes down how they ended.
 *
 * The claim is on disk before the first call leaves. The records of one customer are sent in their order and one at a
 * time, several customers at once. No call is ever interrupted: who interrupts a chunk waits for the calls in flight and
 * for their outcomes to be on disk, then what was not sent is given back. Trouble with the ledger is met in here; an owner
 * that keeps the ends of its messages must not keep such an end.
 */
import * as Enroll from "@milepost/core/Enroll"
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import * as Outcome from "@milepost/core/Outcome"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import { Transport } from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import type { Claimed, Seq } from "@milepost/ledger/Entry"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Gate from "./Gate.js"
import { patiently } from "./internal/patiently.js"
import type { Job } from "./Job.js"

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

/** A chunk that is being worked on. */
interface Chunk {
  readonly job: Job
  readonly claimed: ReadonlyArray<Claimed>
  /** What was claimed and certainly not executed, so far. */
  readonly unsent: Set<Seq>
  /** Whether no new call may start: the run stops, or the lane changes its owner. */
  isLeaving: boolean
}

/** What an outcome means for the record and the run; stops the run where going on is of no use. */
const endingOf = ({ isLeaving: isStopping, job }: Chunk, record: Claimed, outcome: Outcome.Outcome): Ending => {
  if (outcome.outcome === "skipped") {
    // `Closed` is ours: a call that gave up its turn because the run stops.
    if (!isStopping) job.stop({ state: "stopped", reason: "unreachable", message: outcome.message })
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

/** Makes the calls of what was claimed; completes when none is in flight any more. */
const calls = (chunk: Chunk): Effect.Effect<void, never, Transport> => {
  const { job, unsent } = chunk
  const queues = byCustomer(chunk.claimed)
  let taken = 0

  /** Lets a record go out, or waits until it may, or skips it. */
  const attempt = (record: Claimed): Effect.Effect<void, never, Transport> => {
    if (chunk.isLeaving) return Effect.void
    const condemned = record.lostAttempts > 0 ? null : job.fuse.condemnation(record.request)
    if (condemned !== null) {
      unsent.delete(record.seq)
      job.settler.offer({ seq: record.seq, outcome: Outcome.skipped("fuse", condemned) })
      return Effect.void
    }
    if (job.settler.trouble() !== null) return Effect.zipRight(job.settler.untilReady, Effect.suspend(() => attempt(record)))
    if (!job.fuse.enter(record.request)) return Effect.zipRight(job.untilFuseMoves, Effect.suspend(() => attempt(record)))
    unsent.delete(record.seq)
    return Effect.map(send(record), (outcome) => {
      const ending = endingOf(chunk, record, outcome)
      if (ending._tag === "Settle") {
        job.settler.offer({ seq: record.seq, outcome: ending.outcome })
        job.judge(record.request, outcome)
        return
      }
      if (ending._tag === "Release") unsent.add(record.seq)
      job.giveUp(record.request)
    })
  }

  const worker = Effect.suspend(() => {
    let queue: ReadonlyArray<Claimed> = []
    let index = 0
    return Effect.whileLoop({
      while: () => {
        if (chunk.isLeaving) return false
        if (index < queue.length) return true
        queue = queues[taken++] ?? []
        index = 0
        return queue.length > 0
      },
      body: () => Effect.suspend(() => attempt(queue[index++] as Claimed)),
      step: () => undefined
    })
  })

  const workers = Math.min(queues.length, job.concurrency.most)
  return Effect.forEach(Array.from({ length: workers }), () => worker, { concurrency: "unbounded", discard: true })
}

/**
 * Works through the next chunk of a lane; says whether the lane may have more.
 *
 * Never fails: what goes wrong with the ledger ends the job (`Job.failed`).
 */
export const runChunk = (job: Job, lane: number): Effect.Effect<boolean> =>
  job.chunks.withPermits(1)(Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      if (job.stopped() !== null) return false
      const { epoch, ledger, patience, run } = job
      const claimed = yield* patiently(ledger.claim(run, { epoch, lane, limit: job.chunkSize }), patience)
      if (claimed.length === 0) return false
      const chunk: Chunk = { job, claimed, unsent: new Set(claimed.map(({ seq }) => seq)), isLeaving: false }
      const abandoned = yield* Deferred.make<void>()
      const leave = (): void => {
        chunk.isLeaving = true
        Deferred.unsafeDone(abandoned, Effect.void)
      }
      const forget = job.onStop(leave)
      const context = Context.make(Transport, Gate.transport(job, {
        isAsked: () => chunk.isLeaving,
        asked: Deferred.await(abandoned)
      })).pipe(
        Context.add(RetryPolicy.RetryPolicy, { ...job.policy, abandon: Deferred.await(abandoned) })
      )
      // A fiber of its own that nobody interrupts: a call and the record of its answer are one.
      const working = yield* Effect.forkDaemon(Effect.interruptible(Effect.provide(calls(chunk), context)))
      yield* restore(Fiber.join(working)).pipe(
        Effect.onInterrupt(() =>
          Effect.suspend(() => {
            leave()
            return Fiber.join(working)
          })
        ),
        Effect.ensuring(Effect.suspend(() => {
          forget()
          return Effect.zipRight(
            job.settler.flushed,
            chunk.unsent.size === 0
              ? Effect.void
              : patiently(ledger.release(run, [...chunk.unsent]), patience).pipe(
                Effect.catchAll((error) => Effect.sync(() => job.fail(error)))
              )
          )
        }))
      )
      return job.stopped() === null
    }).pipe(
      Effect.catchAll((error) =>
        Effect.sync(() => {
          job.fail(error)
          return false
        })
      )
    )
  ))
