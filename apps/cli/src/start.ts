/**
 * The edge between the command line and the program: usage errors, and the exit code.
 */
import { CommanderError } from "commander"
import manifest from "../package.json" with { type: "json" }
import { ExitCode } from "./ExitCode.js"
import * as Program from "./Program.js"

const helpShown: ReadonlySet<string> = new Set(["commander.helpDisplayed", "commander.version"])

/** Parses the arguments and runs what they ask for; sets the exit code of the process. */
export const start = async (args: ReadonlyArray<string>): Promise<void> => {
  // Whoever reads us may stop early, as head does: that is no defect.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
    process.exit(ExitCode.done)
  })
  const json = args.includes("--json")
  const program = Program.make(async (invocation) => {
    const { main } = await import("./main.js")
    process.exitCode = await main(invocation)
  })
  program.on("option:version", () => {
    process.stdout.write(`${manifest.version}\n`)
    throw new CommanderError(0, "commander.version", manifest.version)
  })
  // A program that reads --json gets its one document also when the command line is wrong.
  if (json) for (const command of [program, ...everyCommand(program)]) command.configureOutput({ writeErr: () => undefined })
  try {
    await program.parseAsync(args, { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (helpShown.has(error.code)) return
    // Without a command, commander shows the help: to people on stderr, and it counts as wrong usage.
    if (json) {
      const { failureDocument } = await import("./output/Output.js")
      process.stdout.write(`${failureDocument("Usage", error.message.replace(/^error: /, ""), null)}\n`)
    }
    process.exitCode = ExitCode.refused
  }
}

const everyCommand = (command: ReturnType<typeof Program.make>): ReadonlyArray<ReturnType<typeof Program.make>> =>
  command.commands.flatMap((child) => [child, ...everyCommand(child)])
