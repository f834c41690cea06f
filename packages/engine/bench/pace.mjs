/**
 * What a pace in PostgreSQL costs and how well it is kept: calls that leave in the worst window and in all, statements a call,
 * and how long a 429 takes to reach the other replicas. After a build: `node bench/pace.mjs [seconds] [minutes]`; with minutes,
 * three replicas at 600 a minute for so long.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Statement from "@effect/sql/Statement"
import * as SharedPace from "@milepost/engine/SharedPace"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import { Console, Effect, Option, Redacted } from "effect"

const [seconds, minutes] = [Number(process.argv[2] ?? 6), Number(process.argv[3] ?? 0)]

/** Replicas of one organisation, each with a client of its own. */
const join = (url, count, callsPerSecond) =>
  Effect.forEach(Array.from({ length: count }, (_, index) => `replica-${index}`), (name) =>
    Effect.gen(function*() {
      const sql = yield* PgClient.make({ url: Redacted.make(url), maxConnections: 2 })
      yield* SharedPace.create(sql)
      let statements = 0
      const count = (statement) => Effect.sync(() => (statements += 1, statement))
      const pace = yield* Effect.locally(
        SharedPace.make({ sql, org: "org", replica: name, callsPerSecond }),
        Statement.currentTransformer,
        Option.some(count)
      )
      return { pace, statements: () => statements }
    }))

/** Somebody who always wants the next turn, as a gate does for whom many calls wait. */
const take = (pace, clock) => {
  const departures = []
  let [turn, era, timer, isStopped] = [null, pace.era(), null, false]
  const pump = () => {
    clearTimeout(timer)
    for (;;) {
      if (isStopped) return
      const at = clock()
      if (turn === null || era !== pace.era()) [era, turn] = [pace.era(), pace.turn(at)]
      if (turn <= at && !pace.holds(turn, at)) turn = pace.turn(at)
      if (turn > at) {
        timer = setTimeout(pump, Math.min(1_000, turn - at))
        if (turn === Infinity) turn = null
        return
      }
      pace.taken(turn, at)
      turn = null
      departures.push(at)
      pace.accepted(at)
      if (pace.rate() === null) {
        timer = setTimeout(pump, 1)
        return
      }
    }
  }
  pace.connect({ waiting: () => 64 - Number(turn !== null), onMoved: pump })
  pump()
  return { departures, stop: () => (isStopped = true, clearTimeout(timer)) }
}

/** The most of these moments within a window. */
const worst = (moments, window) => {
  let first = 0
  return moments.reduce((most, moment, last) => {
    while (moment - moments[first] >= window) first += 1
    return Math.max(most, last - first + 1)
  }, 0)
}

const measure = (server, count, rate, millis, window) =>
  Effect.scoped(Effect.gen(function*() {
    const url = yield* Effect.promise(() => server.database())
    const clock = yield* Effect.clock
    const moment = () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
    const replicas = yield* join(url, count, rate)
    const takers = replicas.map(({ pace }) => take(pace, moment))
    yield* Effect.sleep(millis)
    for (const { stop } of takers) stop()
    const all = takers.flatMap(({ departures }) => departures).toSorted((a, b) => a - b)
    const statements = replicas.reduce((sum, replica) => sum + replica.statements(), 0)
    const whole = all.filter((from) => from + window <= all.at(-1)).map((from) => all.filter((at) => at >= from && at < from + window).length)
    return {
      replicas: count,
      "calls/s": rate ?? "no limit",
      calls: all.length,
      each: takers.map(({ departures }) => departures.length).join(" "),
      [`worst ${window / 1000} s`]: worst(all, window),
      [`least ${window / 1000} s`]: rate === null || rate > 100 ? "" : Math.min(...whole),
      "of the limit": rate === null ? "" : `${(all.length / rate / ((all.at(-1) - all[0]) / 1000) * 100).toFixed(1)} %`,
      "statements/call": (statements / all.length).toFixed(4),
      "statements/s": (statements / millis * 1000).toFixed(1)
    }
  }))

/** How long a 429 of one replica takes to stop the others, in milliseconds: the median and the longest. */
const heard = (server, rate, times) =>
  Effect.scoped(Effect.gen(function*() {
    const url = yield* Effect.promise(() => server.database())
    const clock = yield* Effect.clock
    const moment = () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
    const replicas = yield* join(url, 3, rate)
    const takers = replicas.map(({ pace }) => take(pace, moment))
    const took = []
    for (let time = 0; time < times; time++) {
      yield* Effect.sleep(700 + time * 137 % 1_000)
      const at = moment()
      replicas[time % 3].pace.refused(at, at, 1_500)
      while (replicas.some(({ pace }) => pace.paused(moment()) === null)) yield* Effect.sleep(1)
      took.push(moment() - at)
      yield* Effect.sleep(1_600)
    }
    for (const { stop } of takers) stop()
    const sorted = took.toSorted((a, b) => a - b)
    return { "calls/s": rate ?? "no limit, then learnt", times, "median ms": sorted[times >> 1], "longest ms": sorted.at(-1) }
  }))

const program = Effect.gen(function*() {
  const server = yield* Effect.acquireRelease(Effect.promise(() => PostgresServer.start()), (server) => Effect.promise(() => server.close()))
  if (minutes > 0) return yield* Console.table([yield* measure(server, 3, 10, minutes * 60_000, 60_000)])
  const rows = []
  for (const rate of [10, 100, 1_000, null]) for (const count of [1, 3]) rows.push(yield* measure(server, count, rate, seconds * 1_000, 1_000))
  yield* Console.table(rows)
  yield* Console.table([yield* heard(server, null, 12), yield* heard(server, 50, 12)])
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Reactivity.layer)))
