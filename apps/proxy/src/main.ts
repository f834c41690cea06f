/**
 * The composition root: which files, which sockets, which signals. Nothing else in this app provides a layer.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Lanes from "@milepost/engine/Lanes"
import * as UndiciTransport from "@milepost/http/UndiciTransport"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { performance } from "node:perf_hooks"
import * as KeysCommand from "./commands/KeysCommand.js"
import * as MigrateCommand from "./commands/MigrateCommand.js"
import * as Serve from "./commands/Serve.js"
import * as Database from "./Database.js"
import * as KeyDesk from "./keys/KeyDesk.js"
import * as Keys from "./keys/Keys.js"
import * as Log from "./operation/Log.js"
import * as Metrics from "./operation/Metrics.js"
import * as Traces from "./operation/Traces.js"
import * as Page from "./page/Page.js"
import type { Invocation } from "./Program.js"
import { Refused, setting } from "./Refused.js"
import * as Replicas from "./replicas/Replicas.js"
import * as Settings from "./settings/Settings.js"
import * as SharedDatabase from "./settings/SharedDatabase.js"
import * as Upstreams from "./upstream/Upstreams.js"

const done = 0
const refused = 2
const defect = 70

const nowMillis = (): number => performance.now()

/** Lines wait so long for others, because each write costs as much as many lines. */
const flushMillis = 10

const log = Log.make({
  sink: (text) => void process.stderr.write(text),
  nowMillis: () => Date.now(),
  later: (flush) => void setTimeout(flush, flushMillis)
})
process.on("exit", log.flush)

/** The setting that says where the data lies, for messages. */
const placed = ({ database }: Database.Place): string => database?.named ?? "MILEPOST_PROXY_DATA"

/** A database that starts together with this process is waited for. */
const patience: Database.Options = {
  patienceMillis: 30_000,
  waiting: () => log.write("warn", "waiting-for-database")
}

const keysIn = (place: Database.Place) =>
  Effect.flatMap(Database.open(place, { patienceMillis: 5_000, waiting: () => undefined }), (context) =>
    Effect.mapError(Effect.provide(Keys.make, context), ({ message }) => setting(placed(place), message)))

/** A wish about keys: a running service that has its file to itself fulfils it, else the data itself does. */
const keysCommand = (wish: Effect.Effect<KeyDesk.Wish, Refused>, json: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const asked = yield* wish
    const place = yield* Settings.place(process.env)
    const reply = place.database === null ? yield* KeyDesk.ask(place.data, asked) : null
    yield* KeysCommand.tell(reply ?? (yield* Effect.flatMap(keysIn(place), (keys) => KeyDesk.fulfil(keys, asked))), json)
    return done
  }))

/** Brings the data up to date and tells from where to where. */
const migrateCommand = (json: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const place = yield* Settings.place(process.env)
    yield* MigrateCommand.tell(place.database === null ? "file" : "database", yield* Database.migrate(place, patience), json)
    return done
  }))

const signal = (name: NodeJS.Signals, then: () => void) =>
  Effect.acquireRelease(Effect.sync(() => void process.on(name, then)), () => Effect.sync(() => void process.off(name, then)))

/** Completes at the first SIGTERM or SIGINT; a second one ends the process at once. */
const untilStopped = Effect.gen(function*() {
  const asked = yield* Deferred.make<void>()
  let isAsked = false
  const stop = (): void => {
    if (isAsked) process.exit(1)
    isAsked = true
    Deferred.unsafeDone(asked, Effect.void)
  }
  yield* signal("SIGTERM", stop)
  yield* signal("SIGINT", stop)
  return Deferred.await(asked)
})

/** Who is told to end gets so long, as the deployments do; what is in flight gets 30 seconds of it. */
const longestEndMillis = 42_000

/** Ends the process when it cannot end in order, because what was answered cannot be written down: it is sent again, and told apart. */
const endAtLast = (): void =>
  void setTimeout(() => {
    log.write("error", "not-stopped-in-time", { message: "what the upstream has answered could not be written down; those calls are repeated" })
    setTimeout(() => process.exit(1), 100)
  }, longestEndMillis).unref()

