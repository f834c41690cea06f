/**
 * A transport that can also be called without a fiber: for a server that makes a call for each of its requests, and for which
 * starting a fiber would cost as much as the call.
 */
import type { Request, Response, Service } from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import type * as Exit from "effect/Exit"

/** The port with a second door. */
export interface Direct extends Service {
  /**
   * Sends one call at once and calls back once, at the earliest before it returns; nobody can interrupt it. `null` where
   * something may have to be waited for before a call can leave, as for an OAuth token: then there is only `send`.
   */
  readonly begin: ((request: Request, ended: (exit: Exit.Exit<Response, TransportError>) => void) => void) | null
}
