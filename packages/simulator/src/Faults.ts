/**
 * Faults as data: which calls they strike, how often, and what happens then.
 *
 * Under the same seed the same calls in the same order are struck: every fault draws from a generator of its own.
 * `before` means that the call is not executed, `after` that it is executed and its answer is lost.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import { PCGRandom } from "effect/Utils"
import * as reading from "./internal/reading.js"
import type { Operation } from "./Journal.js"

const when = reading.oneOf("before", "after").annotations({ description: "Before execution, or after it." })
const seconds = reading.optional(reading.whole(0, 86_400, "a whole number of seconds from 0 to 86400"))
const status = reading.whole(200, 599, "an HTTP status from 200 to 599")
const times = reading.whole(1, 1_000_000_000, "a whole number from 1")
const id = reading.whole(1, Number.MAX_SAFE_INTEGER, "a whole number from 1 to 2^53-1")

/** What happens to a call that is struck. */
export const FaultEffect = Schema.Union(
  Schema.Struct({ kind: Schema.Literal("latency"), millis: reading.whole(0, 3_600_000, "a whole number of milliseconds") })
    .annotations({ description: "Executed at once, answered later. The waits of several latency faults add up." }),
  Schema.Struct({
    kind: Schema.Literal("status"),
    status,
    retryAfterSeconds: seconds,
    executed: reading.optional(Schema.Boolean)
  }).annotations({ description: "A gateway's answer with this status; with `executed` the call has been executed." }),
  Schema.Struct({ kind: Schema.Literal("apiError"), code: id, message: reading.optional(Schema.String) })
    .annotations({ description: "An application error with this code; not executed." }),
  Schema.Struct({
    kind: Schema.Literal("body"),
    body: reading.oneOf("malformed", "truncated", "html", "empty", "huge")
  }).annotations({ description: "Executed; the answer is a whole HTTP answer with this body." }),
  Schema.Struct({ kind: Schema.Literal("halfWritten") })
    .annotations({ description: "Executed; the connection breaks in the middle of the answer's body." }),
  Schema.Struct({ kind: Schema.Literal("slowBytes"), millisPerByte: reading.whole(1, 60_000, "a whole number of milliseconds from 1") })
    .annotations({ description: "Executed; the answer comes one byte at a time, so far apart." }),
  Schema.Struct({ kind: Schema.Literal("reset"), when }).annotations({ description: "The connection is reset." }),
  Schema.Struct({ kind: Schema.Literal("hang"), when }).annotations({ description: "A black hole: the call is taken, and no answer ever comes." }),
  Schema.Struct({ kind: Schema.Literal("rateLimited"), retryAfterSeconds: seconds })
    .annotations({ description: "429, with Retry-After where given; not executed." }),
  Schema.Struct({ kind: Schema.Literal("customerBusy") }).annotations({ description: "521; not executed." }),
  Schema.Struct({ kind: Schema.Literal("tokenExpiry") })
    .annotations({ description: "The OAuth token of the call expires as it arrives: 401. Nothing happens to Basic calls." })
)

/** What happens to a call that is struck. */
export type FaultEffect = typeof FaultEffect.Type

/** A fault: matched by all of what it names; without any, every call. */
export const Fault = Schema.Struct({
  operation: reading.optional(reading.oneOf("enroll", "unenroll", "targetGroups", "token")),
  customerId: reading.optional(id),
  targetGroupId: reading.optional(id),
  nth: reading.optional(times).annotations({ description: "Only the nth matching call." }),
  first: reading.optional(times).annotations({ description: "Only the first so many matching calls." }),
  probability: reading.optional(
    Schema.Number.pipe(Schema.between(0, 1, { message: () => "must be a number from 0 to 1" }))
  ),
  times: reading.optional(times).annotations({ description: "Strikes at most so often." }),
  effect: FaultEffect
}).annotations({ identifier: "Fault", title: "A fault of the Milepost simulator" })

/** A fault. */
export type Fault = typeof Fault.Type

/** A fault in force, with how many calls it matched and struck. */
export interface InForce {
  readonly id: number
  readonly fault: Fault
  readonly matched: number
  readonly struck: number
}

/** The faults in force. */
export interface Faults {
  /** Adds one and answers its id. */
  readonly add: (fault: Fault) => Effect.Effect<number>
  readonly list: Effect.Effect<ReadonlyArray<InForce>>
  /** Takes one away; `false` where there is none of that id. */
  readonly remove: (id: number) => Effect.Effect<boolean>
  readonly clear: Effect.Effect<void>
}

