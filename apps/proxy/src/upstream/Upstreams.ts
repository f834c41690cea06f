/** All organisations that this process calls, by id: one upstream each, shared by everything that calls it. */
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
}

/** Upstreams of these organisations; their connections are closed with the scope. */
export const make = (options: {
  readonly orgs: ReadonlyArray<Org>
  readonly queue: number
  readonly watch: Watch
  /** How an organisation is reached: over sockets, unless a test says otherwise. */
  readonly connect?: (connection: Connection) => Effect.Effect<Gate.Inner, never, Scope.Scope>
  readonly route?: Router | undefined
}): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function*() {
    const connect = options.connect ?? UndiciTransport.make
    const outer = yield* Effect.scope
    let opened: ReadonlyMap<string, Opened> = new Map()

    const open = (org: Org, upstream: Upstream.Upstream | undefined): Effect.Effect<Opened> =>
      Effect.gen(function*() {
        const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
        const inner = yield* Scope.extend(connect(org.connection), scope)
        if (upstream === undefined) {
          const watch: Gate.Watch = (...call) => options.watch(org.id, ...call)
          return { scope, upstream: yield* Upstream.make({ org, inner, queue: options.queue, watch, route: options.route }) }
        }
        upstream.replace(org, inner)
        return { scope, upstream }
      })

    /** Calls that are on their way get their answers first. */
    const closeLater = ({ scope, upstream }: Opened, { timeoutMillis }: Connection): Effect.Effect<void> =>
      Effect.asVoid(Effect.forkIn(
        Effect.zipRight(Effect.sleep(timeoutMillis + Upstream.longestMillis), Scope.close(scope, Exit.succeed(upstream))),
        outer
      ))

    const replace = (orgs: ReadonlyArray<Org>): Effect.Effect<void> =>
      Effect.gen(function*() {
        const before = opened
        const after = new Map<string, Opened>()
        for (const org of orgs) {
          const known = before.get(org.id)
          const connection = known?.upstream.org().connection
          const next = yield* open(org, known?.upstream)
          after.set(org.id, next)
          if (known !== undefined && connection !== undefined) yield* closeLater(known, connection)
        }
        for (const [id, known] of before) {
          if (!after.has(id)) yield* closeLater(known, known.upstream.org().connection)
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
