/** The edge between the command line and the program: usage errors, and the exit code. */
import { CommanderError } from "commander"
import { fileURLToPath } from "node:url"
import * as Program from "./Program.js"

const refused = 2

/** Parses the arguments and runs what they ask for; sets the exit code of the process. */
export const start = async (args: ReadonlyArray<string>): Promise<void> => {
  const program = Program.make(async (asked) => {
    const { main } = await import("./main.js")
    process.exitCode = await main(asked, fileURLToPath(new URL("page", import.meta.url)))
  })
  try {
    await program.parseAsync(args, { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code !== "commander.helpDisplayed") process.exitCode = refused
  }
}
