/**
 * The command line: commands, flags, help and examples. It loads nothing of what the commands need.
 */
import { Command } from "commander"
import type { Arguments } from "./ServeCommand.js"

/** Builds the command line; `serve` is called with what was asked for. */
export const make = (serve: (given: Arguments) => Promise<void>): Command => {
  const program = new Command("milepost-harness")
    .description("A simulator of the Loyalty+ enrolment API to test against.")
    .helpCommand(false)
    .exitOverride()
  program.command("serve")
    .description("Serve the simulator on this machine, and print how to point to it.")
    .option("--port <n>", "the port to listen on (default: any that is free)")
    .option("--world <file>", "a world as JSON (default: the sample world)")
    .option("--seed <n>", "decides the faults' probabilities and the tokens (default: 0)")
    .option("--faults <file>", "a list of faults as JSON")
    .addHelpText("after", "\nExamples:\n  milepost-harness serve --port 8310\n  milepost-harness serve --world world.json --faults faults.json --seed 7")
    .action((given: Arguments) => serve(given))
  return program
}
