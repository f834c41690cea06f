/** Jobs over a ledger of plain maps, for tests of what works on a job. */
import type { Outcome } from "@milepost/core"
import type * as Transport from "@milepost/core/Transport"
import { type Entry, type Ledger, LedgerError } from "@milepost/ledger"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Concurrency, Fuse, Job, Outage, Pace, Progress, Settler, Workers } from "@milepost/engine"

const none = { enrolled: 0, unenrolled: 0, already_enrolled: 0, rejected: 0, unknown: 0, skipped: 0 }

/** Progress that nobody looks at. */
export const progress = (): Progress.Progress =>
  Progress.make({
    total: 0,
    outcomes: none,
    limitPerSecond: () => null,
    inFlight: () => 0,
    concurrency: () => 0,
    waiting: () => null
  }, 0)

/** A ledger with one lane of records, and what was done to them. */
export interface Records {
  readonly ledger: Ledger.Service
  readonly settled: Map<number, Outcome.Outcome>
  readonly released: Array<number>
  /** Fails the next writes of this kind. */
  readonly failing: Set<"claim" | "settle">
}

export const full = new LedgerError.LedgerUnwritable({ path: "ledger.db", reason: "the disk is full" })

export const records = (claimed: ReadonlyArray<Entry.Claimed>): Records => {
  let pending = claimed
  const settled = new Map<number, Outcome.Outcome>()
  const released: Array<number> = []
  const failing = new Set<"claim" | "settle">()
  const ledger: Partial<Ledger.Service> = {
    claim: (_, { limit }) =>
      Effect.suspend(() => {
        if (failing.has("claim")) return Effect.fail(full)
        const taken = pending.slice(0, limit)
        pending = pending.slice(limit)
        return Effect.succeed(taken)
      }),
    settle: (_, settlements) =>
      Effect.suspend(() => {
        if (failing.has("settle")) return Effect.fail(full)
        for (const { outcome, seq } of settlements) settled.set(seq, outcome)
        return Effect.succeed({ settled: settlements.length, ignored: [] })
      }),
    release: (_, seqs) => Effect.sync(() => released.push(...seqs))
  }
  return { ledger: ledger as Ledger.Service, settled, released, failing }
}

/** A job over a transport; its settler works until the scope ends. */
export const job = (
  ledger: Ledger.Service,
  transport: Transport.Service,
  options: { readonly places?: number | "auto"; readonly chunkSize?: number; readonly fuse?: boolean } = {}
) =>
  Effect.gen(function*() {
    const patience = Duration.seconds(5)
    const concurrency = Concurrency.make(options.places ?? 4)
    const settler = Settler.make({ ledger, run: "a", patience, groupSize: 4, delayMillis: 100, onSettled: () => undefined })
    yield* Effect.forkScoped(Effect.ignore(settler.run))
    return Job.make({
      run: "a",
      org: "1",
      epoch: 1,
      ledger,
      transport,
      policy: Job.policy,
      pace: Pace.make({ nowMillis: 0 }),
      concurrency,
      fuse: Fuse.make({ isArmed: options.fuse ?? false }),
      outage: Outage.make({ isArmed: options.fuse ?? false }),
      progress: progress(),
      settler,
      workers: yield* Workers.make(concurrency),
      chunkSize: options.chunkSize ?? 100,
      chunks: yield* Effect.makeSemaphore(1),
      patience,
      condemn: () => undefined
    })
  })
