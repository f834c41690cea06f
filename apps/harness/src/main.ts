/**
 * The composition root: which platform, which exit codes. Nothing else in this app provides a layer.
 */
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import { CommanderError } from "commander"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Program from "./Program.js"
import type { Refused } from "./Refused.js"
import type { Arguments } from "./ServeCommand.js"

const ended = 0
const refused = 2
const defect = 70

const exitCodeOf = (exit: Exit.Exit<never, Refused>): number =>
  Exit.match(exit, {
    onSuccess: () => ended,
    onFailure: (cause) => {
      if (Cause.isInterruptedOnly(cause)) return ended
      const failure = Cause.failureOption(cause)
      console.error(Option.isSome(failure) ? failure.value.message : Cause.pretty(cause))
      return Option.isSome(failure) ? refused : defect
    }
  })

const serve = async (given: Arguments): Promise<void> => {
  const { command } = await import("./ServeCommand.js")
  const fiber = Effect.runFork(Effect.provide(command(given), NodeFileSystem.layer))
  const stop = (): void => void Effect.runFork(Fiber.interrupt(fiber))
  process.once("SIGINT", stop)
  process.once("SIGTERM", stop)
  process.exitCode = exitCodeOf(await Effect.runPromise(Fiber.await(fiber)))
}

/** Runs the command line; SIGINT and SIGTERM stop it cleanly, with exit code 0. */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  try {
    await Program.make(serve).parseAsync(args, { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code !== "commander.helpDisplayed") process.exitCode = refused
  }
}
