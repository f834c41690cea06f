/** The SDK as its users have it: `Enroll` through `UndiciTransport`, with every default. */
import * as Credentials from "@milepost/core/Credentials"
import * as Enroll from "@milepost/core/Enroll"
import * as Enrollment from "@milepost/core/Enrollment"
import type { Transport } from "@milepost/core/Transport"
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as Connection from "@milepost/http/Connection"
import * as UndiciTransport from "@milepost/http/UndiciTransport"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Open } from "../Contender.js"
import * as Fibers from "../Fibers.js"
import * as Work from "../Work.js"

/** The transport with every default, as the till that all contenders call as. */
export const transport = (origin: string): Layer.Layer<Transport> => {
  const connection = Either.flatMap(BaseUrl.fromText(origin), (baseUrl) => {
    const password = Redacted.make(Work.till.password)
    return Connection.make({ baseUrl, credentials: Credentials.basic({ username: Work.till.username, password }) })
  })
  return UndiciTransport.layer(Either.getOrThrow(connection))
}

/** Makes one call by `Enroll.outcome`, which does not fail and tells how it ended. */
export const outcome = (call: Work.Call) => Effect.flatMap(Enrollment.milestone(call), Enroll.outcome)

/** `Enroll.outcome`. */
export const openOutcome: Open = (origin) => Fibers.client(outcome, transport(origin))

const rejected: Work.Ended = { outcome: "rejected" }

/** `Enroll.run`: fails with the typed error. */
export const openRun: Open = (origin) =>
  Fibers.client(
    (call) =>
      Effect.match(Effect.flatMap(Enrollment.milestone(call), Enroll.run), {
        onFailure: () => rejected,
        onSuccess: ({ customerId }) => customerId === call.customerId ? { outcome: "enrolled" } : rejected
      }),
    transport(origin)
  )
