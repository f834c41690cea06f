/**
 * A world: everything that the simulated upstream knows at the start, as JSON.
 *
 * Organisations and who may act for them, target groups with their targets and periods, customers (a million are one
 * line) and what they are enrolled in already. It is data only; `Simulator.make` brings it to life. Decoding collects
 * every mistake and says where it is.
 */
import * as Ids from "@milepost/core/Ids"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import { conformanceWorld, sampleWorld } from "./internal/builtInWorlds.js"
import * as reading from "./internal/reading.js"
import { mistakesIn } from "./internal/worldMistakes.js"

const written = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/

const isInstant = (text: string): boolean => {
  const day = Number(text.slice(8, 10))
  return !Number.isNaN(Date.parse(text)) &&
    new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1, day)).getUTCDate() === day
}

const expectedInstant = "must be a date such as 2026-01-31, or an instant such as 2026-01-31T23:59:59Z"

const Instant = Schema.String.pipe(
  Schema.filter((text) => written.test(text) && isInstant(text), {
    message: () => expectedInstant,
    jsonSchema: { pattern: written.source }
  })
).annotations({ description: "A date (midnight UTC), or an instant with Z or an offset." })

const Id = Ids.Id.annotations({ message: () => "must be a whole number from 1 to 2^53-1", description: "An id: 1 to 2^53-1." })
const Text = Schema.String.pipe(Schema.minLength(1, { message: () => "must not be empty" }))
const Count = reading.whole(1, 100_000_000, "a whole number from 1 to 100000000")
const Amount = reading.whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, "a whole number within ±(2^53-1)")
const Level = reading.whole(0, 10_000, "a whole number from 0 to 10000")

/** How many calls an organisation may make in a minute of virtual time; the next is answered 429. */
export const RateLimit = Schema.Struct({
  perMinute: reading.whole(1, 1_000_000_000, "a whole number from 1"),
  retryAfter: reading.optional(
    Schema.Union(Schema.Literal("window", "none"), Schema.Number.pipe(Schema.int(), Schema.between(0, 86_400))).annotations({
      message: () => ({ message: "must be window, none, or a whole number of seconds", override: true }),
      description: "What Retry-After says: the rest of the `window` (the default), nothing (`none`), or so many seconds."
    })
  )
}).annotations({ identifier: "RateLimit" })

/** A business unit; one with a `parentId` is a child of that one, and the two are connected. */
export const Org = Schema.Struct({
  id: Id,
  parentId: reading.optional(Id),
  rateLimit: reading.optional(RateLimit)
}).annotations({ identifier: "Org" })

const access = reading.optional(reading.oneOf("default", "none").annotations({
  description: "Whether the access group may call these operations; `none` is answered 403."
}))

/** A till: username and password, as the password itself; clients send its MD5 (`docs/upstream.md`, *Authentication*). */
export const BasicCredential = Schema.Struct({
  type: Schema.Literal("basic"),
  username: Text,
  password: Text,
  orgId: Id,
  access
}).annotations({ identifier: "BasicCredential" })

/** An OAuth client; its tokens live `ttlSeconds` of virtual time, 3600 at most and by default. */
export const OAuthCredential = Schema.Struct({
  type: Schema.Literal("oauth"),
  key: Text,
  secret: Text,
  orgId: Id,
  ttlSeconds: reading.optional(reading.whole(1, 3600, "a whole number of seconds from 1 to 3600")),
  access
}).annotations({ identifier: "OAuthCredential" })

/** What is measured inside a target group. */
export const Target = Schema.Struct({
  id: Id,
  name: reading.optional(Text),
  targetValue: reading.optional(Amount)
}).annotations({ identifier: "Target" })

/** A dated window of a target group: from `start` on and before `end`. */
export const Period = Schema.Struct({
  refCode: Text,
  start: Instant,
  end: Instant
}).annotations({ identifier: "Period" })

/** One level of a streak, in the order in which they are achieved. */
export const StreakLevel = Schema.Struct({ name: Text, count: Count }).annotations({ identifier: "StreakLevel" })

/** The container of targets and periods. */
export const TargetGroup = Schema.Struct({
  id: Id,
  orgId: Id,
  name: reading.optional(Text),
  trackingType: reading.oneOf("DEFAULT", "UNIFIED", "STREAKS", "CAPPING"),
  evaluationType: reading.optional(
    reading.oneOf("FIXED_CALENDAR_WINDOW", "CYCLIC_WINDOW", "PERIOD_AGNOSTIC_WINDOW")
  ),
  active: reading.optional(Schema.Boolean).annotations({ description: "Default true; a deactivated group is not found." }),
  targets: Schema.Array(Target),
  periods: Schema.Array(Period),
  streakLevels: reading.optional(Schema.Array(StreakLevel))
}).annotations({ identifier: "TargetGroup" })

