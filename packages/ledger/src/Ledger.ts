/**
 * The durable record of bulk runs: what was asked for, what was claimed, and how it ended.
 *
 * A record's life is `pending → claimed → outcome`. A claim is on disk before it is handed out, an outcome before
 * {@link Ledger} says so; whatever is cut off in between is found at the next start. Writes are all or nothing, and an
 * interruption waits for the one under way.
 */
import type * as Outcome from "@milepost/core/Outcome"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Appended, Claimed, Condemned, ImportRow, OriginalRow, ResultRow, Seq, Settled, Settlement } from "./Entry.js"
import type * as claims from "./internal/claims.js"
import type * as reading from "./internal/reading.js"
import type * as runs from "./internal/runs.js"
import type { InputChanged, RunNotFound, StorageError, WrongState } from "./LedgerError.js"
import type { Checkpoint, Destination, Kind, Refusal, Run, Stop } from "./Run.js"

/** What a run is made of. */
export type NewRun = runs.NewRun

/** A page of the rows that a new run can be made of. */
export type Derivable = reading.Derivable

/** Why a record is not sent, where it may be sent one day. */
export type SkipReason = claims.SkipReason

/** What a ledger does. */
export interface Service {
  /**
   * Begins a run in state `importing`, or goes on with one whose import was cut off: its `checkpoint` says from where.
   * Fails with `WrongState` when the run has been imported, with `InputChanged` when the input has another size.
   */
  readonly begin: (run: NewRun) => Effect.Effect<Run, InputChanged | StorageError | WrongState>
  /**
   * Adds rows, in one transaction with the checkpoint. Rows up to the checkpoint are in already and are left out, so a
   * batch may be sent again. A call that repeats an earlier one of the run is `skipped`, `duplicate` of its line.
   */
  readonly append: (
    run: string,
    rows: ReadonlyArray<ImportRow>,
    reached: Omit<Checkpoint, "row">
  ) => Effect.Effect<Appended, RunNotFound | StorageError | WrongState>
  /** The input is in the ledger to its end: the run is `ready`. */
  readonly finishImport: (
    run: string,
    input: { readonly size: number; readonly sha256: string }
  ) => Effect.Effect<Run, RunNotFound | StorageError | WrongState>
  /** Fails with `InputChanged` when the input is not the one that the run was made from. */
  readonly verifyInput: (
    run: string,
    input: { readonly size: number; readonly sha256: string }
  ) => Effect.Effect<void, InputChanged | RunNotFound | StorageError>

  /** The run is `running`, in a new epoch. What an earlier epoch left behind is taken back by {@link reclaim}. */
  readonly start: (run: string) => Effect.Effect<Run, RunNotFound | StorageError | WrongState>
  /**
   * A further process works on a run that is `running`: it takes an epoch of its own, under which it claims and settles.
   * Fails with `WrongState` when the run is not `running`.
   */
  readonly join: (
    run: string
  ) => Effect.Effect<{ readonly run: Run; readonly epoch: number }, RunNotFound | StorageError | WrongState>
  /** The run has ended, for now or for good; it can be started again. */
  readonly end: (
    run: string,
    state: "finished" | "stopped" | "interrupted",
    stop: Stop | null
  ) => Effect.Effect<Run, RunNotFound | StorageError | WrongState>

  /**
   * Ends a run as `finished` that is `running` and has neither pending nor claimed records; leaves every other one as it is.
   * Returns the run as it is then. Whoever works on it may ask, as often as he likes.
   */
  readonly finishIfDone: (run: string) => Effect.Effect<Run, RunNotFound | StorageError>

