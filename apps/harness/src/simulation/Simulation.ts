/**
 * A whole run in memory: the engine and the ledger as they are, the simulated upstream, and a machine that a seed decides.
 *
 * One sitting comes after the other, as people have it: a process is killed or cancelled, the next one takes the ledger up,
 * and the last one ends the run. What was seen on the way is judged by `Invariants`.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as Enroll from "@milepost/core/Enroll"
import type { CustomerId, TargetGroupId, TargetId } from "@milepost/core/Ids"
import * as Transport from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Engine from "@milepost/engine/Engine"
import * as Lanes from "@milepost/engine/Lanes"
import type { Entry, ImportRow, Request, Seq } from "@milepost/ledger/Entry"
import * as Ledger from "@milepost/ledger/Ledger"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import type * as Run from "@milepost/ledger/Run"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { type Call, type Event, keyOf } from "./Events.js"
import * as Machine from "./Machine.js"
import type { Planted, Plant } from "./Plant.js"
import { customerId, placeOf, type Plan, type Row } from "./Plan.js"
import * as UpstreamSide from "./UpstreamSide.js"

/** What a run has left behind. */
export interface Simulated {
  readonly plan: Plan
  readonly calls: ReadonlyArray<Call>
  readonly events: ReadonlyArray<Event>
  /** Calls that were sent while another one for their customer was in flight, and those for records with an outcome on disk. */
  readonly overlapping: ReadonlyArray<Call>
  readonly afterSettled: ReadonlyArray<Call>
  readonly mostInFlight: number
  /** Whether the run came to its end, and if not, what it came to. */
  readonly end: string
  readonly run: Run.Run
  /** Every record with how it ended, and whether the upstream holds what it asked for. */
  readonly records: ReadonlyArray<{ readonly key: string; readonly entry: Entry; readonly isHeld: boolean }>
  readonly virtualMillis: number
}

/** A defect of what is simulated; the seed tells how it came about. */
export class SimulatedDefect extends Error {
  constructor(
    cause: Cause.Cause<unknown>,
    readonly events: ReadonlyArray<Event>,
    readonly calls: number,
    readonly virtualMillis: number
  ) {
    super(Cause.pretty(cause))
  }
}

const id = "simulated"

const requestOf = ({ operation }: Plan, row: Row): Request | null => {
  if (row.place === "bad") return null
  const { periodName, targetGroupId, targetId } = UpstreamSide.destinations[row.place]
  const ids = {
    customerId: customerId(row) as CustomerId,
    targetGroupId: targetGroupId as TargetGroupId,
    targetId: targetId as TargetId
  }
  if (operation === "unenroll") return { _tag: "Unenrollment", ...ids }
  return periodName === null
    ? { _tag: "Streak", ...ids, resetStreakStatus: undefined }
    : { _tag: "Milestone", ...ids, periodName, initialBalance: undefined }
}

/** The name of the record that a request is for. */
const nameOf = (request: Request): string =>
  keyOf(request._tag === "Unenrollment" ? Unenroll.request(request) : Enroll.request(request))

const rowsOf = (plan: Plan): ReadonlyArray<ImportRow> =>
  plan.rows.map((row, index) => {
    const request = requestOf(plan, row)
    return {
      row: index + 1,
      line: index + 2,
      bytes: new TextEncoder().encode(`${row.customer},${row.place}\n`),
      problem: request === null ? `line ${index + 2}: planned to be bad` : null,
      calls: request === null ? [] : [{ request }]
    }
  })

const imported = (plan: Plan): Effect.Effect<void, unknown, Ledger.Ledger> =>
  Effect.gen(function*() {
    const ledger = yield* Ledger.Ledger
    const header = new TextEncoder().encode("customer,place\n")
    yield* ledger.begin({
      id,
      operation: plan.operation,
      input: { name: "simulated.csv", format: "csv", header, size: null },
      options: null,
      lanes: plan.lanes,
      parent: null
    })
    yield* ledger.append(id, rowsOf(plan), { line: plan.rows.length + 2, bytes: plan.rows.length, sha256: null })
    yield* ledger.finishImport(id, { size: plan.rows.length, sha256: "ab".repeat(32) })
  })

/** `Effect.never` without the timer that keeps a process of Node's alive. */
const dead: Effect.Effect<never> = Effect.async(() => undefined)

