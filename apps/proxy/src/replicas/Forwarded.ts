/** How a call goes from one replica to another: what is said, and what is answered. */
import * as Ids from "@milepost/core/Ids"
import type * as Transport from "@milepost/core/Transport"
import { MalformedAnswer, NoAnswer, NotSent, type TransportError } from "@milepost/core/TransportError"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Where one replica asks another to make a call. */
export const path = "/internal/v1/calls"

/** Where one replica tells another that something is wished for: it looks into the database at once. */
export const lookPath = "/internal/v1/look"

/** Behind whom a call waits: those who wait for one call go first. */
export type Priority = "interactive" | "batch"

/** A call that another replica is to make. */
export interface Forwarded {
  readonly org: string
  readonly priority: Priority
  readonly request: Transport.Request
}

/** The status with which a replica says that the lane is not its own. */
export const notOwner = 421

const Asked = Schema.parseJson(Schema.Struct({
  org: Schema.String,
  priority: Schema.Literal("interactive", "batch"),
  operation: Schema.Literal("enroll", "unenroll", "targetGroups"),
  method: Schema.Literal("POST", "GET"),
  path: Schema.String.pipe(Schema.startsWith("/")),
  body: Schema.NullOr(Schema.String),
  customerId: Schema.Int,
  timeoutMillis: Schema.optional(Schema.Number),
  traceparent: Schema.optional(Schema.String)
}))

const asked = Schema.decodeUnknownEither(Asked)

/** What is said. */
export const write = ({ org, priority, request }: Forwarded): string => JSON.stringify({ org, priority, ...request })

/** What was said; nothing where it was not one of ours. */
export const read = (text: string): Option.Option<Forwarded> =>
  Either.getRight(asked(text)).pipe(Option.flatMap(({ customerId, org, priority, ...request }) =>
    Option.map(Either.getRight(Ids.customerId(customerId)), (id) => ({ org, priority, request: { ...request, customerId: id } }))))

/** The keys of a record that names every reason there is: a new one that is missing here does not compile. */
const reasons = <R extends string>(all: Readonly<Record<R, true>>): Schema.Schema<R> => Schema.Literal(...(Object.keys(all) as Array<R>))

const notSent = reasons<NotSent["reason"]>({
  Dns: true,
  Refused: true,
  ConnectTimeout: true,
  Tls: true,
  Closed: true,
  CredentialsRefused: true,
  TokenUnavailable: true
})

const Answer = Schema.parseJson(Schema.Union(
  Schema.Struct({
    status: Schema.Int,
    headers: Schema.Record({ key: Schema.String, value: Schema.String }),
    body: Schema.String,
    requestId: Schema.NullOr(Schema.String)
  }),
  Schema.Struct({
    _tag: Schema.Literal("NotSent"),
    reason: notSent,
    message: Schema.String
  }),
  Schema.Struct({
    _tag: Schema.Literal("NoAnswer"),
    reason: reasons<NoAnswer["reason"]>({ Timeout: true, Reset: true }),
    message: Schema.String,
    requestId: Schema.NullOr(Schema.String)
  }),
  Schema.Struct({
    _tag: Schema.Literal("MalformedAnswer"),
    reason: reasons<MalformedAnswer["reason"]>({ Empty: true, NotJson: true, UnexpectedShape: true, TooLarge: true }),
    message: Schema.String,
    status: Schema.Int,
    requestId: Schema.NullOr(Schema.String)
  })
))

const answered = Schema.decodeUnknownEither(Answer)

/** How a call ended, as it is told. */
export const writeExit = (exit: Exit.Exit<Transport.Response, TransportError>): Option.Option<string> =>
  Exit.match(exit, {
    onSuccess: (response) => Option.some(JSON.stringify(response)),
    onFailure: (cause) => cause._tag === "Fail" ? Option.some(JSON.stringify({ ...cause.error, message: cause.error.message })) : Option.none()
  })

/** How a call ended, as it was told; nothing where that was not told as we tell it. */
export const readExit = (text: string): Option.Option<Exit.Exit<Transport.Response, TransportError>> =>
  Option.map(Either.getRight(answered(text)), (answer) => {
    if (!("_tag" in answer)) return Exit.succeed(answer)
    switch (answer._tag) {
      case "NotSent":
        return Exit.fail(new NotSent(answer))
      case "NoAnswer":
        return Exit.fail(new NoAnswer(answer))
      case "MalformedAnswer":
        return Exit.fail(new MalformedAnswer(answer))
    }
  })
