/**
 * The simulated upstream at work: judges calls one after another, synchronously, and says how each answer is delivered.
 *
 * Everything that changes state happens when a call arrives; what takes time is only the delivery. A customer is occupied
 * from the arrival of a call until the adapter releases the exchange, and a second call in between is answered 521.
 */
import * as ApiError from "@milepost/core/ApiError"
import * as Wire from "@milepost/core/Wire"
import { PCGRandom } from "effect/Utils"
import type { FaultEffect, Injector } from "../Faults.js"
import type * as Journal from "../Journal.js"
import * as Rules from "../Rules.js"
import type { VirtualClock } from "../VirtualClock.js"
import type { World } from "../World.js"
import * as access from "./access.js"
import * as answers from "./answer.js"
import * as lookUp from "./lookUp.js"
import * as routes from "./route.js"
import * as stores from "./store.js"
import * as worldIndex from "./worldIndex.js"

/** A call whose sender is known. */
export interface Call {
  readonly method: string
  /** From the base path on, with the query. */
  readonly path: string
  readonly body: string | null
  readonly caller: access.Caller
  readonly isJson: boolean
}

/** How an answer leaves: whole, broken off in the middle, not at all with a reset connection, or never. */
export type Delivery = "whole" | "halfWritten" | "reset" | "never"

/** A judged call: what is answered, after which wait, and how. */
export class Exchange {
  private occupied: Set<number> | null
  constructor(
    readonly answer: answers.Answer,
    readonly delayMillis: number,
    readonly delivery: Delivery,
    occupied: Set<number> | null,
    private readonly customerId: number
  ) {
    this.occupied = occupied
  }
  /** The answer has left, or will never leave: the customer is free again. */
  release(): void {
    this.occupied?.delete(this.customerId)
    this.occupied = null
  }
}

/** The simulated upstream. */
export interface Upstream {
  readonly index: worldIndex.Index
  readonly store: stores.Store
  readonly access: access.Access
  readonly begin: (call: Call) => Exchange
  /** A call of the token route. */
  readonly beginToken: (method: string, body: string | null, isJson: boolean) => Exchange
}

type Struck = FaultEffect | null

const notExecuted = (effect: Struck, errorStatus: number): answers.Answer | null => {
  switch (effect?.kind) {
    case "status":
      return effect.executed === true ? null : answers.gateway(effect.status, effect.retryAfterSeconds)
    case "apiError":
      return answers.apiError(effect.code, errorStatus, effect.message)
    case "rateLimited":
      return answers.gateway(429, effect.retryAfterSeconds)
    case "customerBusy":
      return answers.gateway(521)
    case "reset":
    case "hang":
      return effect.when === "before" ? answers.gateway(503) : null
    default:
      return null
  }
}

const afterExecution = (effect: Struck, answer: answers.Answer): answers.Answer =>
  effect?.kind === "body"
    ? answers.spoilt(answer, effect.body)
    : effect?.kind === "status"
    ? answers.gateway(effect.status, effect.retryAfterSeconds)
    : answer

const deliveryOf = (effect: Struck): Delivery =>
  effect?.kind === "reset" ? "reset" : effect?.kind === "hang" ? "never" : effect?.kind === "halfWritten" ? "halfWritten" : "whole"