/** Puts a process's statements and calls where it can be killed at each of them. */
const mortal = (process: Machine.Process, machine: Machine.Machine, plan: Plan, killedAt: number, onKilled: (point: number) => void) => {
  let points = 0
  const passes = (): boolean => {
    if (!process.isAlive()) return false
    points += 1
    if (points !== killedAt) return true
    onKilled(points)
    process.kill()
    return false
  }
  const through = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => passes() ? Effect.flatMap(self, (result) => passes() ? Effect.succeed(result) : dead) : dead)
  const statement = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    through(process.waited(self, Math.floor(machine.draw("statement") * plan.statementMillis)))
  return {
    around: (connection: Connection): Connection => ({
      execute: (...args) => statement(connection.execute(...args)),
      executeRaw: (...args) => statement(connection.executeRaw(...args)),
      executeStream: (...args) => connection.executeStream(...args),
      executeUnprepared: (...args) => statement(connection.executeUnprepared(...args)),
      executeValues: (...args) => statement(connection.executeValues(...args))
    }),
    transport: (inner: Transport.Transport["Type"]): Transport.Transport["Type"] => ({ send: (request) => through(inner.send(request)) })
  }
}

const owners: Readonly<Record<Plan["owner"], Layer.Layer<Lanes.Lanes, unknown, SqlClient>>> = {
  cluster: Engine.layerSingle,
  fibers: Lanes.layerInProcess
}

/** Kills and cancellations that a plan has, stops that faults bring about, and a few more: a run that needs more does not end. */
const sittingsOf = (plan: Plan): number => plan.endings.length + plan.faults.length + 3

