/** A proxy in this process, on a free port of this machine, before a simulator on another. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import { afterEach } from "@effect/vitest"
import * as Lanes from "@milepost/engine/Lanes"
import * as UndiciTransport from "@milepost/http/UndiciTransport"
import { Ledger } from "@milepost/ledger/Ledger"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import * as Port from "@milepost/testing/Port"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { performance } from "node:perf_hooks"
import * as Serve from "../src/commands/Serve.js"
import * as Database from "../src/Database.js"
import type { Grant } from "../src/keys/ApiKey.js"
import { Keys, layer as keysLayer } from "../src/keys/Keys.js"
import * as Log from "../src/operation/Log.js"
import * as Metrics from "../src/operation/Metrics.js"
import type * as Traces from "../src/operation/Traces.js"
import * as Page from "../src/page/Page.js"
import * as Patience from "../src/server/Patience.js"
import * as Replicas from "../src/replicas/Replicas.js"
import * as Orgs from "../src/settings/Orgs.js"
import type { SharedDatabase } from "../src/settings/SharedDatabase.js"
import type { Inner } from "../src/upstream/Gate.js"
import * as Upstreams from "../src/upstream/Upstreams.js"
import * as Databases from "./databases.js"

/** Where the upstream's routes are. */
export const basePath = "/api_gateway/intouch-api-v3/v3.1"

/** What the secrets of the conformance world's tills are. */
export const upstreamSecret = "parent-secret"

/** A proxy and the simulator behind it. */
export interface Running {
  readonly url: string
  readonly simulator: Simulator.Service
  readonly simulatorUrl: string
  readonly upstreams: Upstreams.Service
  readonly metrics: Metrics.Metrics
  /** Makes a key and gives its secret. */
  readonly key: (grant?: Partial<Grant>) => Promise<{ readonly id: string; readonly secret: string }>
  readonly revoke: (id: string) => Promise<unknown>
  /** Everything that was logged so far. */
  readonly logged: () => string
  readonly drain: () => Promise<void>
  readonly stop: () => Promise<void>
  /** Ends the proxy and leaves the simulator. */
  readonly stopServing: () => Promise<void>
  /** The folder of its data, to start another one on. */
  readonly data: string
  readonly ledger: Context.Tag.Service<Ledger>
  /** Among others, where it shares a database. */
  readonly replicas: Replicas.Replicas | null
}

const running = new Set<() => Promise<void>>()
const folders = new Set<string>()

afterEach(async () => {
  for (const stop of running) await stop()
  for (const folder of folders) Fs.rmSync(folder, { recursive: true, force: true })
  folders.clear()
})

/** How a test's proxy differs. */
export interface Options {
  readonly world?: World.World
  readonly simulation?: Simulator.Options
  /** Settings of its organisations by the names of the environment; one called `brand` by default. */
  readonly orgs?: ReadonlyArray<Readonly<Record<string, string>>>
  readonly queue?: number
  readonly data?: string
  /** The address of a database that it shares, instead of a folder. */
  readonly database?: string
  readonly uploadBytes?: number
  readonly traces?: Traces.Traces
  readonly uploadPatience?: Patience.Patience
  readonly simulatorUrl?: string
  /** Where the page was built. */
  readonly page?: string
  /** How long replicas of the same database take it for alive: short, where a test waits for what it leaves behind. */
  readonly leaseMillis?: number
}

