/**
 * What can be wrong with a request of a native route, as `application/problem+json` (RFC 9457): one row a type.
 *
 * Types are stable names; `docs/problems.md` is made of this table. A text repeats nothing of the upstream's but the
 * message of a code.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Schema from "effect/Schema"

/** One type of problem. */
export interface Row {
  readonly status: number
  readonly title: string
  /** What a caller does about it. */
  readonly remedy: string
}

/** Every type by its name. */
export const table = {
  "invalid-request": { status: 400, title: "The request cannot be read", remedy: "Mend what `detail` names and send it again." },
  unauthenticated: { status: 401, title: "The API key is missing, unknown or revoked", remedy: "Send `Authorization: Bearer <key>` with a valid key." },
  forbidden: { status: 403, title: "The key does not open this", remedy: "Use a key with this organisation and target group, or ask for one." },
  "not-found": { status: 404, title: "There is nothing here", remedy: "Check path and id. What belongs to other keys' organisations is not found either." },
  "method-not-allowed": { status: 405, title: "The method is not used here", remedy: "See /openapi.json." },
  "still-running": { status: 409, title: "The first request with this Idempotency-Key is still running", remedy: "Wait for `Retry-After`, then send the same request again." },
  "wrong-state": { status: 409, title: "The job is in no state for this", remedy: "Look at its state; a finished job can be neither paused nor resumed." },
  "too-large": { status: 413, title: "The body is too large", remedy: "Send a smaller one: `detail` names the limit." },
  "unsupported-media-type": { status: 415, title: "The content type is not understood", remedy: "Send `application/json`, or for a job `text/csv` or `application/x-ndjson`." },
  "other-request": { status: 422, title: "The Idempotency-Key was used for another request", remedy: "Use a new key for a new request." },
  rejected: { status: 422, title: "The record was refused for good", remedy: "Look `code` up in docs/error-codes.md; `input` means that the record never left." },
  "rate-limited": { status: 429, title: "The key's requests of this minute are used up", remedy: "Wait for `Retry-After`." },
  busy: { status: 429, title: "The organisation's queue or quota is full", remedy: "Wait for `Retry-After`. Nothing was sent." },
  internal: { status: 500, title: "The service has a defect", remedy: "Report it with the request id." },
  "upstream-refused": { status: 502, title: "The upstream refuses the service's own credentials or path", remedy: "Tell whoever runs the service." },
  unknown: { status: 502, title: "Nobody knows whether the record was executed", remedy: "Send it again: enrolling twice does no harm; or look the customer up." },
  "upstream-failed": { status: 502, title: "The upstream gave no usable answer", remedy: "Send the request again." },
  "upstream-down": { status: 503, title: "The upstream is down or cannot be reached", remedy: "Wait for `Retry-After`. Nothing was sent." },
  draining: { status: 503, title: "The service is about to stop", remedy: "Send the request again in a moment." },
  storage: { status: 503, title: "The service cannot write its data", remedy: "Wait; whoever runs the service looks at the disk, or the database." }
} as const satisfies Readonly<Record<string, Row>>

/** The name of a type. */
export type Name = keyof typeof table

/** A problem as it stands on the wire. */
export class Problem extends Schema.Class<Problem>("Problem")({
  type: Schema.String.annotations({ description: "Which problem it is: urn:milepost:problem: and a name of docs/problems.md." }),
  title: Schema.String,
  status: Schema.Int,
  detail: Schema.String.annotations({ description: "What it is this time." }),
  code: Schema.optional(Schema.NullOr(Schema.Union(Schema.Number, Schema.String))).annotations({
    description: "The upstream's code, or `input` for a record that never left."
  }),
  outcome: Schema.optional(Schema.String).annotations({ description: "How the record ended: rejected, unknown or skipped." }),
  afterAmbiguousAttempt: Schema.optional(Schema.Boolean),
  retryAfterSeconds: Schema.optional(Schema.Int)
}) {}

/** What is said beside the type. */
export interface Details {
  readonly code?: number | string | null
  readonly outcome?: string
  readonly afterAmbiguousAttempt?: boolean
  readonly retryAfterMillis?: number
}

/** The URN of a type. */
export const typeOf = (name: Name): string => `urn:milepost:problem:${name}`

/** A problem of this type. */
export const make = (name: Name, detail: string, { retryAfterMillis, ...details }: Details = {}): Problem => {
  const { status, title } = table[name]
  const wait = retryAfterMillis === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMillis / 1000)) }
  return new Problem({ type: typeOf(name), title, status, detail, ...details, ...wait })
}

/** The answer that tells a problem. */
export const response = (problem: Problem): HttpServerResponse.HttpServerResponse => {
  const headers: Record<string, string> = {}
  if (problem.retryAfterSeconds !== undefined) headers["retry-after"] = String(problem.retryAfterSeconds)
  if (problem.status === 401) headers["www-authenticate"] = "Bearer realm=\"milepost-proxy\""
  return HttpServerResponse.text(JSON.stringify(problem), { status: problem.status, contentType: "application/problem+json", headers })
}

/** Every type as a page for people. */
export const page = (): string =>
  [
    "<!-- Generated from apps/proxy/src/api/Problem.ts: do not edit. `pnpm exec vitest run -u` in apps/proxy writes it. -->",
    "",
    "# Problems",
    "",
    "What native routes of `milepost-proxy` answer when something is wrong: `application/problem+json` (RFC 9457). `type` is",
    "`urn:milepost:problem:` and a name of this table; it is stable, titles and details are for people. `code` is the upstream's code where",
    "there is one ([error codes](error-codes.md)), `retryAfterSeconds` repeats `Retry-After`.",
    "",
    "| name | status | what it says | what to do |",
    "| --- | --- | --- | --- |",
    ...Object.entries(table).map(([name, { remedy, status, title }]) => `| \`${name}\` | ${status} | ${title}. | ${remedy} |`),
    ""
  ].join("\n")
