/**
 * The composition root: which transport, which files, which streams. Nothing else in this app provides a layer.
 */
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type * as World from "@milepost/simulator/World"
import type { Transport } from "@milepost/core/Transport"
import { LedgerUnwritable } from "@milepost/ledger/LedgerError"
import { setFlagsFromString } from "node:v8"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Cancellation from "./bulk/Cancellation.js"
import * as Ledgers from "./bulk/Ledgers.js"
import { ExitCode } from "./ExitCode.js"
import * as Failure from "./Failure.js"
import { type Flags, type Invocation, sending } from "./Invocation.js"
import * as NodeOutput from "./output/NodeOutput.js"
import { failureDocument, Output } from "./output/Output.js"
import * as Profile from "./settings/Profile.js"
import * as Settings from "./settings/Settings.js"
import * as Upstream from "./settings/Upstream.js"

const settingsLayer = (
  flags: Flags
): Layer.Layer<Settings.Settings, Failure.Refused, FileSystem.FileSystem | Path.Path | Output> =>
  Layer.effect(
    Settings.Settings,
    Effect.gen(function*() {
      const environment = process.env
      const output = yield* Output
      const profile = yield* Profile.load({ config: flags.config, profile: flags.profile, environment })
      if (profile?.exposed === true) {
        output.note(`${profile.label} holds a secret and can be read by others: chmod 600 it.`)
      }
      return Settings.make({
        environment,
        profile,
        flags: {
          host: flags.host,
          base_path: flags.basePath,
          username: flags.username,
          data_scope: flags.dataScope,
          data_scope_org: flags.dataScopeOrg,
          timeout: flags.timeout,
          rate: flags.rate,
          concurrency: flags.concurrency,
          via: flags.via,
          org: flags.org
        }
      })
    })
  )

const readText = (flag: string, file: string): Effect.Effect<string, Failure.Refused, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Effect.mapError(files.readFileString(file), () => Failure.usage(`${flag}: ${file} cannot be read`, flag)))

const worldOf = (flags: Flags): Effect.Effect<World.World, Failure.Refused, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const World = yield* Effect.promise(() => import("@milepost/simulator/World"))
    if (flags.world === undefined) return World.sample
    const file = flags.world
    return yield* Effect.mapError(
      Effect.flatMap(readText("--world", file), World.fromText),
      (error) => error._tag === "Refused" ? error : Failure.usage(`--world: ${file}: ${error.message}`, "--world")
    )
  })

const simulatorOf = (flags: Flags, world: World.World) =>
  Effect.gen(function*() {
    const Simulator = yield* Effect.promise(() => import("@milepost/simulator/Simulator"))
    if (flags.faults === undefined) return Simulator.layer(world)
    const Faults = yield* Effect.promise(() => import("@milepost/simulator/Faults"))
    const file = flags.faults
    const faults = yield* Effect.mapError(
      Effect.flatMap(readText("--faults", file), Faults.fromText),
      (error) => error._tag === "Refused" ? error : Failure.usage(`--faults: ${file}: ${error.message}`, "--faults")
    )
    return Simulator.layer(world, { faults })
  })

const sandboxLayer = (flags: Flags) =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const SimulatorTransport = yield* Effect.promise(() => import("@milepost/simulator/SimulatorTransport"))
    const simulator = yield* simulatorOf(flags, yield* worldOf(flags))
    return Layer.provide(SimulatorTransport.layer, simulator)
  }))

const liveLayer = Layer.unwrapEffect(Effect.gen(function*() {
  const UndiciTransport = yield* Effect.promise(() => import("@milepost/http/UndiciTransport"))
  return UndiciTransport.layer(yield* Upstream.connection(yield* Settings.Settings))
}))

const upstreamLayer = (
  flags: Flags
): Layer.Layer<Transport, Failure.Refused, Settings.Settings | FileSystem.FileSystem> =>
  flags.sandbox === true ? sandboxLayer(flags) : liveLayer

/**
 * Lets the heap grow by less between collections. A bulk run makes much garbage and keeps little: by V8's default the
 * process would hold half as much again for the same live data; with less room than this it would mostly collect.
 */
