/** All organisations that this process calls, by id: one upstream each, shared by everything that calls it. */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as SharedPace from "@milepost/engine/SharedPace"
import type { Connection } from "@milepost/http/Connection"
import * as UndiciTransport from "@milepost/http/UndiciTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Router } from "../replicas/Router.js"
import type * as Gate from "./Gate.js"
import type { Org } from "./Org.js"
import * as Upstream from "./Upstream.js"

/** All organisations. */
export interface Service {
  readonly get: (id: string) => Upstream.Upstream | undefined
  /** In the order of the configuration. */
  readonly all: () => ReadonlyArray<Upstream.Upstream>
  /** Goes on with other settings: what is new is added, what is gone takes no new calls, what has changed is called anew. */
  readonly replace: (orgs: ReadonlyArray<Org>) => Effect.Effect<void>
}

/** All organisations that this process calls. */
export class Upstreams extends Context.Tag("@milepost/proxy/Upstreams")<Upstreams, Service>() {}

/** Told of every call that came back, with the organisation it went to. */
export type Watch = (org: string, ...call: Parameters<Gate.Watch>) => void

/** Connections of an organisation, and how to close them. */
interface Opened {
  readonly upstream: Upstream.Upstream
  readonly scope: Scope.CloseableScope
  /** Lasts for as long as the upstream does, whatever its settings are. */
  readonly life: Scope.CloseableScope
}

/** How paces are made that replicas share: one row of the database an organisation. Its table is there. */
export const sharedPaces = (sql: SqlClient, replica: string) => (org: Org): Effect.Effect<Gate.MakePace, never, Scope.Scope> =>
  Effect.map(SharedPace.make({ sql, org: org.id, replica, callsPerSecond: org.limits.callsPerSecond }), (pace) =>
    ({ callsPerSecond, onMoved, waiting }) => {
      pace.limit(callsPerSecond)
      pace.connect({ waiting, onMoved })
      return pace
    })

/** Upstreams of these organisations; their connections are closed with the scope. */
export const make = (options: {
  readonly orgs: ReadonlyArray<Org>
  readonly queue: number
  readonly watch: Watch
  /** How an organisation is reached: over sockets, unless a test says otherwise. */
  readonly connect?: (connection: Connection) => Effect.Effect<Gate.Inner, never, Scope.Scope>
  readonly route?: Router | undefined
  /** How the pace of an organisation is made: of this process alone, unless replicas share one ({@link sharedPaces}). */
  readonly pace?: (org: Org) => Effect.Effect<Gate.MakePace, never, Scope.Scope>
}): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function*() {
    const connect = options.connect ?? UndiciTransport.make
    const outer = yield* Effect.scope
    let opened: ReadonlyMap<string, Opened> = new Map()

    const open = (org: Org, known: Opened | undefined): Effect.Effect<Opened> =>
      Effect.gen(function*() {
        const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
        const inner = yield* Scope.extend(connect(org.connection), scope)
        if (known === undefined) {
          const life = yield* Scope.fork(outer, ExecutionStrategy.sequential)
          const watch: Gate.Watch = (...call) => options.watch(org.id, ...call)
          const pace = options.pace === undefined ? undefined : yield* Scope.extend(options.pace(org), life)
          return { scope, life, upstream: yield* Upstream.make({ org, inner, queue: options.queue, watch, pace, route: options.route }) }
        }
        known.upstream.replace(org, inner)
        return { ...known, scope }
      })

    /** Calls that are on their way get their answers first. */
    const closeLater = (scopes: ReadonlyArray<Scope.CloseableScope>, { timeoutMillis }: Connection): Effect.Effect<void> =>
      Effect.asVoid(Effect.forkIn(
        Effect.zipRight(
          Effect.sleep(timeoutMillis + Upstream.longestMillis),
          Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { discard: true })
        ),
        outer
      ))

    const replace = (orgs: ReadonlyArray<Org>): Effect.Effect<void> =>
      Effect.gen(function*() {
        const before = opened
        const after = new Map<string, Opened>()
        for (const org of orgs) {
          const known = before.get(org.id)
          const connection = known?.upstream.org().connection
          const next = yield* open(org, known)
          after.set(org.id, next)
          if (known !== undefined && connection !== undefined) yield* closeLater([known.scope], connection)
        }
        for (const [id, known] of before) {
          if (!after.has(id)) yield* closeLater([known.scope, known.life], known.upstream.org().connection)
        }
        opened = after
      })

    yield* replace(options.orgs)
    return {
      get: (id) => opened.get(id)?.upstream,
      all: () => [...opened.values()].map(({ upstream }) => upstream),
      replace
    }
  })

/** Upstreams as a layer; see {@link make}. */
export const layer = (options: Parameters<typeof make>[0]): Layer.Layer<Upstreams> => Layer.scoped(Upstreams, make(options))
