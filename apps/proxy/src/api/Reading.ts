/** Reads what a request brings: its whole body within a limit, and in its schema, with one line for what is wrong. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Bodies } from "../server/Bodies.js"
import * as Problem from "./Problem.js"

/** The largest JSON body that is read: a batch of a thousand records. */
const mostBytes = 1_048_576

const json = /^application\/json\s*(?:;|$)/i

/** The first mistake of a parse, as path and words; it repeats no value but an id. */
export const mistakeOf = (error: ParseResult.ParseError): string => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const path = issue?.path.map(String).join(".") ?? ""
  const message = issue?.message.split("\n")[0] ?? "is not as documented"
  return path === "" ? message : `${path}: ${message}`
}

/** The body of a JSON request as text. */
export const text = (bodies: Bodies): Effect.Effect<string, Problem.Problem, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.async((resume) => {
      const req = NodeHttpServerRequest.toIncomingMessage(request)
      if (!json.test(req.headers["content-type"] ?? "")) {
        return resume(Effect.fail(Problem.make("unsupported-media-type", "The body must be application/json.")))
      }
      bodies.read(req, mostBytes, (body) => {
        if (body._tag === "Whole") return resume(Effect.succeed(body.text))
        resume(Effect.fail(
          body._tag === "TooLarge"
            ? Problem.make("too-large", `The body is larger than ${mostBytes} bytes.`)
            : Problem.make("invalid-request", "The body is not UTF-8 text.")
        ))
      })
    }))

/** What a text holds, in a schema; keys that nobody knows are refused, so that a misspelt one is noticed. */
export const decoded = <A, I>(schema: Schema.Schema<A, I>, body: string): Effect.Effect<A, Problem.Problem> =>
  Effect.flatMap(
    Effect.try({ try: () => JSON.parse(body) as unknown, catch: () => Problem.make("invalid-request", "The body is not JSON.") }),
    (value) =>
      Effect.mapError(
        Schema.decodeUnknown(schema, { onExcessProperty: "error" })(value),
        (error) => Problem.make("invalid-request", mistakeOf(error))
      )
  )
