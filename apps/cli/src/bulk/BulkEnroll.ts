/**
 * Runs a planned file: every good row becomes its calls, one customer's calls in order, several customers at once.
 *
 * Customers are dealt to lanes by their id, one worker a lane, so no customer ever has two calls in flight and the order
 * of the file is kept for each. A window bounds what is read ahead; results are written in the order of the input.
 * Nothing here survives a crash: the ledger is not built yet.
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Enroll from "@milepost/core/Enroll"
import * as Enrollment from "@milepost/core/Enrollment"
import * as EnrollPeriods from "@milepost/core/EnrollPeriods"
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import * as GatewayError from "@milepost/core/GatewayError"
import * as Outcome from "@milepost/core/Outcome"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import type { Transport } from "@milepost/core/Transport"
import type { NotSentReason } from "@milepost/core/TransportError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Failure from "../Failure.js"
import * as InputFile from "../input/InputFile.js"
import * as Records from "../input/Records.js"
import type { Batch, Row } from "../input/Row.js"
import { Cancellation } from "./Cancellation.js"
import type { Plan } from "./Plan.js"
import * as Results from "./Results.js"
import type { RunFolder } from "./RunFolder.js"
import * as Tally from "./Tally.js"

/** How a run ended. */
export type State = "finished" | "stopped" | "interrupted"

/** What stopped a run before its end. */
export interface Stop {
  readonly state: "stopped" | "interrupted"
  readonly reason: "fuse" | "unreachable" | "cancelled"
  readonly message: string
  /** What kept calls from leaving, where the reason is `unreachable`. */
  readonly notSent?: NotSentReason | null
}

/** How a run ended, and why if early. */
export interface Ended {
  readonly state: State
  readonly stop: Stop | null
}

/** What a run needs to know. */
export interface Options {
  readonly file: InputFile.InputFile
  readonly defaults: Records.Defaults
  readonly plan: Plan
  readonly folder: RunFolder
  /** Lanes, and so calls in flight at most. */
  readonly concurrency: number
  /** Counted into while the run goes on. */
  readonly tally: Tally.Tally
}

/** Rows read ahead of the oldest one that is not finished. */
const windowRows = 8_192

/** Rows that enter the window at once. */
const sliceRows = 512

interface Item {
  readonly row: Row
  readonly enrollments: ReadonlyArray<Enrollment.Enrollment>
  ended: ReadonlyArray<Results.Ended> | null
}

const isMilestone = (enrollment: Enrollment.Enrollment): enrollment is Enrollment.Milestone =>
  enrollment._tag === "Milestone"

/** Makes the calls of one row, one after another. */
const calls = (
  enrollments: ReadonlyArray<Enrollment.Enrollment>
): Effect.Effect<ReadonlyArray<Results.Ended>, never, Transport> => {
  const only = enrollments[0]
  return only !== undefined && enrollments.length === 1
    ? Effect.map(Enroll.outcome(only), (outcome) => [{ periodName: Enrollment.periodOf(only), outcome }])
    : EnrollPeriods.run(enrollments.filter(isMilestone))
}

const customerBusy = GatewayError.CustomerBusy.row.tag

/** Whether the upstream said *not now* to the last attempt of a call: it was not executed. */
const isPostponed = (outcome: Outcome.Outcome): boolean =>
  outcome.outcome === "rejected" && typeof outcome.code === "number" &&
  ErrorCatalog.find(outcome.code)?.disposition === "retryLater"

/** What an outcome says of all calls that follow. */
const condemnation = (outcome: Outcome.Outcome): Stop | null => {
  if (outcome.outcome === "skipped" && outcome.reason === "unreachable") {
    return { state: "stopped", reason: "unreachable", message: outcome.message, notSent: outcome.notSent }
  }
  if (outcome.outcome !== "rejected") return null
  if (outcome.blastRadius === "everything" || outcome.blastRadius === "org") {
    return { state: "stopped", reason: "fuse", message: `${outcome.code}: ${outcome.message}` }
  }
  return isPostponed(outcome) && outcome.tag !== customerBusy
    ? { state: "stopped", reason: "fuse", message: `${outcome.code}: ${outcome.message} The wait is longer than the hour that a run is patient for.` }
    : null
}

const wasNotExecuted = (outcome: Outcome.Outcome): boolean =>
  isPostponed(outcome) || (outcome.outcome === "skipped" && outcome.reason === "unreachable")

/** A call whose waiting was cut short was not executed: it counts as not sent, so that it is fed in again. */
const afterCancellation = (ended: Results.Ended): Results.Ended =>
  wasNotExecuted(ended.outcome)
    ? { ...ended, outcome: Outcome.skipped("cancelled", "the run was interrupted before this record was accepted") }
    : ended

