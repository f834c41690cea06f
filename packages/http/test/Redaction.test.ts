/**
 * No secret of ours leaves the transport: not in an error, an answer, a log line or a span, whatever the upstream does.
 *
 * Every failing upstream of the contract suite is met with canary secrets, over both transports and both ways to
 * authenticate, and everything that comes out is searched for them in every spelling that they could have.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Credentials from "@milepost/core/Credentials"
import * as Decode from "@milepost/core/Decode"
import { Transport } from "@milepost/core/Transport"
import type * as Connection from "../src/Connection.js"
import * as HttpClientTransport from "../src/HttpClientTransport.js"
import * as UndiciTransport from "../src/UndiciTransport.js"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Tracer from "effect/Tracer"
import { createHash } from "node:crypto"
import { inspect } from "node:util"
import { connectionTo, customerId, enrolment, type LayerFor } from "./calls.js"
import { type Scenario, scenarios, tokenScenarios } from "./failingUpstreams.js"

const username = "canary.till"
const password = "canary-p4ssword/with=signs&more"
const key = "canary-k3y-of-a-client"
const secret = "canary-s3cret-of-a-client+/="
const token = "canary-t0ken.of-a_client"

const md5 = createHash("md5").update(password).digest("hex")

const basic = Credentials.basic({ username, password: Redacted.make(password) })
const hashed = Credentials.basicHashed({ username, passwordMd5: Redacted.make(md5) })
const oauth = Credentials.oauth({ key: Redacted.make(key), secret: Redacted.make(secret) })

const hashOf = (text: string) => createHash("md5").update(text).digest("hex")

/** A secret, its hash, and what base64 and escaping make of it; of base64 the middle, which no padding changes. */
const spellings = (text: string): ReadonlyArray<string> => [
  text,
  encodeURIComponent(text),
  JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/"),
  text.replace(/[=&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`),
  text.replaceAll("&", "&amp;"),
  Buffer.from(text).toString("base64").replace(/=+$/, "").slice(0, -2),
  hashOf(text)
]

const canaries: ReadonlyArray<string> = [
  ...[password, key, secret, token, md5, md5.toUpperCase()].flatMap(spellings),
  ...spellings(`${username}:${md5}`)
]

const leaks = (text: string): ReadonlyArray<string> => canaries.filter((canary) => text.includes(canary))

/** Spans hold their times as BigInt, which JSON cannot. */
const json = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => typeof part === "bigint" ? String(part) : part) ?? ""

/** Every way in which somebody prints a value. */
const printed = (value: unknown): ReadonlyArray<string> => {
  const asError = value instanceof Error ? [value.message, value.stack ?? "", String(value.cause)] : []
  return [String(value), json(value), inspect(value, { depth: 10, showHidden: true }), ...asError]
}

/** A tracer that keeps every span, with its attributes and events. */
const recorder = () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const events: Array<unknown> = []
      const span: Tracer.Span & { events: Array<unknown> } = {
        _tag: "Span",
        name,
        spanId: String(spans.length),
        traceId: "trace",
        parent,
        context,
        links,
        kind,
        status: { _tag: "Started", startTime },
        attributes,
        sampled: true,
        events,
        attribute: (name, value) => void attributes.set(name, value),
        event: (...event) => void events.push(event),
        addLinks: () => {},
        end: (_, exit) => void events.push(exit)
      }
      spans.push(span)
      return span
    },
    context: (run) => run()
  })
  return { spans, tracer }
}

/** Everything that comes out of one call: result, log and spans. */
const outcome = (scenario: Scenario, credentials: Credentials.Credentials, layerFor: LayerFor) =>
  Effect.gen(function*() {
    const url = yield* scenario.start(token)
    const connection: Connection.Connection = connectionTo(url, {
      timeoutMillis: 15_000,
      ...scenario.options,
      credentials
    })
    const lines: Array<string> = []
    const { spans, tracer } = recorder()
    const logger = Logger.make<unknown, void>((entry) => {
      lines.push(Logger.logfmtLogger.log(entry), Logger.jsonLogger.log(entry), ...printed(entry.message))
      lines.push(Cause.pretty(entry.cause), inspect(entry.annotations, { depth: 10 }))
    })
    const program = Effect.gen(function*() {
      const transport = yield* Transport
      lines.push(...printed(transport))
      const response = yield* transport.send(enrolment)
      const decoded = Decode.accepted(response, customerId)
      return { response, decoded, answerError: Either.getLeft(decoded) }
    }).pipe(
      Effect.tapErrorCause((cause) => Effect.logTrace("failed", cause)),
      Effect.tap((result) => Effect.logTrace("answered", result)),
      Effect.withSpan("call"),
      Effect.provide(layerFor(connection)),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.withTracer(tracer)
    )
    const exit = yield* Effect.exit(program)
    const error = Exit.isFailure(exit) ? Option.getOrNull(Cause.failureOption(exit.cause)) : null
    const answer = Exit.isSuccess(exit) ? Option.getOrNull(exit.value.answerError) : null
    expect(lines.length).toBeGreaterThan(0)
    expect(spans.map(({ name }) => name)).toEqual(["call"])
    return [exit, error, answer, connection, lines, spans.map(({ attributes }) => [...attributes]), spans]
      .flatMap(printed)
      .concat(Exit.isFailure(exit) ? [Cause.pretty(exit.cause), Cause.pretty(exit.cause, { renderErrorCause: true })] : [])
      .concat(lines)
      .join("\n")
  })

const transports: Readonly<Record<string, LayerFor>> = {
  UndiciTransport: UndiciTransport.layer,
  "HttpClientTransport over fetch": (connection) =>
    Layer.provide(HttpClientTransport.layer(connection), FetchHttpClient.layer)
}

const ways: Readonly<Record<string, readonly [Credentials.Credentials, ReadonlyArray<Scenario>]>> = {
  "a password": [basic, scenarios],
  "a hashed password": [hashed, scenarios],
  OAuth: [oauth, [...scenarios, ...tokenScenarios]]
}

describe("no secret comes out", () => {
  it("the search finds a secret in each of its spellings", () => {
    for (const canary of canaries) expect(leaks(`before ${canary} after`)).toContain(canary)
    expect(leaks(Buffer.from(`${username}:${md5}`).toString("base64"))).not.toEqual([])
    expect(leaks(JSON.stringify({ password }))).not.toEqual([])
  })

  for (const [transport, layerFor] of Object.entries(transports)) {
    for (const [way, [credentials, failures]] of Object.entries(ways)) {
      describe(`${transport} with ${way}`, () => {
        for (const scenario of failures) {
          it.scopedLive(scenario.name, () =>
            Effect.map(outcome(scenario, credentials, layerFor), (text) => expect(leaks(text)).toEqual([])))
        }
      })
    }
  }
})
