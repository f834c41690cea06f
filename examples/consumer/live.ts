/** The same enrolment over the network, by hand or in a service of one's own; compiled only. */
import { Credentials, Enroll, Enrollment } from "@milepost/core"
import { BaseUrl, Connection, UndiciTransport } from "@milepost/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"

/** A transport that lives as long as the program, with one pool of connections. */
export const transport = (username: string, password: Redacted.Redacted) =>
  Layer.unwrapEffect(Effect.gen(function*() {
    const baseUrl = yield* BaseUrl.fromText("eu")
    const connection = yield* Connection.make({ baseUrl, credentials: Credentials.basic({ username, password }) })
    return UndiciTransport.layer(connection)
  }))

/** Enrols a customer into a streak and says in one word how it ended. */
export const enrol = (customerId: number) =>
  Enrollment.streak({ targetGroupId: 40, targetId: 41, customerId }).pipe(
    Effect.flatMap(Enroll.outcome),
    Effect.map(({ outcome }) => outcome)
  )
