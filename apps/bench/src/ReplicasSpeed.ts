/**
 * The seventh benchmark: several replicas of the service over one PostgreSQL, beside plain workers over the same, and what they
 * ask and fill of the database.
 *
 * Each part is a module of `replicas/` with its rows and its promises, and can be run alone; a part that is not run keeps what
 * it measured before.
 */
import * as Limit from "./replicas/Limit.js"
import * as OwnerCalls from "./replicas/OwnerCalls.js"
import * as PairSpeed from "./replicas/PairSpeed.js"
import * as Size from "./replicas/Size.js"
import * as Statements from "./replicas/Statements.js"
import * as Results from "./Results.js"
import type * as Turns from "./Turns.js"

/** Its parts. */
export const parts = ["pair", "statements", "size", "limit", "owner"] as const

/** The name of a part. */
export type Part = (typeof parts)[number]

/** How much of each part. */
export interface Sizes {
  /** Records that a pair sends. */
  readonly records: number
  /** Records of the large job. */
  readonly stored: number
  /** How long a limit is watched. */
  readonly minutes: number
}

/** What all parts promise. */
export const thresholdsOf = ({ limit, pair, size, statements }: Omit<Results.ReplicasSection, "thresholds">): ReadonlyArray<Results.Threshold> => [
  ...(pair === undefined ? [] : PairSpeed.thresholdsOf(pair.rows)),
  ...(statements === undefined ? [] : Statements.thresholdsOf(statements)),
  ...(size === undefined ? [] : Size.thresholdsOf(size)),
  ...(limit === undefined ? [] : Limit.thresholdsOf(limit))
]

/** Runs these parts; the turns are those of the calls of people. */
export const run = async (
  asked: ReadonlyArray<Part>,
  durations: Turns.Durations,
  { minutes, records, stored }: Sizes,
  before: Results.ReplicasSection | undefined,
  say: (line: string) => void
): Promise<Results.ReplicasSection> => {
  const wanted = (part: Part): boolean => asked.includes(part)
  const measured = {
    ...Results.section(),
    ...(wanted("pair") ? { pair: await PairSpeed.run(records, durations.rounds, say) } : Results.part(before, "pair")),
    ...(wanted("statements") ? { statements: await Statements.run(records, say) } : Results.part(before, "statements")),
    ...(wanted("size") ? { size: await Size.run(stored, say) } : Results.part(before, "size")),
    ...(wanted("limit") ? { limit: await Limit.run(minutes, say) } : Results.part(before, "limit")),
    ...(wanted("owner") ? { owner: await OwnerCalls.run(durations, say) } : Results.part(before, "owner"))
  }
  return { ...measured, thresholds: thresholdsOf(measured) }
}
