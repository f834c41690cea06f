/** What happens in a simulated run, for its judges and for the person who reads its trace. */
import type * as Outcome from "@milepost/core/Outcome"
import type * as Transport from "@milepost/core/Transport"

/** What became of a call: its answer by status and code, no answer, or nothing yet. */
export type Answer =
  | {
    readonly _tag: "Answered"
    readonly status: number
    readonly code: number | null
    /** A definite yes, or a definite no by code. */
    readonly isDefinite: boolean
    readonly retryAfterMillis: number | null
  }
  | { readonly _tag: "Lost"; readonly why: string }

/** A call of a process, and what is known of it on both sides. */
export interface Call {
  /** The record that it was for: `customer group target period`. */
  readonly key: string
  readonly customerId: number
  readonly sitting: number
  readonly sentMillis: number
  /** When it came in; `null` for one that is still on its way. */
  arrivedMillis: number | null
  /** Whether it changed what the upstream holds. */
  executed: boolean
  /** What its process heard, while it lived. */
  answer: Answer | null
  answeredMillis: number | null
}

/** Something that happened, at a moment of the machine. */
export type Event =
  | { readonly _tag: "Sitting"; readonly atMillis: number; readonly sitting: number }
  | { readonly _tag: "Sent"; readonly atMillis: number; readonly call: Call }
  | { readonly _tag: "Arrived"; readonly atMillis: number; readonly call: Call; readonly says: string }
  | { readonly _tag: "Heard"; readonly atMillis: number; readonly call: Call }
  | { readonly _tag: "Claimed"; readonly atMillis: number; readonly records: ReadonlyArray<string>; readonly lane: number }
  | { readonly _tag: "Settled"; readonly atMillis: number; readonly outcomes: ReadonlyArray<{ readonly key: string; readonly outcome: Outcome.Word }> }
  | { readonly _tag: "Reclaimed"; readonly atMillis: number; readonly records: number }
  | { readonly _tag: "Cancelled"; readonly atMillis: number; readonly sitting: number }
  | { readonly _tag: "Killed"; readonly atMillis: number; readonly sitting: number; readonly point: number }
  | { readonly _tag: "Ended"; readonly atMillis: number; readonly state: string; readonly why: string | null }

/** The name of a record, from what a call of it asks for. */
export const keyOf = (request: Pick<Transport.Request, "body" | "path">): string => {
  const [, group = "", target = ""] = /targetGroups\/(\d+)\/targets\/(\d+)/.exec(request.path) ?? []
  const [record] = JSON.parse(request.body ?? "[]") as ReadonlyArray<{ readonly customerId?: number; readonly periodName?: string }>
  return [record?.customerId, group, target, record?.periodName ?? ""].join(" ").trimEnd()
}
