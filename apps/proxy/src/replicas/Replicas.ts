/** This process among the replicas that share its database: put together once, where there is such a database. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Fence from "@milepost/engine/Fence"
import * as Replica from "@milepost/engine/Replica"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type Refused, setting } from "../Refused.js"
import type { SharedDatabase } from "../settings/SharedDatabase.js"
import * as Store from "../Store.js"
import type { Inner } from "../upstream/Gate.js"
import * as Router from "./Router.js"

/** What works with the other replicas. */
export interface Replicas {
  readonly replica: Replica.Service
  /** Connections for what may not wait behind a job's: leases, and turns of a shared pace. */
  readonly sql: SqlClient
  /** What replicas know each other by. */
  readonly secret: Redacted.Redacted
  /** Takes calls of people to the replica that may make them. */
  readonly route: Router.Router
  /** Has the others look at once what is wished for. */
  readonly tellOthers: () => void
  /** Lets no call out for a lane of another. */
  readonly fenced: (inner: Inner) => Inner
}

/** Of a lease: how often it is refreshed, and how long before its end nothing is sent any more. */
const refreshShare = 1 / 5
const marginShare = 1 / 3

/** A look at the leases is not to wait for anything else. */
const connections = 3

/** Takes part until the scope ends; fails where the database belongs to others, or cannot be used. */
export const join = (
  { cluster, leaseMillis, named, url }: SharedDatabase,
  address: string
): Effect.Effect<Replicas, Refused, Scope.Scope | SqlClient> =>
  Effect.gen(function*() {
    const refresh = leaseMillis * refreshShare
    // Who has a file loads nothing of it.
    const PostgresLedger = yield* Effect.promise(() => import("@milepost/ledger/PostgresLedger"))
    const own = yield* Effect.mapError(
      PostgresLedger.make({ url, maxConnections: connections, applicationName: `${cluster}-leases`, connectMillis: refresh, statementMillis: refresh, migrate: false }),
      ({ message }) => setting(named, message)
    )
    const secret = yield* Effect.mapError(Store.clusterSecret, ({ message }) => setting(named, message))
    const replica = yield* Effect.mapError(
      Effect.provide(Replica.make({ cluster, address, lifetime: leaseMillis, refresh, margin: leaseMillis * marginShare }), own),
      (error) => error._tag === "ClusterMismatch" ? setting("MILEPOST_PROXY_CLUSTER", error.message) : setting(named, "the database cannot be used")
    )
    const { route, tell } = yield* Router.make({ owners: replica, secret, refresh: replica.refreshNow })
    const tellOthers = (): void => tell(replica.members().filter(({ id }) => id !== replica.id).map((member) => member.address))
    return { replica, secret, route, tellOthers, sql: Context.get(own, SqlClient), fenced: (inner) => Fence.around(replica, inner) }
  })
