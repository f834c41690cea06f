/** The calls and connections that the tests send. */
import * as Credentials from "@milepost/core/Credentials"
import * as Ids from "@milepost/core/Ids"
import * as Transport from "@milepost/core/Transport"
import type { TransportError } from "@milepost/core/TransportError"
import * as BaseUrl from "../src/BaseUrl.js"
import * as Connection from "../src/Connection.js"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

export const customerId = Either.getOrThrow(Ids.customerId(564332013))

export const enrolment: Transport.Request = {
  operation: "enroll",
  method: "POST",
  path: "/targetGroups/2154/targets/2309/enroll",
  body: `[{"customerId":564332013,"periodName":"PERIOD_G_29463_1","initialBalance":100}]`,
  customerId
}

export const lookUp: Transport.Request = {
  operation: "targetGroups",
  method: "GET",
  path: "/users/564332013/targetGroups?includeInactive=true",
  body: null,
  customerId
}

export const till = Credentials.basic({ username: "store.server", password: Redacted.make("server123") })

export const client = Credentials.oauth({
  key: Redacted.make("a-key-of-the-client"),
  secret: Redacted.make("a-secret-of-the-client")
})

export const connectionTo = (url: string, options: Partial<Connection.Options> = {}): Connection.Connection =>
  Either.getOrThrow(
    Connection.make({ credentials: till, ...options, baseUrl: Either.getOrThrow(BaseUrl.fromText(url)) })
  )

export type LayerFor = (connection: Connection.Connection) => Layer.Layer<Transport.Transport>

export const send = (
  request: Transport.Request
): Effect.Effect<Transport.Response, TransportError, Transport.Transport> =>
  Effect.flatMap(Transport.Transport, (transport) => transport.send(request))

/** What became of a call in a word: `200`, `NotSent/Dns`, `NoAnswer/Timeout`, … */
export const fate = (exit: Exit.Exit<Transport.Response, TransportError>): string =>
  Exit.match(exit, {
    onSuccess: ({ status }) => String(status),
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onSome: (error) => `${error._tag}/${error.reason}`,
        onNone: () => Cause.pretty(cause)
      })
  })

/** The same effect many times at once. */
export const atOnce = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>): Effect.Effect<Array<A>, E, R> =>
  Effect.all(Array.from({ length: count }, () => effect), { concurrency: "unbounded" })

/** The same effect many times, one after another. */
export const inTurn = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>): Effect.Effect<Array<A>, E, R> =>
  Effect.all(Array.from({ length: count }, () => effect))
