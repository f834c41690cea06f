/**
 * `milepost doctor`: configuration, DNS, TLS, credentials and scope, one line each, with the mend.
 *
 * The last step is a look-up, which changes nothing: whatever it answers about the customer, it was let in.
 */
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import * as Ids from "@milepost/core/Ids"
import * as RetryPolicy from "@milepost/core/RetryPolicy"
import * as TargetGroups from "@milepost/core/TargetGroups"
import type { Transport } from "@milepost/core/Transport"
import type { Connection } from "@milepost/http/Connection"
import { lookup } from "node:dns/promises"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { ExitCode } from "../ExitCode.js"
import type * as Failure from "../Failure.js"
import { Output } from "../output/Output.js"
import { Settings } from "../settings/Settings.js"
import * as Upstream from "../settings/Upstream.js"

/** One thing that was looked at. */
export interface Check {
  readonly name: "configuration" | "DNS" | "connection" | "TLS" | "credentials" | "scope"
  readonly ok: boolean
  readonly detail: string
  /** What to do where it is not well. */
  readonly mend: string | null
}

const well = (name: Check["name"], detail: string): Check => ({ name, ok: true, detail, mend: null })

const ill = (name: Check["name"], detail: string, mend: string): Check => ({ name, ok: false, detail, mend })

const waitMillis = 10_000

const resolves = (host: string): Effect.Effect<Check> =>
  Effect.tryPromise(() => lookup(host, { all: true })).pipe(
    Effect.map((addresses) => well("DNS", `${host} is ${addresses.map(({ address }) => address).join(", ")}`)),
    Effect.catchAll(() =>
      Effect.succeed(ill("DNS", `${host} does not resolve`, "Check MILEPOST_HOST and the name server of this machine."))
    )
  )

const connects = (url: URL): Effect.Effect<Check> =>
  Effect.async<Check>((resume) => {
    const secure = url.protocol === "https:"
    const name = secure ? "TLS" : "connection"
    const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port)
    const host = url.hostname.replace(/^\[|\]$/g, "")
    const opened = (detail: string) => (): void => {
      socket.destroy()
      resume(Effect.succeed(well(name, detail)))
    }
    const socket = secure
      ? Tls.connect({ host, port, servername: Net.isIP(host) === 0 ? host : "", timeout: waitMillis }, () =>
        opened(`${host}:${port} shows a valid certificate (${(socket as Tls.TLSSocket).getProtocol() ?? "TLS"})`)())
      : Net.connect({ host, port, timeout: waitMillis }, opened(`${host}:${port} accepts connections`))
    const failed = (detail: string, mend: string): void => {
      socket.destroy()
      resume(Effect.succeed(ill(name, detail, mend)))
    }
    socket.on("timeout", () =>
      failed(`${host}:${port} does not answer within ${waitMillis / 1000} s`, "Check the firewall, or whether a proxy is needed."))
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNREFUSED"
        ? failed(`nothing listens at ${host}:${port}`, "Check MILEPOST_HOST, the port, and that the service runs.")
        : failed(`${host}:${port}: ${error.code ?? "the connection failed"}`, secure
          ? "Check the certificate, and whether something intercepts TLS here (NODE_EXTRA_CA_CERTS names its authority)."
          : "Check the network between here and there."))
    return Effect.sync(() => socket.destroy())
  })

/** A customer that need not exist: being told so proves that the question was let in. */
const anybody = Either.getOrThrow(Ids.customerId(1))

const letIn: Effect.Effect<ReadonlyArray<Check>, never, Transport> = Effect.map(
  Effect.either(TargetGroups.run({ customerId: anybody })).pipe(
    Effect.provideService(RetryPolicy.RetryPolicy, RetryPolicy.never)
  ),
  (answer): ReadonlyArray<Check> => {
    const accepted = well("credentials", "accepted")
    if (Either.isRight(answer)) return [accepted, well("scope", "a look-up was answered")]
    const error = answer.left
    switch (error._tag) {
      case "CredentialsRefused":
      case "PermissionDenied":
        return [ill("credentials", error.message, ErrorCatalog.find(error.status)?.remedy ?? "")]
      case "NotSent":
        return [ill("credentials", error.message, "Check the OAuth key and secret, and the host they belong to.")]
      case "DataScopeNotSupported":
      case "ConnectedOrgsNotSet":
        return [accepted, ill("scope", `${error.code}: ${error.message}`, ErrorCatalog.find(error.code)?.remedy ?? "")]
      case "InvalidCustomer":
      case "UndocumentedApiError":
        return [accepted, well("scope", "a look-up was answered")]
      default:
        return [ill("credentials", error.message, "Check MILEPOST_BASE_PATH, and try again later.")]
    }
  }
)

const describe = (connection: Connection): string => {
  const scope = connection.dataScope._tag === "Self" ? "SELF" : `OTHER ${connection.dataScope.orgId}`
  const who = connection.credentials._tag === "Basic" ? `till ${connection.credentials.username}` : "an OAuth client"
  return `${connection.baseUrl}${connection.basePath} as ${who}, data scope ${scope}`
}

const report = (checks: ReadonlyArray<Check>, output: Output["Type"]): ExitCode => {
  const ok = checks.every((check) => check.ok)
  if (output.json) output.result(JSON.stringify({ ok, checks }))
  else {
    for (const check of checks) {
      const mark = check.ok ? output.style("green", "ok  ") : output.style("red", "FAIL")
      output.result(`${mark}  ${check.name.padEnd(13)}  ${check.detail}${check.mend === null ? "" : `\n      ${"".padEnd(13)}  ${check.mend}`}`)
    }
  }
  return ok ? ExitCode.done : ExitCode.refused
}

/** Checks one thing after another and stops at the first that is ill, because the next needs it. */
export const command = (
  transport: (connection: Connection) => <A, E>(program: Effect.Effect<A, E, Transport>) => Effect.Effect<A, E>
): Effect.Effect<ExitCode, never, Settings | Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const configured = yield* Effect.either(Upstream.connection(yield* Settings))
    if (Either.isLeft(configured)) {
      const error: Failure.Refused = configured.left
      return report([ill("configuration", error.message, `Set ${error.setting ?? "it"} right.`)], output)
    }
    const connection = configured.right
    const checks: Array<Check> = [well("configuration", describe(connection))]
    const url = new URL(connection.baseUrl)
    const steps: ReadonlyArray<Effect.Effect<ReadonlyArray<Check>>> = [
      Effect.map(resolves(url.hostname.replace(/^\[|\]$/g, "")), (check) => [check]),
      Effect.map(connects(url), (check) => [check]),
      transport(connection)(letIn)
    ]
    for (const step of steps) {
      if (checks.some((check) => !check.ok)) break
      checks.push(...(yield* step))
    }
    return report(checks, output)
  })