/** Ids `from`, `from + step`, …, `count` of them; `step` is 1 by default. */
export const Range = Schema.Struct({
  from: Id,
  count: Count,
  step: reading.optional(Count)
}).annotations({ identifier: "Range" })

/** Customers of an organisation: one `id`, or a range by `from`, `count` and `step`. */
export const Customers = Schema.Struct({
  orgId: Id,
  id: reading.optional(Id),
  from: reading.optional(Id),
  count: reading.optional(Count),
  step: reading.optional(Count)
}).annotations({ identifier: "Customers" })

/**
 * What a customer, or each of a range, is enrolled in before the first call. In a milestone from `periodName` on (that
 * period alone where cycles are `perPeriod`), holding `achieved` in that period; with `unenrolled` the same, but left.
 */
export const PriorEnrollment = Schema.Struct({
  customerId: reading.optional(Id),
  customers: reading.optional(Range),
  targetGroupId: Id,
  targetId: Id,
  periodName: reading.optional(Text),
  achieved: reading.optional(Amount),
  unenrolled: reading.optional(Schema.Boolean),
  level: reading.optional(Level).annotations({ description: "Streaks: how many levels are achieved." })
}).annotations({ identifier: "PriorEnrollment" })

const cyclesDescription =
  "What a call for one cycle enrols into: `onwards` that cycle and all later ones (the default), `perPeriod` that one alone."

/** The schema of a world. */
export const World = Schema.Struct({
  $schema: reading.optional(Schema.String),
  description: reading.optional(Schema.String),
  clock: reading.optional(Instant),
  clockRuns: reading.optional(Schema.Boolean).annotations({
    description: "Whether virtual time moves on as real time does, as load tests want it; default false: it stands until it is moved."
  }),
  cycles: reading.optional(reading.oneOf("onwards", "perPeriod")).annotations({ description: cyclesDescription }),
  errorStatus: reading.optional(reading.whole(200, 599, "an HTTP status from 200 to 599")).annotations({
    description: "The HTTP status of an application error, which is not documented; default 200."
  }),
  orgs: Schema.Array(Org),
  credentials: Schema.Array(Schema.Union(BasicCredential, OAuthCredential)),
  targetGroups: Schema.Array(TargetGroup),
  customers: Schema.Array(Customers),
  enrollments: reading.optional(Schema.Array(PriorEnrollment))
}).annotations({ identifier: "World", title: "A world of the Milepost simulator" })

/** A world, as people write it; defaults are applied when it is brought to life. */
export type World = typeof World.Type

/** The wrong places of a world, all of them. */
export class WorldInvalid extends Data.TaggedError("WorldInvalid")<{
  readonly issues: ReadonlyArray<reading.Issue>
}> {
  /** One line a mistake. */
  override get message(): string {
    return reading.lines(this.issues)
  }
}

const decodeShape = reading.decoder(World)

/**
 * Reads a world; fails with {@link WorldInvalid} that names every mistake: first those of shape, then those of sense, such
 * as an unknown organisation or two periods that overlap.
 *
 * @example
 * ```ts
 * import { World } from "@milepost/simulator"
 * import { Either } from "effect"
 *
 * const world = World.decode({ orgs: [{ id: 100 }], credentials: [], targetGroups: [], customers: [{ orgId: 100, id: 7 }] })
 * if (Either.isLeft(world)) throw world.left
 * ```
 */
export const decode = (json: unknown): Either.Either<World, WorldInvalid> =>
  decodeShape(json).pipe(
    Either.flatMap((world) => {
      const mistakes = mistakesIn(world)
      return mistakes.length === 0 ? Either.right(world) : Either.left(mistakes)
    }),
    Either.mapLeft((issues) => new WorldInvalid({ issues }))
  )

/** Reads a world from JSON text; fails with {@link WorldInvalid}. */
export const fromText = (text: string): Either.Either<World, WorldInvalid> =>
  Either.flatMap(Either.mapLeft(reading.parse(text), (issues) => new WorldInvalid({ issues })), decode)

/** The JSON Schema (draft 7) of a world, for editors. */
export const jsonSchema: JSONSchema.JsonSchema7Root = JSONSchema.make(World)

/** When virtual time starts in a world that does not say: 2026-01-01T00:00:00Z. */
export const defaultClock = "2026-01-01T00:00:00Z"

/**
 * A rich world to try things in: a parent, its child and an unconnected organisation, tills and an OAuth client, milestones
 * with ten cycles and with three periods, a streak of four levels, a deactivated group, customers 564332001 to 564340000.
 */
export const sample: World = sampleWorld

/** The world that the conformance cases are written for: small, with a customer of its own for every case. */
export const conformance: World = conformanceWorld
