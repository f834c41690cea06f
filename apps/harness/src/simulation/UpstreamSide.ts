/**
 * The upstream of a simulated run: the simulator, with a network before it that takes its time.
 *
 * It is a process of its own. Whoever called and was killed is none of its business: the call arrives, is executed, and
 * occupies its customer until its answer would have left.
 */
import * as Decode from "@milepost/core/Decode"
import type * as Transport from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorTransport from "@milepost/simulator/SimulatorTransport"
import type { World } from "@milepost/simulator/World"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type Answer, type Call, keyOf } from "./Events.js"
import type { Machine, Process } from "./Machine.js"
import { customerId, customers, knownCustomers, type Place, type Plan } from "./Plan.js"

/** Where a place is. */
export interface Destination {
  readonly targetGroupId: number
  readonly targetId: number
  /** `null` for a streak. */
  readonly periodName: string | null
}

/** Where the places of rows are. */
export const destinations: Readonly<Record<Place, Destination>> = {
  p1: { targetGroupId: 2154, targetId: 2309, periodName: "P1" },
  p2: { targetGroupId: 2154, targetId: 2309, periodName: "P2" },
  p3: { targetGroupId: 2154, targetId: 2309, periodName: "P3" },
  streak: { targetGroupId: 40, targetId: 41, periodName: null },
  never: { targetGroupId: 2154, targetId: 2309, periodName: "P9" },
  nowhere: { targetGroupId: 9999, targetId: 9998, periodName: "P1" }
}

const org = 100458

/** Every so-manieth customer is in already; for a run that un-enrols it is the other way round. */
const isIn = (customer: number, { operation }: Plan): boolean => (customer % 9 === 0) === (operation === "enroll")

const worldOf = (plan: Plan): World => {
  const ids = Array.from({ length: customers }, (_, customer) => customer)
  return {
    clock: "2026-01-15T09:00:00Z",
    clockRuns: true,
    cycles: plan.cycles,
    orgs: [{ id: org, ...(plan.perMinute === null ? {} : { rateLimit: { perMinute: plan.perMinute } }) }],
    credentials: [{ type: "basic", username: "till", password: "simulated", orgId: org }],
    targetGroups: [
      {
        id: 2154,
        orgId: org,
        trackingType: "DEFAULT",
        targets: [{ id: 2309, targetValue: 1000 }],
        periods: [
          { refCode: "P1", start: "2026-01-01", end: "2027-01-01" },
          { refCode: "P2", start: "2027-01-01", end: "2028-01-01" },
          { refCode: "P3", start: "2028-01-01", end: "2029-01-01" }
        ]
      },
      {
        id: 40,
        orgId: org,
        trackingType: "STREAKS",
        targets: [{ id: 41 }],
        periods: [],
        streakLevels: [{ name: "L1", count: 3 }, { name: "L2", count: 6 }]
      }
    ],
    customers: ids.slice(0, knownCustomers).map((customer) => ({ orgId: org, id: customerId({ customer, place: "p1" }) })),
    enrollments: ids.slice(0, knownCustomers).filter((customer) => isIn(customer, plan)).flatMap((customer) => [
      { customerId: customerId({ customer, place: "p1" }), targetGroupId: 2154, targetId: 2309, periodName: plan.cycles === "onwards" ? "P1" : "P2" },
      { customerId: customerId({ customer, place: "p1" }), targetGroupId: 40, targetId: 41 }
    ])
  }
}

/** The upstream as the processes of a run have it. */
export interface UpstreamSide {
  readonly calls: ReadonlyArray<Call>
  /** Sends for a process, at once; it is called back with the answer, while it lives. */
  readonly begin: (from: Caller, request: Transport.Request, ended: (exit: Exit.Exit<Transport.Response, TransportError>) => void) => void
  /** Whether somebody is enrolled where a record wanted to be. */
  readonly holds: (customer: number, destination: Destination) => Effect.Effect<boolean>
}

