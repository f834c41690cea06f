/**
 * Every documented answer as one list for people: the source of `docs/error-codes.md` and `milepost errors`.
 */
import * as ApiError from "./ApiError.js"
import type { BlastRadius, Disposition } from "./Disposition.js"
import * as GatewayError from "./GatewayError.js"

/** One documented answer. */
export interface Entry {
  /** The upstream's code, or the gateway's HTTP status. */
  readonly code: number
  readonly kind: "code" | "status"
  /** The class that programs match on. */
  readonly tag: string
  readonly meaning: string
  readonly remedy: string
  readonly blastRadius: BlastRadius
  readonly disposition: Disposition
}

/** The eight codes of the seed, then the gateway's answers, each in its table's order. */
export const entries: ReadonlyArray<Entry> = [
  ...ApiError.table.map(({ row }): Entry => ({ ...row, kind: "code" })),
  ...GatewayError.table.map(({ row: { status, ...row } }): Entry => ({ ...row, code: status, kind: "status" }))
]

/** What a blast radius condemns, in words. */
export const condemns: Readonly<Record<BlastRadius, string>> = {
  none: "nothing",
  record: "this record",
  customer: "every record of this customer",
  period: "every record of this period of the target group",
  target: "every record of this target",
  group: "every record of this target group",
  org: "every call to this organisation",
  everything: "every call"
}

/** What a disposition makes of a call, in words. */
export const treatment: Readonly<Record<Disposition, string>> = {
  rejected: "a definite no; not repeated",
  alreadyApplied: "already so; counts as done",
  retryLater: "not executed; repeated after a wait",
  outcomeUnknown: "may have been executed; repeated, which is safe"
}

/** The entry of a code or a status. */
export const find = (code: number): Entry | undefined => entries.find((entry) => entry.code === code)
