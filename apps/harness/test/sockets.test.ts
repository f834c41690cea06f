/** The contract of the upstream over real sockets: both transports of `@milepost/http` against the simulator's server. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, it } from "@effect/vitest"
import * as Credentials from "@milepost/core/Credentials"
import * as DataScope from "@milepost/core/DataScope"
import type { Transport } from "@milepost/core/Transport"
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as Connection from "@milepost/http/Connection"
import * as HttpClientTransport from "@milepost/http/HttpClientTransport"
import * as UndiciTransport from "@milepost/http/UndiciTransport"
import * as Conformance from "@milepost/simulator/Conformance"
import * as Simulator from "@milepost/simulator/Simulator"
import * as SimulatorServer from "@milepost/simulator/SimulatorServer"
import * as World from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

type Caller = Simulator.CallerOptions

const passwords = new Map(
  World.conformance.credentials.flatMap((credential) =>
    credential.type === "basic" ? [[credential.username, credential.password]] : []
  )
)

// The transports refuse ALL, and OTHER without an organisation, before anything is sent.
const isExpressible = ({ dataScope, dataScopeOrg }: Caller): boolean =>
  dataScope !== "ALL" && (dataScope !== "OTHER" || dataScopeOrg !== undefined)

const connectionFor = (url: string, { credential, dataScopeOrg }: Caller) =>
  Effect.gen(function*() {
    const username = credential ?? "nobody"
    return yield* Connection.make({
      baseUrl: yield* BaseUrl.fromText(url),
      credentials: Credentials.basic({ username, password: Redacted.make(passwords.get(username) ?? "wrong") }),
      dataScope: dataScopeOrg === undefined ? DataScope.self : yield* DataScope.other(Number(dataScopeOrg))
    })
  })

const suite = (name: string, transport: (connection: Connection.Connection) => Layer.Layer<Transport>): void => {
  describe(name, () => {
    for (const { caller, name: sentence, run } of Conformance.cases.filter((one) => isExpressible(one.caller))) {
      it.live(sentence, () =>
        Effect.gen(function*() {
          const { url } = yield* SimulatorServer.serve()
          yield* Effect.provide(run, transport(yield* connectionFor(url, caller)))
        }).pipe(Effect.scoped, Effect.provide(Simulator.layer(World.conformance))))
    }
  })
}

suite("UndiciTransport", UndiciTransport.layer)

suite("HttpClientTransport over fetch", (connection) =>
  Layer.provide(HttpClientTransport.layer(connection), FetchHttpClient.layer))

const oauth = Credentials.oauth({ key: Redacted.make("parent-key"), secret: Redacted.make("parent-oauth-secret") })

describe("OAuth", () => {
  it.live("a token is fetched, and fetched again when it has expired upstream", () =>
    Effect.gen(function*() {
      const { clock } = yield* Simulator.Simulator
      const { url } = yield* SimulatorServer.serve()
      const connection = yield* Connection.make({ baseUrl: yield* BaseUrl.fromText(url), credentials: oauth })
      const [first, second] = ["a first enrolment is accepted and names its customer", "re-enrolling with 0 starts at 0"].map(
        (sentence) => Conformance.cases.find(({ name }) => name === sentence)?.run ?? Effect.die(`no case ${sentence}`)
      )
      yield* Effect.provide(
        Effect.all([first ?? Effect.void, clock.advance("2 hours"), second ?? Effect.void]),
        UndiciTransport.layer(connection)
      )
    }).pipe(Effect.scoped, Effect.provide(Simulator.layer(World.conformance))))
})