/** Runs the file and tells how it ended; every row gets an outcome and a line of results, also when it stops early. */
export const run = (
  options: Options
): Effect.Effect<Ended, Failure.Refused | PlatformError, Transport | FileSystem.FileSystem | Cancellation> =>
  Effect.scoped(Effect.gen(function*() {
    const { defaults, file, plan, tally } = options
    const cancellation = yield* Cancellation
    const scope = yield* Effect.scope
    let stop: Stop | null = null
    let results: Results.Results | null = null

    const lanes = yield* Effect.all(Array.from({ length: options.concurrency }, () => Queue.unbounded<Item>()))
    const window = yield* Effect.makeSemaphore(windowRows)
    const pending: Array<Item> = []
    const finished = yield* Queue.sliding<void>(1)

    const end = (item: Item, ended: ReadonlyArray<Results.Ended>): void => {
      item.ended = ended
      finished.unsafeOffer(undefined)
    }

    const skip = (item: Item, skipped: Outcome.Skipped): void => {
      const periods = item.enrollments.length === 0 ? [null] : item.enrollments.map(Enrollment.periodOf)
      end(item, periods.map((periodName) => ({ periodName, outcome: skipped })))
    }

    const skippedBy = ({ message, notSent, reason }: Stop): Outcome.Skipped =>
      Outcome.skipped(reason, message, notSent ?? null)

    const work = (item: Item): Effect.Effect<void, never, Transport> =>
      Effect.suspend(() => {
        if (stop !== null) return Effect.sync(() => stop !== null && skip(item, skippedBy(stop)))
        return Effect.map(calls(item.enrollments), (ended) => {
          end(item, stop?.reason === "cancelled" ? ended.map(afterCancellation) : ended)
          for (const { outcome } of ended) stop ??= condemnation(outcome)
        })
      })

    const policy = RetryPolicy.make({
      maxAttempts: 8,
      // Bounded concurrency and backoff are the brake here: counting refusals, or a budget, would turn a full quota or an
      // outage into a million failures. Who is told to wait waits; after an hour the run stops instead of going on.
      postponedCounts: false,
      cap: "30 seconds",
      deadline: "1 hour",
      budget: null,
      abandon: Deferred.await(cancellation.requested)
    })

    yield* Effect.forEach(lanes, (lane) =>
      Effect.forkIn(Effect.forever(Effect.flatMap(Queue.take(lane), work)), scope)).pipe(
        Effect.provideService(RetryPolicy.RetryPolicy, policy)
      )

    yield* Deferred.await(cancellation.requested).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          stop ??= { state: "interrupted", reason: "cancelled", message: "somebody ended the run (Ctrl-C or a signal)" }
        })
      ),
      Effect.forkIn(scope)
    )

    /** Writes what is finished at the head of the input; returns how many rows that was. */
    const write = Effect.gen(function*() {
      let count = 0
      while (pending[count]?.ended != null) count += 1
      if (count === 0) return
      const rows = pending.splice(0, count).map(({ ended, row }): Results.EndedRow => ({ row, ended: ended ?? [] }))
      for (const { ended } of rows) {
        tally.rows += 1
        for (const { outcome } of ended) Tally.add(tally, outcome)
      }
      if (results !== null) yield* results.write(rows)
      yield* window.release(count)
    })

    const writer = yield* Effect.forkIn(Effect.forever(Effect.zipRight(Queue.take(finished), write)), scope)

    const accept = (batch: Batch, row: Row): void => {
      const record = Records.fromRow(batch.header, row, defaults)
      const item: Item = { row, enrollments: Either.getOrElse(record, () => []), ended: null }
      pending.push(item)
      if (Either.isLeft(record)) {
        end(item, [{ periodName: null, outcome: Records.rejected(record.left) }])
        return
      }
      const first = plan.duplicates.firstOf(row.line)
      const lane = lanes[(item.enrollments[0]?.customerId ?? 0) % lanes.length]
      if (first !== undefined) skip(item, Outcome.skipped("duplicate", `of line ${first}`))
      else if (stop !== null) skip(item, skippedBy(stop))
      else lane?.unsafeOffer(item)
    }

    const read = Stream.runForEach(InputFile.batches(file), (batch) =>
      Effect.gen(function*() {
        results ??= yield* Results.open({ ...options.folder, header: batch.header }).pipe(Scope.extend(scope))
        for (let from = 0; from < batch.rows.length; from += sliceRows) {
          const slice = batch.rows.slice(from, from + sliceRows)
          yield* window.take(slice.length)
          for (const row of slice) accept(batch, row)
        }
      }))

    // A writer that cannot write (a full disk) ends the run at once, instead of leaving the reader to wait for it.
    yield* Effect.raceFirst(Effect.zipRight(read, window.take(windowRows)), Fiber.join(writer))
    const ended: Stop | null = stop
    return { state: ended === null ? "finished" : (ended as Stop).state, stop: ended }
  }))
