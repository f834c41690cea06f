/**
 * The command line: commands, flags, help and examples. It loads nothing of what the commands need.
 */
import { Command } from "commander"
import type { Arguments as ConformArguments } from "./ConformCommand.js"
import type { DiffArguments, RecordArguments, ReplayArguments } from "./RecordingCommands.js"
import type { Arguments as ServeArguments } from "./ServeCommand.js"
import type { Arguments as SimulateArguments } from "./SimulateCommand.js"

/** What was asked for. */
export type Invocation =
  | { readonly command: "record"; readonly given: RecordArguments }
  | { readonly command: "replay"; readonly given: ReplayArguments }
  | { readonly command: "diff"; readonly given: DiffArguments }
  | { readonly command: "conform"; readonly given: ConformArguments }
  | { readonly command: "serve"; readonly given: ServeArguments }
  | { readonly command: "simulate"; readonly given: SimulateArguments }
  | { readonly command: "worldInit"; readonly file: string; readonly given: { readonly force?: boolean } }
  | { readonly command: "worldValidate"; readonly file: string; readonly given: { readonly json?: boolean } }
  | { readonly command: "worldSchema"; readonly given: { readonly faults?: boolean } }

const examples = (...lines: ReadonlyArray<string>): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`

const addServe = (program: Command, run: (asked: Invocation) => Promise<void>): void => {
  program.command("serve")
    .description("Serve the simulator on this machine, and print how to point to it.")
    .option("--port <n>", "the port to listen on (default: any that is free)")
    .option("--host <address>", "the address to listen on; whoever reaches it may control the simulator (default: this machine alone)")
    .option("--world <file>", "a world as JSON, comments welcome (default: the sample world)")
    .option("--seed <n>", "decides the faults' probabilities and the tokens (default: 0)")
    .option("--faults <file>", "a list of faults as JSON, comments welcome")
    .addHelpText("after", examples("milepost-harness serve --port 8310", "milepost-harness serve --world world.json --faults faults.json --seed 7"))
    .action((given: ServeArguments) => run({ command: "serve", given }))
}

const addConform = (program: Command, run: (asked: Invocation) => Promise<void>): void => {
  program.command("conform")
    .description("Hold whatever answers at a base URL to the upstream's contract; exit code 1 where a case is red.")
    .requiredOption("--base-url <url>", "where to: http://127.0.0.1:8310, or a cluster such as eu")
    .option("--against <what>", "simulator, proxy or live", "simulator")
    .option("--base-path <path>", "default /api_gateway/intouch-api-v3/v3.1")
    .option("--case <id...>", "only these cases")
    .option("--json", "one JSON document on stdout")
    .option("--junit <file>", "a JUnit file as well")
    .option("--control <url>", "proxy: the simulator behind it; the API key is read from MILEPOST_API_KEY")
    .option("--customer <id>", "live: somebody who is enrolled in nothing of what is named below")
    .option("--group <id>", "live: the target group of a milestone")
    .option("--target <id>", "live: its target")
    .option("--period <name>", "live: its current period")
    .option("--streak-group <id>", "live: the target group of a streak")
    .option("--streak-target <id>", "live: its target")
    .option("--allow-writes", "live: enrol and un-enrol the customer; without it nothing is written")
    .addHelpText(
      "after",
      examples(
        "milepost-harness conform --base-url http://127.0.0.1:8310 --junit conformance.xml",
        "milepost-harness conform --base-url eu --against live --customer 564332013",
        "milepost-harness conform --base-url eu --against live --customer 564332013 --group 2154 --target 2309 --period Cycle_1 --allow-writes"
      )
    )
    .action((given: ConformArguments) => run({ command: "conform", given }))
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

const addRecording = (program: Command, run: (asked: Invocation) => Promise<void>): void => {
  program.command("record")
    .description("Stand between a client and an upstream, and keep what is asked and answered, without secrets.")
    .requiredOption("--target <url>", "where calls are handed on to: a base URL, or a cluster such as eu")
    .requiredOption("--out <dir>", "the folder of the cassette; one that is there already is left alone")
    .option("--port <n>", "the port to listen on (default: any that is free)")
    .addHelpText("after", examples("milepost-harness record --target eu --out cassettes/monday --port 8320"))
    .action((given: RecordArguments) => run({ command: "record", given }))
  program.command("replay")
    .description("Give recorded answers again: each call its own, in their order.")
    .requiredOption("--cassette <dir>", "the folder of the cassette")
    .option("--port <n>", "the port to listen on (default: any that is free)")
    .action((given: ReplayArguments) => run({ command: "replay", given }))
  program.command("diff")
    .description("Say where the simulator would have answered a recording otherwise; exit code 1 where it would.")
    .requiredOption("--cassette <dir>", "the folder of the cassette")
    .option("--world <file>", "a world as JSON, comments welcome (default: the sample world)")
    .option("--json", "one JSON document on stdout")
    .action((given: DiffArguments) => run({ command: "diff", given }))
}

const addSimulate = (program: Command, run: (asked: Invocation) => Promise<void>): void => {
  program.command("simulate")
    .description("Run engine and ledger over the simulator in memory, under seeds that decide everything; exit code 1 where something did not hold.")
    .option("--seeds <range>", "a seed, or a range of them", "1..200")
    .option("--records <n>", "rows of each run", "500")
    .option("--lanes <owner>", "cluster or fibers (default: the seed decides)")
    .option("--replicas <n>", "replicas that share each run, 1 to 4; mixed, the default: one seed in four has several")
    .option("--plant <bug>", "plant a bug, to see that it is found")
    .option("--jobs <n>", "processes at once (default: one a processor)")
    .option("--no-trace", "only say which seeds failed")
    .option("--json", "one JSON document on stdout")
    .addHelpText(
      "after",
      examples("milepost-harness simulate --seeds 1..1000", "milepost-harness simulate --seeds 17", "milepost-harness simulate --seeds 1..1000 --plant claim-not-flushed")
    )
    .action((given: SimulateArguments) => run({ command: "simulate", given }))
}

/** Builds the command line; `run` is called with what was asked for. */
export const make = (run: (asked: Invocation) => Promise<void>): Command => {
  const program = new Command("milepost-harness")
    .description("A simulator of the Loyalty+ enrolment API to test against.")
    .helpCommand(false)
    .exitOverride()
  addServe(program, run)
  addConform(program, run)
  addWorld(program, run)
  addRecording(program, run)
  addSimulate(program, run)
  return program
}
