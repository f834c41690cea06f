/**
 * One request and its answer, as access log and metrics see them.
 *
 * Whoever handles the request says which route it was and whose key it came with; nothing else of it is kept.
 */
import type * as Tracer from "effect/Tracer"
import type { IncomingMessage } from "node:http"

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

const exchanges = new WeakMap<IncomingMessage, Exchange>()

const acceptable = /^[A-Za-z0-9._-]{8,64}$/

/** Begins an exchange; a caller's own request id is kept where it is a plain one. */
export const begin = (req: IncomingMessage, nextId: () => string, nowMillis: number): Exchange => {
  const given = req.headers["x-request-id"]
  const exchange: Exchange = {
    id: typeof given === "string" && acceptable.test(given) ? given : nextId(),
    startedMillis: nowMillis,
    route: "unknown",
    key: null,
    org: null,
    span: null
  }
  exchanges.set(req, exchange)
  return exchange
}

/** The exchange of a request. */
export const of = (req: IncomingMessage): Exchange => {
  const found = exchanges.get(req)
  if (found === undefined) throw new Error("a request that no exchange was begun for")
  return found
}
