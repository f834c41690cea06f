/**
 * The simulated upstream as a service: a world brought to life, in memory, with its clock, its faults and its journal.
 *
 * `SimulatorTransport` puts it under the programs of `@milepost/core`, `SimulatorServer` on a port; both are thin, and
 * answer alike because both come through here.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Faults from "./Faults.js"
import type { Headers } from "./internal/access.js"
import * as progressing from "./internal/progressing.js"
import { at } from "./internal/stays.js"
import * as upstreams from "./internal/upstream.js"
import type * as worldIndex from "./internal/worldIndex.js"
import * as Journal from "./Journal.js"
import type * as Progress from "./Progress.js"
import * as Rules from "./Rules.js"
import * as VirtualClock from "./VirtualClock.js"
import * as World from "./World.js"

/** A call as it comes over HTTP. */
export interface HttpRequest {
  readonly method: string
  /** The whole path, with base path and query. */
  readonly path: string
  /** By lower-case name. */
  readonly headers: Headers
  readonly body: string | null
}

/** A whole answer, whatever it says. */
export interface HttpAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A fault broke the connection: no answer, or half of one, has left. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{
  readonly message: string
}> {}

/**
 * A judged call: `answer` is to leave after `delayMillis`, in the way of `delivery`, and then `release` frees the customer.
 * Whoever begins a call must release it, also when nobody waits for its answer any more.
 */
export interface Exchange {
  readonly answer: HttpAnswer
  readonly delayMillis: number
  readonly delivery: upstreams.Delivery
  /** How far apart the bytes of a `slow` answer are. */
  readonly millisPerByte: number
  readonly release: () => void
}

/** Who calls without headers: somebody whom the world knows, and the data scope of the calls. */
export interface CallerOptions {
  /** A username or OAuth key of the world; default its first Basic credential, `null` for a call without credentials. */
  readonly credential?: string | null | undefined
  /** As `DATA-SCOPE`: `SELF` (the default), `OTHER` or `ALL`. */
  readonly dataScope?: string | undefined
  /** As `DATA-SCOPE-ORG`. */
  readonly dataScopeOrg?: number | string | undefined
}

/** One period in somebody's standing. */
export interface PeriodStanding {
  /** `null` in a streak without periods. */
  readonly refCode: string | null
  /** `false` after having been un-enrolled. */
  readonly enrolled: boolean
  readonly achieved: number
  readonly enrolledOn: DateTime.Utc
}

/** What the upstream holds of somebody in a target, for assertions. */
export interface Standing {
  /** Whether there is an enrolment in a period that has not ended. */
  readonly enrolled: boolean
  /** Every period that was ever entered, in order. */
  readonly periods: ReadonlyArray<PeriodStanding>
  /** Streaks: how many levels are achieved. */
  readonly level: number
}

/** How a simulator is made. */
export interface Options {
  /** Decides probabilities and tokens; default 0. */
  readonly seed?: number | undefined
  readonly faults?: ReadonlyArray<Faults.Fault> | undefined
  /** How many calls the journal keeps; default 10,000. Its counts are always complete. */
  readonly journalCapacity?: number | undefined
  /** Default `/api_gateway/intouch-api-v3/v3.1`; the seed's shorter `/v3.1` is always accepted too. */
  readonly basePath?: string | undefined
  /** Tells simulators side by side apart: tokens of one are unknown in another. Default: no name. */
  readonly name?: string | undefined
  /**
   * Rules in place of ours: to see that a test finds what they break, or to try what a live tenant does otherwise. What is
   * not given stays as it is.
   */
  readonly rules?: Partial<upstreams.Judge> | undefined
}

