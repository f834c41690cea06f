/**
 * One process among several that share a database: which of them are alive, and which of them has which lane.
 *
 * A lane has one owner at a time, by a lease in a table that its owner refreshes every few seconds; the database's clock says
 * when it expires. A lane is taken over when its lease has expired or was given back, never before. So that nobody sends for
 * a lane that somebody else may have by now, a process stops by its own clock well before its leases expire: that is the
 * fence ({@link Service.holds}), asked at every send. It holds for a process that was frozen as well, and for one that is
 * cut off from the database: neither needs to notice anything. Why it is made so, and not of Effect Cluster's storage of
 * runners: docs/adr/0022-lanes-by-leases.md.
 *
 * Which living process should have a lane is decided by hashing. Who should not have it any more starts nothing new for it,
 * lets what is inside end, and gives it back.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as leases from "./internal/leases.js"
import { wantedBy } from "./internal/rendezvous.js"
import { steadyMillis } from "./internal/steadyMillis.js"

/** A process that shares the database. */
export interface Member {
  readonly id: string
  /** Where the others reach it, as it says itself. */
  readonly address: string
}

/**
 * What became of a lane of this process: it has it now (`acquired`); it shall have it no more, and nothing new may start
 * (`leaving`); it has given it back (`returned`); it was taken away, because its lease had expired (`lost`).
 */
export interface Change {
  readonly lane: number
  readonly what: "acquired" | "leaving" | "returned" | "lost"
}

/** This process, among those that share the database. */
export interface Service {
  readonly id: string
  readonly address: string
  /** How many lanes there are in all, from 0. */
  readonly lanes: number
  /**
   * Whether a call for this lane may leave now: it is leased, is not being left, and its lease cannot have expired. To be
   * asked in the same turn of the event loop in which the call leaves.
   */
  readonly holds: (lane: number) => boolean
  /**
   * Begins work for a lane, which is given back only after the function that is returned was called; `null` when this
   * process does not hold the lane. Holding it may end under the work: `holds` is asked again at every call.
   */
  readonly enter: (lane: number) => (() => void) | null
  /** The lanes that this process holds, ascending. */
  readonly held: () => ReadonlyArray<number>
  /** Which time it is that this lane changes its owner, while this process has it; otherwise `null`. */
  readonly generation: (lane: number) => number | null
  /** Who has the lane, as of the last look at the database: `null` for nobody, or nobody who is alive. */
  readonly ownerOf: (lane: number) => Member | "self" | null
  /** Everybody who is alive and does not go, this process included, as of the last look. */
  readonly members: () => ReadonlyArray<Member>
  /** Why this process may not send, or soon will not; `null` while there is nothing. */
  readonly trouble: () => string | null
  /** Looks at the database now: for whoever found the owner of a lane gone. Completes also when that fails. */
  readonly refreshNow: Effect.Effect<void>
  /** Calls back for every lane that was acquired, is to be left, was given back or lost; gives back how to forget it. */
  readonly onChange: (callback: (change: Change) => void) => () => void
  /**
   * Goes: nothing new starts, what is inside gets its time to end, every lane is given back and the others are told. What
   * has not ended by then keeps its lane until the lease expires. The end of the scope does the same.
   */
  readonly leave: Effect.Effect<void>
}

/** This process, among those that share the database. */
export class Replica extends Context.Tag("@milepost/engine/Replica")<Replica, Service>() {}

/** How a process takes part. */
export interface Options {
  /** The name of those that share the database: another cluster's database is refused. */
  readonly cluster: string
  /** Where the others reach this process. */
  readonly address: string
  /** How many lanes there are; 64 by default. Decided for good by the first process, and the number of lanes of every run. */
  readonly lanes?: number
  /** How long a lease lasts that is not refreshed; 15 seconds by default. So long a lane stands still when its owner dies. */
  readonly lifetime?: Duration.DurationInput
  /** How often leases are refreshed, and how long the database may take for it; 3 seconds by default. */
  readonly refresh?: Duration.DurationInput
  /**
   * How long before the end of its leases a process stops sending, by its own clock; 5 seconds by default. A call that is on
   * its way has so long to arrive, and clocks may run apart by so much of a lease.
   */
  readonly margin?: Duration.DurationInput
  /** How long what is inside may take to end when this process goes; 40 seconds by default. */
  readonly leaveWithin?: Duration.DurationInput
}

/** The database belongs to another cluster, or its customers are dealt to another number of lanes. */
export class ClusterMismatch extends Data.TaggedError("ClusterMismatch")<{
  readonly found: { readonly cluster: string; readonly lanes: number }
  readonly wanted: { readonly cluster: string; readonly lanes: number }
}> {
  override get message(): string {
    return this.found.cluster === this.wanted.cluster
      ? `the database deals its customers to ${this.found.lanes} lanes, not to ${this.wanted.lanes}`
      : `the database belongs to the cluster ${this.found.cluster}, not to ${this.wanted.cluster}`
  }
}

