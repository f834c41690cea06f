/** `milepost status`: what a customer is enrolled in. Personal data of the answer never gets this far. */
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import * as Ids from "@milepost/core/Ids"
import * as TargetGroups from "@milepost/core/TargetGroups"
import type { Transport } from "@milepost/core/Transport"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Flags } from "../Invocation.js"
import { Output } from "../output/Output.js"
import * as Table from "../output/Table.js"
import * as Target from "./Target.js"

const text = (value: number | string | boolean | null): string => (value === null ? "" : String(value))

const day = (date: Date | null): string => (date === null ? "" : date.toISOString().slice(0, 10))

const groupText = (group: TargetGroups.TargetGroupStatus): string => {
  const targets = Table.render({
    head: ["target", "period", "from", "to", "achieved", "of", "enrolled on"],
    rows: group.targets.map((status) => [
      `${text(status.targetRuleId)} ${text(status.targetName)}`.trim(),
      `${text(status.periodRefCode)}${status.currentPeriod === true ? " (current)" : ""}`,
      day(status.periodStart),
      day(status.periodEnd),
      text(status.targetAchievedValue),
      text(status.targetValue),
      day(status.enrolledOn)
    ]),
    right: [4, 5]
  })
  const streaks = group.streaks.length === 0 ? "" : `\n${
    Table.render({
      head: ["streak", "status", "count", "of"],
      rows: group.streaks.map((streak) => [
        `${text(streak.streakId)} ${text(streak.streakName)}`.trim(),
        text(streak.status),
        text(streak.currentCount),
        text(streak.totalCount)
      ]),
      right: [2, 3]
    })
  }`
  return `Group ${group.id} ${text(group.name)} ${text(group.trackingType)}\n${targets}${streaks}`
}

const refusal = (error: TargetGroups.Error): Failure.Refused | null =>
  error._tag === "NotSent"
    ? Failure.notSent(error.message, error.reason)
    : null

/** What the flags ask for. */
export const query = (
  flags: Flags
): Either.Either<{ readonly customerId: Ids.CustomerId; readonly only: Ids.TargetGroupId | undefined }, Failure.Refused> =>
  Either.all({
    customerId: Target.customer(flags),
    only: flags.group === undefined
      ? Either.right(undefined)
      : Either.mapLeft(Ids.targetGroupIdFromText(flags.group), Target.named)
  })

/** Looks up and shows; a refusal of the upstream is shown with its code, exit code 1. */
export const command = (
  flags: Flags
): Effect.Effect<ExitCode, Failure.Refused, Transport | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const { customerId, only } = yield* query(flags)
    const includeInactive = flags.includeInactive
    const found = yield* Effect.either(
      TargetGroups.run({ customerId, includeInactive, includeInactiveTargets: includeInactive })
    )
    if (Either.isLeft(found)) {
      const error = found.left
      const notSent = refusal(error)
      if (notSent !== null) return yield* notSent
      const code = "code" in error ? error.code : "status" in error ? error.status : null
      if (output.json) {
        output.result(JSON.stringify({ error: { tag: error._tag, message: error.message, setting: null, code } }))
      } else {
        const remedy = typeof code === "number" ? ErrorCatalog.find(code)?.remedy : undefined
        output.note(`${output.style("red", "rejected")}  ${code ?? error._tag}: ${error.message}${remedy === undefined ? "" : `\n  ${remedy}`}`)
      }
      return error.disposition === "outcomeUnknown" ? ExitCode.unknown : ExitCode.rejected
    }
    const groups = found.right.filter((group) => only === undefined || group.id === only)
    if (output.json) output.result(JSON.stringify({ customerId, targetGroups: groups }))
    else if (groups.length === 0) output.result(`customer ${customerId} is in no ${only === undefined ? "target group" : `target of group ${only}`}`)
    else output.result(groups.map(groupText).join("\n\n"))
    return ExitCode.done
  })
