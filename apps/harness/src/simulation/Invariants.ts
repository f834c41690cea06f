/**
 * What must hold of every run, whatever its seed: judged from what both sides saw, not from what the engine says of itself.
 */
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import * as Job from "@milepost/engine/Job"
import type { Call } from "./Events.js"
import { marginOf } from "./Plan.js"
import type { Simulated } from "./Stage.js"

/** The names of what must hold. */
export type Invariant = "no-defect" | "ends" | "one-outcome" | "agrees" | "one-call-a-customer" | "one-sender" | "repeats" | "nothing-after-cancel" | "budgets"

/** Where something did not hold. */
export interface Violation {
  readonly invariant: Invariant
  readonly message: string
}

type Judge = (simulated: Simulated) => ReadonlyArray<string>

const isLost = ({ answer }: Call): boolean => answer === null || answer._tag === "Lost" || !answer.isDefinite

/** An answer that says *not now*: the call was not executed and is made again. */
const isPostponed = ({ answer }: Call): boolean =>
  answer?._tag === "Answered" && !answer.isDefinite && ErrorCatalog.find(answer.status)?.disposition === "retryLater"

/** An answer of the gateway that says that nobody has read the call. */
const isRefusedUnread = (call: Call): boolean =>
  isPostponed(call) || (call.answer?._tag === "Answered" && ErrorCatalog.find(call.answer.status)?.disposition === "rejected")

const byKey = (calls: ReadonlyArray<Call>): ReadonlyMap<string, ReadonlyArray<Call>> => {
  const found = new Map<string, Array<Call>>()
  for (const call of calls) {
    const others = found.get(call.key)
    if (others === undefined) found.set(call.key, [call])
    else others.push(call)
  }
  return found
}

const ends: Judge = ({ end, run }) =>
  end !== "finished" ? [`the run is ${end} and not finished after all its sittings`] : run.state !== "finished" ? [`the ledger says ${run.state}`] : []

const oneOutcome: Judge = ({ end, plan, records, run, usurped }) => {
  if (end !== "finished") return []
  const asked = plan.rows.filter(({ place }) => place !== "bad").length
  const told = usurped.map(({ claimedBy, key, settledBy }) => `${key} was claimed by ${claimedBy}, and its outcome written by ${settledBy}`)
  if (records.length !== asked) told.push(`${asked} records were asked for, the ledger has ${records.length}`)
  for (const { entry, key } of records) {
    if (entry.outcome === null) told.push(`${key} has no outcome${entry.isClaimed ? " and is still claimed" : ""}`)
  }
  const { claimed, pending, ...outcomes } = run.counts
  const counted = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
  if (claimed + pending > 0) told.push(`${claimed} records are claimed and ${pending} pending in a run that is finished`)
  if (counted !== plan.rows.length) told.push(`${counted} outcomes were counted for ${plan.rows.length} rows`)
  return told
}

/** What is wrong with how a record ended, in the light of its calls. */
const contradiction = (
  { entry: { lostAttempts, outcome }, isHeld }: Simulated["records"][number],
  calls: ReadonlyArray<Call>,
  isUnenroll: boolean
): string | null => {
  if (outcome === null) return null
  const executed = calls.filter((call) => call.executed).length
  switch (outcome.outcome) {
    case "enrolled":
    case "unenrolled":
      if (executed !== 1) return `is ${outcome.outcome}, and the upstream executed ${executed} calls for it`
      return isHeld === isUnenroll ? `is ${outcome.outcome}, and the upstream does not say so` : null
    case "already_enrolled":
      if (!isHeld) return "is already enrolled, and the upstream does not say so"
      if (outcome.afterAmbiguousAttempt) {
        // Claimed by a process that was killed: it may have been sent, for all that anybody can know.
        return lostAttempts > 0 || calls.slice(0, -1).some(isLost) ? null : "is said to be perhaps ours, and every call of ours was answered"
      }
      return executed > 0 ? "is said to have been enrolled by somebody else, and the upstream executed a call of ours" : null
    case "rejected":
      return executed > 0 && !outcome.afterAmbiguousAttempt ? `is rejected (${outcome.code}), and the upstream executed a call for it` : null
    case "unknown":
      return lostAttempts > 0 || calls.some(isLost) ? null : "is unknown, and every call was answered"
    case "skipped":
      // Refused credentials or a full quota say that a call was not executed: its record was given back, and skipped later.
      return calls.some((call) => call.executed || isLost(call) && !isRefusedUnread(call))
        ? `is skipped as never sent, and one of its ${calls.length} calls may have been executed`
        : null
  }
}

