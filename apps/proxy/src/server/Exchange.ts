/**
 * One request and its answer, as access log and metrics see them.
 *
 * Whoever handles the request says which route it was and whose key it came with; nothing else of it is kept.
 */
import type * as Tracer from "effect/Tracer"
import { IncomingMessage } from "node:http"

/** One request. */
export interface Exchange {
  /** Under which the caller, the log and the answer name it. */
  readonly id: string
  readonly startedMillis: number
  route: string
  /** Whose key; `null` as long as nobody has shown one. */
  key: string | null
  org: string | null
  /** Its span, where it is traced. */
  span: Tracer.Span | null
}

/** A request that carries its exchange: what the server makes of every connection's bytes. */
export class Incoming extends IncomingMessage {
  exchange: Exchange | null = null
}

const acceptable = /^[A-Za-z0-9._-]{8,64}$/

/** Begins an exchange; a caller's own request id is kept where it is a plain one. */
export const begin = (req: Incoming, nextId: () => string, nowMillis: number): Exchange => {
  const given = req.headers["x-request-id"]
  req.exchange = {
    id: typeof given === "string" && acceptable.test(given) ? given : nextId(),
    startedMillis: nowMillis,
    route: "unknown",
    key: null,
    org: null,
    span: null
  }
  return req.exchange
}

/** The exchange of a request. */
export const of = (req: IncomingMessage): Exchange => {
  if (!(req instanceof Incoming) || req.exchange === null) throw new Error("a request that no exchange was begun for")
  return req.exchange
}
