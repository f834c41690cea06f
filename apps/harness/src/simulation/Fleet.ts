/**
 * A run that several replicas share: as `milepost-proxy` has them, each with its own way to one database, its lanes by lease,
 * and the fence below everything that it sends.
 *
 * The plan's disturbances come once the replicas have come so far together: one of them dies, is frozen for a while, goes in
 * order, loses the database, or a new one comes. Somebody begins the run, and begins it again when it has stopped.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Transport from "@milepost/core/Transport"
import * as Engine from "@milepost/engine/Engine"
import * as Fence from "@milepost/engine/Fence"
import * as Replica from "@milepost/engine/Replica"
import * as Lane from "@milepost/ledger/Lane"
import * as Ledger from "@milepost/ledger/Ledger"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import type * as Run from "@milepost/ledger/Run"
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type { Call, Trouble } from "./Events.js"
import type * as Machine from "./Machine.js"
import { type Disturbance, type Fleet, marginOf, pointOf } from "./Plan.js"
import * as Stage from "./Stage.js"

/** A replica, from outside. */
interface Member {
  readonly number: number
  readonly process: Machine.Process
  readonly session: MemoryLedger.Session
  readonly asked: Deferred.Deferred<void>
  /** Its name in the database, once it has one. */
  id: string | null
  /** The number of its part in the run, while it has one. */
  part: number | null
  isLeaving: boolean
  cutOffUntil: number
  losesNextAnswer: boolean
}

/** A run in which no call leaves for so long, once nothing disturbs it, is not going to end; what waits longest is a repetition. */
const patienceMillis = 5 * 60_000

/** How long it is looked on once the run has finished and nobody is frozen. */
const lookOnMillis = 3_000

/** The longest that a server waits for a process that is silent within a transaction. */
const idleMillis = 5_000

/** More replicas at once than this are not simulated. */
const mostReplicas = 5

const refused = (why: string): SqlError =>
  new SqlError({ cause: Object.assign(new Error(why), { code: "SQLITE_IOERR" }), message: "the statement failed" })

