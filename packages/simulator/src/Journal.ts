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
