/**
 * The command line: commands, flags, help and examples. It loads nothing of what the commands need.
 */
import { Command } from "commander"

/** Flags of `keys create`, as they were written. */
export interface CreateFlags {
  readonly name?: string
  readonly org?: ReadonlyArray<string>
  readonly group?: ReadonlyArray<string>
  readonly perMinute?: string
  readonly json?: boolean
}

/** What was asked for. */
export type Invocation =
  | { readonly command: "serve"; readonly sandbox: boolean; readonly world: string | undefined }
  | { readonly command: "migrate"; readonly json: boolean }
  | { readonly command: "keys create"; readonly flags: CreateFlags }
  | { readonly command: "keys list"; readonly json: boolean }
  | { readonly command: "keys revoke"; readonly id: string; readonly json: boolean }

const examples = (...lines: ReadonlyArray<string>): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`

const settings = `
Settings (environment):
  MILEPOST_PROXY_HOST            where to listen (127.0.0.1)
  MILEPOST_PROXY_PORT            and on which port (8320; 0 for any)
  MILEPOST_PROXY_DATA            folder of keys, jobs and first answers (milepost-proxy-data), where there is no
  MILEPOST_DATABASE_URL          PostgreSQL that replicas share, postgres://user:password@host:5432/database; or DATABASE_URL
  MILEPOST_PROXY_UPSTREAMS       a TOML file with a table [[org]] for each organisation, or
  MILEPOST_PROXY_ORG             the id of the one organisation that MILEPOST_HOST, MILEPOST_USERNAME … describe
  MILEPOST_PROXY_QUEUE           interactive calls that an organisation lets in at once (1000)
  MILEPOST_PROXY_UPLOAD_BYTES    largest upload of a job (1 GiB)
  MILEPOST_PROXY_UPLOAD_RATE     bytes a second that an upload must bring while it is waited for (1024; 0 for any)
  MILEPOST_PROXY_RETENTION_DAYS  how long jobs that have ended are kept (30)
  OTEL_EXPORTER_OTLP_ENDPOINT    collector of traces, by OTLP over HTTP (none)
  OTEL_EXPORTER_OTLP_HEADERS     what it is to be sent beside them, name=value separated by commas
  OTEL_TRACES_SAMPLER            parentbased_always_on (default), parentbased_always_off or parentbased_traceidratio
  OTEL_TRACES_SAMPLER_ARG        with the last: which share of requests without a caller's span is traced, from 0 to 1 (1)
With a database:
  MILEPOST_DATABASE_URL_FILE     a file with its address, instead
  MILEPOST_DATABASE_CONNECTIONS  connections that a replica keeps at most (10)
  MILEPOST_PROXY_ADVERTISE       URL by which the other replicas reach this one (http://<its address>:<port>)
  MILEPOST_PROXY_CLUSTER         replicas of the same name belong together (milepost)
  MILEPOST_PROXY_LEASE           how long customers stay with a replica that is not heard of, 3s to 60s (15s)
SIGHUP reads the organisations again, SIGTERM ends in order.`

const repeated = (value: string, before: ReadonlyArray<string> | undefined): ReadonlyArray<string> => [...(before ?? []), value]

/** Builds the command line; `run` is called with what was asked for. */
export const make = (run: (asked: Invocation) => Promise<void>): Command => {
  const program = new Command("milepost-proxy")
    .description("Milepost as a service: order, pace, retries, batches and durable jobs in front of the upstream.")
    .helpCommand(false)
    .exitOverride()
  program.command("serve", { isDefault: true })
    .description("Serve until SIGTERM.")
    .option("--sandbox", "try it: an upstream simulator inside, a key that is printed, nothing kept")
    .option("--world <file>", "with --sandbox: a world as JSON (default: the sample world)")
    .addHelpText("after", `${settings}\n${examples("milepost-proxy serve --sandbox", "MILEPOST_PROXY_UPSTREAMS=upstreams.toml milepost-proxy")}`)
    .action((given: { readonly sandbox?: boolean; readonly world?: string }) =>
      run({ command: "serve", sandbox: given.sandbox === true, world: given.world }))
  program.command("migrate")
    .description("Bring the database, or the file, up to date, apart from serving.")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", examples("MILEPOST_DATABASE_URL_FILE=/run/secrets/database milepost-proxy migrate"))
    .action((given: { readonly json?: boolean }) => run({ command: "migrate", json: given.json === true }))
  const keys = program.command("keys").description("Keys of callers, while the service runs or not.").helpCommand(false)
  keys.command("create")
    .description("Make a key; it is shown once.")
    .requiredOption("--name <name>", "whose it is, for people")
    .requiredOption("--org <id>", "an organisation that it may call; again for more", repeated)
    .option("--group <id>", "a target group that it may touch; again for more (default: all)", repeated)
    .option("--per-minute <n>", "requests a minute (default: no limit)")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", examples("milepost-proxy keys create --name app --org brand-a", "milepost-proxy keys create --name campaign --org brand-a --group 2154 --per-minute 600"))
    .action((flags: CreateFlags) => run({ command: "keys create", flags }))
  keys.command("list")
    .description("All keys, without their secrets.")
    .option("--json", "one JSON document on stdout")
    .action((given: { readonly json?: boolean }) => run({ command: "keys list", json: given.json === true }))
  keys.command("revoke <id>")
    .description("Revoke a key, at once.")
    .option("--json", "one JSON document on stdout")
    .action((id: string, given: { readonly json?: boolean }) => run({ command: "keys revoke", id, json: given.json === true }))
  return program
}
