import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as PostgresServer from "@milepost/testing/PostgresServer"
import * as Effect from "effect/Effect"
import { steadyMillis } from "../src/internal/steadyMillis.js"
import { replica } from "./replicas.js"
import { takeAll, worstWindow } from "./takers.js"

let server: PostgresServer.PostgresServer

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.close())

/** Seconds of the form that runs for whole minutes, e.g. 150. */
const longSeconds = Number(process.env["MILEPOST_PACE_SECONDS"] ?? 0)

/** For a test that waits for several things in turn on a machine that has others to do. */
const patientMillis = 90_000

/** Replicas of one organisation, in a database of their own. */
const replicas = (count: number, callsPerSecond: number | null) =>
  Effect.gen(function*() {
    const url = yield* Effect.promise(() => server.database())
    const clock = yield* Effect.clock
    const all = yield* Effect.forEach(Array.from({ length: count }, (_, index) => `replica-${index}`), (name) => replica(url, name, callsPerSecond))
    return { all, paces: all.map(({ pace }) => pace), now: () => steadyMillis(clock) }
  })

const until = (what: string, isTrue: () => boolean): Effect.Effect<void> =>
  Effect.sleep(2).pipe(
    Effect.repeat({ until: isTrue }),
    Effect.timeoutFail({ duration: "15 seconds", onTimeout: () => new Error(`not within 15 s: ${what}`) }),
    Effect.orDie,
    Effect.asVoid
  )