/** Who calls. */
export interface Caller {
  readonly process: Process
  readonly number: number
  readonly sitting: number
}

/** Told of what happens to calls. */
export interface Listener {
  readonly sent: (call: Call) => void
  readonly arrived: (call: Call, says: string) => void
  readonly heard: (call: Call) => void
}

interface Envelope {
  readonly data?: unknown
  readonly errors?: ReadonlyArray<{ readonly code: number }> | null
}

/** What a body says, read without the code that is judged here. */
const saidIn = (body: string): { readonly isYes: boolean; readonly code: number | null } => {
  try {
    const { data, errors } = JSON.parse(body) as Envelope
    const code = errors?.[0]?.code
    return { isYes: typeof data === "number", code: code === undefined ? null : Number(code) }
  } catch {
    return { isYes: false, code: null }
  }
}

const answerOf = (exit: Exit.Exit<Transport.Response, TransportError>): Answer => {
  if (Exit.isFailure(exit)) {
    return { _tag: "Lost", why: Option.match(Cause.failureOption(exit.cause), { onNone: () => "defect", onSome: ({ message }) => message }) }
  }
  const { body, headers, status } = exit.value
  const { code, isYes } = saidIn(body)
  return { _tag: "Answered", status, code, isDefinite: isYes || code !== null, retryAfterMillis: Decode.retryAfterMillis(headers) }
}

/** An upstream for a plan. */
export const make = (machine: Machine, plan: Plan, listener: Listener): Effect.Effect<UpstreamSide> =>
  Effect.gen(function*() {
    const calls: Array<Call> = []
    const self = machine.process({ isAtOnce: true })
    // Made in its own time: its rate windows and its journal follow the machine.
    const simulator = yield* Simulator.make(worldOf(plan), { seed: plan.seed, faults: plan.faults, journalCapacity: 1 }).pipe(
      Effect.withClock(self.clock)
    )
    const inner = SimulatorTransport.make(simulator)

    const latency = (): number => {
      const drawn = machine.draw("latency")
      // Mostly quick, sometimes ten times as slow.
      return Math.floor(plan.latencyMillis * (drawn < 0.9 ? drawn : drawn * 10))
    }

    const arrive = (call: Call, request: Transport.Request, process: Process, resume: (exit: Exit.Exit<Transport.Response, TransportError>) => void): void => {
      call.arrivedMillis = machine.nowMillis()
      const fiber = self.run(inner.send(request))
      // Judged by now; only its answer takes time.
      const [entry] = Effect.runSync(simulator.journal.entries)
      call.executed = entry?.executed === true
      listener.arrived(call, [entry?.status ?? "silence", entry?.code, entry?.fault, call.executed ? "executed" : null].filter((word) => word != null).join(" "))
      fiber.addObserver((exit) => {
        call.overMillis = machine.nowMillis()
        process.after(latency(), () => {
          call.answer = answerOf(exit)
          call.answeredMillis = machine.nowMillis()
          listener.heard(call)
          resume(exit)
        })
      })
    }

    return {
      calls,
      begin: ({ number, process, sitting }, request, ended) => {
        const call: Call = {
          key: keyOf(request),
          customerId: request.customerId,
          sitting,
          process: number,
          sentMillis: machine.nowMillis(),
          arrivedMillis: null,
          overMillis: null,
          executed: false,
          answer: null,
          answeredMillis: null
        }
        calls.push(call)
        listener.sent(call)
        self.after(latency(), () => arrive(call, request, process, ended))
      },
      holds: (customer, { periodName, targetGroupId, targetId }) =>
        Effect.map(simulator.standing(customer, targetGroupId, targetId), (standing) =>
          Option.exists(standing, ({ enrolled, periods }) =>
            periodName === null ? enrolled : periods.some((period) => period.refCode === periodName && period.enrolled)))
    }
  })
