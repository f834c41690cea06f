/**
 * The upstream's envelope as the proxy writes it: what the upstream said, or what the proxy has to say in its place.
 *
 * A refusal of the gateway, or of the proxy, carries its status as its code: a client that decides by the body's code and
 * one that decides by the status come to the same end.
 */
import * as ApiError from "@milepost/core/ApiError"
import type { Accepted } from "@milepost/core/Decode"
import type { CallError } from "@milepost/core/Outcome"
import type { Notice } from "@milepost/core/Wire"
import type { Busy } from "../upstream/Upstream.js"

/** A whole answer. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** No header fields. */
export const none: Answer["headers"] = {}

const noticesOf = (notices: ReadonlyArray<Notice>): ReadonlyArray<Notice> | null => notices.length === 0 ? null : notices

/** The upstream accepted the call. */
export const accepted = ({ customerId, warnings }: Accepted): Answer => ({
  status: 200,
  body: warnings.length === 0
    ? `{"data":${customerId},"errors":null,"warnings":null}`
    : JSON.stringify({ data: customerId, errors: null, warnings: noticesOf(warnings) }),
  headers: none
})

/** An error in the upstream's words. */
export const refusal = (status: number, code: number | string | null, message: string, headers: Answer["headers"] = none): Answer => ({
  status,
  body: JSON.stringify({ data: null, errors: [{ code, message }], warnings: null }),
  headers
})

/** A refusal of the proxy's own, under a status. */
export const own = (status: number, message: string, headers?: Answer["headers"]): Answer => refusal(status, status, message, headers)

/** A documented code that the proxy answers in the upstream's place, because it would come to the same. */
export const documented = (row: ApiError.Row, message: string = row.meaning): Answer => refusal(400, row.code, message)

/** Seconds for `Retry-After`, at least one. */
export const retryAfter = (millis: number): Answer["headers"] => ({ "retry-after": String(Math.max(1, Math.ceil(millis / 1000))) })

/** A call that was not begun. */
export const busy = ({ message, reason, retryAfterMillis }: Busy): Answer =>
  own(reason === "Down" ? 503 : 429, message, retryAfter(retryAfterMillis))

/** Statuses of the gateway that say the same to our caller as they said to us. */
const passedOn: ReadonlySet<number> = new Set([400, 461, 500, 502, 503, 504, 521])

const byStatus = (status: number, message: string, retryAfterMillis: number | null): Answer => {
  if (status === 401 || status === 403) return own(502, "The upstream refuses the proxy's own credentials or permissions; tell whoever runs it.")
  if (status === 429) return own(429, message, retryAfter(retryAfterMillis ?? 1_000))
  if (!passedOn.has(status)) return own(502, message)
  return own(status, message, retryAfterMillis === null ? undefined : retryAfter(retryAfterMillis))
}

/** How a call ended that the upstream did not accept. */
export const failed = (error: CallError): Answer => {
  if ("code" in error) return refusal(error.status, error.code, error.message)
  switch (error._tag) {
    case "NotSent":
      return own(503, error.message, retryAfter(1_000))
    case "NoAnswer":
      return own(error.reason === "Timeout" ? 504 : 502, error.message)
    case "MalformedAnswer":
      return own(502, error.message)
    default:
      return byStatus(error.status, error.message, error.retryAfterMillis)
  }
}