/** The simulated upstream. */
export interface Service {
  /** Answers a call as a server would; fails with {@link ConnectionLost} where a fault breaks the connection. */
  readonly handle: (request: HttpRequest) => Effect.Effect<HttpAnswer, ConnectionLost>
  /** The same for adapters that deliver by themselves: judges at once. */
  readonly unsafeBegin: (request: HttpRequest) => Exchange
  /** A call by somebody who needs no proof; its path is from the base path on. */
  readonly unsafeBeginAs: (
    caller: CallerOptions,
    request: { readonly method: string; readonly path: string; readonly body: string | null }
  ) => Exchange
  readonly journal: Journal.Journal
  readonly faults: Faults.Faults
  readonly clock: VirtualClock.VirtualClock
  /** The world as it was at the start. */
  readonly world: Effect.Effect<World.World>
  /** Starts over, in this world or another: state, clock, tokens and journal; the faults are those of the start. */
  readonly reset: (world?: World.World) => Effect.Effect<void>
  /** Another simulator, made with the same options and those given, that shares nothing with this one. */
  readonly beside: (world: World.World, options?: Pick<Options, "name" | "seed" | "faults">) => Effect.Effect<Service>
  /** What is held of somebody in a target; none for who was never enrolled, or where there is no such target. */
  readonly standing: (
    customerId: number,
    targetGroupId: number,
    targetId: number
  ) => Effect.Effect<Option.Option<Standing>>
  /** Somebody made progress; answers what is held of them then. */
  readonly progress: (event: Progress.Event) => Effect.Effect<Standing, Progress.ProgressRefused>
}

/**
 * The simulated upstream.
 *
 * @example
 * ```ts
 * import { Enroll, Enrollment } from "@milepost/core"
 * import { Simulator, SimulatorTransport, World } from "@milepost/simulator"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const enrollment = yield* Enrollment.milestone({
 *     targetGroupId: 2154,
 *     targetId: 2309,
 *     customerId: 564332013,
 *     periodName: "Cycle_1"
 *   })
 *   yield* Enroll.call(enrollment)
 *   const simulator = yield* Simulator.Simulator
 *   return yield* simulator.standing(564332013, 2154, 2309)
 * })
 *
 * const live = SimulatorTransport.layer.pipe(Layer.provideMerge(Simulator.layer(World.sample)))
 * const run = Effect.runPromise(Effect.provide(program, live))
 * ```
 */
export class Simulator extends Context.Tag("@milepost/simulator/Simulator")<Simulator, Service>() {}

/** The base path of the seed's *Resource information*. */
export const documentedBasePath = "/api_gateway/intouch-api-v3/v3.1"

/** The base path of the seed's *API Endpoint Example*. */
const shortBasePath = "/v3.1"

/** Where a token is asked for (`docs/upstream.md`, *Operations*). */
export const tokenPath = "/v3/oauth/token/generate"

const isJson = (headers: Headers): boolean => {
  const type = headers["content-type"]
  return typeof type === "string" && type.slice(0, 16).toLowerCase() === "application/json"
}

const startOf = (world: World.World): number => Date.parse(world.clock ?? World.defaultClock)

const lost: Readonly<Record<"halfWritten" | "reset", string>> = {
  halfWritten: "the connection broke in the middle of the answer",
  reset: "the connection was reset"
}

/** How long an answer takes until all of it has come. */
export const waitOf = ({ answer, delayMillis, millisPerByte }: Exchange): number =>
  millisPerByte === 0 ? delayMillis : delayMillis + answer.body.length * millisPerByte

const deliver = (exchange: Exchange): Effect.Effect<HttpAnswer, ConnectionLost> => {
  const { delivery } = exchange
  if (delivery === "never") return Effect.never
  const left: Effect.Effect<HttpAnswer, ConnectionLost> = delivery === "whole" || delivery === "slow"
    ? Effect.succeed(exchange.answer)
    : Effect.fail(new ConnectionLost({ message: lost[delivery] }))
  const millis = waitOf(exchange)
  return Effect.zipRight(millis > 0 ? Effect.sleep(millis) : Effect.yieldNow(), left)
}

const shown = (group: worldIndex.Group, now: number, standing: Rules.Standing): Standing => {
  const periods = Array.from({ length: Rules.spanOf(group) }, (_, ordinal) => ({
    period: group.periods[ordinal],
    stay: at(standing.stays, ordinal)
  })).flatMap(({ period, stay }) =>
    stay === undefined ? [] : [{
      refCode: period?.refCode ?? null,
      enrolled: stay.enrolled,
      achieved: stay.achieved,
      enrolledOn: DateTime.unsafeMake(stay.since)
    }]
  )
  return { enrolled: Rules.isEnrolled(group, now, standing), periods, level: standing.level }
}

