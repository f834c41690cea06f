/**
 * Conformance of a simulator, or of a proxy before one. Every case has a world of its own: beside the served one in a
 * simulator, and started over behind a proxy, which knows one upstream only.
 */
import * as Credentials from "@milepost/core/Credentials"
import * as DataScope from "@milepost/core/DataScope"
import * as Transport from "@milepost/core/Transport"
import * as BasePath from "@milepost/http/BasePath"
import * as BaseUrl from "@milepost/http/BaseUrl"
import * as BasicAuth from "@milepost/http/BasicAuth"
import * as Connection from "@milepost/http/Connection"
import * as UndiciTransport from "@milepost/http/UndiciTransport"
import type * as Conformance from "@milepost/simulator/Conformance"
import type * as Simulator from "@milepost/simulator/Simulator"
import * as World from "@milepost/simulator/World"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Refused } from "../Refused.js"
import * as Control from "./Control.js"
import * as RawTransport from "./RawTransport.js"
import * as Runner from "./Runner.js"
import type { Verdict } from "./Verdict.js"

type Caller = Simulator.CallerOptions

const passwords = new Map(
  World.conformance.credentials.flatMap((credential) =>
    credential.type === "basic" ? [[credential.username, credential.password]] : []
  )
)

const basicOf = ({ credential }: Caller) => {
  const username = credential ?? "nobody"
  return Credentials.basic({ username, password: Redacted.make(passwords.get(username) ?? "wrong") })
}

const refusedBy = ({ message }: { readonly message: string }): Refused => new Refused({ lines: [message] })

/** Our own transport, which refuses to send some data scopes: those go raw. */
const isExpressible = ({ dataScope, dataScopeOrg }: Caller): boolean =>
  dataScope !== "ALL" && (dataScope !== "OTHER" || dataScopeOrg !== undefined)

const pooled = (baseUrl: string, basePath: string, caller: Caller) =>
  Effect.gen(function*() {
    return UndiciTransport.layer(
      yield* Connection.make({
        baseUrl: yield* BaseUrl.fromText(baseUrl, { insecure: true }),
        basePath: yield* BasePath.fromText(basePath),
        credentials: basicOf(caller),
        dataScope: caller.dataScopeOrg === undefined ? DataScope.self : yield* DataScope.other(Number(caller.dataScopeOrg))
      })
    )
  }).pipe(Effect.mapError(refusedBy))

const raw = (baseUrl: string, basePath: string, caller: Caller) => {
  const credentials = basicOf(caller)
  const authorization = credentials._tag === "Basic" ? Redacted.value(BasicAuth.authorization(credentials)) : ""
  const headers: Record<string, string> = { authorization }
  if (caller.dataScope !== undefined) headers["data-scope"] = caller.dataScope
  if (caller.dataScopeOrg !== undefined) headers["data-scope-org"] = String(caller.dataScopeOrg)
  return Layer.succeed(Transport.Transport, RawTransport.make({ url: baseUrl + basePath, headers }))
}

/** How many worlds are worked on at once. */
const atOnce = 4

/** The cases against a simulator's server. */
export const simulator = (
  baseUrl: string,
  basePath: string,
  cases: ReadonlyArray<Conformance.Case>
): Effect.Effect<ReadonlyArray<Verdict>, Refused> => {
  const inItsWorld = ({ caller, id, run }: Conformance.Case) => {
    const name = `conformance-${id}`
    const path = `/__world/${name}${basePath}`
    const over = isExpressible(caller) ? pooled(baseUrl, path, caller) : Effect.succeed(raw(baseUrl, path, caller))
    return Effect.acquireUseRelease(
      Control.call(baseUrl, "PUT", `/worlds/${name}`, World.conformance),
      () => Effect.flatMap(over, (layer) => Effect.provide(run, layer)),
      () => Effect.ignore(Control.call(baseUrl, "DELETE", `/worlds/${name}`))
    )
  }
  return Effect.zipRight(Control.call(baseUrl, "GET", "/health"), Runner.run(cases, inItsWorld, atOnce))
}

/** Where a proxy is, as whom to call it, and where the simulator behind it is controlled. */
export interface Proxied {
  readonly baseUrl: string
  readonly basePath: string
  readonly controlUrl: string
  readonly apiKey: Redacted.Redacted | undefined
}

/** The one caller that a proxy is: its credentials are its own, and so is what it does with a refusal of them. */
const proxyCaller = "parent.till"

/** Answered by a proxy itself, or hidden by what it is there for. */
const ofTheProxy: Readonly<Record<string, string>> = {
  "path-unknown": "the paths of a proxy are its own",
  "over-the-limit": "a proxy waits for the limit in place of its callers"
}

/** The cases against a proxy whose upstream is a simulator that calls as the parent's till. */
export const proxy = (
  { apiKey, basePath, baseUrl, controlUrl }: Proxied,
  cases: ReadonlyArray<Conformance.Case>
): Effect.Effect<ReadonlyArray<Verdict>, Refused> => {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${Redacted.value(apiKey)}` }
  const through = RawTransport.make({ url: baseUrl + basePath, headers })
  const startedOver = Control.call(controlUrl, "POST", "/reset", World.conformance)
  const prepare = ({ caller, id, run }: Conformance.Case) => {
    const reason = ofTheProxy[id] ??
      (caller.credential !== proxyCaller || caller.dataScope !== undefined ? "a proxy calls as itself, with its own data scope" : undefined)
    return reason === undefined
      ? Effect.zipRight(startedOver, Effect.provideService(run, Transport.Transport, through))
      : { reason }
  }
  return Effect.zipRight(Control.call(controlUrl, "GET", "/health"), Runner.run(cases, prepare, 1))
}
