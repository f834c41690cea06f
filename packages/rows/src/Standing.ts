/**
 * How a run stands, in the words of people: what its ledger says, and what follows from how it ended.
 *
 * A run that stopped early leaves its records pending, so that it can be gone on with at once. For whoever asks, those
 * are `skipped`: they were never sent, and the run says why.
 */
import * as Outcome from "@milepost/core/Outcome"
import type { Entry } from "@milepost/ledger/Entry"
import type { Refusal, Run } from "@milepost/ledger/Run"

/**
 * Where a run is. `importing`, `ready` and `running` are what a run is while a process has it; a run that nobody has and
 * that is still there was cut off, and can be gone on with.
 */
export type State = Run["state"]

/** Why a run did not get to its end. */
export interface Stop {
  readonly reason: string
  readonly message: string
}

/** A run with what can be told from it. */
export interface Standing {
  readonly run: Run
  readonly state: State
  readonly stop: Stop | null
  /** Records by outcome; those that a stop kept from being sent count as skipped. */
  readonly counts: Readonly<Record<Outcome.Word, number>>
  /** Records that wait for their call, now or when the run is gone on with. */
  readonly open: number
  /** Skipped for another reason than being a duplicate. */
  readonly notSent: number
  readonly refusals: ReadonlyArray<Refusal>
}

const skippedBy = ({ message, reason }: Stop): Outcome.Skipped =>
  Outcome.skipped(reason === "cancelled" ? reason : reason === "unreachable" || reason === "outage" ? "unreachable" : "fuse", message)

/** Whether the run was ended before all its records were sent. */
const endedEarly = ({ state }: Pick<Run, "state">): boolean => state === "stopped" || state === "interrupted"

/** What stands behind a run's own words: a group that a fuse has cut off makes a finished run a stopped one. */
const stopOf = (run: Run, refusals: ReadonlyArray<Refusal>): Stop | null => {
  if (run.state !== "finished") return run.stop
  const blown = refusals.find(({ code, outcome }) => outcome === "skipped" && code === "fuse")
  return blown === undefined ? null : { reason: "fuse", message: blown.message }
}

/** How a run stands. */
export const make = (run: Run, refusals: ReadonlyArray<Refusal>): Standing => {
  const { already_enrolled, claimed, enrolled, pending, rejected, skipped, unenrolled, unknown } = run.counts
  const stop = stopOf(run, refusals)
  const open = pending + claimed
  const unsent = endedEarly(run) ? open : 0
  return {
    run,
    state: run.state === "finished" && stop !== null ? "stopped" : run.state,
    stop,
    counts: { enrolled, unenrolled, already_enrolled, rejected, unknown, skipped: skipped + unsent },
    open,
    notSent: skipped - run.duplicates + unsent,
    refusals: unsent === 0 || run.stop === null
      ? refusals
      : [...refusals, { outcome: "skipped", code: run.stop.reason, message: run.stop.message, records: unsent }]
  }
}

/** How a record stands: its outcome, or `null` while it waits in a run that goes on. */
export const outcomeOf = (run: Pick<Run, "state" | "stop">, entry: Entry): Outcome.Outcome | null =>
  entry.outcome ?? (endedEarly(run) ? skippedBy(run.stop ?? { reason: "cancelled", message: "the run was ended" }) : null)

/** Whether it can be gone on with. */
export const isResumable = ({ state }: Pick<Standing, "state">): boolean => state !== "finished"
