/** Shows how one call ended: a line for people, a document for programs. */
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import type * as Outcome from "@milepost/core/Outcome"
import type { Service as Output } from "../output/Output.js"

/** The record that a call was about. */
export interface About {
  readonly customerId: number
  readonly targetGroupId: number
  readonly targetId: number
  readonly periodName: string | null
}

/** The document of `--json` for one call. */
export const document = (about: About, outcome: Outcome.Outcome) => {
  const common = {
    outcome: outcome.outcome,
    customerId: about.customerId,
    targetGroupId: about.targetGroupId,
    targetId: about.targetId,
    periodName: about.periodName,
    warnings: "warnings" in outcome ? outcome.warnings : []
  }
  if (outcome.outcome === "skipped") return { ...common, reason: outcome.reason, message: outcome.message }
  const { attempts, requestId } = outcome
  if ("warnings" in outcome) return { ...common, attempts, requestId }
  const { code, message } = outcome
  return {
    ...common,
    code,
    message,
    ...(outcome.outcome === "unknown" ? {} : { afterAmbiguousAttempt: outcome.afterAmbiguousAttempt }),
    ...("tag" in outcome ? { tag: outcome.tag } : {}),
    attempts,
    requestId
  }
}

const remedyOf = (code: number | string | null): string => {
  const entry = typeof code === "number" ? ErrorCatalog.find(code) : undefined
  return entry === undefined ? "" : `\n  ${entry.remedy}`
}

const place = ({ customerId, periodName, targetGroupId, targetId }: About): string =>
  `customer ${customerId}, group ${targetGroupId}, target ${targetId}${periodName === null ? "" : `, period ${periodName}`}`

const tries = (attempts: number): string => (attempts > 1 ? ` (attempt ${attempts})` : "")

/** A line or two for people. */
export const text = (about: About, outcome: Outcome.Outcome, output: Output): string => {
  const where = place(about)
  switch (outcome.outcome) {
    case "enrolled":
    case "unenrolled": {
      const warnings = outcome.warnings.map(({ code, message }) =>
        `\n  ${output.style("yellow", "warning")} ${code ?? ""}: ${message}`
      )
      return `${output.style("green", outcome.outcome)}  ${where}${tries(outcome.attempts)}${warnings.join("")}`
    }
    case "already_enrolled":
      return `${output.style("green", outcome.outcome)}  ${where}${tries(outcome.attempts)}${
        outcome.afterAmbiguousAttempt
          ? "\n  An earlier attempt had no answer: it was that one, or somebody else's."
          : ""
      }`
    case "rejected":
      return `${output.style("red", outcome.outcome)}  ${where}${tries(outcome.attempts)}\n  ${outcome.code ?? outcome.tag}: ${outcome.message}${
        remedyOf(outcome.code)
      }`
    case "unknown":
      return `${output.style("yellow", outcome.outcome)}  ${where}${tries(outcome.attempts)}\n  ${outcome.message}\n  It may have been executed. milepost status --customer ${about.customerId} tells; repeating it is safe.`
    case "skipped":
      return `${output.style("yellow", outcome.outcome)}  ${where}\n  ${outcome.reason}: ${outcome.message}`
  }
}
