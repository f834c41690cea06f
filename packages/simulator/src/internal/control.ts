/**
 * The control routes under `/__sim`: health, worlds, journal, clock, faults, progress, reset.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Faults from "../Faults.js"
import * as Journal from "../Journal.js"
import * as Progress from "../Progress.js"
import type { HttpAnswer, HttpRequest, Service } from "../Simulator.js"
import * as World from "../World.js"
import type { Issue } from "./reading.js"
import * as reading from "./reading.js"
import * as worlds from "./worlds.js"

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

/** A control call, its body read. */
interface Asked {
  readonly simulator: Service
  readonly worlds: worlds.Worlds
  /** `undefined` where there was no body. */
  readonly json: unknown
  readonly query: URLSearchParams
  /** The last part of the path, in the routes that end in one. */
  readonly name: string
}

type Route = (asked: Asked) => Effect.Effect<HttpAnswer>

const ClockCommand = Schema.Union(
  Schema.Struct({ set: Schema.String }),
  Schema.Struct({ advanceSeconds: Schema.Number.pipe(Schema.between(0, 1e10)) })
)

const decodeClockCommand = reading.decoder(ClockCommand)

const readClock: Route = ({ simulator: { clock } }) =>
  Effect.map(Effect.all([clock.now, clock.runs]), ([now, runs]) => ok({ now: DateTime.formatIso(now), runs }))

const moveClock: Route = (asked) => {
  const { clock } = asked.simulator
  const command = decodeClockCommand(asked.json)
  if (Either.isLeft(command)) return Effect.succeed(whole(400, "needs either set, an instant, or advanceSeconds, a number"))
  if ("advanceSeconds" in command.right) {
    return Effect.zipRight(clock.advance(command.right.advanceSeconds * 1000), readClock(asked))
  }
  const instant = DateTime.make(command.right.set)
  return Option.isNone(instant)
    ? Effect.succeed(wrong(400, [{ path: "set", problem: "must be an instant such as 2026-01-31T23:59:59Z" }]))
    : Effect.zipRight(clock.set(instant.value), readClock(asked))
}

const Filter = Schema.Struct({
  customerId: reading.optional(Schema.NumberFromString.pipe(Schema.int())),
  operation: reading.optional(reading.oneOf("enroll", "unenroll", "targetGroups", "token", "other")),
  outcome: reading.optional(reading.oneOf("accepted", "refused", "lost", "unanswered")),
  since: reading.optional(Schema.NumberFromString.pipe(Schema.int()))
})

const decodeFilter = reading.decoder(Filter)

const readJournal: Route = ({ query, simulator: { journal } }) =>
  Either.match(decodeFilter(Object.fromEntries(query)), {
    onLeft: (issues) => Effect.succeed(wrong(400, issues)),
    onRight: (filter) =>
      Effect.map(Effect.all([journal.counts, journal.entries]), ([counts, entries]) =>
        ok({ counts, entries: Journal.select(entries, filter) }))
  })

const assertJournal: Route = ({ query, simulator: { journal } }) => {
  const rule = query.get("rule")
  if (rule !== "no-overlap") return Effect.succeed(wrong(400, [{ path: "rule", problem: "must be no-overlap" }]))
  return Effect.map(Effect.all([journal.counts, journal.entries]), ([{ overlaps }, entries]) => {
    // The count is complete, the entries may have been forgotten.
    const answer = ok({ rule, holds: overlaps === 0, overlaps, entries: Journal.overlapsIn(entries) })
    return overlaps === 0 ? answer : { ...answer, status: 409 }
  })
}

const clearJournal: Route = ({ simulator: { journal } }) => Effect.as(journal.clear, ok({}))

const listFaults: Route = ({ simulator: { faults } }) => Effect.map(faults.list, (list) => ok({ faults: list }))

const addFaults: Route = ({ json, simulator: { faults } }) =>
  Either.match(Faults.decode(Array.isArray(json) ? json : [json]), {
    onLeft: ({ issues }) => Effect.succeed(wrong(400, issues)),
    onRight: (added) => Effect.map(Effect.forEach(added, faults.add), (ids) => ok({ ids }))
  })

const clearFaults: Route = ({ simulator: { faults } }) => Effect.as(faults.clear, ok({}))

const removeFault: Route = ({ name, simulator: { faults } }) =>
  Effect.map(faults.remove(Number(name)), (removed) => removed ? ok({}) : whole(404, `there is no fault ${name}`))

