import type { Connection } from "@effect/sql/SqlConnection"
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as MemoryLedger from "@milepost/ledger/MemoryLedger"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as SharedPace from "./SharedPace.js"

/** A database in memory, which can go away, and how one joins it. */
const database = Effect.gen(function*() {
  const memory = yield* MemoryLedger.memory
  let isAway = false
  let statements = 0
  let meanwhile = (): void => undefined
  const around = (connection: Connection): Connection =>
    Object.assign(Object.create(connection) as Connection, {
      execute: (...statement: Parameters<Connection["execute"]>) => {
        statements += 1
        if (isAway) return Effect.fail(new SqlError({ message: "away" }))
        if (statement[0].includes("UPDATE")) {
          meanwhile()
          meanwhile = () => undefined
        }
        // Others come between what somebody has read and what he writes.
        return Effect.zipRight(Effect.forEach(Array.from({ length: 5 }), () => Effect.yieldNow(), { discard: true }), connection.execute(...statement))
      }
    })
  const client = Effect.map(MemoryLedger.make(memory, { around }), (context) => Context.get(context, SqlClient))
  return {
    client,
    away: (is: boolean) => {
      isAway = is
    },
    statements: () => statements,
    /** Does something while the next one writes. */
    meanwhile: (does: () => void) => {
      meanwhile = does
    },
    join: (replica: string, callsPerSecond: number | null) =>
      Effect.gen(function*() {
        const sql = yield* client
        yield* SharedPace.create(sql)
        const pace = yield* SharedPace.make({ sql, org: "brand", replica, callsPerSecond })
        yield* TestClock.adjust("1 millis")
        return pace
      })
  }
})

const now = Effect.map(Effect.clock, (clock) => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n))

/** Lets time pass by fiftieths of a second, and takes whatever turn comes of each pace. */
const takeOfAll = (paces: ReadonlyArray<SharedPace.SharedPace>, millis: number) =>
  Effect.gen(function*() {
    const all = paces.map((pace) => ({ pace, taken: new Array<number>(), turn: Number.POSITIVE_INFINITY }))
    for (let passed = 0; passed < millis; passed += 20) {
      const at = yield* now
      for (const one of all) {
        for (;;) {
          if (one.turn === Number.POSITIVE_INFINITY || (one.turn <= at && !one.pace.holds(one.turn, at))) one.turn = one.pace.turn(at)
          if (one.turn > at) break
          one.pace.taken(one.turn, at)
          one.taken.push(at)
          one.turn = Number.POSITIVE_INFINITY
        }
      }
      yield* TestClock.adjust("20 millis")
    }
    return all.map(({ taken }) => taken)
  })

const take = (pace: SharedPace.SharedPace, millis: number) => Effect.map(takeOfAll([pace], millis), ([taken = []]) => taken)

