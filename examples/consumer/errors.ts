/**
 * Every documented code by name. The compiler refuses a case that does not exist and, where the match is exhaustive, a
 * case that is missing.
 */
import { Enroll, Enrollment } from "@milepost/core"
import type { ApiError } from "@milepost/core/ApiError"
import * as Effect from "effect/Effect"
import * as Match from "effect/Match"

/** What a support agent reads. */
export const advice: (error: ApiError) => string = Match.type<ApiError>().pipe(
  Match.tags({
    AlreadyEnrolled: () => "Nothing to do: the customer is in.",
    InvalidCustomer: () => "Check the customer's id.",
    PeriodNotFound: () => "Check the period.",
    TargetGroupNotFound: () => "Check the target group.",
    TargetNotFound: () => "Check the target.",
    InvalidInput: (error) => error.message,
    DataScopeNotSupported: () => "Use SELF or OTHER.",
    // wrong: PeriodMissing: () => "There is no such case.",
    ConnectedOrgsNotSet: (error) => `Check the organisation (${error.code}).`
  }),
  Match.exhaustive
)

/** A program that handles two codes and leaves the rest in its error channel. */
export const program = Enrollment.streak({ targetGroupId: 40, targetId: 41, customerId: 564332013 }).pipe(
  Effect.flatMap(Enroll.run),
  Effect.catchTags({
    AlreadyEnrolled: () => Effect.succeed("was in before"),
    // wrong: StreakNotFound: () => Effect.succeed("there is no such case"),
    TargetGroupNotFound: (error) => Effect.succeed(error.message)
  })
)