const agrees: Judge = ({ calls, plan, records }) => {
  const callsOf = byKey(calls)
  return records.flatMap((record) => {
    const wrong = record.entry.outcome?.outcome === "skipped" && record.entry.outcome.reason === "duplicate"
      ? null
      : contradiction(record, callsOf.get(record.key) ?? [], plan.operation === "unenroll")
    return wrong === null ? [] : [`${record.key} ${wrong}`]
  })
}

/** What a disturbance leaves behind a while longer: a statement that hangs, a lease that has not expired. */
const aftermathMillis = 10_000

/** Whether something befell the sender of a call, between the call and this moment, for which others may send again what it had. */
const wasTroubled = ({ events, plan: { fleet } }: Simulated, { process, sentMillis }: Call, untilMillis: number): boolean =>
  events.some((event) =>
    event._tag === "Troubled" && event.what !== "lostAnswer" && (event.process === null || event.process === process) &&
    event.atMillis <= untilMillis &&
    (event.forMillis === null || event.atMillis + event.forMillis + (fleet?.lifetimeMillis ?? 0) + aftermathMillis >= sentMillis))

/** A call that outlasts the margin of a fence overtakes whoever takes its lane over: nobody can know that it is on its way. */
const isOvertaken = (simulated: Simulated, { call, other }: Simulated["overlapping"][number]): boolean => {
  const { fleet } = simulated.plan
  return fleet !== null && other.process !== call.process && call.sentMillis - other.sentMillis >= marginOf(fleet) &&
    wasTroubled(simulated, other, call.sentMillis)
}

const oneCallACustomer: Judge = (simulated) =>
  simulated.overlapping.filter((overlap) => !isOvertaken(simulated, overlap)).map(({ call: { key, process }, other }) =>
    `${key} was sent by ${process} while another call for its customer was in flight, sent by ${other.process}`)

const oneSender: Judge = ({ strays }) => strays.map(({ call, why }) => `${call.key} was sent ${why}`)

/** What one replica has a definite answer to, another one sends again only when something befell the first. */
const repeats: Judge = (simulated) => {
  const { calls, events, plan } = simulated
  if (plan.fleet === null) return []
  const begun = events.flatMap((event) => event._tag === "Sitting" ? [event.atMillis] : [])
  return [...byKey(calls)].flatMap(([key, own]) =>
    own.flatMap((call, index) => {
      const before = own[index - 1]
      if (before === undefined || before.process === call.process || before.answer?._tag !== "Answered" || !before.answer.isDefinite) return []
      // What a run stops for is no answer to its record.
      if (begun.some((atMillis) => atMillis > before.sentMillis && atMillis <= call.sentMillis)) return []
      return wasTroubled(simulated, before, call.sentMillis) ? [] : [`${key} was sent by ${call.process} after ${before.process} had its answer`]
    })
  )
}

const nothingAfterCancel: Judge = ({ calls, events }) =>
  events.flatMap((event) => {
    if (event._tag !== "Cancelled") return []
    return calls.filter(({ sentMillis, sitting }) => sitting === event.sitting && sentMillis > event.atMillis)
      .map(({ key, sentMillis }) => `${key} was sent ${sentMillis - event.atMillis} ms after sitting ${event.sitting} was cancelled`)
  })

