/**
 * From an answer to what it means: pure, total, and in one fixed order.
 *
 * The body's code decides first, whatever the status; then the status; only then the shape (`docs/upstream.md`,
 * *Answers*). An unlisted code or status is an error of its own that keeps what was said.
 */
import * as Either from "effect/Either"
import * as ApiError from "./ApiError.js"
import * as GatewayError from "./GatewayError.js"
import type * as Ids from "./Ids.js"
import { clean } from "./internal/clean.js"
import { quietly } from "./internal/quietly.js"
import type { Response } from "./Transport.js"
import { MalformedAnswer } from "./TransportError.js"
import * as Wire from "./Wire.js"

/** The upstream accepted a call. */
export interface Accepted {
  readonly customerId: Ids.CustomerId
  /** The main action succeeded and a secondary one did not: keep them, show them. */
  readonly warnings: ReadonlyArray<Wire.Notice>
  readonly requestId: string | null
}

/** Everything that an answer can say other than yes. */
export type AnswerError =
  | ApiError.ApiError
  | ApiError.UndocumentedApiError
  | GatewayError.GatewayError
  | MalformedAnswer

const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/**
 * The wait that `Retry-After` asks for, in milliseconds: seconds, or a date counted from the answer's own `Date`, so
 * that a wrong clock on this machine changes nothing. `null` where there is none or it cannot be read.
 */
export const retryAfterMillis = (headers: Response["headers"]): number | null => {
  const value = headers["retry-after"]?.trim()
  if (value === undefined) return null
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const now = headers["date"]?.trim()
  if (!isDate.test(value) || now === undefined || !isDate.test(now)) return null
  const wait = Date.parse(value) - Date.parse(now)
  return Number.isNaN(wait) ? null : Math.max(0, wait)
}

const failed = (response: Response): boolean => response.status < 200 || response.status >= 300

/** With several errors, a refusal outweighs "already enrolled": otherwise a failure would count as done. */
const decisive = (errors: ReadonlyArray<Wire.Notice>): Wire.Notice | undefined =>
  errors.find((error) => error.code !== ApiError.AlreadyEnrolled.row.code) ?? errors[0]

// No part of the pattern runs over a `<`, so that the search stays linear whatever the page holds.
const title = (body: string): string => {
  const found = /<title[^<>]*>([^<]{1,120})<\/title>/i.exec(body)?.[1]
  return found === undefined ? "" : `, titled ${JSON.stringify(clean(found))}`
}

const shapes: Record<Wire.NotAnEnvelope, (response: Response) => string> = {
  Empty: () => "its body is empty",
  NotJson: ({ body, headers }) =>
    `its body is not JSON: ${body.length} characters of ${clean(headers["content-type"] ?? "unknown content")}${title(body)}`,
  UnexpectedShape: () => "its body is JSON of another shape than the documented {data, errors, warnings}"
}

/** An answer that succeeded but cannot be the upstream's. */
export const malformed = (response: Response, reason: Wire.NotAnEnvelope, detail?: string): MalformedAnswer =>
  quietly(() =>
    new MalformedAnswer({
      reason,
      status: response.status,
      requestId: response.requestId,
      message: `The upstream answered ${response.status}, but ${detail ?? shapes[reason](response)}.`
    })
  )

/**
 * Whether an error is the gateway's own: one that speaks the envelope's form repeats its status as the code, or gives
 * none. A 429 in such words must be waited out like any other.
 */
const isGatewaysOwn = ({ code }: Wire.Notice, { status }: Response): boolean =>
  (code === null || code === status) && GatewayError.rowOf(status) !== undefined

/** The envelope of a successful answer, or what went wrong. */
export const envelope = (response: Response): Either.Either<Wire.Envelope, AnswerError> => {
  const read = Wire.envelope(response.body)
  const error = Either.isRight(read) ? decisive(read.right.errors) : undefined
  if (error !== undefined && !isGatewaysOwn(error, response)) {
    const row = typeof error.code === "number" ? ApiError.rowOf(error.code) : undefined
    const message = error.message === "" ? row?.meaning ?? "The upstream gave no reason." : error.message
    const { requestId, status } = response
    return Either.left(quietly(() => ApiError.fromCode(error.code, { message, status, requestId })))
  }
  if (failed(response)) {
    const fields = { retryAfterMillis: retryAfterMillis(response.headers), requestId: response.requestId }
    return Either.left(quietly(() => GatewayError.fromStatus(response.status, fields)))
  }
  return Either.mapLeft(read, (reason) => malformed(response, reason))
}

/**
 * The answer to an enrol or un-enrol call: `data` is the customer's id (seed, *Response Parameters*), so another id, or
 * none, is not the answer to this call.
 */
export const accepted = (
  response: Response,
  customerId: Ids.CustomerId
): Either.Either<Accepted, AnswerError> => {
  const read = envelope(response)
  if (Either.isLeft(read)) return Either.left(read.left)
  const { data, warnings } = read.right
  return data === customerId || data === String(customerId)
    ? Either.right({ customerId, warnings, requestId: response.requestId })
    : Either.left(
      malformed(response, "UnexpectedShape", "it does not name the customer that the call was for")
    )
}