const progress: Route = ({ json, simulator }) =>
  Either.match(Progress.decode(json), {
    onLeft: ({ issues }) => Effect.succeed(wrong(400, issues)),
    onRight: (event) =>
      Effect.match(simulator.progress(event), {
        onFailure: ({ message }) => whole(409, message),
        onSuccess: (standing) => ok({ standing })
      })
  })

/** With the world of the body, or without one where none was sent. */
const inWorld = (json: unknown, then: (world: World.World | undefined) => Effect.Effect<HttpAnswer>): Effect.Effect<HttpAnswer> =>
  json === undefined
    ? then(undefined)
    : Either.match(World.decode(json), { onLeft: ({ issues }) => Effect.succeed(wrong(400, issues)), onRight: then })

const reset: Route = ({ json, simulator }) => inWorld(json, (world) => Effect.as(simulator.reset(world), ok({})))

const listWorlds: Route = ({ worlds: beside }) =>
  Effect.map(
    Effect.forEach(beside.list(), ([name, { journal }]) => Effect.map(journal.counts, ({ received }) => ({ name, received }))),
    (all) => ok({ worlds: all })
  )

const putWorld: Route = ({ json, name, query, simulator, worlds: beside }) => {
  if (!worlds.isName(name)) {
    return Effect.succeed(whole(400, "a world's name is 1 to 100 letters, digits, dots, hyphens and underscores"))
  }
  const seed = query.get("seed")
  if (seed !== null && !/^\d{1,9}$/.test(seed)) {
    return Effect.succeed(wrong(400, [{ path: "seed", problem: "must be a whole number from 0" }]))
  }
  return inWorld(json, (given) =>
    Effect.flatMap(simulator.world, (served) =>
      Effect.as(
        beside.put(name, given ?? served, seed === null ? undefined : Number(seed)),
        ok({ name, header: { [worlds.header]: name }, path: `/__world/${name}` })
      )))
}

const readWorld: Route = ({ name, worlds: beside }) => {
  const found = beside.get(name)
  return found === undefined ? Effect.succeed(whole(404, `there is no world ${name}`)) : Effect.map(found.world, ok)
}

const removeWorld: Route = ({ name, worlds: beside }) =>
  Effect.sync(() => beside.remove(name) ? ok({}) : whole(404, `there is no world ${name}`))

type Routes = Readonly<Record<string, Readonly<Record<string, Route>>>>

const routes: Routes = {
  "/health": { GET: () => Effect.succeed(ok({ status: "ok" })) },
  "/world": { GET: ({ simulator }) => Effect.map(simulator.world, ok), PUT: reset },
  "/worlds": { GET: listWorlds },
  "/journal": { GET: readJournal, DELETE: clearJournal },
  "/journal/assert": { GET: assertJournal },
  "/clock": { GET: readClock, POST: moveClock },
  "/faults": { GET: listFaults, POST: addFaults, DELETE: clearFaults },
  "/events": { POST: progress },
  "/reset": { POST: reset }
}

/** Routes that end in the name of one thing. */
const named: Routes = {
  "/worlds": { GET: readWorld, PUT: putWorld, DELETE: removeWorld },
  "/faults": { DELETE: removeFault }
}

const found = (path: string): { readonly methods: Routes[string]; readonly name: string } | undefined => {
  const methods = routes[path]
  if (methods !== undefined) return { methods, name: "" }
  const slash = path.lastIndexOf("/")
  const ofOne = named[path.slice(0, slash)]
  return ofOne === undefined ? undefined : { methods: ofOne, name: path.slice(slash + 1) }
}

/** Answers a control call. */
export const handle = (simulator: Service, beside: worlds.Worlds, request: HttpRequest): Effect.Effect<HttpAnswer> => {
  const { body, headers, method, path } = request
  const mark = path.indexOf("?")
  const place = found((mark === -1 ? path : path.slice(0, mark)).slice(prefix.length))
  if (place === undefined) return Effect.succeed(whole(404, "no such control route"))
  const route = place.methods[method]
  if (route === undefined) return Effect.succeed(whole(405, `takes ${Object.keys(place.methods).join(", ")}`))
  const given = body !== null && body.trim() !== ""
  // A page in a browser can post to this machine, but not as JSON without asking first.
  if (given && !String(headers["content-type"]).startsWith("application/json")) {
    return Effect.succeed(whole(415, "the body must be application/json"))
  }
  const json = given ? reading.parse(body) : Either.right(undefined)
  if (Either.isLeft(json)) return Effect.succeed(wrong(400, json.left))
  const query = new URLSearchParams(mark === -1 ? "" : path.slice(mark))
  return route({ simulator, worlds: beside, json: json.right, query, name: place.name })
}
