/** What the process says to whoever started it. */
import type * as Outcome from "@milepost/core/Outcome"
import type { Standing } from "@milepost/rows/Standing"

/** The exit codes of every command; see `milepost --help`. */
export const ExitCode = {
  /** Every record is done, or was a skipped duplicate. */
  done: 0,
  /** Finished, some records were rejected. */
  rejected: 1,
  /** Wrong usage, configuration or unreadable input: nothing was sent. */
  refused: 2,
  /** Stopped early, because an answer or a lost upstream condemned the rest. */
  stopped: 3,
  /** Interrupted. */
  interrupted: 4,
  /** Finished, some outcomes are unknown. */
  unknown: 5,
  /** A defect of ours. */
  defect: 70
} as const

/** One of the exit codes. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** The exit code that a set of outcomes adds up to: unknown outweighs rejected, rejected outweighs done. */
export const ofOutcomes = (outcomes: Iterable<Outcome.Outcome>): ExitCode => {
  let code: ExitCode = ExitCode.done
  for (const outcome of outcomes) {
    if (outcome.outcome === "unknown") return ExitCode.unknown
    if (outcome.outcome === "rejected") code = ExitCode.rejected
    if (outcome.outcome === "skipped" && outcome.reason !== "duplicate" && code === ExitCode.done) {
      code = outcome.reason === "unreachable" ? ExitCode.refused : ExitCode.rejected
    }
  }
  return code
}

/** What a run's end says to whoever started it. */
export const ofRun = ({ counts, notSent, state }: Standing): ExitCode => {
  if (state === "interrupted") return ExitCode.interrupted
  if (state === "stopped") return ExitCode.stopped
  if (counts.unknown > 0) return ExitCode.unknown
  return counts.rejected + notSent > 0 ? ExitCode.rejected : ExitCode.done
}