const keepHeapSmall = Effect.sync(() => setFlagsFromString("--heap-growing-percent=200"))

/** Ledgers in files, and lanes on Effect Cluster over the same connection. */
const ledgersLayer: Layer.Layer<Ledgers.Ledgers> = Layer.succeed(Ledgers.Ledgers, {
  open: (path, { create }) =>
    Effect.gen(function*() {
      const [Engine, { Ledger }, LibsqlLedger] = yield* Effect.promise(() =>
        Promise.all([import("@milepost/engine/Engine"), import("@milepost/ledger/Ledger"), import("@milepost/ledger/LibsqlLedger")])
      )
      const context = yield* LibsqlLedger.make({ path, create })
      const lanes = Engine.layerSingle.pipe(Layer.provideMerge(Layer.succeedContext(context)))
      return {
        ledger: Context.get(context, Ledger),
        send: (run, options) =>
          Effect.provide(Engine.run(run, options), lanes).pipe(
            // The tables of the lanes' messages are made in the ledger's own file.
            Effect.catchTag("SqlError", () => new LedgerUnwritable({ path, reason: "its tables of messages cannot be made" }))
          )
      }
    })
})

/** The run that a command is about, and what is kept of it where it was handed to a proxy. */
const handedRun = ({ args, flags }: Invocation) =>
  Effect.gen(function*() {
    const [BulkVia, RunFolder, ViaRun] = yield* Effect.promise(() =>
      Promise.all([import("./commands/BulkVia.js"), import("./bulk/RunFolder.js"), import("./via/ViaRun.js")])
    )
    const folder = yield* RunFolder.find(flags.runDir ?? RunFolder.runsByDefault, args[0])
    return { BulkVia, folder, run: yield* ViaRun.read(folder) }
  })

const bulk = (invocation: Invocation) =>
  Effect.gen(function*() {
    yield* keepHeapSmall
    const { command, flags } = invocation
    const [Bulk, BulkLook, BulkRun] = yield* Effect.promise(() =>
      Promise.all([import("./commands/Bulk.js"), import("./commands/BulkLook.js"), import("./commands/BulkRun.js")])
    )
    const upstream = upstreamLayer(flags)
    switch (command) {
      case "bulk list":
        return yield* BulkLook.list(invocation)
      case "bulk show":
        return yield* BulkLook.show(invocation)
      case "bulk results":
        return yield* BulkLook.results(invocation)
      case "bulk resume": {
        const { BulkVia, folder, run } = yield* handedRun(invocation)
        return run === null
          ? yield* Effect.provide(Effect.zipRight(BulkVia.refused(invocation), BulkRun.resume(invocation)), upstream)
          : yield* BulkVia.resume(invocation, folder, run)
      }
      case "bulk retry":
      case "bulk undo": {
        const { BulkVia, folder, run } = yield* handedRun(invocation)
        if (run !== null) return yield* BulkVia.underived(command === "bulk retry" ? "retry" : "undo", folder, run)
        return yield* Effect.provide(command === "bulk retry" ? BulkRun.retry(invocation) : BulkRun.undo(invocation), upstream)
      }
      default: {
        const operation = command === "bulk unenroll" ? "unenroll" : "enroll"
        const BulkVia = yield* Effect.promise(() => import("./commands/BulkVia.js"))
        const url = yield* BulkVia.urlOf(invocation)
        if (url !== null) return yield* flags.dryRun === true ? BulkVia.dryRun(invocation, operation, url) : BulkVia.liveRun(invocation, operation, url)
        return flags.dryRun === true
          ? yield* Bulk.dryRun(invocation, operation)
          : yield* Effect.provide(Bulk.liveRun(invocation, operation), upstream)
      }
    }
  }).pipe(Effect.provide(ledgersLayer))