/** Runs a plan to its end, with a bug where one is planted. */
export const run = async (plan: Plan, plant: Plant | null = null): Promise<Simulated> => {
  const machine = Machine.make(plan.seed)
  const memory = await Effect.runPromise(MemoryLedger.memory)
  const events: Array<Event> = []
  const overlapping: Array<Call> = []
  const afterSettled: Array<Call> = []
  const settled = new Set<string>()
  const seqs = new Map<string, Seq>()
  const names = new Map<Seq, string>()
  let inFlight = new Set<number>()
  let sent = 0
  let mostInFlight = 0
  let onSent = (): void => undefined

  const upstream = await Effect.runPromise(UpstreamSide.make(machine, plan, {
    sent: (call) => {
      if (inFlight.has(call.customerId)) overlapping.push(call)
      if (settled.has(call.key)) afterSettled.push(call)
      inFlight.add(call.customerId)
      mostInFlight = Math.max(mostInFlight, inFlight.size)
      sent += 1
      events.push({ _tag: "Sent", atMillis: machine.nowMillis(), call })
      onSent()
    },
    arrived: (call, says) => events.push({ _tag: "Arrived", atMillis: machine.nowMillis(), call, says }),
    heard: (call) => {
      inFlight.delete(call.customerId)
      events.push({ _tag: "Heard", atMillis: machine.nowMillis(), call })
    }
  }))

  const planted: Planted = plant?.plant({ run: id, lanes: plan.lanes, memory, seqOf: (request) => seqs.get(keyOf(request)) }) ?? {}

  /** The ledger, and what is told of it. */
  const told = (ledger: Ledger.Service): Ledger.Service => ({
    ...ledger,
    claim: (run, options) =>
      Effect.tap(ledger.claim(run, options), (claimed) =>
        Effect.sync(() => {
          for (const { request, seq } of claimed) {
            seqs.set(nameOf(request), seq)
            names.set(seq, nameOf(request))
          }
          if (claimed.length > 0) {
            events.push({ _tag: "Claimed", atMillis: machine.nowMillis(), lane: options.lane, records: claimed.map(({ request }) => nameOf(request)) })
          }
        })),
    settle: (run, settlements) =>
      Effect.tap(ledger.settle(run, settlements), () =>
        Effect.sync(() => {
          const outcomes = settlements.map(({ outcome, seq }) => ({ key: names.get(seq) ?? String(seq), outcome: outcome.outcome }))
          // What a fuse has skipped is armed again by the next sitting.
          for (const { key, outcome } of outcomes) if (outcome !== "skipped") settled.add(key)
          events.push({ _tag: "Settled", atMillis: machine.nowMillis(), outcomes })
        })),
    reclaim: (run, epoch) =>
      Effect.tap(ledger.reclaim(run, epoch), (records) =>
        Effect.sync(() => events.push({ _tag: "Reclaimed", atMillis: machine.nowMillis(), records })))
  })

  const quietly = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> => Effect.provide(effect, Logger.remove(Logger.defaultLogger))
  const ledgerOf = Effect.map(MemoryLedger.make(memory), (context) => Context.get(context, Ledger.Ledger))

  await Effect.runPromise(Effect.flatMap(ledgerOf, (ledger) => Effect.provideService(imported(plan), Ledger.Ledger, ledger)))
  if (planted.imported !== undefined) await Effect.runPromise(planted.imported)

  /** One process, until it has ended or was killed; how it ended, `null` where it was killed. */
  const sit = async (sitting: number): Promise<string | null> => {
    const ending = plan.endings[sitting - 1] ?? null
    const process = machine.process()
    const cancelled = Effect.runSync(Deferred.make<void>())
    const points = mortal(process, machine, plan, ending?.kind === "killed" ? placeOf(plan, ending) : Number.POSITIVE_INFINITY, (point) => {
      events.push({ _tag: "Killed", atMillis: machine.nowMillis(), sitting, point })
    })
    inFlight = new Set()
    sent = 0
    onSent = () => {
      if (ending?.kind !== "cancelled" || sent !== placeOf(plan, ending)) return
      events.push({ _tag: "Cancelled", atMillis: machine.nowMillis(), sitting })
      Deferred.unsafeDone(cancelled, Effect.void)
    }
    events.push({ _tag: "Sitting", atMillis: machine.nowMillis(), sitting })
    const life = Effect.scoped(Effect.gen(function*() {
      const context = yield* MemoryLedger.make(memory, { around: points.around })
      const lanes = yield* Effect.provide(Layer.build(owners[plan.owner]), context)
      const parts = {
        ledger: told(Context.get(context, Ledger.Ledger)),
        transport: points.transport(upstream.transport(process, sitting)),
        options: {
          org: "100458",
          callsPerSecond: plan.callsPerSecond,
          concurrency: plan.concurrency,
          chunkSize: plan.chunkSize,
          cancel: Deferred.await(cancelled)
        }
      }
      const { ledger, options, transport } = planted.within?.(parts) ?? parts
      return yield* Engine.run(id, options).pipe(
        Effect.provide(Context.merge(context, lanes).pipe(
          Context.add(Ledger.Ledger, ledger),
          Context.add(Transport.Transport, transport)
        ))
      )
    }))
    let ended: Exit.Exit<Engine.RunEnd, unknown> | null = null
    process.run(quietly(life)).addObserver((exit) => {
      ended = exit
    })
    const how = machine.run(() => ended !== null || !process.isAlive())
    if (how !== "over") return how
    const exit = ended as Exit.Exit<Engine.RunEnd, unknown> | null
    if (exit === null) {
      await Effect.runPromise(memory.crash)
      if (planted.killed !== undefined) await Effect.runPromise(Effect.flatMap(ledgerOf, planted.killed))
      return null
    }
    // What is over has no more to do; a poll of it that is left would go on for ever.
    process.kill()
    if (Exit.isFailure(exit)) throw new SimulatedDefect(exit.cause, events, upstream.calls.length, machine.nowMillis() - Machine.startMillis)
    const { state, stop } = exit.value
    events.push({ _tag: "Ended", atMillis: machine.nowMillis(), state, why: stop?.message ?? null })
    return state
  }

  let end: string | null = null
  for (let sitting = 1; end !== "finished" && end !== "stuck" && end !== "endless" && sitting <= sittingsOf(plan); sitting++) {
    end = await sit(sitting)
  }

  const { run, rows } = await Effect.runPromise(Effect.flatMap(ledgerOf, (ledger) =>
    Effect.all({ run: ledger.run(id), rows: Effect.map(Stream.runCollect(ledger.results(id)), Chunk.toReadonlyArray) })))
  const records = await Promise.all(rows.flatMap(({ entries, row }) =>
    entries.map(async (entry) => {
      const planned = plan.rows[row - 1]?.place ?? "bad"
      const isHeld = planned !== "bad" &&
        await Effect.runPromise(upstream.holds(entry.request.customerId, UpstreamSide.destinations[planned]))
      return { key: nameOf(entry.request), entry, isHeld }
    })))
  return {
    plan,
    calls: upstream.calls,
    events,
    overlapping,
    afterSettled,
    mostInFlight,
    end: end ?? "killed",
    run,
    records,
    virtualMillis: machine.nowMillis() - Machine.startMillis
  }
}
