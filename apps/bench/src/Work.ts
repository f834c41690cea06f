/**
 * The work of one call, the same for every contender: make a body out of five fields, post it with the till's
 * credentials, read the whole answer, and say how it ended.
 *
 * A contender that did less would win without having done the work, so every call's end is looked at and counted.
 */
import { createHash } from "node:crypto"

/** How many calls are in flight at once. */
export const inFlight = 64

/** The fields of one call. */
export interface Call {
  readonly targetGroupId: number
  readonly targetId: number
  readonly customerId: number
  readonly periodName: string
  readonly initialBalance: number
}

/** How a call ended; only `enrolled` counts. `Outcome.Outcome` of the SDK is one of these. */
export interface Ended {
  readonly outcome: string
}

/** The till that every contender calls as. */
export const till = { username: "bench.till", password: "bench-password" } as const

const passwordMd5 = createHash("md5").update(till.password).digest("hex")

/** The headers that every contender sends; the upstream refuses a call without them. */
export const headers: { readonly Authorization: string; readonly Accept: string; readonly "Content-Type": string } = {
  Authorization: `Basic ${Buffer.from(`${till.username}:${passwordMd5}`).toString("base64")}`,
  Accept: "application/json",
  "Content-Type": "application/json"
}

/** What stands in front of an operation's path. */
export const basePath = "/api_gateway/intouch-api-v3/v3.1"

/** The path of a call. */
export const path = (call: Call): string =>
  `${basePath}/targetGroups/${call.targetGroupId}/targets/${call.targetId}/enroll`

/** The body of a call before it is JSON. */
export const record = ({ customerId, initialBalance, periodName }: Call): ReadonlyArray<object> => [
  { customerId, periodName, initialBalance }
]

/** The body of a call. */
export const body = (call: Call): string => JSON.stringify(record(call))

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const isEmpty = (errors: unknown): boolean => errors == null || (Array.isArray(errors) && errors.length === 0)

/** What a parsed answer says of a call: no errors, and the customer that was asked for. */
export const ended = (call: Pick<Call, "customerId">, status: number, answer: unknown): Ended =>
  status === 200 && isObject(answer) && isEmpty(answer["errors"]) && answer["data"] === call.customerId
    ? { outcome: "enrolled" }
    : { outcome: "rejected" }

/** One stretch of calls: hands out calls until it is over, and counts how they end. */
export interface Run {
  readonly isOver: () => boolean
  readonly next: () => Call
  readonly count: (ended: Ended) => void
  readonly enrolled: () => number
  /** How the first call that did not enrol ended. */
  readonly firstOther: () => Ended | null
}

/** The target group of every call. */
export const targetGroupId = 2154

/** The target of every call. */
export const targetId = 2309

/** The customer of the first call of a process; each further call has the next one. */
export const firstCustomer = 500_000_001

let customers = 0

const make = (isOver: () => boolean): Run => {
  let enrolled = 0
  let other: Ended | null = null
  return {
    isOver,
    next: () => {
      const customerId = firstCustomer + customers
      customers += 1
      return { targetGroupId, targetId, customerId, periodName: "Cycle_1", initialBalance: customers % 1000 }
    },
    count: (ended) => {
      if (ended.outcome === "enrolled") enrolled += 1
      else other ??= ended
    },
    enrolled: () => enrolled,
    firstOther: () => other
  }
}

/** Calls for so many milliseconds; those in flight at the end are waited for and count. */
export const forMillis = (millis: number): Run => {
  const end = performance.now() + millis
  return make(() => performance.now() >= end)
}

/** So many calls. */
export const ofCalls = (calls: number): Run => {
  let left = calls
  return make(() => left-- <= 0)
}