const program = (invocation: Invocation) => {
  const { args, command, flags } = invocation
  const upstream = upstreamLayer(flags)
  switch (command) {
    case "enroll":
      return Effect.flatMap(Effect.promise(() => import("./commands/Enroll.js")), (Enroll) =>
        // What is wrong with the record is said before what is wrong with the connection.
        Effect.zipRight(Enroll.enrollments(flags), Effect.provide(Enroll.command(flags), upstream)))
    case "unenroll":
      return Effect.flatMap(Effect.promise(() => import("./commands/Unenroll.js")), (Unenroll) =>
        Effect.zipRight(Unenroll.unenrollment(flags), Effect.provide(Unenroll.command(flags), upstream)))
    case "status":
      return Effect.flatMap(Effect.promise(() => import("./commands/Status.js")), (Status) =>
        Effect.zipRight(Status.query(flags), Effect.provide(Status.command(flags), upstream)))
    case "errors":
      return Effect.flatMap(Effect.promise(() => import("./commands/Errors.js")), (Errors) =>
        Errors.command(args[0]))
    case "bulk enroll":
    case "bulk unenroll":
    case "bulk resume":
    case "bulk retry":
    case "bulk undo":
    case "bulk list":
    case "bulk show":
    case "bulk results":
      return bulk(invocation)
    case "doctor":
      return Effect.gen(function*() {
        const Doctor = yield* Effect.promise(() => import("./commands/Doctor.js"))
        const UndiciTransport = yield* Effect.promise(() => import("@milepost/http/UndiciTransport"))
        return yield* Doctor.command((connection) => Effect.provide(UndiciTransport.layer(connection)))
      })
    case "sandbox":
      return Effect.gen(function*() {
        const Sandbox = yield* Effect.promise(() => import("./commands/Sandbox.js"))
        const world = yield* worldOf(flags)
        return yield* Effect.provide(Sandbox.command(flags, world), yield* simulatorOf(flags, world))
      })
  }
}

const failed = (cause: Cause.Cause<Failure.Refused>, output: Output["Type"], invocation: Invocation): ExitCode => {
  const report = (tag: string, message: string, setting: string | null): void => {
    if (output.json) output.result(failureDocument(tag, message, setting))
    else output.note(`${output.style("red", "milepost:")} ${message}`)
  }
  if (Cause.isInterruptedOnly(cause)) {
    if (invocation.command === "sandbox") return ExitCode.done
    report("Interrupted", "interrupted; a call in flight may have been executed", null)
    return ExitCode.interrupted
  }
  const failure = Cause.failureOption(cause)
  if (failure._tag === "Some") {
    report(failure.value.tag, failure.value.message, failure.value.setting)
    return failure.value.code ?? ExitCode.refused
  }
  report("Defect", "this is a defect of Milepost; please report it with what follows", null)
  output.note(Cause.pretty(cause))
  return ExitCode.defect
}

/** Runs a command to its exit code. The first signal asks it to end, the second ends the process at once. */
export const main = async (invocation: Invocation): Promise<ExitCode> => {
  const output = NodeOutput.make({ json: invocation.flags.json === true, environment: process.env })
  const requested = Effect.runSync(Deferred.make<void>())
  const platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)
  const services = settingsLayer(invocation.flags).pipe(
    Layer.provideMerge(Layer.succeed(Output, output)),
    Layer.provideMerge(platform),
    Layer.provideMerge(Layer.succeed(Cancellation.Cancellation, { requested }))
  )
  const fiber = Effect.runFork(Effect.provide(program(invocation), services))

  let signals = 0
  const onSignal = (): void => {
    signals += 1
    if (signals > 1) {
      if (output.json) output.result(failureDocument("Interrupted", "ended at once", null))
      process.exit(ExitCode.interrupted)
    }
    if (sending.has(invocation.command) && invocation.flags.dryRun !== true) {
      output.note("Ending: calls in flight get their answer. Once more to end at once.")
      Effect.runSync(Deferred.succeed(requested, undefined))
    } else {
      Effect.runFork(Fiber.interrupt(fiber))
    }
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
  const exit = await Effect.runPromise(Fiber.await(fiber))
  // Input that was given up would keep the process waiting for its end.
  if (sending.has(invocation.command)) process.stdin.destroy()
  process.off("SIGINT", onSignal)
  process.off("SIGTERM", onSignal)
  return Exit.match(exit, {
    onSuccess: (code) => code,
    onFailure: (cause) => failed(cause, output, invocation)
  })
}