describe("a shared pace", () => {
  it.effect("without a limit lets everybody go at once, and asks the database once a second while there are calls", () =>
    Effect.gen(function*() {
      const { join, statements } = yield* database
      const pace = yield* join("a", null)
      const at = yield* now
      assert.strictEqual(pace.turn(at), at)
      assert.isNull(pace.left(at))
      assert.isNull(pace.share())
      const before = statements()
      for (let second = 0; second < 10; second++) {
        for (let call = 0; call < 100; call++) pace.accepted(at)
        yield* TestClock.adjust("1 second")
      }
      assert.isAtMost(statements() - before, 22)
      assert.isAtLeast(statements() - before, 18)
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(statements() - before, 40)
    }).pipe(Effect.scoped))

  it.effect("hands out the turns that it was given, and says that it does not know before it has any", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const pace = yield* join("a", 10)
      let moved = 0
      pace.connect({ waiting: () => 3, onMoved: () => moved++ })
      const at = yield* now
      assert.strictEqual(pace.turn(at), Number.POSITIVE_INFINITY)
      yield* TestClock.adjust("1 millis")
      assert.isAbove(moved, 0)
      assert.isAtMost(pace.turn(at + 1), at + 1)
      assert.strictEqual(pace.rate(), 10)
      assert.strictEqual(pace.left(at + 10), 1)
      const taken = yield* take(pace, 4_000)
      assert.isAtMost(taken.length, 42)
      assert.isAtLeast(taken.length, 38)
    }).pipe(Effect.scoped))

  it.effect("asks for nothing while nobody wants a turn", () =>
    Effect.gen(function*() {
      const { join, statements } = yield* database
      const pace = yield* join("a", 1_000)
      yield* take(pace, 1_000)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(pace.left(yield* now), 0)
      const before = statements()
      yield* TestClock.adjust("20 seconds")
      assert.isAtMost(statements() - before, 5)
    }).pipe(Effect.scoped))

  it.effect("keeps no turn that is half a second late", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const pace = yield* join("a", 10)
      pace.connect({ waiting: () => 1, onMoved: () => undefined })
      pace.turn(yield* now)
      yield* TestClock.adjust("1 millis")
      const turn = pace.turn(yield* now)
      assert.isTrue(pace.holds(turn, turn + 400))
      assert.isFalse(pace.holds(turn, turn + 600))
    }).pipe(Effect.scoped))

  it.effect("shares a rate with others, and counts on a part of it", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const [one, other] = [yield* join("a", 10), yield* join("b", 10)]
      const taken = yield* takeOfAll([one, other], 4_000)
      assert.isAtMost(taken.flat().length, 46)
      assert.isAtLeast(taken.flat().length, 37)
      for (const { length } of taken) assert.isAtLeast(length, 15)
      assert.strictEqual(one.share(), 5)
    }).pipe(Effect.scoped))

  it.effect("gives nobody the turns of another one who asks at the same moment", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const paces = [yield* join("a", 100), yield* join("b", 100), yield* join("c", 100)]
      for (const pace of paces) pace.connect({ waiting: () => 10, onMoved: () => undefined })
      const taken = (yield* takeOfAll(paces, 400)).flat()
      assert.isAtMost(taken.length, 52)
      assert.isAtLeast(taken.length, 35)
    }).pipe(Effect.scoped))

  it.effect("passes on a pause, and what was learnt from the calls of all", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const [one, other] = [yield* join("a", null), yield* join("b", null)]
      const at = yield* now
      for (let call = 0; call < 100; call++) one.accepted(at)
      for (let call = 0; call < 500; call++) other.accepted(at)
      one.refused(at + 1, at, 9_000)
      assert.isNotNull(one.paused(at + 1))
      yield* TestClock.adjust("2 seconds")
      const later = yield* now
      assert.closeTo(other.paused(later)?.untilMillis ?? 0, at + 9_001, 20)
      assert.closeTo(one.learnt() ?? 0, 600 / 9, 0.5)
      assert.strictEqual(other.learnt(), one.learnt())
      assert.strictEqual(other.turn(later), Number.POSITIVE_INFINITY)
      yield* TestClock.adjust("8 seconds")
      assert.isAbove((yield* take(other, 500)).length, 20)
    }).pipe(Effect.scoped))

  it.effect("looks at once when somebody comes after a while in which nobody did", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const [one, other] = [yield* join("a", null), yield* join("b", null)]
      yield* TestClock.adjust("5 seconds")
      one.refused(yield* now, yield* now, 30_000)
      yield* TestClock.adjust("2500 millis")
      assert.isNull(other.paused(yield* now))
      other.turn(yield* now)
      yield* TestClock.adjust("1 millis")
      assert.isNotNull(other.paused(yield* now))
    }).pipe(Effect.scoped))

  it.effect("takes the limit of whoever named one last", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const one = yield* join("a", 10)
      const other = yield* join("b", 4)
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(one.rate(), 4)
      one.limit(7)
      assert.strictEqual(one.rate(), 7)
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(other.rate(), 7)
    }).pipe(Effect.scoped))

  it.effect("in an outage hands out one try at a time over all, keeps it for whoever comes, and tells everybody of its end", () =>
    Effect.gen(function*() {
      const { join } = yield* database
      const [one, other] = [yield* join("a", null), yield* join("b", null)]
      const era = other.era()
      one.crawl(1_000, "502")
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(other.crawling(), { everyMillis: 1_000, why: "502" })
      assert.notStrictEqual(other.era(), era)
      one.turn(yield* now)
      yield* TestClock.adjust("10 millis")
      const mine = one.turn(yield* now)
      yield* TestClock.adjust("20 seconds")
      assert.isTrue(one.holds(mine, yield* now))
      const tries = (yield* take(other, 5_000)).length
      assert.isAtLeast(tries, 4)
      assert.isAtMost(tries, 6)
      yield* TestClock.adjust("1 second")
      assert.isFalse(one.holds(mine, yield* now))
      other.crawl(null, "")
      yield* TestClock.adjust("2 seconds")
      assert.isNull(one.crawling())
      const at = yield* now
      assert.strictEqual(one.turn(at), at)
    }).pipe(Effect.scoped))

  it.effect("takes none of the turns that come when an outage has begun since they were asked for, and no try after its end", () =>
    Effect.gen(function*() {
      const { join, meanwhile } = yield* database
      const pace = yield* join("a", 100)
      pace.connect({ waiting: () => 20, onMoved: () => undefined })
      meanwhile(() => pace.crawl(1_000, "502"))
      assert.isAtMost((yield* take(pace, 2_500)).length, 3)
      yield* TestClock.adjust("3 seconds")
      // Whoever had the try that waits is dead: somebody comes for the next one, and the outage ends before he has it.
      yield* take(pace, 20)
      meanwhile(() => pace.crawl(null, ""))
      pace.turn(yield* now)
      yield* TestClock.adjust("5 seconds")
      const turn = pace.turn(yield* now)
      assert.isFalse(turn <= (yield* now) && pace.holds(turn, turn + 600))
    }).pipe(Effect.scoped))

  it.effect("takes none of the turns that come when a pause has begun since they were asked for", () =>
    Effect.gen(function*() {
      const { join, meanwhile } = yield* database
      const pace = yield* join("a", 100)
      const at = yield* now
      const turns = new Array<number>()
      pace.connect({ waiting: () => 20, onMoved: () => turns.push(pace.turn(at)) })
      meanwhile(() => pace.refused(at, at, 2_000))
      assert.strictEqual(pace.turn(at), Number.POSITIVE_INFINITY)
      yield* TestClock.adjust("50 millis")
      assert.isAbove(turns.length, 0)
      assert.isAtLeast(Math.min(...turns), at + 2_000)
      assert.isAbove((yield* take(pace, 3_000)).length, 10)
    }).pipe(Effect.scoped))

  it.effect("lets nothing go that it was not given while the database is away, and goes on by itself", () =>
    Effect.gen(function*() {
      const { away, join } = yield* database
      const pace = yield* join("a", 10)
      yield* take(pace, 2_000)
      away(true)
      yield* take(pace, 2_000)
      assert.isTrue(pace.isAway())
      assert.deepStrictEqual(yield* take(pace, 5_000), [])
      pace.refused(yield* now, yield* now, 500)
      away(false)
      yield* TestClock.adjust("3 seconds")
      assert.isFalse(pace.isAway())
      assert.isAtLeast((yield* take(pace, 2_000)).length, 15)
    }).pipe(Effect.scoped))

  it.effect("without a limit goes on while the database is away, and tells of a 429 afterwards", () =>
    Effect.gen(function*() {
      const { away, join } = yield* database
      const [one, other] = [yield* join("a", null), yield* join("b", null)]
      away(true)
      const at = yield* now
      assert.strictEqual(one.turn(at), at)
      one.refused(at, at, 30_000)
      yield* TestClock.adjust("3 seconds")
      assert.isNotNull(one.paused(yield* now))
      assert.isNull(other.paused(yield* now))
      away(false)
      yield* TestClock.adjust("7 seconds")
      assert.closeTo(other.paused(yield* now)?.untilMillis ?? 0, at + 30_000, 20)
    }).pipe(Effect.scoped))

  it.effect("that joins while the database is away lets nothing go before it knows what holds", () =>
    Effect.gen(function*() {
      const { away, client, join } = yield* database
      const one = yield* join("a", null)
      one.pause((yield* now) + 20_000, "429")
      yield* TestClock.adjust("1 second")
      const sql = yield* client
      away(true)
      const late = yield* SharedPace.make({ sql, org: "brand", replica: "b", callsPerSecond: null })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(late.turn(yield* now), Number.POSITIVE_INFINITY)
      away(false)
      yield* TestClock.adjust("2 seconds")
      const at = yield* now
      assert.isAbove(late.turn(at), at + 15_000)
    }).pipe(Effect.scoped))
})
