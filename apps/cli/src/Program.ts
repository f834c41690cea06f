/**
 * The command line: commands, flags, help and examples. It loads nothing of what the commands need, so that help is quick.
 */
import { Argument, Command } from "commander"
import type { Shell } from "./commands/Completions.js"
import type { Command as CommandName, Flags, Invocation } from "./Invocation.js"

const exitCodes = `
Exit codes:
  0   every record is enrolled, was enrolled already, or was a skipped duplicate
  1   finished, some records rejected
  2   wrong usage, configuration or unreadable input: nothing was sent
  3   stopped early: an answer condemned what would follow, too many failed, or the upstream was lost;
      milepost bulk resume goes on
  4   interrupted; milepost bulk resume goes on
  5   finished, some outcomes unknown
  70  a defect of Milepost`

const settings = `
Settings come from flags, then the environment, then a profile of milepost.toml:
  MILEPOST_HOST                 eu, us, apac, apac2, or a base URL
  MILEPOST_USERNAME             a till, with MILEPOST_PASSWORD or MILEPOST_PASSWORD_MD5
  MILEPOST_OAUTH_KEY            an OAuth client instead, with MILEPOST_OAUTH_SECRET
  MILEPOST_DATA_SCOPE           SELF (default), or OTHER with MILEPOST_DATA_SCOPE_ORG
  MILEPOST_BASE_PATH, MILEPOST_TIMEOUT, MILEPOST_RATE, MILEPOST_CONCURRENCY
  MILEPOST_VIA                  a milepost-proxy that bulk runs are handed to, with MILEPOST_API_KEY`