/** Organisations are read again at SIGHUP; a mistake changes nothing. */
const reloading = (orgs: Effect.Effect<Settings.Settings["orgs"], Refused, FileSystem.FileSystem>) =>
  Effect.gen(function*() {
    const upstreams = yield* Upstreams.Upstreams
    const runtime = yield* Effect.runtime<FileSystem.FileSystem>()
    const reload = Effect.matchEffect(orgs, {
      onFailure: ({ message }) => Effect.sync(() => log.write("error", "settings-refused", { message })),
      onSuccess: (found) =>
        Effect.zipRight(
          upstreams.replace(found),
          Effect.sync(() => log.write("info", "settings-reloaded", { orgs: found.map(({ id }) => id).join(",") }))
        )
    })
    yield* signal("SIGHUP", () => void Runtime.runFork(runtime)(reload))
  })

/** Spans, where there is a collector; where there is none, nothing of it is loaded. */
const tracing = (collector: Settings.Settings["collector"]): Effect.Effect<Traces.Traces | null, never, Scope.Scope> =>
  collector === null ? Effect.succeed(null) : Effect.gen(function*() {
    const { make } = yield* Effect.promise(() => import("./operation/Otlp.js"))
    const clock = yield* Effect.clock
    return Traces.make(yield* make(collector), () => clock.unsafeCurrentTimeNanos(), () => Math.random() < collector.share)
  })

/** Takes part among the replicas of a database. */
const joined = (database: SharedDatabase.SharedDatabase, listening: { readonly host: string; readonly port: number }) =>
  database.advertise === null && listening.port === 0
    ? Effect.fail(setting("MILEPOST_PROXY_ADVERTISE", "is needed where MILEPOST_PROXY_PORT is 0: the other replicas have to reach this one"))
    : Replicas.join(database, SharedDatabase.advertised(database.advertise, listening))

const serve = (
  pageFolder: string,
  settings: Settings.Settings,
  orgs: Effect.Effect<Settings.Settings["orgs"], Refused, FileSystem.FileSystem>,
  announce: (url: string) => Effect.Effect<void, Refused, Keys.Keys>
): Effect.Effect<number, Refused, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Database.open(settings, patience)
    const metrics = Metrics.make()
    const page = yield* Effect.mapError(Page.load(pageFolder), ({ message }) => new Refused({ setting: "installation", message }))
    const traces = yield* tracing(settings.collector)
    const replicas = settings.database === null ? null : yield* Effect.provide(joined(settings.database, settings), context)
    const services = Layer.mergeAll(
      Layer.succeed(Log.Log, log),
      Lanes.layerInProcess,
      NodeHttpServer.layerContext,
      Layer.mapError(Keys.layer, ({ message }) => setting(placed(settings), message)),
      Upstreams.layer({
        orgs: settings.orgs,
        queue: settings.queue,
        connect: (connection) =>
          Effect.map(UndiciTransport.make(connection), (transport) => {
            // The fence is the last one before the wire.
            const sender = replicas === null ? transport : replicas.fenced(transport)
            return traces === null ? sender : traces.traced(sender)
          }),
        ...(replicas === null ? {} : { route: replicas.route, pace: Upstreams.sharedPaces(replicas.sql, replicas.replica.id) }),
        watch: (org, request, exit, took) =>
          metrics.called(org, request.operation, Exit.isSuccess(exit) ? String(exit.value.status) : wordOf(exit.cause), took)
      })
    ).pipe(Layer.provideMerge(Layer.succeedContext(context)))
    return yield* Effect.gen(function*() {
      const stopped = yield* untilStopped
      yield* reloading(orgs)
      const serving = yield* Effect.mapError(
        Serve.serve({ ...settings, replicas, metrics, page, traces, nowMillis }),
        (error) => new Refused({ setting: error._tag === "CannotListen" ? "MILEPOST_PROXY_PORT" : placed(settings), message: error.message })
      )
      yield* announce(serving.url)
      log.write("info", "listening", { url: serving.url, orgs: settings.orgs.map(({ id }) => id).join(",") })
      yield* stopped
      log.write("info", "draining")
      yield* Effect.sync(endAtLast)
      yield* serving.drain
      log.write("info", "stopped")
      return done
    }).pipe(Effect.provide(services))
  })

