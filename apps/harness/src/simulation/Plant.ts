/**
 * Bugs that are planted on purpose, to see that a simulation finds them.
 *
 * Each stands between the engine and what it is given, so that the engine's own code runs as it is: a bug of this kind has
 * been made by somebody who wrote such a loop before.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Transport from "@milepost/core/Transport"
import type { Options } from "@milepost/engine/Engine"
import * as Job from "@milepost/engine/Job"
import type * as Replica from "@milepost/engine/Replica"
import type { Seq } from "@milepost/ledger/Entry"
import type * as Ledger from "@milepost/ledger/Ledger"
import type { Memory } from "@milepost/ledger/MemoryLedger"
import * as Effect from "effect/Effect"

/** What a process works with, and what a bug may put in its place. */
export interface Parts {
  readonly ledger: Ledger.Service
  readonly transport: Transport.Service
  readonly options: Omit<Options, "patience">
}

/** What a bug knows of the run that it sits in. */
export interface Around {
  readonly run: string
  readonly lanes: number
  /** How long a lease lasts, where there are several replicas. */
  readonly lifetimeMillis: number
  readonly memory: Memory
  /** The record's number, once it has been claimed. */
  readonly seqOf: (request: Transport.Request) => Seq | undefined
}

/** A bug in one run. */
export interface Planted {
  /** What the process works with instead. */
  readonly within?: (parts: Parts) => Parts
  /** What a replica among several believes to have, and how it speaks with the database. */
  readonly replica?: (replica: Replica.Service) => Replica.Service
  readonly connection?: (connection: Connection) => Connection
  /** Once the records are in the ledger. */
  readonly imported?: Effect.Effect<unknown, SqlError>
  /** What a disk would lose when the process is killed. */
  readonly killed?: (ledger: Ledger.Service) => Effect.Effect<unknown, unknown>
}

/** A bug. */
export interface Plant {
  readonly title: string
  /** Whether it shows only where there are several replicas. */
  readonly isOfReplicas?: boolean
  readonly plant: (around: Around) => Planted
}

/** The numbers of one lane, as `Entry.seqOf` deals them. */
const perLane = 2 ** 43

const changed = (answer: Transport.Response, without: string): Transport.Response => ({
  ...answer,
  headers: Object.fromEntries(Object.entries(answer.headers).filter(([name]) => name !== without))
})

const outcomeBeforeCall: Plant = {
  title: "the outcome is written before the call",
  plant: ({ run, seqOf }) => ({
    within: ({ ledger, options, transport }) => ({
      ledger,
      options,
      transport: {
        send: (request) => {
          const seq = seqOf(request)
          const early = seq === undefined
            ? Effect.void
            : Effect.ignore(ledger.settle(run, [{ seq, outcome: { outcome: "enrolled", warnings: [], attempts: 1, requestId: null } }]))
          return Effect.zipRight(early, transport.send(request))
        }
      }
    })
  })
}

const claimNotFlushed: Plant = {
  title: "a claim is handed out before it is on disk",
  plant: ({ run }) => {
    let inMemoryOnly: Array<Seq> = []
    return {
      within: (parts) => ({
        ...parts,
        ledger: {
          ...parts.ledger,
          claim: (id, options) =>
            Effect.tap(parts.ledger.claim(id, options), (claimed) =>
              Effect.sync(() => inMemoryOnly.push(...claimed.map(({ seq }) => seq)))),
          // The next outcome takes the claims before it to disk.
          settle: (id, settlements, epoch) =>
            Effect.tap(parts.ledger.settle(id, settlements, epoch), () =>
              Effect.sync(() => {
                inMemoryOnly = []
              }))
        }
      }),
      killed: (ledger) => {
        const lost = inMemoryOnly
        inMemoryOnly = []
        return ledger.release(run, lost)
      }
    }
  }
}