/** Makes the tables where they are not yet; whoever runs migrations of several processes one after another runs this among them. */
export const create: Effect.Effect<void, SqlError, SqlClient> = Effect.flatMap(SqlClient, leases.create)

/** A lane that is leased to this process. */
interface Lease {
  readonly lane: number
  readonly generation: number
  isLeaving: boolean
  /** Whether it was tried to give it back: a statement that is still under way may do so at any time. */
  isReturned: boolean
  inside: number
}

/** The longest wait of who tries again, or waits for a lane that is to come. */
const soonMillis = 1_000

/** How long the database has to take back lanes when this process goes. */
const goodbyeMillis = 5_000

/** A database that is not reached has a code; its message may name hosts and users. */
const reasonOf = (cause: Cause.Cause<SqlError | Cause.TimeoutException>): string => {
  const failure = Cause.squash(cause)
  if (!(failure instanceof SqlError)) return Cause.isFailure(cause) ? "no answer in time" : "a bug"
  const code = (failure.cause as { readonly code?: unknown } | null | undefined)?.code
  return typeof code === "string" ? code : "the connection failed"
}

/** An id that nobody else has: 96 bits of chance. */
const newId = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, 2 ** 32), 3),
  (parts) => parts.map((part) => part.toString(16).padStart(8, "0")).join("")
)

