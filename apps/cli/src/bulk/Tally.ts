/** Running counts of a bulk run, read by progress, summary and exit code alike. */
import * as Outcome from "@milepost/core/Outcome"

/** How often one refusal was met. */
export interface Refusal {
  readonly code: number | string | null
  readonly message: string
  count: number
}

/** Counts by outcome, and refusals by code. */
export interface Tally {
  readonly counts: Record<Outcome.Word, number>
  /** Rows whose calls have all ended. */
  rows: number
  /** Skipped for another reason than being a duplicate. */
  notSent: number
  warnings: number
  readonly refusals: Map<string, Refusal>
}

/** Nothing counted yet. */
export const make = (): Tally => ({
  counts: { enrolled: 0, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0 },
  rows: 0,
  notSent: 0,
  warnings: 0,
  refusals: new Map()
})

/** Reasons of bad rows differ by line and value: they are counted together. */
const refusalKey = (outcome: Outcome.Rejected | Outcome.Unknown): string => `${outcome.outcome}/${outcome.code ?? outcome.tag}`

/** Counts one outcome. */
export const add = (tally: Tally, outcome: Outcome.Outcome): void => {
  tally.counts[outcome.outcome] += 1
  switch (outcome.outcome) {
    case "enrolled":
    case "unenrolled":
      tally.warnings += outcome.warnings.length
      return
    case "skipped":
      if (outcome.reason !== "duplicate") tally.notSent += 1
      return
    case "rejected":
    case "unknown": {
      const key = refusalKey(outcome)
      const refusal = tally.refusals.get(key)
      if (refusal === undefined) tally.refusals.set(key, { code: outcome.code, message: outcome.message, count: 1 })
      else refusal.count += 1
      return
    }
    case "already_enrolled":
      return
  }
}
