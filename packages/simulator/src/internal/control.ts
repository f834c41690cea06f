/**
 * The control routes under `/__sim`: health, journal, clock, faults, reset.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Faults from "../Faults.js"
import * as Progress from "../Progress.js"
import type { HttpAnswer, HttpRequest, Service } from "../Simulator.js"
import * as World from "../World.js"
import type { Issue } from "./reading.js"
import * as reading from "./reading.js"

const prefix = "/__sim"

/** Whether a path is one of control. */
export const isControl = (path: string): boolean => path === prefix || path.startsWith(`${prefix}/`)

const ok = (value: unknown): HttpAnswer => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value)
})

const wrong = (status: number, issues: ReadonlyArray<Issue>): HttpAnswer => ({ ...ok({ issues }), status })

const whole = (status: number, problem: string): HttpAnswer => wrong(status, [{ path: "", problem }])

type Route = (simulator: Service, json: unknown, query: URLSearchParams) => Effect.Effect<HttpAnswer>

const ClockCommand = Schema.Union(
  Schema.Struct({ set: Schema.String }),
  Schema.Struct({ advanceSeconds: Schema.Number.pipe(Schema.between(0, 1e10)) })
)

const decodeClockCommand = reading.decoder(ClockCommand)

const readClock: Route = ({ clock }) => Effect.map(clock.now, (now) => ok({ now: DateTime.formatIso(now) }))

const moveClock: Route = (simulator, json, query) => {
  const command = decodeClockCommand(json)
  if (Either.isLeft(command)) return Effect.succeed(whole(400, "needs either set, an instant, or advanceSeconds, a number"))
  if ("advanceSeconds" in command.right) {
    return Effect.zipRight(
      simulator.clock.advance(command.right.advanceSeconds * 1000),
      readClock(simulator, json, query)
    )
  }
  const instant = DateTime.make(command.right.set)
  return Option.isNone(instant)
    ? Effect.succeed(wrong(400, [{ path: "set", problem: "must be an instant such as 2026-01-31T23:59:59Z" }]))
    : Effect.zipRight(simulator.clock.set(instant.value), readClock(simulator, json, query))
}

const readJournal: Route = ({ journal }, _, query) =>
  Effect.map(Effect.all([journal.counts, journal.entries]), ([counts, entries]) => {
    const customerId = query.get("customerId")
    return ok({
      counts,
      entries: customerId === null ? entries : entries.filter((entry) => String(entry.customerId) === customerId)
    })
  })

const clearJournal: Route = ({ journal }) => Effect.as(journal.clear, ok({}))

const listFaults: Route = ({ faults }) => Effect.map(faults.list, (list) => ok({ faults: list }))

const addFaults: Route = ({ faults }, json) =>
  Either.match(Faults.decode(Array.isArray(json) ? json : [json]), {
    onLeft: ({ issues }) => Effect.succeed(wrong(400, issues)),
    onRight: (added) => Effect.map(Effect.forEach(added, faults.add), (ids) => ok({ ids }))
  })

const clearFaults: Route = ({ faults }) => Effect.as(faults.clear, ok({}))

const progress: Route = (simulator, json) =>
  Either.match(Progress.decode(json), {
    onLeft: ({ issues }) => Effect.succeed(wrong(400, issues)),
    onRight: (event) =>
      Effect.match(simulator.progress(event), {
        onFailure: ({ message }) => whole(409, message),
        onSuccess: (standing) => ok({ standing })
      })
  })

const reset: Route = (simulator, json) =>
  json === undefined
    ? Effect.as(simulator.reset(), ok({}))
    : Either.match(World.decode(json), {
      onLeft: ({ issues }) => Effect.succeed(wrong(400, issues)),
      onRight: (world) => Effect.as(simulator.reset(world), ok({}))
    })

const routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  "/health": { GET: () => Effect.succeed(ok({ status: "ok" })) },
  "/world": { GET: (simulator) => Effect.map(simulator.world, ok) },
  "/journal": { GET: readJournal, DELETE: clearJournal },
  "/clock": { GET: readClock, POST: moveClock },
  "/faults": { GET: listFaults, POST: addFaults, DELETE: clearFaults },
  "/events": { POST: progress },
  "/reset": { POST: reset }
}

/** Answers a control call. */
export const handle = (simulator: Service, request: HttpRequest): Effect.Effect<HttpAnswer> => {
  const { body, headers, method, path } = request
  const mark = path.indexOf("?")
  const methods = routes[(mark === -1 ? path : path.slice(0, mark)).slice(prefix.length)]
  if (methods === undefined) return Effect.succeed(whole(404, "no such control route"))
  const route = methods[method]
  if (route === undefined) return Effect.succeed(whole(405, `takes ${Object.keys(methods).join(", ")}`))
  const given = body !== null && body.trim() !== ""
  // A page in a browser can post to this machine, but not as JSON without asking first.
  if (given && !String(headers["content-type"]).startsWith("application/json")) {
    return Effect.succeed(whole(415, "the body must be application/json"))
  }
  const json = given ? reading.parse(body) : Either.right(undefined)
  return Either.isLeft(json)
    ? Effect.succeed(wrong(400, json.left))
    : route(simulator, json.right, new URLSearchParams(mark === -1 ? "" : path.slice(mark)))
}
