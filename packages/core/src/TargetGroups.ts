/**
 * Looks up what a customer is enrolled in: `GET …/users/{userId}/targetGroups` (`docs/upstream.md`, *Look-up*).
 *
 * The answer is read leniently: unknown fields, new enumeration values and missing parts do not fail. Its personal data
 * (`data.customer`) is dropped while decoding and never leaves this module.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as ApiError from "./ApiError.js"
import * as Attempts from "./Attempts.js"
import * as Decode from "./Decode.js"
import type * as GatewayError from "./GatewayError.js"
import type * as Ids from "./Ids.js"
import * as Transport from "./Transport.js"
import type { TransportError } from "./TransportError.js"

/** Whom to look up, and how much of it. */
export interface Query {
  readonly customerId: Ids.CustomerId
  /** Also groups that are inactive; the upstream's default is not to. */
  readonly includeInactive?: boolean | undefined
  /** Also inactive targets of a group. */
  readonly includeInactiveTargets?: boolean | undefined
  /** Only what belongs to this target (target rule). */
  readonly targetRuleId?: Ids.TargetId | undefined
}

/** One target in one period, as far as the upstream tells. */
export interface TargetStatus {
  /** The target's id: match by this; `targetId` is `null` in observed answers. */
  readonly targetRuleId: number | null
  readonly targetName: string | null
  readonly periodRefCode: string | null
  readonly periodStart: Date | null
  readonly periodEnd: Date | null
  readonly currentPeriod: boolean | null
  readonly targetValue: number | null
  readonly targetAchievedValue: number | null
  /** When the customer was enrolled into this period; `null` when the answer does not say that one is. */
  readonly enrolledOn: Date | null
  readonly achievedOn: Date | null
}

/** The state of one streak. */
export interface StreakStatus {
  readonly streakId: number | null
  readonly streakName: string | null
  /** `NOT_STARTED`, `ACHIEVED` and others; new words may come. */
  readonly status: string | null
  readonly currentCount: number | null
  readonly totalCount: number | null
  readonly achievedOn: Date | null
}

/** A target group that the customer is in. */
export interface TargetGroupStatus {
  readonly id: number
  readonly name: string | null
  readonly orgId: number | null
  /** `DEFAULT`, `UNIFIED`, `STREAKS`, `CAPPING`; new words may come. */
  readonly trackingType: string | null
  readonly targets: ReadonlyArray<TargetStatus>
  readonly streaks: ReadonlyArray<StreakStatus>
}

/** What a look-up can fail with. */
export type Error =
  | ApiError.ApiError
  | ApiError.UndocumentedApiError
  | GatewayError.GatewayError
  | TransportError

const optional = <A>(schema: Schema.Schema<A>) => Schema.optional(Schema.NullOr(schema))

const number = optional(Schema.Number)
const text = optional(Schema.String)

const TargetJson = Schema.Struct({
  targetRuleId: number,
  targetName: text,
  periodRefCode: text,
  periodStartDate: text,
  periodEndDate: text,
  periodStartDateWithTimeStamp: text,
  periodEndDateWithTimeStamp: text,
  currentPeriod: optional(Schema.Boolean),
  targetValue: number,
  targetAchievedValue: number,
  enrolledOn: text,
  targetAchievedDateTime: text
})

const StreakJson = Schema.Struct({
  streakId: number,
  streakName: text,
  status: text,
  currentCount: number,
  totalTargetCountOfSequence: number,
  streakAchievedDateTime: text
})

const AnswerJson = Schema.Struct({
  targetGroups: Schema.optional(Schema.NullOr(Schema.Array(Schema.Struct({
    id: Schema.Number,
    name: text,
    orgId: number,
    trackingType: text,
    targets: Schema.optional(Schema.NullOr(Schema.Array(TargetJson))),
    streaks: Schema.optional(Schema.NullOr(Schema.Array(StreakJson)))
  }))))
})

const offsetWithoutColon = /([+-]\d{2})(\d{2})$/
const withoutZone = /T[\d:.]+$/