/** The wrong places of a list of faults, all of them. */
export class FaultsInvalid extends Data.TaggedError("FaultsInvalid")<{
  readonly issues: ReadonlyArray<reading.Issue>
}> {
  /** One line a mistake. */
  override get message(): string {
    return reading.lines(this.issues)
  }
}

const decodeList = reading.decoder(Schema.Array(Fault))

/**
 * Reads a list of faults; fails with {@link FaultsInvalid} that names every mistake.
 *
 * @example
 * ```ts
 * import { Faults } from "@milepost/simulator"
 *
 * const faults = Faults.decode([{ operation: "enroll", nth: 3, effect: { kind: "reset", when: "after" } }])
 * ```
 */
export const decode = (json: unknown): Either.Either<ReadonlyArray<Fault>, FaultsInvalid> =>
  Either.mapLeft(decodeList(json), (issues) => new FaultsInvalid({ issues }))

/** Reads a list of faults from JSON text; fails with {@link FaultsInvalid}. */
export const fromText = (text: string): Either.Either<ReadonlyArray<Fault>, FaultsInvalid> =>
  Either.flatMap(Either.mapLeft(reading.parse(text), (issues) => new FaultsInvalid({ issues })), decode)

/** The JSON Schema (draft 7) of a list of faults, for editors. */
export const jsonSchema: JSONSchema.JsonSchema7Root = JSONSchema.make(Schema.Array(Fault))

/** What a fault is matched against. */
export interface Subject {
  readonly operation: Operation
  readonly customerId: number | null
  readonly targetGroupId: number | null
}

/** What strikes a call: the latencies' sum, and the first other effect. */
export interface Strike {
  readonly delayMillis: number
  readonly effect: Exclude<FaultEffect, { readonly kind: "latency" }> | null
}

/** Faults with their deciding side, for adapters. */
export interface Injector extends Faults {
  /** Decides a call's fate, once a call: it counts. */
  readonly unsafeStrike: (subject: Subject) => Strike
  /** Forgets every fault, then takes these. */
  readonly unsafeReplace: (faults: ReadonlyArray<Fault>) => void
}

const spared: Strike = { delayMillis: 0, effect: null }

const matches = (fault: Fault, subject: Subject): boolean =>
  (fault.operation === undefined || fault.operation === subject.operation) &&
  (fault.customerId === undefined || fault.customerId === subject.customerId) &&
  (fault.targetGroupId === undefined || fault.targetGroupId === subject.targetGroupId)

const strikes = (fault: Fault, matched: number, struck: number, random: PCGRandom): boolean =>
  (fault.nth === undefined || fault.nth === matched) &&
  (fault.first === undefined || matched <= fault.first) &&
  (fault.times === undefined || struck < fault.times) &&
  (fault.probability === undefined || random.number() < fault.probability)

/** Faults under a seed. */
export const make = (seed: number, initial: ReadonlyArray<Fault>): Injector => {
  let standing: Array<{ id: number; fault: Fault; matched: number; struck: number; readonly random: PCGRandom }> = []
  let added = 0
  const add = (fault: Fault): number => {
    const ordinal = ++added
    standing.push({ id: ordinal, fault, matched: 0, struck: 0, random: new PCGRandom(seed, ordinal) })
    return ordinal
  }
  const unsafeReplace = (faults: ReadonlyArray<Fault>): void => {
    standing = []
    added = 0
    for (const fault of faults) add(fault)
  }
  unsafeReplace(initial)
  return {
    add: (fault) => Effect.sync(() => add(fault)),
    list: Effect.sync(() => standing.map(({ fault, id: ordinal, matched, struck }) => ({ id: ordinal, fault, matched, struck }))),
    remove: (ordinal) =>
      Effect.sync(() => {
        const before = standing.length
        standing = standing.filter((one) => one.id !== ordinal)
        return standing.length < before
      }),
    clear: Effect.sync(() => {
      standing = []
    }),
    unsafeReplace,
    unsafeStrike: (subject) => {
      if (standing.length === 0) return spared
      let delayMillis = 0
      let effect: Strike["effect"] = null
      for (const one of standing) {
        if (!matches(one.fault, subject)) continue
        one.matched++
        const { effect: mine } = one.fault
        // The first that is not a latency decides; those after it have matched, but do not strike.
        if (mine.kind !== "latency" && effect !== null) continue
        if (!strikes(one.fault, one.matched, one.struck, one.random)) continue
        one.struck++
        if (mine.kind === "latency") delayMillis += mine.millis
        else effect = mine
      }
      return { delayMillis, effect }
    }
  }
}
