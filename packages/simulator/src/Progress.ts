/**
 * Progress: what customers do by themselves, which the upstream counts and no operation of the API tells it.
 *
 * Without it nobody could see resuming apart from starting afresh: an activity adds to the achieved value of a milestone's
 * period, a streak level is achieved. Events come from a test, or over `POST /__sim/events`.
 */
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as reading from "./internal/reading.js"

const id = reading.whole(1, Number.MAX_SAFE_INTEGER, "a whole number from 1 to 2^53-1")

const whose = { customerId: id, targetGroupId: id, targetId: id }

/** Something that a customer did. */
export const Event = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("activity"),
    ...whose,
    periodName: reading.optional(Schema.String),
    add: reading.whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "a whole number within ±(2^53-1)")
  }).annotations({
    description: "Adds to the achieved value of the named period, or of the current one; less than 0 for what is taken back."
  }),
  Schema.Struct({
    type: Schema.Literal("streakLevel"),
    ...whose,
    levels: reading.optional(reading.whole(1, 10_000, "a whole number from 1 to 10000"))
  }).annotations({ description: "Achieves the streak's next level, or the next so many." })
).annotations({ identifier: "ProgressEvent", title: "A progress event of the Milepost simulator" })

/** Something that a customer did. */
export type Event = typeof Event.Type

/** The wrong places of an event, all of them. */
export class EventInvalid extends Data.TaggedError("EventInvalid")<{
  readonly issues: ReadonlyArray<reading.Issue>
}> {
  /** One line a mistake. */
  override get message(): string {
    return reading.lines(this.issues)
  }
}

/** The event counts for nobody: no such group, target or period, or the customer is not in it. Nothing has changed. */
export class ProgressRefused extends Data.TaggedError("ProgressRefused")<{
  readonly reason: "GroupUnknown" | "TargetUnknown" | "PeriodUnknown" | "NotAStreak" | "NotEnrolled" | "NoLevelLeft"
  readonly message: string
}> {}

const decodeEvent = reading.decoder(Event)

/**
 * Reads an event; fails with {@link EventInvalid} that names every mistake.
 *
 * @example
 * ```ts
 * import { Progress } from "@milepost/simulator"
 *
 * const event = Progress.decode({ type: "activity", customerId: 7, targetGroupId: 2154, targetId: 2309, add: 250 })
 * ```
 */
export const decode = (json: unknown): Either.Either<Event, EventInvalid> =>
  Either.mapLeft(decodeEvent(json), (issues) => new EventInvalid({ issues }))
