/**
 * What the processes of a simulated run stand on: the machine, the database that outlives them, the upstream, and what is
 * seen of all of it, for the judges.
 */
import * as Enroll from "@milepost/core/Enroll"
import type { CustomerId, TargetGroupId, TargetId } from "@milepost/core/Ids"
import * as Unenroll from "@milepost/core/Unenroll"
import type { Entry, ImportRow, Request, Seq } from "@milepost/ledger/Entry"
import * as Ledger from "@milepost/ledger/Ledger"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import type * as Run from "@milepost/ledger/Run"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { type Call, type Event, keyOf } from "./Events.js"
import * as Machine from "./Machine.js"
import type { Planted, Plant } from "./Plant.js"
import { customerId, type Plan, type Row } from "./Plan.js"
import * as UpstreamSide from "./UpstreamSide.js"

/** A call that was sent while another one for its customer was in flight. */
export interface Overlap {
  readonly call: Call
  readonly other: Call
}

/** What a run has left behind. */
export interface Simulated {
  readonly plan: Plan
  readonly calls: ReadonlyArray<Call>
  readonly events: ReadonlyArray<Event>
  readonly overlapping: ReadonlyArray<Overlap>
  /** Calls that were sent for records with an outcome on disk. */
  readonly afterSettled: ReadonlyArray<Call>
  /** Calls for a lane that their replica did not have, or not for long enough, and why that is so. */
  readonly strays: ReadonlyArray<{ readonly call: Call; readonly why: string }>
  /** Records whose outcome was written by another process than the one that had claimed them. */
  readonly usurped: ReadonlyArray<{ readonly key: string; readonly claimedBy: number; readonly settledBy: number }>
  /** Calls of one process in flight at once. */
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

/** The run's id. */
export const id = "simulated"

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
export const dead: Effect.Effect<never> = Effect.async(() => undefined)

/** Without the lines that a process would log. */
export const quietly = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> => Effect.provide(effect, Logger.remove(Logger.defaultLogger))

/** The ledger of whoever has the database for itself. */
export const ledgerOf = (memory: Pick<MemoryLedger.Memory, "connection">): Effect.Effect<Ledger.Service, unknown> =>
  Effect.map(MemoryLedger.make(memory), (context) => Context.get(context, Ledger.Ledger))

/** An event without its moment. */
type Happening = Event extends infer E ? E extends Event ? Omit<E, "atMillis"> : never : never

/** A stage. */
export interface Stage {
  readonly plan: Plan
  readonly machine: Machine.Machine
  readonly memory: MemoryLedger.Memory
  readonly upstream: UpstreamSide.UpstreamSide
  readonly planted: Planted
  readonly tell: (happening: Happening) => void
  /** A process's ledger, and what is told of it. */
  readonly told: (ledger: Ledger.Service, process: number) => Ledger.Service
  /** Looks at each call as it leaves. */
  onSent: (call: Call) => void
  /** A call left that should not have. */
  readonly strayed: (call: Call, why: string) => void
  /** Whoever called until here is gone, and waits for nothing. */
  readonly forgetCallers: () => void
  readonly defect: (cause: Cause.Cause<unknown>) => SimulatedDefect
  /** What the run has left behind, with how it ended. */
  readonly left: (end: string) => Promise<Simulated>
}

/** A stage with the rows of a plan in the ledger, and a bug where one is planted. */
export const make = async (plan: Plan, plant: Plant | null): Promise<Stage> => {
  const machine = Machine.make(plan.seed)
  const memory = await Effect.runPromise(MemoryLedger.memory)
  const events: Array<Event> = []
  const overlapping: Array<Overlap> = []
  const afterSettled: Array<Call> = []
  const strays: Array<Simulated["strays"][number]> = []
  const settled = new Set<string>()
  const seqs = new Map<string, Seq>()
  const names = new Map<Seq, string>()
  /** Who took part under which epoch, and who wrote which outcome. */
  const epochs = new Map<number, number>()
  const writers = new Map<Seq, number>()
  /** Calls of which nobody has heard yet, by customer, and how many of each process. */
  const inFlight = new Map<number, Set<Call>>()
  const callsOf = new Map<number, number>()
  let mostInFlight = 0

  const count = (process: number, by: number): void => {
    const calls = (callsOf.get(process) ?? 0) + by
    callsOf.set(process, calls)
    mostInFlight = Math.max(mostInFlight, calls)
  }
  const tell = (happening: Happening): void => {
    events.push({ ...happening, atMillis: machine.nowMillis() } as Event)
  }

  const upstream = await Effect.runPromise(UpstreamSide.make(machine, plan, {
    sent: (call) => {
      const others = inFlight.get(call.customerId) ?? new Set()
      // Who hears late of what the upstream is through with, such as a process that is frozen, does not stand in others' way.
      const other = [...others].find((one) => one.process === call.process || one.overMillis === null)
      if (other !== undefined) overlapping.push({ call, other })
      if (settled.has(call.key)) afterSettled.push(call)
      inFlight.set(call.customerId, others.add(call))
      count(call.process, 1)
      tell({ _tag: "Sent", call })
      stage.onSent(call)
    },
    arrived: (call, says) => tell({ _tag: "Arrived", call, says }),
    heard: (call) => {
      inFlight.get(call.customerId)?.delete(call)
      count(call.process, -1)
      tell({ _tag: "Heard", call })
    }
  }))

  const planted: Planted = plant?.plant({ run: id, lanes: plan.lanes, lifetimeMillis: plan.fleet?.lifetimeMillis ?? 0, memory, seqOf: (request) => seqs.get(keyOf(request)) }) ?? {}

  const told = (ledger: Ledger.Service, process: number): Ledger.Service => ({
    ...ledger,
    claim: (run, options) =>
      Effect.tap(ledger.claim(run, options), (claimed) =>
        Effect.sync(() => {
          for (const { request, seq } of claimed) {
            seqs.set(nameOf(request), seq)
            names.set(seq, nameOf(request))
          }
          if (claimed.length > 0) tell({ _tag: "Claimed", process, lane: options.lane, records: claimed.map(({ request }) => nameOf(request)) })
        })),
    settle: (run, settlements, epoch) =>
      Effect.tap(ledger.settle(run, settlements, epoch), ({ ignored }) =>
        Effect.sync(() => {
          const written = settlements.filter(({ seq }) => !ignored.includes(seq))
          for (const { seq } of written) writers.set(seq, process)
          const outcomes = written.map(({ outcome, seq }) => ({ key: names.get(seq) ?? String(seq), outcome: outcome.outcome }))
          // What a fuse has skipped is armed again by the next sitting.
          for (const { key, outcome } of outcomes) if (outcome !== "skipped") settled.add(key)
          tell({ _tag: "Settled", process, outcomes, ignored: ignored.map((seq) => names.get(seq) ?? String(seq)) })
        })),
    join: (run) => Effect.tap(ledger.join(run), ({ epoch }) => Effect.sync(() => epochs.set(epoch, process))),
    reclaim: (run, epoch, lanes) =>
      Effect.tap(ledger.reclaim(run, epoch, lanes), (records) =>
        Effect.sync(() => tell({ _tag: "Reclaimed", process, lanes: typeof lanes === "number" ? [lanes] : lanes ?? null, records }))),
    release: (run, some, epoch) =>
      Effect.tap(ledger.release(run, some, epoch), (records) => Effect.sync(() => tell({ _tag: "Released", process, records })))
  })

  await Effect.runPromise(Effect.flatMap(ledgerOf(memory), (ledger) => Effect.provideService(imported(plan), Ledger.Ledger, ledger)))
  if (planted.imported !== undefined) await Effect.runPromise(planted.imported)

  const virtualMillis = (): number => machine.nowMillis() - Machine.startMillis

  const left = async (end: string): Promise<Simulated> => {
    const { run, rows } = await Effect.runPromise(Effect.flatMap(ledgerOf(memory), (ledger) =>
      Effect.all({ run: ledger.run(id), rows: Effect.map(Stream.runCollect(ledger.results(id)), Chunk.toReadonlyArray) })))
    const records = await Promise.all(rows.flatMap(({ entries, row }) =>
      entries.map(async (entry) => {
        const planned = plan.rows[row - 1]?.place ?? "bad"
        const isHeld = planned !== "bad" &&
          await Effect.runPromise(upstream.holds(entry.request.customerId, UpstreamSide.destinations[planned]))
        return { key: nameOf(entry.request), entry, isHeld }
      })))
    const claimed = await Effect.runPromise(memory.connection.execute("SELECT seq, epoch FROM records", [], undefined)) as ReadonlyArray<
      { readonly seq: Seq; readonly epoch: number }
    >
    const usurped = claimed.flatMap(({ epoch, seq }) => {
      const [claimedBy, settledBy] = [epochs.get(epoch), writers.get(seq)]
      return claimedBy === undefined || settledBy === undefined || claimedBy === settledBy ? [] : [{ key: names.get(seq) ?? String(seq), claimedBy, settledBy }]
    })
    return { plan, calls: upstream.calls, events, overlapping, afterSettled, strays, usurped, mostInFlight, end, run, records, virtualMillis: virtualMillis() }
  }

  const stage: Stage = {
    plan,
    machine,
    memory,
    upstream,
    planted,
    tell,
    told,
    onSent: () => undefined,
    strayed: (call, why) => strays.push({ call, why }),
    forgetCallers: () => {
      inFlight.clear()
      callsOf.clear()
    },
    defect: (cause) => new SimulatedDefect(cause, events, upstream.calls.length, virtualMillis()),
    left
  }
  return stage
}
