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
import * as rateWindows from "./rateWindows.js"
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

/** How an answer leaves: whole, byte by byte, broken off in the middle, not at all with a reset connection, or never. */
export type Delivery = "whole" | "slow" | "halfWritten" | "reset" | "never"

/** A judged call: what is answered, after which wait, and how. */
export class Exchange {
  private occupied: Set<number> | null
  constructor(
    readonly answer: answers.Answer,
    readonly delayMillis: number,
    readonly delivery: Delivery,
    /** How far apart the bytes of a slow answer are. */
    readonly millisPerByte: number,
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

/** What the journal keeps of a call as it was asked. */
type Asked = Pick<
  Journal.Entry,
  | "operation"
  | "customerId"
  | "targetGroupId"
  | "targetId"
  | "periodName"
  | "initialBalance"
  | "resetStreakStatus"
  | "overlapped"
>

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

const deliveryOf = (effect: Struck): Delivery => {
  switch (effect?.kind) {
    case "reset":
    case "halfWritten":
      return effect.kind
    case "hang":
      return "never"
    case "slowBytes":
      return "slow"
    default:
      return "whole"
  }
}

/** What can be put in place of the rules. */
export interface Judge {
  readonly enroll: typeof Rules.enroll
  readonly unenroll: typeof Rules.unenroll
}

/** Tokens of one world are unknown in another, also under the same seed. */
const saltOf = (name: string): number => {
  let salt = 0
  for (const character of name) salt = (Math.imul(salt, 31) + (character.codePointAt(0) ?? 0)) >>> 0
  return salt
}

/** Brings a world to life. */
export const make = (
  world: World,
  options: {
    readonly seed: number
    readonly name: string
    readonly judge: Judge
    readonly clock: VirtualClock
    readonly faults: Injector
    readonly journal: Journal.Writable
    readonly nowMillis: () => number
  }
): Upstream => {
  const { clock, faults, journal, judge, nowMillis } = options
  const index = worldIndex.make(world)
  const store = stores.make(world, index, clock.unsafeMillis())
  const gate = access.make(index, clock, new PCGRandom(options.seed ^ saltOf(options.name), 0))
  const windows = rateWindows.make()
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
      ? judge.unenroll(facts, now, standing)
      : judge.enroll(facts, now, standing, {
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
    const payer = index.orgs.get(call.caller.credential?.orgId ?? 0)
    const over = payer === undefined ? null : windows.admit(payer, clock.unsafeMillis())
    if (over !== null) return answers.gateway(429, over.retryAfterSeconds)
    if (acting.code !== null) return coded(acting.code)
    return isLookUp ? lookedUp(route, acting.orgs) : applied(route, acting.orgs, record)
  }

  const settle = (
    of: Asked,
    effect: Struck,
    delayMillis: number,
    answering: () => answers.Answer
  ): Exchange => {
    const instead = of.overlapped ? answers.gateway(521) : notExecuted(effect, index.errorStatus)
    const own = instead ?? answering()
    const answer = instead ?? afterExecution(effect, own)
    const delivery = deliveryOf(effect)
    const isAnswered = delivery === "whole" || delivery === "slow"
    journal.unsafeAdd({
      atMillis: nowMillis(),
      virtualMillis: clock.unsafeMillis(),
      operation: of.operation,
      customerId: of.customerId,
      targetGroupId: of.targetGroupId,
      targetId: of.targetId,
      periodName: of.periodName,
      initialBalance: of.initialBalance,
      resetStreakStatus: of.resetStreakStatus,
      status: isAnswered ? answer.status : null,
      code: isAnswered ? answer.code : null,
      executed: instead === null && own.status === 200 && own.code === null,
      overlapped: of.overlapped,
      fault: effect?.kind ?? (delayMillis > 0 ? "latency" : null)
    })
    const occupies = of.customerId !== null && !of.overlapped
    if (occupies) busy.add(of.customerId ?? 0)
    const millisPerByte = effect?.kind === "slowBytes" ? effect.millisPerByte : 0
    return new Exchange(answer, delayMillis, delivery, millisPerByte, occupies ? busy : null, of.customerId ?? 0)
  }

  const nobody = {
    customerId: null,
    targetGroupId: null,
    targetId: null,
    periodName: null,
    initialBalance: undefined,
    resetStreakStatus: undefined,
    overlapped: false
  }

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
        initialBalance: record?.initialBalance,
        resetStreakStatus: record?.resetStreakStatus,
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