/** Brings a world to life. */
export const make = (
  world: World,
  options: {
    readonly seed: number
    readonly clock: VirtualClock
    readonly faults: Injector
    readonly journal: Journal.Writable
    readonly nowMillis: () => number
  }
): Upstream => {
  const { clock, faults, journal, nowMillis } = options
  const index = worldIndex.make(world)
  const store = stores.make(world, index, clock.unsafeMillis())
  const gate = access.make(index, clock, new PCGRandom(options.seed, 0))
  const busy = new Set<number>()
  const coded = (code: number): answers.Answer => answers.apiError(code, index.errorStatus, undefined)
  const invalidInput = coded(ApiError.InvalidInput.row.code)

  const applied = (
    route: routes.Route,
    orgs: ReadonlyArray<worldIndex.Org>,
    record: Wire.EnrollRecord | null
  ): answers.Answer => {
    const [org] = orgs
    if (org === undefined || record === null || route.targetGroupId === null || route.targetId === null) return invalidInput
    const found = index.groups.get(route.targetGroupId)
    const group = found?.orgId === org.id ? found : undefined
    const target = group?.targets.get(route.targetId)
    const facts: Rules.Facts = {
      cycles: index.cycles,
      group,
      targetIsKnown: target !== undefined,
      customerIsKnown: org.knows(record.customerId)
    }
    const standing = (target === undefined ? undefined : store.get(target, record.customerId)) ?? Rules.newcomer
    const now = clock.unsafeMillis()
    const verdict = route.operation === "unenroll"
      ? Rules.unenroll(facts, now, standing)
      : Rules.enroll(facts, now, standing, {
        period: group?.ordinals.get(record.periodName ?? ""),
        initialBalance: record.initialBalance,
        resetStreakStatus: record.resetStreakStatus === true
      })
    if (verdict.code !== null || target === undefined) return coded(verdict.code ?? ApiError.TargetNotFound.row.code)
    store.set(target, record.customerId, verdict.standing)
    return answers.accepted(record.customerId)
  }

  const lookedUp = (route: routes.Route, orgs: ReadonlyArray<worldIndex.Org>): answers.Answer => {
    const { customerId, filters } = route
    if (customerId === null || filters === null || filters.targetRuleId === null) return invalidInput
    return orgs.some((org) => org.knows(customerId))
      ? answers.data(lookUp.of(index, store, orgs, customerId, clock.unsafeMillis(), filters))
      : coded(ApiError.InvalidCustomer.row.code)
  }

  const judged = (call: Call, route: routes.Route, record: Wire.EnrollRecord | null): answers.Answer => {
    const isLookUp = route.operation === "targetGroups"
    if (!isLookUp && !call.isJson) return answers.gateway(415)
    const acting = gate.acting(call.caller, isLookUp)
    if (acting.status !== null) return answers.gateway(acting.status)
    if (acting.code !== null) return coded(acting.code)
    return isLookUp ? lookedUp(route, acting.orgs) : applied(route, acting.orgs, record)
  }

  const settle = (
    of: Pick<Journal.Entry, "operation" | "customerId" | "targetGroupId" | "targetId" | "periodName" | "overlapped">,
    effect: Struck,
    delayMillis: number,
    judge: () => answers.Answer
  ): Exchange => {
    const instead = of.overlapped ? answers.gateway(521) : notExecuted(effect, index.errorStatus)
    const own = instead ?? judge()
    const answer = instead ?? afterExecution(effect, own)
    const delivery = deliveryOf(effect)
    journal.unsafeAdd({
      atMillis: nowMillis(),
      virtualMillis: clock.unsafeMillis(),
      operation: of.operation,
      customerId: of.customerId,
      targetGroupId: of.targetGroupId,
      targetId: of.targetId,
      periodName: of.periodName,
      status: delivery === "whole" ? answer.status : null,
      code: delivery === "whole" ? answer.code : null,
      executed: instead === null && own.status === 200 && own.code === null,
      overlapped: of.overlapped,
      fault: effect?.kind ?? (delayMillis > 0 ? "latency" : null)
    })
    const occupies = of.customerId !== null && !of.overlapped
    if (occupies) busy.add(of.customerId ?? 0)
    return new Exchange(answer, delayMillis, delivery, occupies ? busy : null, of.customerId ?? 0)
  }

  const nobody = { customerId: null, targetGroupId: null, targetId: null, periodName: null, overlapped: false }

  return {
    index,
    store,
    access: gate,
    begin: (call) => {
      const route = routes.of(call.method, call.path)
      const { refusal } = route
      if (refusal !== null) return settle({ ...nobody, operation: route.operation }, null, 0, () => answers.gateway(refusal))
      const record: Wire.EnrollRecord | null = route.operation === "enroll"
        ? Wire.enrollRecord(call.body ?? "")
        : route.operation === "unenroll"
        ? Wire.unenrollRecord(call.body ?? "")
        : null
      const of = {
        operation: route.operation,
        customerId: record?.customerId ?? route.customerId,
        targetGroupId: route.targetGroupId,
        targetId: route.targetId,
        periodName: record?.periodName ?? null,
        overlapped: false
      }
      // A call that is refused as busy has not arrived as far as faults are concerned: it does not count for them.
      if (of.customerId !== null && busy.has(of.customerId)) {
        return settle({ ...of, overlapped: true }, null, 0, () => answers.gateway(521))
      }
      const { delayMillis, effect } = faults.unsafeStrike(of)
      if (effect?.kind === "tokenExpiry" && call.caller.token !== null) gate.expire(call.caller.token)
      return settle(of, effect, delayMillis, () => judged(call, route, record))
    },
    beginToken: (method, body, isJson) => {
      const of = { ...nobody, operation: "token" as const }
      const { delayMillis, effect } = faults.unsafeStrike(of)
      return settle(of, effect, delayMillis, () => {
        if (method !== "POST") return answers.gateway(405)
        if (!isJson) return answers.gateway(415)
        const client = clientIn(body)
        if (client === null) return answers.gateway(400)
        const issued = gate.issue(client["key"], client["secret"])
        if (issued === null) return answers.gateway(401)
        return answers.data({ accessToken: issued.token, ttlSeconds: issued.ttlSeconds })
      })
    }
  }
}

const clientIn = (body: string | null): Record<string, unknown> | null => {
  try {
    const json: unknown = JSON.parse(body ?? "")
    return typeof json === "object" && json !== null ? { ...json } : null
  } catch {
    return null
  }
}