const examples = (lines: ReadonlyArray<string>): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`

const collect = (value: string, earlier: ReadonlyArray<string> | undefined): ReadonlyArray<string> => [
  ...(earlier ?? []),
  value
]

const withConnection = (command: Command): Command =>
  command
    .option("--host <host>", "cluster (eu, us, apac, apac2) or base URL")
    .option("--base-path <path>", "path in front of /targetGroups")
    .option("--username <name>", "the till that calls; its password comes from the environment or the profile")
    .option("--data-scope <scope>", "SELF, or OTHER for a connected child organisation")
    .option("--data-scope-org <id>", "the child organisation of OTHER")
    .option("--timeout <duration>", "the longest that one call may take, e.g. 30s")
    .option("--config <file>", "the milepost.toml to read")
    .option("--profile <name>", "the profile of it (default: default)")
    .option("--sandbox", "an upstream inside this process: no network, no credentials")
    .option("--world <file>", "the world of the sandbox, as JSON")
    .option("--faults <file>", "faults of the sandbox, as JSON")
    .option("--json", "exactly one JSON document on stdout")

const withTarget = (command: Command): Command =>
  command
    .option("--group <id>", "the target group")
    .option("--target <id>", "the target (target rule)")

const withRunDir = (command: Command): Command =>
  command.option("--run-dir <dir>", "where runs keep their files (default: .milepost/runs)")

/** How a run is sent. */
const withSitting = (command: Command): Command =>
  withRunDir(command)
    .option("--rate <rate>", "at most so many calls, e.g. 600/min (default: auto, what the upstream bears)")
    .option("--concurrency <n>", "calls in flight at most, e.g. 64 (default: auto, what the upstream answers well)")
    .option("--max-errors <n>", "stop when more records fail than this: a count, or a percentage such as 5%")
    .option("--no-fuse", "go on where an answer condemns what would follow")
    .option("-y, --yes", "do not ask")

const withRun = (command: Command): Command =>
  withSitting(command).option("--dry-run", "read and check everything, send nothing")

const withFile = (command: Command): Command =>
  withTarget(command.argument("<FILE>", "the file, or - for stdin"))
    .option("--format <format>", "csv or ndjson (default: by the file's name)")

/** Who makes the calls, if not this machine. */
const withVia = (command: Command): Command =>
  command
    .option("--via <url>", "hand the run to a milepost-proxy and follow it; its key comes from MILEPOST_API_KEY")
    .option("--detach", "with --via: leave the job to the proxy, and end when it has the file")

const withUpload = (command: Command): Command =>
  withVia(command)
    .option("--org <id>", "with --via: the organisation, where the key has several")
    .option("--again", "with --via: a new job of a file that the proxy has already")

/** What happens when a command line is complete. */
export type Dispatch = (invocation: Invocation) => Promise<void>

/** Builds the command line; `dispatch` is called with what was asked for. */
export const make = (dispatch: Dispatch): Command => {
  const program = new Command("milepost")
    .description("Puts loyalty customers into milestones and streaks, one or two million.")
    .usage("<command> [options]")
    .option("-V, --version", "print the version")
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .addHelpText(
      "after",
      `${
        examples([
          "milepost enroll --group 2154 --target 2309 --customer 564332013 --period Cycle_1",
          "milepost enroll --group 40 --target 41 --customer 564332013          # a streak: no period",
          "milepost bulk enroll customers.csv --group 2154 --target 2309 --dry-run",
          "milepost enroll --sandbox --group 2154 --target 2309 --customer 564332013 --period Cycle_1"
        ])
      }\n${settings}\n${exitCodes}`
    )

  const runs = (name: CommandName) => async (...parsed: ReadonlyArray<unknown>): Promise<void> => {
    const command = parsed.at(-1)
    if (!(command instanceof Command)) throw new TypeError("commander passes the command last")
    await dispatch({ command: name, args: command.args, flags: command.opts<Flags>() })
  }

  withConnection(
    withTarget(program.command("enroll").description("Enrol or re-enrol one customer."))
      .option("--customer <id>", "the customer")
      .option("--period <refCode>", "the period of a milestone; repeat it for several; none for a streak", collect)
      .option("--initial-balance <n>", "the achieved value to start at, or resume")
      .option("--reset-streak", "start a streak afresh on re-enrolment")
  ).addHelpText(
    "after",
    examples([
      "milepost enroll --group 2154 --target 2309 --customer 564332013 --period Cycle_1 --initial-balance 100",
      "milepost enroll --group 2154 --target 2309 --customer 564332013 --period Cycle_1 --initial-balance resume",
      "milepost enroll --group 40 --target 41 --customer 564332013 --reset-streak"
    ])
  ).action(runs("enroll"))

  withConnection(
    withTarget(program.command("unenroll").description("Take one customer out: the current period and all later ones."))
      .option("--customer <id>", "the customer")
  ).addHelpText("after", examples(["milepost unenroll --group 2154 --target 2309 --customer 564332013"]))
    .action(runs("unenroll"))

  withConnection(
    program.command("status").description("Show what a customer is enrolled in.")
      .option("--customer <id>", "the customer")
      .option("--group <id>", "only this target group")
      .option("--include-inactive", "also inactive groups and targets")
  ).addHelpText("after", examples(["milepost status --customer 564332013 --group 2154"]))
    .action(runs("status"))

  const bulk = program.command("bulk").description("Run a whole file, and look after runs.").helpCommand(false)
  withUpload(withRun(withConnection(
    withFile(bulk.command("enroll").description("Enrol every customer of a CSV or NDJSON file, plain or .gz."))
      .option("--period <refCode>", "for files without periodName; repeat it: one call a period, in order", collect)
      .option("--initial-balance <n>", "for files without initialBalance: a number, or resume")
      .option("--reset-streak", "for files without resetStreakStatus")
  ))).addHelpText(
    "after",
    `${
      examples([
        "milepost bulk enroll customers.csv --dry-run",
        "milepost bulk enroll customers.csv --group 2154 --target 2309 --period Cycle_1 --period Cycle_2",
        "milepost bulk enroll customers.csv --via https://milepost.example.com --group 2154 --target 2309 --period Cycle_1",
        "gunzip -c customers.ndjson.gz | milepost bulk enroll - --format ndjson --rate 600/min",
        "milepost bulk enroll examples/spring-campaign.csv --sandbox --world examples/spring-campaign.world.json"
      ])
    }

