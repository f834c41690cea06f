/**
 * A run of the engine over the simulator under a limit, in virtual time: how much of the limit it really uses.
 *
 * The engine, its ledger and its pace are the real ones. The upstream is the simulator with its own limit, which the run is told, or
 * has to find, or is told twice as high; a call takes its way there and back.
 */
import * as Transport from "@milepost/core/Transport"
import * as Engine from "@milepost/engine/Engine"
import * as Lanes from "@milepost/engine/Lanes"
import type { CustomerId, TargetGroupId, TargetId } from "@milepost/core/Ids"
import type { ImportRow } from "@milepost/ledger/Entry"
import { Ledger } from "@milepost/ledger/Ledger"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorTransport from "@milepost/simulator/SimulatorTransport"
import type { World } from "@milepost/simulator/World"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Processes from "../Processes.js"
import type * as Results from "../Results.js"
import * as Work from "../Work.js"
import * as VirtualTime from "./VirtualTime.js"

/** How long a call is on its way, there and back each. */
const wayMillis = 25

/** What a run can be told of the limit. */
export const told = ["limit", "nothing", "twice"] as const

/** What a run is told. */
export type Told = (typeof told)[number]

const startMillis = Date.parse("2026-01-15T09:00:00Z")

const org = 100_458
const run = "simulated"

const worldOf = (perMinute: number, records: number): World => ({
  clock: "2026-01-15T09:00:00Z",
  clockRuns: true,
  cycles: "perPeriod",
  orgs: [{ id: org, rateLimit: { perMinute } }],
  credentials: [{ type: "basic", ...Work.till, orgId: org }],
  targetGroups: [{
    id: Work.targetGroupId,
    orgId: org,
    trackingType: "DEFAULT",
    targets: [{ id: Work.targetId, targetValue: 1000 }],
    periods: [{ refCode: "Cycle_1", start: "2026-01-01", end: "2036-01-01" }]
  }],
  customers: [{ orgId: org, from: Work.firstCustomer, count: records }],
  enrollments: []
})

const rowOf = (index: number): ImportRow => {
  const customerId = Work.firstCustomer + index
  return {
    row: index + 1,
    line: index + 2,
    bytes: new TextEncoder().encode(`${customerId}\n`),
    problem: null,
    calls: [{
      request: {
        _tag: "Milestone",
        customerId: customerId as CustomerId,
        targetGroupId: Work.targetGroupId as TargetGroupId,
        targetId: Work.targetId as TargetId,
        periodName: "Cycle_1",
        initialBalance: undefined
      }
    }]
  }
}

const imported = (records: number): Effect.Effect<void, unknown, Ledger> =>
  Effect.gen(function*() {
    const ledger = yield* Ledger
    const header = new TextEncoder().encode("customerId\n")
    yield* ledger.begin({ id: run, operation: "enroll", input: { name: "simulated.csv", format: "csv", header, size: null }, options: null, lanes: 64, parent: null })
    const block = 1_000
    for (let from = 0; from < records; from += block) {
      const rows = Array.from({ length: Math.min(block, records - from) }, (_, at) => rowOf(from + at))
      yield* ledger.append(run, rows, { line: from + rows.length + 2, bytes: from + rows.length, sha256: null })
    }
    yield* ledger.finishImport(run, { size: records, sha256: "ab".repeat(32) })
  })

/** What was seen of the calls: when those that were accepted arrived, and how many were refused. */
export interface Seen {
  readonly accepted: ReadonlyArray<number>
  readonly refused: number
}

/** How much of a limit was used, by when calls were accepted. */
export const shareOf = ({ accepted, refused }: Seen, perMinute: number): Omit<Results.UsedShare, "told" | "statementsPerRecord"> => {
  const tenth = Math.floor(accepted.length / 10)
  const share = (from: number): number => {
    const seconds = ((accepted.at(-1) ?? 0) - (accepted[from] ?? 0)) / 1000
    // One call fewer than there are fits between the first and the last.
    return (accepted.length - 1 - from) / (seconds * perMinute / 60)
  }
  const pauses = accepted.map((moment, at) => at === 0 ? 0 : moment - (accepted[at - 1] ?? moment))
  return {
    records: accepted.length,
    virtualSeconds: ((accepted.at(-1) ?? 0) - (accepted[0] ?? 0)) / 1000,
    calls: accepted.length + refused,
    refused,
    longestPauseSeconds: pauses.reduce((most, pause) => Math.max(most, pause), 0) / 1000,
    share: share(0),
    laterShare: share(tenth)
  }
}

const callsPerSecond = (perMinute: number, what: Told): number | null =>
  what === "nothing" ? null : perMinute / 60 * (what === "twice" ? 2 : 1)

/** Runs so many records under a limit. */
export const simulate = async (perMinute: number, what: Told, records: number): Promise<Results.UsedShare> => {
  const time = VirtualTime.make(startMillis)
  const memory = await Effect.runPromise(MemoryLedger.memory)
  const accepted: Array<number> = []
  let refused = 0
  let statements = 0
  const counting = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      statements += 1
      return effect
    })
  const program = Effect.scoped(Effect.gen(function*() {
    const simulator = yield* Simulator.make(worldOf(perMinute, records), { journalCapacity: 1 })
    const inner = SimulatorTransport.make(simulator)
    const transport = Transport.make((request) =>
      Effect.sleep(wayMillis).pipe(
        Effect.zipRight(inner.send(request)),
        Effect.tap(({ status }) =>
          Effect.sync(() => {
            if (status === 429) refused += 1
            else accepted.push(time.nowMillis())
          })),
        Effect.zipLeft(Effect.sleep(wayMillis))
      ))
    const context = yield* MemoryLedger.make(memory, {
      around: (connection) => ({
        execute: (...args) => counting(connection.execute(...args)),
        executeRaw: (...args) => counting(connection.executeRaw(...args)),
        executeStream: (...args) => connection.executeStream(...args),
        executeUnprepared: (...args) => counting(connection.executeUnprepared(...args)),
        executeValues: (...args) => counting(connection.executeValues(...args))
      })
    })
    const lanes = yield* Layer.build(Lanes.layerInProcess)
    yield* Effect.provide(imported(records), context)
    statements = 0
    return yield* Engine.run(run, { org: String(org), callsPerSecond: callsPerSecond(perMinute, what) }).pipe(
      Effect.provide(Context.merge(context, lanes).pipe(Context.add(Transport.Transport, transport)))
    )
  }))
  const exit = time.run(Effect.provide(program, Logger.remove(Logger.defaultLogger)))
  if (Exit.isFailure(exit)) throw new Error(`a simulated run of ${perMinute}/min failed: ${Cause.pretty(exit.cause)}`)
  const { counts } = exit.value.run
  if (exit.value.state !== "finished" || counts.enrolled !== records) {
    throw new Error(`a simulated run of ${perMinute}/min is ${exit.value.state} and enrolled ${counts.enrolled} of ${records}`)
  }
  return { told: what, statementsPerRecord: statements / records, ...shareOf({ accepted, refused }, perMinute) }
}

const isTold = (word: string | undefined): word is Told => told.some((one) => one === word)

/** The process: `simulated <calls a minute> limit|nothing|twice <records>`; tells what was used of the limit. */
export const main = async ([perMinute, what, records]: ReadonlyArray<string>): Promise<void> => {
  if (!isTold(what)) throw new Error(`a simulated run can be told limit, nothing or twice, and not ${what}`)
  Processes.tellParent(await simulate(Number(perMinute), what, Number(records)))
  process.disconnect()
}