/** More calls within a second than the rate allows, with the tenth of a second that may have been saved up. */
const tooFast = (calls: ReadonlyArray<Call>, perSecond: number): ReadonlyArray<string> => {
  const most = perSecond * 1.1 + 1
  for (let from = 0, to = 0; to < calls.length; to++) {
    while ((calls[to]?.sentMillis ?? 0) - (calls[from]?.sentMillis ?? 0) >= 1000) from++
    if (to - from + 1 > most) return [`${to - from + 1} calls within a second, at ${perSecond} a second`]
  }
  return []
}

/** For so long after a process woke up, what it had let go before it was frozen may leave in one heap. */
const heapMillis = 1_000

const budgetsOfSitting = (all: ReadonlyArray<Call>, simulated: Simulated): ReadonlyArray<string> => {
  const { events, mostInFlight, plan } = simulated
  const woke = plan.fleet === null ? [] : events.flatMap((event) => event._tag === "Woke" && event.process === all[0]?.process ? [event.atMillis] : [])
  const calls = woke.length === 0 ? all : all.filter(({ sentMillis }) => !woke.some((atMillis) => sentMillis >= atMillis && sentMillis < atMillis + heapMillis))
  const told: Array<string> = []
  if (plan.callsPerSecond !== null) told.push(...tooFast(calls, plan.callsPerSecond))
  if (plan.concurrency !== "auto" && mostInFlight > plan.concurrency) {
    told.push(`${mostInFlight} calls in flight at once, at a concurrency of ${plan.concurrency}`)
  }
  for (const refusal of calls) {
    const { answer, answeredMillis } = refusal
    if (answer?._tag !== "Answered" || answer.status !== 429 || answer.retryAfterMillis === null || answeredMillis === null) continue
    const until = answeredMillis + answer.retryAfterMillis
    const early = calls.find(({ sentMillis }) => sentMillis > answeredMillis && sentMillis < until)
    if (early !== undefined) told.push(`${early.key} was sent ${until - early.sentMillis} ms before Retry-After was over`)
  }
  for (const [key, own] of byKey(all)) {
    // Who is kept from writing an answer down may lose the record, and get it again.
    const again = own.find((_, index) => {
      const before = own[index - 1]
      return before?.answer?._tag === "Answered" && before.answer.isDefinite && !wasTroubled(simulated, before, own[index]?.sentMillis ?? 0)
    })
    if (again !== undefined) told.push(`${key} was sent again after a definite answer`)
    const counted = own.filter((call) => isLost(call) && !isPostponed(call)).length
    // Whoever gets a record anew has all attempts again.
    const claims = (): number =>
      plan.fleet === null ? 1 : events.filter((event) => event._tag === "Claimed" && event.process === own[0]?.process && event.records.includes(key)).length
    if (counted > Job.policy.maxAttempts && counted > Job.policy.maxAttempts * claims()) told.push(`${key} was tried ${counted} times, ${Job.policy.maxAttempts} at most`)
  }
  return told
}

const budgets: Judge = (simulated) => {
  const sittings = new Set(simulated.calls.map(({ sitting }) => sitting))
  return [
    ...simulated.afterSettled.map(({ key }) => `${key} was sent again although its outcome was on disk`),
    ...[...sittings].flatMap((sitting) => budgetsOfSitting(simulated.calls.filter((call) => call.sitting === sitting), simulated))
  ]
}

const judges: Readonly<Record<Exclude<Invariant, "no-defect">, Judge>> = {
  ends,
  "one-outcome": oneOutcome,
  agrees,
  "one-call-a-customer": oneCallACustomer,
  "one-sender": oneSender,
  repeats,
  "nothing-after-cancel": nothingAfterCancel,
  budgets
}

/** Everything that did not hold. */
export const violations = (simulated: Simulated): ReadonlyArray<Violation> =>
  Object.entries(judges).flatMap(([invariant, judge]) =>
    judge(simulated).map((message) => ({ invariant: invariant as Invariant, message })))