/**
 * A moment as the upstream writes it, with `Z` or with an offset without colon; `null` where it cannot be read. Without
 * either it is UTC: this machine's own zone must not decide.
 */
export const moment = (text: string | null | undefined): Date | null => {
  if (text === null || text === undefined) return null
  const zoned = withoutZone.test(text) ? `${text}Z` : text.replace(offsetWithoutColon, "$1:$2")
  const date = new Date(zoned)
  return Number.isNaN(date.getTime()) ? null : date
}

const targetStatus = (json: typeof TargetJson.Type): TargetStatus => ({
  targetRuleId: json.targetRuleId ?? null,
  targetName: json.targetName ?? null,
  periodRefCode: json.periodRefCode ?? null,
  periodStart: moment(json.periodStartDateWithTimeStamp ?? json.periodStartDate),
  periodEnd: moment(json.periodEndDateWithTimeStamp ?? json.periodEndDate),
  currentPeriod: json.currentPeriod ?? null,
  targetValue: json.targetValue ?? null,
  targetAchievedValue: json.targetAchievedValue ?? null,
  enrolledOn: moment(json.enrolledOn),
  achievedOn: moment(json.targetAchievedDateTime)
})

const streakStatus = (json: typeof StreakJson.Type): StreakStatus => ({
  streakId: json.streakId ?? null,
  streakName: json.streakName ?? null,
  status: json.status ?? null,
  currentCount: json.currentCount ?? null,
  totalCount: json.totalTargetCountOfSequence ?? null,
  achievedOn: moment(json.streakAchievedDateTime)
})

const decodeData = Schema.decodeUnknownEither(AnswerJson)

/** Reads the answer of a look-up; personal data is not part of what it returns. */
export const decode = (
  response: Transport.Response
): Either.Either<ReadonlyArray<TargetGroupStatus>, Decode.AnswerError> =>
  Either.flatMap(Decode.envelope(response), ({ data }) =>
    Either.mapBoth(decodeData(data), {
      // The parse error repeats what it met, which may be personal data: only the fact that it failed is kept.
      onLeft: () => Decode.malformed(response, "UnexpectedShape", "its data is not a list of target groups"),
      onRight: ({ targetGroups }) =>
        (targetGroups ?? []).map((group) => ({
          id: group.id,
          name: group.name ?? null,
          orgId: group.orgId ?? null,
          trackingType: group.trackingType ?? null,
          targets: (group.targets ?? []).map(targetStatus),
          streaks: (group.streaks ?? []).map(streakStatus)
        }))
    }))

const parameters = (query: Query): string => {
  const given = [
    query.includeInactive === undefined ? [] : [`includeInactive=${query.includeInactive}`],
    query.includeInactiveTargets === undefined ? [] : [`includeInactiveTargets=${query.includeInactiveTargets}`],
    query.targetRuleId === undefined ? [] : [`targetRuleId=${query.targetRuleId}`]
  ].flat()
  return given.length === 0 ? "" : `?${given.join("&")}`
}

/** The call of a look-up, before it knows where it goes. */
export const request = (query: Query, timeoutMillis?: number): Transport.Request => ({
  operation: "targetGroups",
  method: "GET",
  path: `/users/${query.customerId}/targetGroups${parameters(query)}`,
  body: null,
  customerId: query.customerId,
  timeoutMillis
})

/**
 * The target groups of a customer, retrying by disposition under the `RetryPolicy`; fails with {@link Error}.
 *
 * @example
 * ```ts
 * import { Ids, TargetGroups } from "@milepost/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.flatMap(Ids.customerId(564332013), (customerId) => TargetGroups.run({ customerId }))
 * ```
 */
export const run = (
  query: Query
): Effect.Effect<ReadonlyArray<TargetGroupStatus>, Error, Transport.Transport> =>
  Attempts.unwrap(
    Attempts.run((transport, timeoutMillis): Effect.Effect<ReadonlyArray<TargetGroupStatus>, Error> =>
      Effect.flatMap(transport.send(request(query, timeoutMillis)), decode)
    )
  )