const retryOnRefusal: Plant = {
  title: "a call is repeated after 310011",
  plant: () => ({
    within: (parts) => ({
      ...parts,
      transport: {
        send: (request) =>
          Effect.flatMap(parts.transport.send(request), (answer) =>
            answer.body.includes("310011") ? parts.transport.send(request) : Effect.succeed(answer))
      }
    })
  })
}

const twoLanes: Plant = {
  title: "a customer is dealt to two lanes",
  plant: ({ lanes, memory }) => ({
    // Every second row of the file goes to the lane after its own.
    imported: lanes === 1 ? Effect.void : memory.connection.execute(
      `UPDATE records SET seq = CASE WHEN seq / ${perLane} = ${lanes - 1} THEN seq % ${perLane} ELSE seq + ${perLane} END
       WHERE (seq % ${perLane}) / 1024 % 2 = 1`,
      [],
      undefined
    )
  })
}

const lostRetryAfter: Plant = {
  title: "Retry-After is lost",
  plant: () => ({
    within: (parts) => ({
      ...parts,
      transport: { send: (request) => Effect.map(parts.transport.send(request), (answer) => changed(answer, "retry-after")) }
    })
  })
}

const resumeSkipsClaimed: Plant = {
  title: "a resume skips what was claimed",
  plant: () => ({
    within: (parts) => ({ ...parts, ledger: { ...parts.ledger, reclaim: () => Effect.succeed(0) } })
  })
}

const cancelIsLate: Plant = {
  title: "calls go on after the run was cancelled",
  plant: () => ({
    within: (parts) => ({ ...parts, options: { ...parts.options, cancel: Effect.delay(parts.options.cancel ?? Effect.never, "2 seconds") } })
  })
}

const endlessAttempts: Plant = {
  title: "a record is tried more often than it may be",
  plant: () => ({
    within: (parts) => ({ ...parts, options: { ...parts.options, policy: { ...Job.policy, maxAttempts: 1_000 } } })
  })
}

const noFence: Plant = {
  title: "a replica that wakes up sends for lanes that it had",
  isOfReplicas: true,
  plant: () => ({
    replica: (replica) => ({
      ...replica,
      holds: (lane) => replica.generation(lane) !== null,
      enter: (lane) => replica.enter(lane) ?? (replica.generation(lane) === null ? null : () => undefined)
    })
  })
}

const earlyTakeover: Plant = {
  title: "a lane is taken over before its lease has expired",
  isOfReplicas: true,
  plant: ({ lifetimeMillis }) => ({
    // Whoever looks for leases that have expired looks with a clock that is ahead.
    connection: (connection) => ({
      ...connection,
      execute: (sql, ...args) =>
        connection.execute(sql.includes("lane_leases") ? sql.replaceAll(/expires (<=|>) (\d+)/g, `expires - ${0.6 * lifetimeMillis} $1 $2`) : sql, ...args)
    })
  })
}

const unfencedSettle: Plant = {
  title: "outcomes are written over what somebody else has claimed since",
  isOfReplicas: true,
  plant: () => ({
    within: (parts) => ({ ...parts, ledger: { ...parts.ledger, settle: (id, settlements) => parts.ledger.settle(id, settlements) } })
  })
}

const leaveWithoutDrain: Plant = {
  title: "a lane is given back with calls in flight",
  isOfReplicas: true,
  plant: () => ({
    replica: (replica) => ({ ...replica, enter: (lane) => replica.holds(lane) ? () => undefined : null })
  })
}

/** Every bug, by the name that the command line gives it. */
export const plants: Readonly<Record<string, Plant>> = {
  "outcome-before-call": outcomeBeforeCall,
  "claim-not-flushed": claimNotFlushed,
  "retry-on-310011": retryOnRefusal,
  "two-lanes": twoLanes,
  "lost-retry-after": lostRetryAfter,
  "resume-skips-claimed": resumeSkipsClaimed,
  "late-cancel": cancelIsLate,
  "endless-attempts": endlessAttempts,
  "no-fence": noFence,
  "early-takeover": earlyTakeover,
  "unfenced-settle": unfencedSettle,
  "leave-without-drain": leaveWithoutDrain
}