const wordOf = (cause: Cause.Cause<{ readonly _tag: string }>): string =>
  Option.match(Cause.failureOption(cause), { onNone: () => "defect", onSome: ({ _tag }) => _tag })

const worldOf = (file: string | undefined): Effect.Effect<World.World, Refused, FileSystem.FileSystem> =>
  file === undefined ? Effect.succeed(World.sample) : Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(files.readFileString(file), () => setting("--world", `${file} cannot be read`))
    return yield* Effect.mapError(World.fromText(text), ({ message }) => setting("--world", `${file}: ${message}`))
  })

/** An upstream inside, a folder that is thrown away, and a key that is printed. */
const sandbox = (pageFolder: string, world: string | undefined): Effect.Effect<number, Refused, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const simulated = yield* worldOf(world)
    const simulator = yield* Simulator.make(simulated)
    const upstream = yield* SimulatorServer.serve().pipe(
      Effect.provideService(Simulator.Simulator, simulator),
      Effect.mapError(({ message }) => setting("--sandbox", message))
    )
    const variables = SimulatorServer.variables(upstream.url, simulated)
    const settings = yield* Settings.read({
      ...process.env,
      ...variables,
      MILEPOST_PROXY_ORG: "sandbox",
      MILEPOST_PROXY_UPSTREAMS: undefined,
      // Nothing of it is kept.
      DATABASE_URL: undefined,
      MILEPOST_DATABASE_URL: undefined,
      MILEPOST_DATABASE_URL_FILE: undefined
    })
    const data = yield* Effect.mapError(files.makeTempDirectoryScoped({ prefix: "milepost-proxy-" }), () => setting("TMPDIR", "no folder can be made there"))
    return yield* serve(pageFolder, { ...settings, data }, Effect.succeed(settings.orgs), (url) =>
      Effect.gen(function*() {
        const keys = yield* Keys.Keys
        const grant = { name: "sandbox", orgs: ["sandbox"], targetGroups: null, perMinute: null }
        const { secret } = yield* Effect.mapError(keys.create(grant), ({ message }) => setting("MILEPOST_PROXY_DATA", message))
        console.log([
          `MILEPOST_PROXY_URL=${url}`,
          `MILEPOST_API_KEY=${Redacted.value(secret)}`,
          `MILEPOST_SIMULATOR_URL=${upstream.url}`
        ].join("\n"))
      }))
  })

const program = (asked: Invocation, pageFolder: string): Effect.Effect<number, Refused, FileSystem.FileSystem> => {
  switch (asked.command) {
    case "serve":
      return Effect.scoped(
        asked.sandbox
          ? sandbox(pageFolder, asked.world)
          : Effect.flatMap(Settings.read(process.env), (settings) =>
            serve(pageFolder, settings, Settings.orgs(process.env), (url) => Effect.sync(() => console.log(`milepost-proxy listens at ${url}`))))
      )
    case "migrate":
      return migrateCommand(asked.json)
    case "keys create":
      return keysCommand(KeysCommand.create(asked.flags), asked.flags.json === true)
    case "keys list":
      return keysCommand(Effect.succeed({ _tag: "List" }), asked.json)
    case "keys revoke":
      return keysCommand(Effect.succeed({ _tag: "Revoke", id: asked.id }), asked.json)
  }
}

/** Runs a command to its exit code; the page's files lie in a folder beside the program. */
export const main = async (asked: Invocation, pageFolder: string): Promise<number> => {
  const fiber = Effect.runFork(Effect.provide(program(asked, pageFolder), NodeFileSystem.layer))
  const exit = await Effect.runPromise(Fiber.await(fiber))
  return Exit.match(exit, {
    onSuccess: (code) => code,
    onFailure: (cause) => {
      const failure = Cause.failureOption(cause)
      console.error(Option.isSome(failure) ? failure.value.message : Cause.pretty(cause))
      return Option.isSome(failure) ? refused : defect
    }
  })
}
