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
  /** Which sitting it was made in; where there are replicas, which one's part in which sitting. */
  readonly sitting: number
  /** Who made it, by number. */
  readonly process: number
  readonly sentMillis: number
  /** When it came in; `null` for one that is still on its way. */
  arrivedMillis: number | null
  /** When the upstream was through with it, whoever heard of that. */
  overMillis: number | null
  /** Whether it changed what the upstream holds. */
  executed: boolean
  /** What its process heard, while it lived. */
  answer: Answer | null
  answeredMillis: number | null
}

/** What can happen to one replica, or to the database of all. */
export type Trouble = "killed" | "frozen" | "cutOff" | "outage" | "lostAnswer"

/** Something that happened, at a moment of the machine. */
export type Event =
  | { readonly _tag: "Sitting"; readonly atMillis: number; readonly sitting: number }
  | { readonly _tag: "Sent"; readonly atMillis: number; readonly call: Call }
  | { readonly _tag: "Arrived"; readonly atMillis: number; readonly call: Call; readonly says: string }
  | { readonly _tag: "Heard"; readonly atMillis: number; readonly call: Call }
  | { readonly _tag: "Claimed"; readonly atMillis: number; readonly process: number; readonly records: ReadonlyArray<string>; readonly lane: number }
  | {
    readonly _tag: "Settled"
    readonly atMillis: number
    readonly process: number
    readonly outcomes: ReadonlyArray<{ readonly key: string; readonly outcome: Outcome.Word }>
    /** Records that were not this process's any more. */
    readonly ignored: ReadonlyArray<string>
  }
  | { readonly _tag: "Reclaimed"; readonly atMillis: number; readonly process: number; readonly lanes: ReadonlyArray<number> | null; readonly records: number }
  | { readonly _tag: "Released"; readonly atMillis: number; readonly process: number; readonly records: number }
  | { readonly _tag: "Cancelled"; readonly atMillis: number; readonly sitting: number }
  | { readonly _tag: "Killed"; readonly atMillis: number; readonly sitting: number; readonly point: number }
  | { readonly _tag: "Joined"; readonly atMillis: number; readonly process: number }
  | { readonly _tag: "Left"; readonly atMillis: number; readonly process: number }
  /** From here on somebody may be right to send again what this process had sent; `null` for all of them. */
  | { readonly _tag: "Troubled"; readonly atMillis: number; readonly process: number | null; readonly what: Trouble; readonly forMillis: number | null }
  | { readonly _tag: "Woke"; readonly atMillis: number; readonly process: number }
  | { readonly _tag: "Lane"; readonly atMillis: number; readonly process: number; readonly lane: number; readonly what: string }
  | { readonly _tag: "Ended"; readonly atMillis: number; readonly state: string; readonly why: string | null }

/** The name of a record, from what a call of it asks for. */
export const keyOf = (request: Pick<Transport.Request, "body" | "path">): string => {
  const [, group = "", target = ""] = /targetGroups\/(\d+)\/targets\/(\d+)/.exec(request.path) ?? []
  const [record] = JSON.parse(request.body ?? "[]") as ReadonlyArray<{ readonly customerId?: number; readonly periodName?: string }>
  return [record?.customerId, group, target, record?.periodName ?? ""].join(" ").trimEnd()
}