Columns, in any order and case: customerId, periodName, initialBalance, resetStreakStatus, targetGroupId,
targetId. Flags fill columns that are missing; other columns are carried to the results. An empty
initialBalance is left to the upstream, resume goes on from the value held before, a number sets it.
A bad row is recorded with line, column and reason, and the run goes on.
${exitCodes}`
  ).action(runs("bulk enroll"))

  withUpload(withRun(withConnection(
    withFile(bulk.command("unenroll").description("Take every customer of a file out: the current period and all later ones."))
  ))).addHelpText("after", `${examples(["milepost bulk unenroll leavers.csv --group 2154 --target 2309"])}

Columns: customerId, targetGroupId, targetId. Others are carried to the results.
${exitCodes}`).action(runs("bulk unenroll"))

  withVia(withSitting(withConnection(
    bulk.command("resume").description("Go on with a run after a crash, Ctrl-C, a fuse or new credentials.")
      .argument("[RUN]", "the run's id (default: the latest)")
  ))).addHelpText("after", `${examples(["milepost bulk resume", "milepost bulk resume 20250101-120000-abcd --rate 300/min"])}\n${exitCodes}`)
    .action(runs("bulk resume"))

  withSitting(withConnection(
    bulk.command("retry").description("The rejected and unknown records of a run once more, as a new run.")
      .argument("[RUN]", "the run's id (default: the latest)")
  )).addHelpText("after", `${examples(["milepost bulk retry"])}\n${exitCodes}`).action(runs("bulk retry"))

  withSitting(withConnection(
    bulk.command("undo").description("Un-enrol what a run has enrolled, and only that, as a new run.")
      .argument("[RUN]", "the run's id (default: the latest)")
  )).addHelpText("after", `${examples(["milepost bulk undo 20250101-120000-abcd"])}

Who was enrolled already is left alone. The upstream un-enrols from the current period and all later ones.
${exitCodes}`).action(runs("bulk undo"))

  withRunDir(bulk.command("list").description("List the runs."))
    .option("--json", "exactly one JSON document on stdout")
    .addHelpText("after", examples(["milepost bulk list"]))
    .action(runs("bulk list"))

  withRunDir(bulk.command("show").description("Tell how a run stands.")
    .argument("[RUN]", "the run's id (default: the latest)"))
    .option("--json", "exactly one JSON document on stdout")
    .addHelpText("after", examples(["milepost bulk show", "milepost bulk show 20250101-120000-abcd --json"]))
    .action(runs("bulk show"))

  withRunDir(bulk.command("results").description("Print the rows of a run with their outcomes, in the order of the input.")
    .argument("[RUN]", "the run's id (default: the latest)"))
    .option("--outcome <word>", "only enrolled, unenrolled, already_enrolled, rejected, unknown or skipped")
    .option("--format <format>", "csv (default) or ndjson")
    .option("--json", "exactly one JSON document on stdout")
    .addHelpText("after", examples(["milepost bulk results --outcome rejected", "milepost bulk results --format ndjson > results.ndjson"]))
    .action(runs("bulk results"))

  withConnection(program.command("doctor").description("Check configuration, DNS, TLS, credentials and scope."))
    .addHelpText("after", examples(["milepost doctor", "milepost doctor --profile staging --json"]))
    .action(runs("doctor"))

  program.command("errors").description("Explain every documented code, or one.")
    .argument("[CODE]", "a code such as 310017, or a status such as 429")
    .option("--json", "exactly one JSON document on stdout")
    .addHelpText("after", examples(["milepost errors", "milepost errors 310017"]))
    .action(runs("errors"))

  program.command("sandbox").description("Run an upstream simulator on this machine and print how to point to it.")
    .option("--port <n>", "the port to listen on (default: any that is free)")
    .option("--world <file>", "the world to simulate, as JSON")
    .option("--faults <file>", "faults to inject, as JSON")
    .option("--json", "exactly one JSON document on stdout")
    .addHelpText("after", examples(["milepost sandbox --port 8310", "milepost sandbox --faults faults.json"]))
    .action(runs("sandbox"))

  program.command("completions").description("Print a completion script for a shell.")
    .addArgument(new Argument("<SHELL>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", examples(["source <(milepost completions bash)", "milepost completions fish > ~/.config/fish/completions/milepost.fish"]))
    .action(async (shell: Shell) => {
      const { script } = await import("./commands/Completions.js")
      process.stdout.write(`${script(shell, program)}\n`)
    })

  return program
}