/** Starts a proxy; it ends with the test. */
export const start = async (options: Options = {}): Promise<Running> => {
  const simulation = Effect.runSync(Scope.make())
  const scope = Effect.runSync(Scope.make())
  const within = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Scope.extend(effect, scope))
  const world = options.world ?? World.conformance
  const simulator = await Effect.runPromise(Simulator.make(world, options.simulation))
  const simulatorUrl = options.simulatorUrl ??
    (await Effect.runPromise(Scope.extend(Effect.provideService(SimulatorServer.serve(), Simulator.Simulator, simulator), simulation))).url
  const data = options.data ?? Fs.mkdtempSync(NodePath.join(Os.tmpdir(), "milepost-proxy-"))
  folders.add(data)
  const orgs = await Effect.runPromise(
    Effect.forEach(options.orgs ?? [{}], (org) =>
      Orgs.fromEnvironment({
        MILEPOST_PROXY_ORG: "brand",
        MILEPOST_HOST: simulatorUrl,
        MILEPOST_USERNAME: "parent.till",
        MILEPOST_PASSWORD: upstreamSecret,
        ...org
      })).pipe(Effect.map((found) => found.flat()), Effect.provide(NodeFileSystem.layer))
  )
  let text = ""
  const log = Log.make({
    sink: (lines) => {
      text += lines
    },
    nowMillis: () => Date.now(),
    later: queueMicrotask
  })
  const metrics = Metrics.make()
  const port = options.database === undefined ? 0 : await Port.free()
  const place: Database.Place = options.database === undefined ? { data, database: null } : Databases.placeOf(options.database)
  const database: SharedDatabase | null = place.database === null ? null : {
    ...place.database,
    leaseMillis: options.leaseMillis ?? place.database.leaseMillis,
    advertise: `http://127.0.0.1:${port}`
  }
  const opened = await within(Effect.provide(Database.open({ ...place, database }, { patienceMillis: 30_000, waiting: () => undefined }), NodeFileSystem.layer))
  const replicas = database === null ? null : await within(Effect.provide(Replicas.join(database, database.advertise ?? ""), opened))
  const traced = (transport: Inner): Inner => options.traces === undefined ? transport : options.traces.traced(transport)
  const services = Layer.mergeAll(
    keysLayer,
    Layer.succeed(Log.Log, log),
    Lanes.layerInProcess,
    NodeHttpServer.layerContext,
    Upstreams.layer({
      orgs,
      queue: options.queue ?? 1_000,
      connect: (connection) =>
        Effect.map(UndiciTransport.make(connection), (transport) => traced(replicas === null ? transport : replicas.fenced(transport))),
      ...(replicas === null ? {} : { route: replicas.route, pace: Upstreams.sharedPaces(replicas.sql, replicas.replica.id) }),
      watch: (org, request, exit, took) =>
        metrics.called(org, request.operation, Exit.isSuccess(exit) ? String(exit.value.status) : "none", took)
    })
  ).pipe(Layer.provideMerge(Layer.succeedContext(opened)))
  const context = await within(Layer.build(services))
  const page = options.page === undefined
    ? Page.none
    : await Effect.runPromise(Effect.provide(Page.load(options.page), NodeFileSystem.layer))
  const serving = await within(Effect.provide(
    Serve.serve({ host: "127.0.0.1", port, data, replicas, uploadBytes: options.uploadBytes ?? 10_000_000, uploadPatience: options.uploadPatience ?? Patience.standard, retentionDays: 30, metrics, page, traces: options.traces ?? null, nowMillis: () => performance.now() }),
    context
  ))
  const keys = Context.get(context, Keys)
  let isServing = true
  const stopServing = async (): Promise<void> => {
    if (!isServing) return
    isServing = false
    await Effect.runPromise(Effect.zipRight(Effect.timeoutOption(serving.drain, "5 seconds"), Scope.close(scope, Exit.void)))
  }
  const stop = async (): Promise<void> => {
    running.delete(stop)
    await stopServing()
    await Effect.runPromise(Scope.close(simulation, Exit.void))
  }
  running.add(stop)
  return {
    url: serving.url,
    simulator,
    simulatorUrl,
    upstreams: Context.get(context, Upstreams.Upstreams),
    metrics,
    data,
    ledger: Context.get(context, Ledger),
    replicas,
    key: async (grant) => {
      const made = await Effect.runPromise(keys.create({ name: "a test", orgs: ["brand"], targetGroups: null, perMinute: null, ...grant }))
      return { id: made.key.id, secret: Redacted.value(made.secret) }
    },
    revoke: (id) => Effect.runPromise(keys.revoke(id)),
    logged: () => text,
    drain: () => Effect.runPromise(serving.drain),
    stop,
    stopServing
  }
}

/** A request with a key. */
export const call = async (
  url: string,
  options: { readonly secret?: string; readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {}
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> => {
  const { body, headers, method = body === undefined ? "GET" : "POST", secret } = options
  const answer = await fetch(url, {
    method,
    headers: {
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers
    },
    ...(body === undefined ? {} : { body })
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** The body of an enrol call. */
export const enrolBody = (customerId: number, more: object = { periodName: "Cycle_3" }): string => JSON.stringify([{ customerId, ...more }])

/** The path of an enrol call. */
export const enrolPath = (group = 2154, target = 2309, verb = "enroll"): string => `${basePath}/targetGroups/${group}/targets/${target}/${verb}`