  /** The lanes that have pending records, ascending. */
  readonly pendingLanes: (run: string) => Effect.Effect<ReadonlyArray<number>, RunNotFound | StorageError>
  /**
   * Claims the next pending records of a lane, in the order of the input, which is the order for each customer. The
   * claim is on disk when this returns. A lane has one owner at a time: who that is, is not the ledger's business.
   * The epoch is one that this sitting's `start`, or a `join` since then, has given out; others meet `WrongState`.
   */
  readonly claim: (
    run: string,
    options: { readonly epoch: number; readonly lane: number; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<Claimed>, RunNotFound | StorageError | WrongState>
  /**
   * Writes outcomes of claimed records, on disk when this returns. A record that is not claimed is left as it is and
   * named in `ignored`: an outcome is never written over. 310119 after a lost attempt is marked `afterAmbiguousAttempt`.
   * With an epoch, whatever is not claimed under it is ignored as well: who was taken for dead must not answer for others.
   */
  readonly settle: (
    run: string,
    settlements: ReadonlyArray<Settlement>,
    epoch?: number
  ) => Effect.Effect<Settled, RunNotFound | StorageError>
  /** Makes claimed records pending again that were certainly not sent, with an epoch those claimed under it; returns how many. */
  readonly release: (run: string, seqs: ReadonlyArray<Seq>, epoch?: number) => Effect.Effect<number, RunNotFound | StorageError>
  /**
   * Makes records pending again that an epoch before this one had claimed and not settled, and remembers of each that an
   * attempt got lost; returns how many. For after a crash: those calls may have been executed.
   *
   * With lanes: those of these lanes that any other epoch has claimed. For the new owner of a lane, who knows by that that
   * nobody else works on it.
   */
  readonly reclaim: (run: string, epoch: number, lanes?: number | ReadonlyArray<number>) => Effect.Effect<number, RunNotFound | StorageError>
  /**
   * Skips the pending records that are condemned, lane by lane; returns how many. Claimed ones are left alone, and so is
   * what an earlier call may have executed: `skipped` says that a record was never sent.
   */
  readonly skipWhere: (
    run: string,
    condemned: Condemned | "all",
    why: { readonly reason: SkipReason; readonly message: string }
  ) => Effect.Effect<number, RunNotFound | StorageError>
  /** Makes records pending again that were skipped for this reason; returns how many. */
  readonly rearm: (run: string, why: SkipReason) => Effect.Effect<number, RunNotFound | StorageError | WrongState>

  /** A run with its counts, at once whatever its size. */
  readonly run: (run: string) => Effect.Effect<Run, RunNotFound | StorageError>
  /** All runs, the latest first. */
  readonly list: Effect.Effect<ReadonlyArray<Run>, StorageError>
  /** Where the records of a run go, most first. */
  readonly destinations: (run: string) => Effect.Effect<ReadonlyArray<Destination>, RunNotFound | StorageError>
  /** How often each refusal was met, most first. */
  readonly refusals: (run: string) => Effect.Effect<ReadonlyArray<Refusal>, RunNotFound | StorageError>
  /** The rows of the input in their order, each with its records as they stand; with `outcome`, only what ended so. */
  readonly results: (
    run: string,
    options?: { readonly after?: number; readonly outcome?: Outcome.Word }
  ) => Stream.Stream<ResultRow, RunNotFound | StorageError>
  /** The rows of which something was rejected, is unknown, or was skipped as anything but a duplicate: byte for byte. */
  readonly failedRows: (run: string) => Stream.Stream<OriginalRow, RunNotFound | StorageError>
  /** The rows behind `after` that a retry or an undo of a run is made of, page by page: see `Derive`. */
  readonly derivable: (
    run: string,
    kind: Kind,
    after: number
  ) => Effect.Effect<Derivable, RunNotFound | StorageError | WrongState>

  /** Forgets a run and everything of it, part by part: whoever is cut off may ask again. Nobody may be working on it. */
  readonly remove: (run: string) => Effect.Effect<void, RunNotFound | StorageError>
}

/** The durable record of bulk runs. */
export class Ledger extends Context.Tag("@milepost/ledger/Ledger")<Ledger, Service>() {}
