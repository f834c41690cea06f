/**
 * What an HTTP client has to do for a transport: send one thing, once, and bring back its whole answer.
 *
 * Everything else (credentials, renewal, paths, request ids) is above it, in `caller`, and written once.
 */
import type { Response } from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

/** One request as it goes over the wire. */
export interface Outgoing {
  readonly method: "POST" | "GET"
  /** From the host on. */
  readonly path: string
  /** Name, value, name, value: the form that undici takes without another copy. */
  readonly headers: ReadonlyArray<string>
  readonly body: string | null
  readonly requestId: string
  /** For the whole of it: waiting for a connection, sending, and reading the answer to its end. */
  readonly timeoutMillis: number
  readonly maxBodyBytes: number
  /** Takes the secrets that this request carries out of a text. */
  readonly scrub: (text: string) => string
}

/** Sends one request and reads its whole answer; never repeats it and follows no redirect. */
export type Exchange = (outgoing: Outgoing) => Effect.Effect<Response, TransportError>

/** The same without a fiber, for clients that can; calls back once, when there is an answer or a failure. */
export type Begin = (outgoing: Outgoing, ended: (exit: Exit.Exit<Response, TransportError>) => void) => void

/** All that leaves a transport of an answer's headers: nothing else is needed, and anything else may be a secret. */
const handedOn = ["retry-after", "date", "content-type", "content-length", "x-request-id", "x-correlation-id"] as const

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** An answer as it may leave the transport: few headers, no secret of ours, no byte order mark. */
export const answer = (outgoing: Outgoing, status: number, headers: Headers, body: string): Response => {
  const kept: Record<string, string> = {}
  for (const name of handedOn) {
    const value = headers[name]
    if (value === undefined) continue
    kept[name] = outgoing.scrub(typeof value === "string" ? value : value[0] ?? "")
  }
  const text = body.charCodeAt(0) === 0xfeff ? body.slice(1) : body
  return { status, headers: kept, body: outgoing.scrub(text), requestId: outgoing.requestId }
}

/** Whether an answer announces a body beyond the limit, so that none of it needs to be read. */
export const announcesTooMuch = (outgoing: Outgoing, headers: Headers): boolean =>
  Number(headers["content-length"]) > outgoing.maxBodyBytes
