/** Whatever many clients do at once, the upstream's answers are those of one order of their calls. */
import { describe, expect, it } from "@effect/vitest"
import * as Enroll from "@milepost/core/Enroll"
import type * as Ids from "@milepost/core/Ids"
import * as TargetGroups from "@milepost/core/TargetGroups"
import type * as Transport from "@milepost/core/Transport"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { into } from "../test/calls.js"
import * as Simulator from "./Simulator.js"
import * as SimulatorServer from "./SimulatorServer.js"
import * as SimulatorTransport from "./SimulatorTransport.js"
import * as World from "./World.js"

interface Step {
  readonly kind: "enroll" | "unenroll" | "lookUp"
  readonly customer: number
  readonly period: number
  readonly balance: number | null | undefined
  readonly pauses: number
}

const aStep: FastCheck.Arbitrary<Step> = FastCheck.record({
  kind: FastCheck.constantFrom("enroll", "enroll", "unenroll", "lookUp"),
  customer: FastCheck.constantFrom(564332001, 564332002, 564339002),
  period: FastCheck.integer({ min: 1, max: 3 }),
  balance: FastCheck.constantFrom(0, 7, null, undefined),
  pauses: FastCheck.nat(2)
})

const requestOf = ({ balance, customer, kind, period }: Step): Transport.Request => {
  const enrollment = { ...into(customer, `Cycle_${period}`), initialBalance: balance }
  if (kind === "lookUp") return TargetGroups.request({ customerId: customer as Ids.CustomerId, includeInactiveTargets: true })
  return kind === "enroll" ? Enroll.request(enrollment) : Unenroll.request({ ...enrollment, _tag: "Unenrollment" })
}

/** A call: the order in which it arrived, whom it was for, until when it was under way, and what was answered. */
interface Called {
  readonly request: Transport.Request
  readonly began: number
  ended: number
  answer: string
}

const answerOf = ({ body, status }: { readonly status: number; readonly body: string }): string => `${status} ${body}`

const isBusy = ({ answer }: Called): boolean => answer.startsWith("521")

/** All clients at once, each with its steps one after another. */
const together = (clients: ReadonlyArray<ReadonlyArray<Step>>) =>
  Effect.gen(function*() {
    const simulator = yield* Simulator.make(World.sample)
    const calls: Array<Called> = []
    let tick = 0
    const watched: Simulator.Service = {
      ...simulator,
      unsafeBeginAs: (caller, request) => {
        const exchange = simulator.unsafeBeginAs(caller, request)
        const call: Called = { request: request as Transport.Request, began: tick++, ended: Infinity, answer: answerOf(exchange.answer) }
        calls.push(call)
        return {
          answer: exchange.answer,
          delayMillis: exchange.delayMillis,
          millisPerByte: exchange.millisPerByte,
          delivery: exchange.delivery,
          release: () => {
            call.ended = tick++
            exchange.release()
          }
        }
      }
    }
    const transport = SimulatorTransport.make(watched)
    yield* Effect.forEach(clients, (steps) =>
      Effect.forEach(steps, (step) =>
        Effect.zipRight(
          Effect.forEach(Array.from({ length: step.pauses }), () => Effect.yieldNow(), { discard: true }),
          transport.send(requestOf(step))
        ), { discard: true }), { concurrency: "unbounded", discard: true })
    return calls
  })

/** What the same calls are answered one after another. */
const inOrder = (requests: ReadonlyArray<Transport.Request>) =>
  Effect.gen(function*() {
    const simulator = yield* Simulator.make(World.sample)
    return requests.map((request) => {
      const exchange = simulator.unsafeBeginAs({}, request)
      exchange.release()
      return answerOf(exchange.answer)
    })
  })

describe("many clients at once", () => {
  it.effect.prop(
    "are answered as in one order of their calls, and overlapping calls of one customer are answered 521",
    [FastCheck.array(FastCheck.array(aStep, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 8 })],
    ([clients]) =>
      Effect.gen(function*() {
        const calls = yield* together(clients)
        const executed = calls.filter((call) => !isBusy(call))
        expect(executed.map(({ answer }) => answer)).toEqual(yield* inOrder(executed.map(({ request }) => request)))
        for (const call of calls) {
          const overlaps = executed.some((other) =>
            other !== call && other.request.customerId === call.request.customerId &&
            other.began < call.began && call.began < other.ended)
          expect(isBusy(call)).toBe(overlaps)
        }
      }),
    { fastCheck: { numRuns: 200 } }
  )

  it.live("over sockets too: the journal holds an order that explains every answer", () =>
    Effect.gen(function*() {
      const simulator = yield* Simulator.Simulator
      const { url } = yield* SimulatorServer.serve()
      const customers = [564332001, 564332002, 564332003]
      const call = (balance: number) =>
        Effect.promise(async () => {
          const customerId = customers[balance % customers.length]
          const leaves = balance % 4 === 0
          const response = await fetch(`${url}/v3.1/targetGroups/2154/targets/2309/${leaves ? "unEnroll" : "enroll"}`, {
            method: "POST",
            headers: {
              authorization: "Basic c3RvcmUuc2VydmVyOjhhMTZhNmI3MDUwNWViMWYxZmY3Y2RjMGNkNTU1OWE3",
              "content-type": "application/json"
            },
            body: JSON.stringify([leaves ? { customerId } : { customerId, periodName: "Cycle_1", initialBalance: balance }])
          })
          return { balance, customerId, leaves, said: answerOf({ status: response.status, body: await response.text() }) }
        })
      const answered = yield* Effect.forEach(Array.from({ length: 300 }, (_, index) => index), call, { concurrency: 40 })
      const journal = (yield* simulator.journal.entries).filter(({ status }) => status !== 521)
      const told = yield* inOrder(journal.map((entry) =>
        requestOf({ kind: entry.operation === "enroll" ? "enroll" : "unenroll", customer: entry.customerId ?? 0, period: 1, balance: entry.initialBalance, pauses: 0 })))
      const expected = new Map(journal.map((entry, index) => [entry.initialBalance, told[index]]))
      for (const { balance, leaves, said } of answered) {
        if (!leaves && !said.startsWith("521")) expect(said).toBe(expected.get(balance))
      }
      const left = answered.filter(({ leaves, said }) => leaves && !said.startsWith("521")).map(({ said }) => said).sort()
      expect(left).toEqual(told.filter((_, index) => journal[index]?.operation === "unenroll").sort())
    }).pipe(Effect.scoped, Effect.provide(Simulator.layer(World.sample))))
})