/** Runs a plan's run to its end; what it came to. */
export const run = async (stage: Stage.Stage, fleet: Fleet): Promise<string> => {
  const { machine, memory, plan, planted, tell, told, upstream } = stage
  const world = machine.process({ isAtOnce: true })
  const members = new Map<number, Member>()
  const disturbances = [...fleet.disturbances].sort((left, right) => left.permille - right.permille)
  const marginMillis = marginOf(fleet)
  let points = 0
  let struck = 0
  let started = 0
  let parts = 0
  let outageUntil = 0
  let disturbedUntil = machine.nowMillis()
  let sentMillis = machine.nowMillis()
  let end: string | null = null
  let endedMillis = 0
  let died: Cause.Cause<unknown> | null = null

  const now = machine.nowMillis
  const there = (): ReadonlyArray<Member> => [...members.values()].filter(({ process }) => process.isAlive())
  const troubled = (member: Member | null, what: Trouble, forMillis: number | null): void => {
    tell({ _tag: "Troubled", process: member?.number ?? null, what, forMillis })
    disturbedUntil = Math.max(disturbedUntil, now() + (forMillis ?? fleet.lifetimeMillis))
  }
  const endSession = ({ session }: Member): void => Effect.runSync(session.end)

  const strike: Readonly<Record<Disturbance["kind"], (member: Member, millis: number) => void>> = {
    killed: (member, millis) => {
      troubled(member, "killed", null)
      member.process.kill()
      endSession(member)
      // Somebody has to be there in the end.
      if (millis % 2 === 1 && there().some(({ isLeaving }) => !isLeaving)) return
      disturbedUntil = Math.max(disturbedUntil, now() + millis)
      world.after(millis, start)
    },
    frozen: (member, millis) => {
      troubled(member, "frozen", millis)
      member.process.freeze()
      world.after(Math.min(millis, machine.draw("idle") * idleMillis), () => endSession(member))
      world.after(millis, () => {
        tell({ _tag: "Woke", process: member.number })
        member.process.thaw()
      })
    },
    leaves: (member) => {
      if (there().filter(({ isLeaving }) => !isLeaving).length === 1) start()
      member.isLeaving = true
      if (member.part !== null) tell({ _tag: "Cancelled", sitting: member.part })
      Deferred.unsafeDone(member.asked, Effect.void)
    },
    joins: () => {
      if (there().length < mostReplicas) start()
    },
    cutOff: (member, millis) => {
      troubled(member, "cutOff", millis)
      member.cutOffUntil = Math.max(member.cutOffUntil, now() + millis)
    },
    outage: (_, millis) => {
      troubled(null, "outage", millis)
      outageUntil = Math.max(outageUntil, now() + millis)
    },
    lostAnswer: (member) => {
      troubled(member, "lostAnswer", null)
      member.losesNextAnswer = true
    }
  }

  /** One more statement or call begins or ends; `false` where whoever makes it is dead. */
  const passes = (member: Member): boolean => {
    if (!member.process.isAlive()) return false
    points += 1
    const due = end !== null ? [] : disturbances.slice(struck).filter((next) => points >= pointOf(plan, next))
    struck += due.length
    for (const { kind, millis, which } of due) {
      // Who is frozen already, or goes, has enough.
      const some = there().filter(({ isLeaving, process }) => !process.isFrozen() && (!isLeaving || kind === "killed" || kind === "frozen"))
      const one = which === null ? some.find((other) => other === member) : some[which % some.length]
      if (one !== undefined) strike[kind](one, millis)
    }
    return member.process.isAlive()
  }
  /** A fiber that was frozen at this point goes on from here when its process wakes. */
  const passing = (member: Member): Effect.Effect<void> =>
    Effect.suspend(() => passes(member) ? member.process.isFrozen() ? Effect.yieldNow() : Effect.void : Stage.dead)

  /** A process's connection, over a network that can fail. */
  const around = (member: Member, connection: Connection): Connection => {
    let isInTransaction = false
    const statement = <A>(sql: string, self: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
      Effect.suspend(() => {
        const isLast = sql === "COMMIT" || sql === "ROLLBACK"
        if (now() < Math.max(member.cutOffUntil, outageUntil)) {
          isInTransaction = false
          const drawn = machine.draw("refusal")
          return member.session.end.pipe(
            // What a client does to a connection that is gone.
            Effect.zipRight(isLast ? Effect.ignore(connection.executeUnprepared("ROLLBACK", [], undefined)) : Effect.void),
            Effect.zipRight(Effect.sleep(Math.floor(drawn < 0.7 ? 1 + drawn * 50 : drawn * 5_000))),
            Effect.zipRight(refused("the database is not reached"))
          )
        }
        if (sql.startsWith("BEGIN")) isInTransaction = true
        if (isLast) isInTransaction = false
        const waited = member.process.waited(self, Math.floor(machine.draw("statement") * plan.statementMillis))
        return Effect.zipRight(passing(member), waited).pipe(
          Effect.zipLeft(passing(member)),
          Effect.filterOrFail(() => {
            if (!member.losesNextAnswer || isInTransaction || sql === "ROLLBACK") return true
            member.losesNextAnswer = false
            return false
          }, () => refused("the answer got lost"))
        )
      })
    return {
      execute: (sql, ...args) => statement(sql, connection.execute(sql, ...args)),
      executeRaw: (sql, ...args) => statement(sql, connection.executeRaw(sql, ...args)),
      executeStream: (...args) => connection.executeStream(...args),
      executeUnprepared: (sql, ...args) => statement(sql, connection.executeUnprepared(sql, ...args)),
      executeValues: (sql, ...args) => statement(sql, connection.executeValues(sql, ...args))
    }
  }

  /** Sends as the proxy does. */
  const fenced = (member: Member, replica: Replica.Service): Transport.Service => {
    const begin: NonNullable<Fence.Inner["begin"]> = (request, ended) =>
      upstream.begin({ process: member.process, number: member.number, sitting: member.part ?? 0 }, request, ended)
    const fence = Fence.around(replica, { begin, send: (request) => Effect.async((resume) => begin(request, resume)) })
    return { send: (request) => passing(member).pipe(Effect.zipRight(fence.send(request)), Effect.zipLeft(passing(member))) }
  }

  /** What somebody who looks at the database finds wrong with a call that leaves. */
  const strayOf = ({ customerId, process }: Call): string | null => {
    const lane = Lane.of(customerId, plan.lanes)
    const [row] = Effect.runSync(memory.connection.execute("SELECT owner, expires FROM lane_leases WHERE lane = ?", [lane], undefined)) as ReadonlyArray<
      { readonly owner: string | null; readonly expires: number }
    >
    if (row === undefined || row.owner === null || row.owner !== members.get(process)?.id) {
      return row !== undefined && row.owner !== null && row.expires > now()
        ? `by replica ${process} while lane ${lane} is leased to another`
        : `by replica ${process}, to which lane ${lane} is not leased`
    }
    const left = row.expires - now()
    return left < marginMillis ? `by replica ${process}, ${left} ms before its lease of lane ${lane} ends` : null
  }
  stage.onSent = (call) => {
    sentMillis = call.sentMillis
    const why = strayOf(call)
    if (why !== null) stage.strayed(call, why)
  }

  /** What passes by itself is tried again; a process that cannot begin is started again. */
  const again = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.retry(effect, Schedule.spaced("1 second"))

  const life = (member: Member) =>
    Effect.scoped(Effect.gen(function*() {
      const own = planted.connection?.(member.session.connection) ?? member.session.connection
      const context = yield* again(MemoryLedger.make({ connection: around(member, own) }))
      const made = yield* again(Replica.make({
        cluster: "simulated",
        address: `http://replica-${member.number}`,
        lanes: plan.lanes,
        lifetime: fleet.lifetimeMillis,
        refresh: fleet.lifetimeMillis / 5,
        margin: marginMillis
      })).pipe(Effect.provide(context))
      member.id = made.id
      for (const lane of made.held()) tell({ _tag: "Lane", process: member.number, lane, what: "acquired" })
      made.onChange(({ lane, what }) => tell({ _tag: "Lane", process: member.number, lane, what }))
      const replica = planted.replica?.(made) ?? made
      const theirs = {
        ledger: told(Context.get(context, Ledger.Ledger), member.number),
        transport: fenced(member, replica),
        options: {
          org: "100458",
          callsPerSecond: plan.callsPerSecond,
          concurrency: plan.concurrency,
          chunkSize: plan.chunkSize,
          cancel: Deferred.await(member.asked)
        }
      }
      const { ledger, options, transport } = planted.within?.(theirs) ?? theirs
      const takesPart = Effect.suspend(() => {
        parts += 1
        member.part = parts
        return Engine.join(Stage.id, options)
      }).pipe(
        Effect.provideService(Ledger.Ledger, ledger),
        Effect.provideService(Replica.Replica, replica),
        Effect.provideService(Transport.Transport, transport),
        Effect.ensuring(Effect.sync(() => {
          member.part = null
        })),
        // It has ended in between.
        Effect.catchTag("WrongState", () => Effect.void)
      )
      while (!(yield* Deferred.isDone(member.asked))) {
        const { state } = yield* again(ledger.run(Stage.id))
        if (state === "running") yield* takesPart
        else yield* Effect.raceFirst(Effect.sleep("1 second"), Deferred.await(member.asked))
      }
      yield* replica.leave
    }))

  const start = (): void => {
    started += 1
    const member: Member = {
      number: started,
      process: machine.process(),
      session: Effect.runSync(memory.session),
      asked: Effect.runSync(Deferred.make<void>()),
      id: null,
      part: null,
      isLeaving: false,
      cutOffUntil: 0,
      losesNextAnswer: false
    }
    members.set(member.number, member)
    tell({ _tag: "Joined", process: member.number })
    member.process.run(Stage.quietly(life(member))).addObserver((exit) => {
      member.process.kill()
      endSession(member)
      if (Exit.isFailure(exit)) died = exit.cause
      else tell({ _tag: "Left", process: member.number })
    })
  }

  /** Who begins the run, and begins it again when it has stopped. */
  const operated = Effect.gen(function*() {
    const session = yield* memory.session
    const ledger = yield* Stage.ledgerOf(session)
    for (let sitting = 1; sitting <= plan.faults.length + 4; sitting++) {
      tell({ _tag: "Sitting", sitting })
      let seen: Run.Run = yield* Effect.provideService(Engine.begin(Stage.id), Ledger.Ledger, ledger)
      while (seen.state === "running") {
        yield* Effect.sleep("1 second")
        seen = yield* ledger.run(Stage.id)
      }
      tell({ _tag: "Ended", state: seen.state, why: seen.stop?.message ?? null })
      if (seen.state === "finished" || sitting > plan.faults.length + 3) return seen.state
      yield* Effect.sleep("2 seconds")
    }
    return "stopped"
  })

  await Effect.runPromise(Effect.flatMap(MemoryLedger.make(memory), (context) => Effect.provideService(Replica.create, SqlClient, Context.get(context, SqlClient))))
  for (let replica = 1; replica <= fleet.replicas; replica++) start()
  machine.process().run(operated).addObserver((exit) => {
    if (Exit.isFailure(exit)) died = exit.cause
    else end = exit.value
    endedMillis = now()
  })
  const how = machine.run(() => {
    if (died !== null) return true
    if (end === null) return now() > Math.max(disturbedUntil, sentMillis) + patienceMillis
    return now() > endedMillis + lookOnMillis && there().every(({ process }) => !process.isFrozen())
  })
  for (const { process } of there()) process.kill()
  if (died !== null) throw stage.defect(died)
  return how === "over" ? end ?? `running ${Math.round((now() - disturbedUntil) / 1000)} s after the last disturbance, the last call ${Math.round((now() - sentMillis) / 1000)} s ago,` : how
}
