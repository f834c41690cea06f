/** Opens the ledger of a run's folder, and what can work on it: a port, so that a command names neither database nor lanes. */
import type { Transport } from "@milepost/core/Transport"
import type { Options, RunEnd } from "@milepost/engine/Engine"
import type * as Ledger from "@milepost/ledger/Ledger"
import type { OpenError, RunNotFound, StorageError, WrongState } from "@milepost/ledger/LedgerError"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A ledger that this process holds. */
export interface Opened {
  readonly ledger: Ledger.Service
  /** Sends what is pending; see `Engine.run`. */
  readonly send: (run: string, options: Options) => Effect.Effect<RunEnd, RunNotFound | StorageError | WrongState, Transport>
}

/** Opens ledgers. */
export interface Service {
  /** Holds the ledger in this file until the scope ends; without `create`, one that is missing is not made. */
  readonly open: (path: string, options: { readonly create: boolean }) => Effect.Effect<Opened, OpenError, Scope.Scope>
}

/** Opens ledgers. */
export class Ledgers extends Context.Tag("@milepost/cli/Ledgers")<Ledgers, Service>() {}
