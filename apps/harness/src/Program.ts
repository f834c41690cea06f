/**
 * The command line: commands, flags, help and examples. It loads nothing of what the commands need.
 */
import { Command } from "commander"
import type { Arguments as ServeArguments } from "./ServeCommand.js"

/** What was asked for. */
export type Invocation =
  | { readonly command: "serve"; readonly given: ServeArguments }
  | { readonly command: "worldInit"; readonly file: string; readonly given: { readonly force?: boolean } }
  | { readonly command: "worldValidate"; readonly file: string; readonly given: { readonly json?: boolean } }
  | { readonly command: "worldSchema"; readonly given: { readonly faults?: boolean } }

const examples = (...lines: ReadonlyArray<string>): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`

const addServe = (program: Command, run: (asked: Invocation) => Promise<void>): void => {
  program.command("serve")
    .description("Serve the simulator on this machine, and print how to point to it.")
    .option("--port <n>", "the port to listen on (default: any that is free)")
    .option("--world <file>", "a world as JSON, comments welcome (default: the sample world)")
    .option("--seed <n>", "decides the faults' probabilities and the tokens (default: 0)")
    .option("--faults <file>", "a list of faults as JSON, comments welcome")
    .addHelpText("after", examples("milepost-harness serve --port 8310", "milepost-harness serve --world world.json --faults faults.json --seed 7"))
    .action((given: ServeArguments) => run({ command: "serve", given }))
}

const addWorld = (program: Command, run: (asked: Invocation) => Promise<void>): void => {
  const world = program.command("world").description("Write, check and describe worlds.").helpCommand(false)
  world.command("init <file>")
    .description("Write a world to begin with, with comments that say what each key means.")
    .option("--force", "write over a file that is there already")
    .action((file: string, given: { readonly force?: boolean }) => run({ command: "worldInit", file, given }))
  world.command("validate <file>")
    .description("Name the place of every mistake in a world; exit code 2 where there is one.")
    .option("--json", "one JSON document on stdout")
    .action((file: string, given: { readonly json?: boolean }) => run({ command: "worldValidate", file, given }))
  world.command("schema")
    .description("Print the JSON Schema of worlds, for editors.")
    .option("--faults", "that of lists of faults")
    .action((given: { readonly faults?: boolean }) => run({ command: "worldSchema", given }))
}

/** Builds the command line; `run` is called with what was asked for. */
export const make = (run: (asked: Invocation) => Promise<void>): Command => {
  const program = new Command("milepost-harness")
    .description("A simulator of the Loyalty+ enrolment API to test against.")
    .helpCommand(false)
    .exitOverride()
  addServe(program, run)
  addWorld(program, run)
  return program
}