const standingOf = (upstream: upstreams.Upstream, now: number) =>
(customerId: number, targetGroupId: number, targetId: number): Option.Option<Standing> => {
  const group = upstream.index.groups.get(targetGroupId)
  const target = group?.targets.get(targetId)
  const standing = target === undefined ? undefined : upstream.store.get(target, customerId)
  return group === undefined || standing === undefined ? Option.none() : Option.some(shown(group, now, standing))
}

/**
 * Brings a world to life. The world should have come through `World.decode`: a line that leads nowhere is passed over.
 * Times in the journal are read from the `Clock` that is in force here.
 */
export const make = (world: World.World, options: Options = {}): Effect.Effect<Service> =>
  Effect.gen(function*() {
    const ofEffect = yield* Clock.clockWith(Effect.succeed)
    const seed = options.seed ?? 0
    const nowMillis = () => ofEffect.unsafeCurrentTimeMillis()
    const clockOf = (of: World.World) => VirtualClock.make(startOf(of), of.clockRuns === true ? nowMillis : undefined)
    const { clock, unsafeReplace } = VirtualClock.replaceable(clockOf(world))
    const faults = Faults.make(seed, options.faults ?? [])
    const journal = Journal.make(options.journalCapacity)
    const basePath = options.basePath ?? documentedBasePath
    const judge = { enroll: Rules.enroll, unenroll: Rules.unenroll, ...options.rules }
    const name = options.name ?? ""
    const live = (of: World.World) => upstreams.make(of, { seed, name, judge, clock, faults, journal, nowMillis })
    let current = world
    let upstream = live(world)

    const relative = (path: string): string =>
      path.startsWith(`${basePath}/`)
        ? path.slice(basePath.length)
        : path.startsWith(`${shortBasePath}/`)
        ? path.slice(shortBasePath.length)
        : ""

    const unsafeBegin = ({ body, headers, method, path }: HttpRequest): upstreams.Exchange => {
      if (path === tokenPath) return upstream.beginToken(method, body, isJson(headers))
      const caller = upstream.access.fromHeaders(headers)
      return upstream.begin({ method, path: relative(path), body, caller, isJson: isJson(headers) })
    }

    return {
      handle: (request) =>
        Effect.acquireUseRelease(
          Effect.sync(() => unsafeBegin(request)),
          deliver,
          (exchange) => Effect.sync(() => exchange.release())
        ),
      unsafeBegin,
      unsafeBeginAs: ({ credential, dataScope, dataScopeOrg }, { body, method, path }) => {
        const name = credential === undefined ? upstream.index.firstBasic : credential
        const org = dataScopeOrg === undefined ? undefined : String(dataScopeOrg)
        return upstream.begin({ method, path, body, caller: upstream.access.named(name, dataScope, org), isJson: true })
      },
      journal,
      faults,
      clock,
      world: Effect.sync(() => current),
      reset: (next) =>
        Effect.sync(() => {
          current = next ?? current
          journal.unsafeClear()
          faults.unsafeReplace(options.faults ?? [])
          unsafeReplace(clockOf(current))
          upstream = live(current)
        }),
      beside: (another, given) =>
        make(another, { ...options, ...given, seed: given?.seed ?? seed }).pipe(Effect.withClock(ofEffect)),
      standing: (customerId, targetGroupId, targetId) =>
        Effect.sync(() => standingOf(upstream, clock.unsafeMillis())(customerId, targetGroupId, targetId)),
      progress: (event) =>
        Effect.suspend(() => {
          const now = clock.unsafeMillis()
          return Either.map(progressing.apply(upstream.index, upstream.store, now, event), ({ group, standing }) =>
            shown(group, now, standing))
        })
    }
  })

/** A simulator of a world, as a layer; every time it is built it starts from the world anew. */
export const layer = (world: World.World, options?: Options): Layer.Layer<Simulator> =>
  Layer.effect(Simulator, make(world, options))