describe("a pace that three replicas share in PostgreSQL", () => {
  for (const rate of [10, 200, 1_000]) {
    it.live(`lets no more than ${rate} a second go, and not much fewer`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { all, now, paces } = yield* replicas(3, rate)
        const started = now()
        const takings = paces.map((pace) => takeAll(pace, now))
        yield* Effect.sleep("4 seconds")
        for (const taking of takings) taking.stop()
        const tookMillis = now() - started
        const departures = takings.flatMap((taking) => taking.departures)
        // What lies in a window was to leave within it, or at most half a second before.
        for (const window of [1_000, 2_000, 4_000]) {
          assert.isAtMost(worstWindow(departures, window), rate * 0.99 * (window + 500) / 1000 + 1)
        }
        // On a machine that has other things to do some turns are lost; see the long form.
        assert.isAtLeast(departures.length, Math.floor(rate * 0.75 * tookMillis / 1000))
        for (const taking of takings) assert.isAtLeast(taking.departures.length, departures.length / 6)
        const statements = all.reduce((sum, { statements }) => sum + statements(), 0) / departures.length
        if (rate === 1_000) assert.isAtMost(statements, 0.06)
      })))
  }

  it.live.skipIf(longSeconds === 0)("uses 570 to 600 of 600 calls a minute in every minute", () =>
    Effect.scoped(Effect.gen(function*() {
      const { now, paces } = yield* replicas(3, 10)
      const takings = paces.map((pace) => takeAll(pace, now))
      yield* Effect.sleep(longSeconds * 1_000)
      for (const taking of takings) taking.stop()
      const departures = takings.flatMap((taking) => taking.departures).toSorted((a, b) => a - b)
      const last = departures.at(-1) ?? 0
      const windows = departures.filter((from) => from + 60_000 <= last).map((from) =>
        departures.filter((moment) => moment >= from && moment < from + 60_000).length)
      assert.isAtMost(worstWindow(departures, 60_000), 600)
      assert.isAtLeast(Math.min(...windows), 570)
    })), (longSeconds + 30) * 1_000)

  it.live("stops for the 429 of another one, and learns from the calls of all", () =>
    Effect.scoped(Effect.gen(function*() {
      const { now, paces } = yield* replicas(3, null)
      const takings = paces.map((pace) => takeAll(pace, now, { left: (at) => pace.accepted(at) }))
      yield* until("calls of all", () => takings.every(({ departures }) => departures.length > 20))
      const refusedAt = now()
      paces[0]?.refused(refusedAt, refusedAt, 6_000)
      yield* until("a pause everywhere", () => paces.every((pace) => pace.paused(now()) !== null))
      const took = now() - refusedAt
      const before = takings.map(({ departures }) => departures.length)
      const [most = 0] = paces.map((pace) => pace.paused(now())?.untilMillis ?? 0)
      for (const pace of paces) assert.closeTo(pace.paused(now())?.untilMillis ?? 0, most, 500)
      // What the others had accepted is told within a second.
      yield* until("one learnt rate", () => new Set(paces.map((pace) => pace.learnt())).size === 1 && paces[0]?.learnt() !== null)
      const accepted = takings.reduce((sum, { departures }) => sum + departures.filter((at) => at <= refusedAt).length, 0)
      assert.isAbove(paces[0]?.learnt() ?? 0, accepted / ((most - refusedAt + 5_000) / 1000) * 0.5)
      assert.isTrue(paces.every((pace) => pace.paused(now()) !== null))
      assert.deepStrictEqual(takings.map(({ departures }) => departures.length), before)
      yield* until("calls again", () => takings.every(({ departures }, index) => departures.length > (before[index] ?? 0)))
      for (const { departures } of takings) assert.isUndefined(departures.find((at) => at > refusedAt + took && at < refusedAt + 6_000))
      for (const taking of takings) taking.stop()
    })), patientMillis)

  it.live("takes the upstream for down together, tries it in turn, and finds it again together", () =>
    Effect.scoped(Effect.gen(function*() {
      const { now, paces } = yield* replicas(3, 100)
      const takings = paces.map((pace) => takeAll(pace, now))
      yield* until("calls of all", () => takings.every(({ departures }) => departures.length > 5))
      paces[1]?.crawl(800, "502")
      yield* until("an outage everywhere", () => paces.every((pace) => pace.crawling()?.why === "502"))
      const since = now()
      const all = () => takings.reduce((sum, { departures }) => sum + departures.length, 0)
      // By number and not by moment: what left before may have left in the same millisecond.
      const before = all()
      const tries = () => all() - before
      yield* until("four tries", () => tries() >= 4)
      assert.isAtMost(tries(), (now() - since) / 800 + 2)
      paces[2]?.crawl(null, "")
      yield* until("the end of it everywhere", () => paces.every((pace) => pace.crawling() === null))
      const found = tries()
      yield* until("calls again", () => tries() > found + 30)
      for (const taking of takings) taking.stop()
    })), patientMillis)

  it.live.skipIf(process.env["DATABASE_URL"])("lets nothing go that it was not given while the database is away, and goes on by itself", () =>
    Effect.scoped(Effect.gen(function*() {
      const limited = yield* replicas(2, 50)
      const unlimited = yield* replicas(1, null)
      const takings = limited.paces.map((pace) => takeAll(pace, limited.now))
      const [free] = unlimited.paces.map((pace) => takeAll(pace, unlimited.now, { left: (at) => pace.accepted(at) }))
      yield* until("calls of all", () => [...takings, free].every((taking) => (taking?.departures.length ?? 0) > 20))
      yield* Effect.promise(() => server.stop("immediate"))
      yield* until("it is noticed", () => [...limited.paces, ...unlimited.paces].every((pace) => pace.isAway()))
      yield* Effect.sleep("2 seconds")
      const before = takings.map(({ departures }) => departures.length)
      const freeBefore = free?.departures.length ?? 0
      yield* until("calls without a limit", () => (free?.departures.length ?? 0) > freeBefore + 10)
      assert.deepStrictEqual(takings.map(({ departures }) => departures.length), before)
      yield* Effect.promise(() => server.start())
      yield* until("calls again", () => takings.every(({ departures }, index) => departures.length > (before[index] ?? 0) + 20))
      assert.isFalse([...limited.paces, ...unlimited.paces].some((pace) => pace.isAway()))
      const departures = takings.flatMap((taking) => taking.departures)
      assert.isAtMost(worstWindow(departures, 2_000), 50 * 0.99 * 2.5 + 1)
      for (const taking of takings) taking.stop()
      free?.stop()
    })), patientMillis)
})
