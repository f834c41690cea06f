/**
 * What happens between us and the gateway: not sent, no answer, or an answer that is none.
 *
 * The one question that matters is whether the upstream can have executed the call. An error holds no request, response
 * or cause of an HTTP client: those hold credentials, and `JSON.stringify` or `util.inspect` would show them.
 */
import * as Data from "effect/Data"
import type { BlastRadius, Disposition } from "./Disposition.js"

/**
 * Why a call never left.
 *
 * - `Dns`: the host's name does not resolve. `Refused`: nothing listens there. `ConnectTimeout`: no connection in time.
 * - `Tls`: the certificate or the handshake failed. `Closed`: our own client is closed.
 * - `CredentialsRefused`: the token service refused key and secret. `TokenUnavailable`: it gave no token, for another reason.
 */
export type NotSentReason =
  | "Dns"
  | "Refused"
  | "ConnectTimeout"
  | "Tls"
  | "Closed"
  | "CredentialsRefused"
  | "TokenUnavailable"

const worthRepeating: ReadonlySet<NotSentReason> = new Set<NotSentReason>([
  "Dns",
  "Refused",
  "ConnectTimeout",
  "TokenUnavailable"
])

/** The call never left, or was answered 401 and no new token could be had: it was certainly not executed. */
export class NotSent extends Data.TaggedError("NotSent")<{
  readonly reason: NotSentReason
  /** What happened, naming host and port, never credentials. */
  readonly message: string
}> {
  get disposition(): Disposition {
    return worthRepeating.has(this.reason) ? "retryLater" : "rejected"
  }
  get blastRadius(): BlastRadius {
    return "everything"
  }
}

/** The call left and no whole answer came back (`Timeout`, or `Reset` by the other side): it may have been executed. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly reason: "Timeout" | "Reset"
  readonly message: string
  readonly requestId: string | null
}> {
  get disposition(): Disposition {
    return "outcomeUnknown"
  }
  get blastRadius(): BlastRadius {
    return "record"
  }
}

/**
 * An answer that succeeded but is not the documented JSON (a gateway's HTML page, an empty or cut-off body, another
 * shape), or an answer of any status that is longer than we are willing to read. It may have been executed.
 */
export class MalformedAnswer extends Data.TaggedError("MalformedAnswer")<{
  readonly reason: "Empty" | "NotJson" | "UnexpectedShape" | "TooLarge"
  readonly message: string
  readonly status: number
  readonly requestId: string | null
}> {
  get disposition(): Disposition {
    return "outcomeUnknown"
  }
  get blastRadius(): BlastRadius {
    return "record"
  }
}

/** Everything that a transport can fail with. */
export type TransportError = NotSent | NoAnswer | MalformedAnswer
