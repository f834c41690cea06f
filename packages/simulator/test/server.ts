/** The simulator's server in tests: how it is called, and how it is started. */
import * as Effect from "effect/Effect"
import type { Fault } from "../src/Faults.js"
import * as Simulator from "../src/Simulator.js"
import * as SimulatorServer from "../src/SimulatorServer.js"
import * as World from "../src/World.js"

/** The documented base path. */
export const basePath = "/api_gateway/intouch-api-v3/v3.1"

/** The first till of the sample world. */
export const till = "Basic c3RvcmUuc2VydmVyOjhhMTZhNmI3MDUwNWViMWYxZmY3Y2RjMGNkNTU1OWE3"

/** What is sent; default a POST as the sample world's first till. */
export interface Sent {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** One call. */
export const send = (
  url: string,
  { body, headers = {}, method = "POST" }: Sent
): Effect.Effect<{ readonly status: number; readonly text: string }, "the connection broke"> =>
  Effect.tryPromise({
    try: async () => {
      const response = await fetch(url, {
        method,
        headers: { authorization: till, "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
      return { status: response.status, text: await response.text() }
    },
    catch: () => "the connection broke" as const
  })

/** The body of an answer. */
export const json = (sent: { readonly text: string }): unknown => JSON.parse(sent.text)

/** One call of control: status and body. */
export const control = (url: string, method: string, path: string, body?: unknown) =>
  Effect.map(send(`${url}/__sim${path}`, { method, body }), (sent) => [sent.status, json(sent)] as const)

/** Waits until so many calls have arrived. */
export const arrived = (url: string, calls: number) =>
  Effect.repeat(send(`${url}/__sim/journal`, { method: "GET" }), {
    until: (sent) => (json(sent) as { counts: { received: number } }).counts.received >= calls
  })

/** The record of an enrolment into the sample world's first milestone. */
export const record = (customerId: number) => [{ customerId, periodName: "Cycle_1", initialBalance: 100 }]

/** Where it is enrolled. */
export const enroll = "/targetGroups/2154/targets/2309/enroll"

/** A test against the sample world, or another, on a port. */
export const served = <A, E>(
  test: (url: string, simulator: Simulator.Service) => Effect.Effect<A, E>,
  faults: ReadonlyArray<Fault> = [],
  world: World.World = World.sample
) =>
  Effect.gen(function*() {
    const { url } = yield* SimulatorServer.serve()
    return yield* test(url, yield* Simulator.Simulator)
  }).pipe(Effect.scoped, Effect.provide(Simulator.layer(world, { faults })))
