/**
 * What the upstream was asked, in order: the means to assert what a client did and did not do.
 *
 * An entry holds no header, no credential and no body. The last calls are kept, the counts are complete.
 */
import * as Effect from "effect/Effect"

/** What a call was for; `other` is a path that nobody knows. */
export type Operation = "enroll" | "unenroll" | "targetGroups" | "token" | "other"

/** One received call. */
export interface Entry {
  /** From 1 on, in the order of arrival. */
  readonly sequence: number
  /** When it arrived, by Effect's clock, in milliseconds since the epoch. */
  readonly atMillis: number
  /** The same moment in virtual time. */
  readonly virtualMillis: number
  readonly operation: Operation
  readonly customerId: number | null
  readonly targetGroupId: number | null
  readonly targetId: number | null
  readonly periodName: string | null
  /** As it was sent: a number, `null`, or `undefined` (no key at all in JSON) where it was absent. The three differ. */
  readonly initialBalance?: number | null | undefined
  /** As it was sent; `undefined` (no key at all in JSON) where it was absent. */
  readonly resetStreakStatus?: boolean | null | undefined
  /** The HTTP status of the answer, `null` where none was given. */
  readonly status: number | null
  /** The code of the application error in the answer, `null` where there was none. */
  readonly code: number | null
  /** Whether it did what it was for. */
  readonly executed: boolean
  /** Whether it came while another call for the same customer was not answered yet. */
  readonly overlapped: boolean
  /** The kind of the fault that struck, `null` where none did. */
  readonly fault: string | null
}

/**
 * How a call ended, as the upstream sees it: `accepted` was executed and told so, `refused` was not executed and told so,
 * `lost` was executed while its caller could not know, `unanswered` was neither executed nor answered.
 */
export type CallOutcome = "accepted" | "refused" | "lost" | "unanswered"

/** How a call ended. */
export const outcomeOf = ({ code, executed, fault, status }: Entry): CallOutcome =>
  executed
    ? status === 200 && code === null && fault !== "body" ? "accepted" : "lost"
    : status === null ? "unanswered" : "refused"

/** Which entries are wanted: those that fit all of what it names. */
export interface Filter {
  readonly customerId?: number | undefined
  readonly operation?: Operation | undefined
  readonly outcome?: CallOutcome | undefined
  /** Only those after this `sequence`. */
  readonly since?: number | undefined
}

/** The entries that a filter lets through. */
export const select = (entries: ReadonlyArray<Entry>, filter: Filter): ReadonlyArray<Entry> =>
  entries.filter((entry) =>
    (filter.customerId === undefined || entry.customerId === filter.customerId) &&
    (filter.operation === undefined || entry.operation === filter.operation) &&
    (filter.outcome === undefined || outcomeOf(entry) === filter.outcome) &&
    (filter.since === undefined || entry.sequence > filter.since))

/** A call that came while another for its customer was not answered yet, and that other one where it is still kept. */
export interface Overlap {
  readonly entry: Entry
  readonly during: Entry | null
}

/** Where the rule was broken that there are never two calls at once for one customer, among the entries that are kept. */
export const overlapsIn = (entries: ReadonlyArray<Entry>): ReadonlyArray<Overlap> => {
  const under = new Map<number | null, Entry>()
  return entries.flatMap((entry) => {
    if (entry.overlapped) return [{ entry, during: under.get(entry.customerId) ?? null }]
    under.set(entry.customerId, entry)
    return []
  })
}

/** Complete since the start, the last reset or the last clearing, however many entries are kept. */
export interface Counts {
  readonly received: number
  readonly executed: number
  /** Calls that came while another for the same customer was not answered yet: 0 for a client that behaves. */
  readonly overlaps: number
  readonly byOperation: Readonly<Record<string, number>>
  /** By HTTP status; `none` counts calls that got no answer. */
  readonly byStatus: Readonly<Record<string, number>>
  /** By code of the application error. */
  readonly byCode: Readonly<Record<string, number>>
}

/** The received calls. */
export interface Journal {
  /** The calls that are kept, oldest first. */
  readonly entries: Effect.Effect<ReadonlyArray<Entry>>
  readonly counts: Effect.Effect<Counts>
  readonly clear: Effect.Effect<void>
}

/** A journal with its writing side, for adapters. */
export interface Writable extends Journal {
  readonly unsafeAdd: (entry: Omit<Entry, "sequence">) => void
  readonly unsafeClear: () => void
}

/** How many calls are kept where nothing else is said. */
export const defaultCapacity = 10_000

const tally = (counts: Map<string | number, number>, key: string | number): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** A journal that keeps the last `capacity` calls. */
export const make = (capacity: number = defaultCapacity): Writable => {
  const kept: Array<Entry> = []
  const byOperation = new Map<string, number>()
  const byStatus = new Map<string | number, number>()
  const byCode = new Map<string | number, number>()
  let received = 0
  let executed = 0
  let overlaps = 0
  const unsafeClear = (): void => {
    kept.length = 0
    for (const counts of [byOperation, byStatus, byCode]) counts.clear()
    received = executed = overlaps = 0
  }
  return {
    entries: Effect.sync(() => {
      const oldest = received > capacity ? received % capacity : 0
      return [...kept.slice(oldest), ...kept.slice(0, oldest)]
    }),
    counts: Effect.sync(() => ({
      received,
      executed,
      overlaps,
      byOperation: Object.fromEntries(byOperation),
      byStatus: Object.fromEntries(byStatus),
      byCode: Object.fromEntries(byCode)
    })),
    clear: Effect.sync(unsafeClear),
    unsafeClear,
    unsafeAdd: (entry) => {
      if (capacity > 0) kept[received % capacity] = { sequence: received + 1, ...entry }
      received++
      if (entry.executed) executed++
      if (entry.overlapped) overlaps++
      tally(byOperation, entry.operation)
      tally(byStatus, entry.status ?? "none")
      if (entry.code !== null) tally(byCode, entry.code)
    }
  }
}
