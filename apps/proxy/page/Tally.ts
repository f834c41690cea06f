/** How a job's records stand, as parts of a whole: what the bar shows, what its table says, and the same in one sentence. */
import type { Job } from "./Client.js"
import * as Words from "./Words.js"

/** Records that stand alike. */
export interface Part {
  readonly word: keyof Job["counts"] | "waiting"
  readonly label: string
  readonly records: number
}

/** A job's records. */
export interface Tally {
  readonly total: number
  /** With an outcome, whichever. */
  readonly ended: number
  readonly failed: number
  /** All parts that there are, the good ones first. */
  readonly parts: ReadonlyArray<Part>
}

const labels: ReadonlyArray<readonly [Part["word"], string]> = [
  ["enrolled", "Enrolled"],
  ["unenrolled", "Un-enrolled"],
  ["already_enrolled", "Already enrolled"],
  ["rejected", "Rejected"],
  ["unknown", "Unknown"],
  ["skipped", "Skipped"],
  ["waiting", "Waiting"]
]

/** Records that will be sent, now or once the job is gone on with; a stop counts them as skipped as well. */
const waitingOf = ({ open, state }: Job): number => state === "cancelled" ? 0 : open

/** Counts a job's records. */
export const of = (job: Job): Tally => {
  const waiting = waitingOf(job)
  const total = job.records
  const { skipped, ...ended } = job.counts
  const others = Object.values(ended).reduce((sum, records) => sum + records, 0)
  const records: Readonly<Record<Part["word"], number>> = {
    ...job.counts,
    skipped: Math.min(skipped, Math.max(0, total - waiting - others)),
    waiting
  }
  return {
    total,
    ended: total - waiting,
    failed: records.rejected + records.unknown,
    parts: labels.map(([word, label]) => ({ word, label, records: records[word] })).filter((part) => part.records > 0)
  }
}

/** The least that a part is drawn with, so that one failed record of a million is seen. */
const least = 0.006

/** How wide the parts are in a bar of this width; together they fill it. */
export const widths = (parts: ReadonlyArray<Part>, width: number): ReadonlyArray<number> => {
  const total = parts.reduce((sum, { records }) => sum + records, 0)
  if (total === 0) return parts.map(() => 0)
  const shares = parts.map(({ records }) => Math.max(least, records / total))
  const sum = shares.reduce((all, share) => all + share, 0)
  return shares.map((share) => share * width / sum)
}

/** The bar in words. */
export const sentence = ({ ended, parts, total }: Tally): string =>
  total === 0
    ? "No records."
    : `${Words.percent(ended, total)} of ${Words.counted(total, "record")}: ` +
      `${parts.map(({ label, records }) => `${Words.count(records)} ${label.toLowerCase()}`).join(", ")}.`
