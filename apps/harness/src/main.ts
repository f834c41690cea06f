/**
 * The composition root: which platform, which exit codes. Nothing else in this app provides a layer.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import { CommanderError } from "commander"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Program from "./Program.js"
import type { Refused } from "./Refused.js"

type Running = Effect.Effect<number, Refused, FileSystem.FileSystem>

const ended = 0
const refused = 2
const defect = 70
/** As a shell says of a program that SIGINT ended. */
const interrupted = 130

/** The program of a command; its module is loaded here, when it is wanted. */
const programOf = async (asked: Program.Invocation): Promise<Running> => {
  switch (asked.command) {
    case "conform":
      return (await import("./ConformCommand.js")).command(asked.given)
    case "record":
      return (await import("./RecordingCommands.js")).record(asked.given)
    case "replay":
      return (await import("./RecordingCommands.js")).replay(asked.given)
    case "diff":
      return (await import("./RecordingCommands.js")).diff(asked.given)
    case "serve":
      return (await import("./ServeCommand.js")).command(asked.given)
    case "simulate":
      return (await import("./SimulateCommand.js")).command(asked.given, process.argv[1] ?? "milepost-harness")
    case "worldInit":
      return (await import("./WorldCommand.js")).init(asked.file, asked.given)
    case "worldValidate":
      return (await import("./WorldCommand.js")).validate(asked.file, asked.given)
    case "worldSchema":
      return (await import("./WorldCommand.js")).schema(asked.given)
  }
}

/** Servers run until they are told to stop: for them that is a good end. */
const servers: ReadonlySet<Program.Invocation["command"]> = new Set(["serve", "record", "replay"])

const exitCodeOf = (exit: Exit.Exit<number, Refused>, onInterrupt: number): number =>
  Exit.match(exit, {
    onSuccess: (code) => code,
    onFailure: (cause) => {
      if (Cause.isInterruptedOnly(cause)) return onInterrupt
      const failure = Cause.failureOption(cause)
      console.error(Option.isSome(failure) ? failure.value.message : Cause.pretty(cause))
      return Option.isSome(failure) ? refused : defect
    }
  })

const run = async (asked: Program.Invocation): Promise<void> => {
  const fiber = Effect.runFork(Effect.provide(await programOf(asked), NodeFileSystem.layer))
  const stop = (): void => void Effect.runFork(Fiber.interrupt(fiber))
  process.once("SIGINT", stop)
  process.once("SIGTERM", stop)
  process.exitCode = exitCodeOf(await Effect.runPromise(Fiber.await(fiber)), servers.has(asked.command) ? ended : interrupted)
}

/** Runs the command line; SIGINT and SIGTERM stop it cleanly. */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  try {
    await Program.make(run).parseAsync(args, { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code !== "commander.helpDisplayed") process.exitCode = refused
  }
}