/** Takes part until the scope ends: a member, with the lanes that were free, when this returns. */
export const make = (options: Options): Effect.Effect<Service, ClusterMismatch | SqlError, Scope.Scope | SqlClient> =>
  Effect.gen(function*() {
    const clock: Clock.Clock = yield* Effect.clock
    const lanes = options.lanes ?? 64
    const lifetimeMillis = Duration.toMillis(options.lifetime ?? "15 seconds")
    const refreshMillis = Duration.toMillis(options.refresh ?? "3 seconds")
    const marginMillis = Duration.toMillis(options.margin ?? "5 seconds")
    const quickMillis = Math.min(soonMillis, refreshMillis)
    const { address, cluster } = options
    const database = leases.make(yield* SqlClient, lifetimeMillis)
    const id = yield* newId

    const mine = new Map<number, Lease>()
    const listeners = new Set<(change: Change) => void>()
    let members: ReadonlyArray<Member> = []
    let owners = new Map<number, Member>()
    let wanted: ReadonlyArray<string | null> = []
    /** When the refreshing of the leases began that succeeded last. */
    let refreshed: { readonly steady: number; readonly wall: number } | null = null
    let failing: string | null = null
    let isLeaving = false
    let isGone = false
    let isMissing = false
    /** Which look at the database it is: one that was given up says nothing any more. */
    let look = 0
    let dueAt = Number.NEGATIVE_INFINITY
    let wake = Deferred.unsafeMake<void>(FiberId.none)
    let looked = Deferred.unsafeMake<void>(FiberId.none)
    let waiting: Array<{ readonly isMet: () => boolean; readonly done: Deferred.Deferred<void> }> = []

    const moment = () => ({ steady: steadyMillis(clock), wall: clock.unsafeCurrentTimeMillis() })
    /** By both clocks: the steady one stands still while a whole machine is suspended, the other one can be set back. */
    const sinceRefreshed = (): number => {
      if (refreshed === null) return Number.POSITIVE_INFINITY
      const { steady, wall } = moment()
      return Math.max(steady - refreshed.steady, wall - refreshed.wall)
    }
    const isFresh = (): boolean => !isGone && sinceRefreshed() < lifetimeMillis - marginMillis
    const holds = (lane: number): boolean => {
      const lease = mine.get(lane)
      return lease !== undefined && !lease.isLeaving && isFresh()
    }
    const isInside = (): boolean => [...mine.values()].some(({ inside }) => inside > 0)
    const nudge = (): void => {
      Deferred.unsafeDone(wake, Effect.void)
    }
    const checkWaiting = (): void => {
      const met = waiting.filter(({ isMet }) => isMet())
      waiting = waiting.filter((one) => !met.includes(one))
      for (const { done } of met) Deferred.unsafeDone(done, Effect.void)
    }
    const until = (isMet: () => boolean): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (isMet()) return Effect.void
        const done = Deferred.unsafeMake<void>(FiberId.none)
        waiting.push({ isMet, done })
        return Deferred.await(done)
      })
    /** Tells what has changed, once everything is in place. */
    const tell = (changes: ReadonlyArray<Change>): void => {
      for (const change of changes) for (const listener of listeners) listener(change)
      checkWaiting()
    }

    const leased = ({ generation, lane }: leases.LeaseRow): Change => {
      mine.set(lane, { lane, generation, isLeaving, isReturned: false, inside: 0 })
      return { lane, what: "acquired" }
    }

    /** These are the lanes that are leased to this process, and were not about to expire when `started`. */
    const keep = (rows: ReadonlyArray<leases.LeaseRow>, started: { readonly steady: number; readonly wall: number }): void => {
      const kept = new Map(rows.map((row) => [row.lane, row.generation]))
      const changes: Array<Change> = []
      for (const { generation, isReturned, lane } of mine.values()) {
        if (kept.get(lane) === generation) continue
        mine.delete(lane)
        changes.push({ lane, what: isReturned ? "returned" : "lost" })
      }
      // What was taken by a statement whose answer got lost is found here.
      for (const row of rows) if (!mine.has(row.lane)) changes.push(leased(row))
      refreshed = started
      tell(changes)
    }

    /** Who is there and who has what; then, which lanes this process should have. */
    const see = (view: leases.View): void => {
      members = view.members.filter((member) => !member.isLeaving).map(({ address, id }) => ({ id, address }))
      const known = new Map(view.members.map((member) => [member.id, { id: member.id, address: member.address }]))
      owners = new Map(view.owners.flatMap(({ lane, owner }) => {
        const member = known.get(owner)
        return member === undefined ? [] : [[lane, member] as const]
      }))
      const ids = members.map((member) => member.id)
      wanted = wantedBy(ids, lanes)
      const changes: Array<Change> = []
      for (const lease of mine.values()) {
        const shouldLeave = isLeaving || wanted[lease.lane] !== id
        if (shouldLeave === lease.isLeaving || lease.isReturned) continue
        lease.isLeaving = shouldLeave
        changes.push({ lane: lease.lane, what: shouldLeave ? "leaving" : "acquired" })
      }
      tell(changes)
    }

    const giveBack = Effect.suspend(() => {
      const over = [...mine.values()].filter((lease) => lease.isLeaving && lease.inside === 0)
      if (over.length === 0) return Effect.void
      for (const lease of over) lease.isReturned = true
      return Effect.map(database.giveBack(id, over), () => {
        for (const { lane } of over) {
          mine.delete(lane)
          owners.delete(lane)
        }
        tell(over.map(({ lane }) => ({ lane, what: "returned" as const })))
      })
    })

    /** One look at the database: two statements, and another one where lanes change hands. */
    const tick = Effect.gen(function*() {
      const number = ++look
      const isLatest = (): boolean => number === look
      const started = moment()
      const kept = yield* database.refresh({ id, address, isLeaving })
      if (!isLatest()) return
      keep(kept, started)
      const view = yield* database.view
      if (!isLatest()) return
      see(view)
      const taken = new Set(view.owners.map(({ lane }) => lane))
      const missing = wanted.flatMap((who, lane) => who === id && !isLeaving && !mine.has(lane) ? [lane] : [])
      const free = missing.filter((lane) => !taken.has(lane))
      if (free.length > 0) {
        const rows = yield* database.take(id, free)
        if (!isLatest()) return
        for (const { lane } of rows) owners.set(lane, { id, address })
        tell(rows.map(leased))
        isMissing = rows.length < missing.length
      } else isMissing = missing.length > 0
      yield* giveBack
    })

    const timely = <E>(effect: Effect.Effect<void, E>): Effect.Effect<void, E | Cause.TimeoutException> =>
      // A statement over a connection that is dead without saying so is not waited for.
      Effect.timeout(Effect.disconnect(effect), refreshMillis)

    /** The next look is so far away, unless somebody has asked for one meanwhile. */
    const dueIn = (millis: number): void => {
      if (dueAt !== Number.NEGATIVE_INFINITY) dueAt = steadyMillis(clock) + millis
    }

    const step = Effect.suspend(() => {
      const isDue = steadyMillis(clock) >= dueAt
      const done = looked
      if (isDue) {
        // Who asks from here on wants to know what comes after this look.
        looked = Deferred.unsafeMake(FiberId.none)
        dueAt = Number.POSITIVE_INFINITY
      }
      return timely(isDue ? tick : giveBack).pipe(
        Effect.matchCauseEffect({
          onFailure: (cause) => {
            const reason = reasonOf(cause)
            const isNews = failing === null
            failing = reason
            look += 1
            dueIn(quickMillis)
            if (Cause.isDie(cause)) return Effect.logError("a bug keeps the leases of this replica from being refreshed", cause)
            return isNews ? Effect.logWarning(`the leases of this replica cannot be refreshed: ${reason}`) : Effect.void
          },
          onSuccess: () => {
            // Giving back asks nothing of the database where there is nothing to be given back.
            if (!isDue) return Effect.void
            const isNews = failing !== null
            failing = null
            dueIn(isMissing ? quickMillis : refreshMillis)
            return isNews ? Effect.logInfo("the leases of this replica are refreshed again") : Effect.void
          }
        }),
        Effect.zipRight(Effect.sync(() => {
          if (isDue) Deferred.unsafeDone(done, Effect.void)
        }))
      )
    })

    const pause = Effect.suspend(() => {
      const left = dueAt - steadyMillis(clock)
      return left <= 0 ? Effect.void : Effect.raceFirst(Deferred.await(wake), Effect.sleep(left))
    })

    const loop = Effect.forever(Effect.zipRight(
      pause,
      Effect.suspend(() => {
        wake = Deferred.unsafeMake(FiberId.none)
        return step
      })
    ))

    const found = yield* database.enroll(cluster, lanes)
    if (found.cluster !== cluster || found.lanes !== lanes) return yield* new ClusterMismatch({ found, wanted: { cluster, lanes } })
    yield* tick
    dueAt = steadyMillis(clock) + (isMissing ? quickMillis : refreshMillis)
    // A span every few seconds would say nothing.
    const fiber = yield* Effect.forkScoped(Effect.withTracerEnabled(loop, false))

    const leave = yield* Effect.cached(Effect.uninterruptible(Effect.gen(function*() {
      isLeaving = true
      tell([...mine.values()].filter((lease) => !lease.isLeaving).map((lease) => {
        lease.isLeaving = true
        return { lane: lease.lane, what: "leaving" as const }
      }))
      dueAt = Number.NEGATIVE_INFINITY
      nudge()
      yield* Effect.timeoutOption(Effect.interruptible(until(() => !isInside())), options.leaveWithin ?? "40 seconds")
      nudge()
      // A lane with something inside stays leased until that has had its time.
      yield* Effect.timeoutOption(
        Effect.interruptible(until(() => [...mine.values()].every(({ inside }) => inside > 0))),
        goodbyeMillis
      )
      isGone = true
      yield* Fiber.interrupt(fiber)
      Deferred.unsafeDone(looked, Effect.void)
      yield* Effect.ignore(Effect.timeout(Effect.disconnect(Effect.interruptible(database.goodbye(id))), goodbyeMillis))
    })))
    yield* Effect.addFinalizer(() => leave)

    return {
      id,
      address,
      lanes,
      holds,
      enter: (lane) => {
        const lease = mine.get(lane)
        if (lease === undefined || !holds(lane)) return null
        lease.inside += 1
        let isIn = true
        return () => {
          if (!isIn) return
          isIn = false
          lease.inside -= 1
          if (lease.inside > 0 || !lease.isLeaving) return
          nudge()
          checkWaiting()
        }
      },
      held: () => [...mine.keys()].filter(holds).sort((left, right) => left - right),
      generation: (lane) => mine.get(lane)?.generation ?? null,
      ownerOf: (lane) => {
        const lease = mine.get(lane)
        if (lease !== undefined && isFresh()) return "self"
        const owner = owners.get(lane)
        return owner === undefined || owner.id === id ? null : owner
      },
      members: () => members,
      trouble: () => {
        if (isGone) return "this replica has left"
        const seconds = Math.round(sinceRefreshed() / 1000)
        if (failing !== null) return `the leases of this replica were refreshed ${seconds} s ago: ${failing}`
        return isFresh() ? null : `the leases of this replica were refreshed ${seconds} s ago`
      },
      refreshNow: Effect.suspend(() => {
        if (isGone) return Effect.void
        const done = looked
        dueAt = Number.NEGATIVE_INFINITY
        nudge()
        return Deferred.await(done)
      }),
      onChange: (callback) => {
        listeners.add(callback)
        return () => {
          listeners.delete(callback)
        }
      },
      leave
    }
  })

/**
 * Takes part for as long as the layer lives.
 *
 * @example
 * ```ts
 * import { Replica } from "@milepost/engine"
 * import { MemoryLedger } from "@milepost/ledger"
 * import { Effect, Layer } from "effect"
 *
 * const replica = Replica.layer({ cluster: "production", address: "http://10.0.0.7:8080" }).pipe(
 *   Layer.provide(Layer.effectDiscard(Replica.create)),
 *   Layer.provide(MemoryLedger.layer)
 * )
 *
 * const lanes = Effect.provide(Effect.map(Replica.Replica, ({ held }) => held()), replica)
 * ```
 */
export const layer = (options: Options): Layer.Layer<Replica, ClusterMismatch | SqlError, SqlClient> => Layer.scoped(Replica, make(options))
