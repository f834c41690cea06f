/**
 * The pace of an organisation that several processes call, over one row of a database: one rate, one learnt rate, one pause
 * and one outage for all of them.
 *
 * Under a limit a process is given its turns in blocks, so that it still takes each of them synchronously; what it was not
 * given does not leave, whatever becomes of the database. Without a limit calls leave at once, and once a second the
 * processes tell one another what they have seen. The database's clock decides; each process knows how far its own is behind.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as leasedTurns from "./internal/leasedTurns.js"
import * as shared from "./internal/sharedState.js"
import { steadyMillis } from "./internal/steadyMillis.js"
import type { Pace } from "./Pace.js"
import * as PaceState from "./PaceState.js"

/** Whoever takes the turns: one gate, which holds at most one turn. */
export interface Taker {
  /** How many calls wait for a turn. */
  readonly waiting: () => number
  /** Turns have come, or a pause or an outage has begun or ended. */
  readonly onMoved: () => void
}

/** A pace shared with other processes. A `turn` that is `Infinity` is asked for again when `onMoved` is called. */
export interface SharedPace extends Pace {
  /** Another limit: here at once, and for everybody once it is written down. */
  readonly limit: (callsPerSecond: number | null) => void
  /** Names whoever takes the turns from now on. */
  readonly connect: (taker: Taker) => void
  /** Whether the database could not be reached when it was tried last. */
  readonly isAway: () => boolean
}

/** Which pace. */
export interface Options {
  readonly sql: SqlClient.SqlClient
  readonly org: string
  /** This process among all: unique and without meaning. */
  readonly replica: string
  /** Never faster; `null` for as fast as the upstream bears. It holds for all processes, and that of whoever started last for ever. */
  readonly callsPerSecond: number | null
}

/** So often processes tell one another what they have seen while there are calls. */
const busyMillis = 1_000

/** So often a process without calls looks. */
const idleMillis = 5_000

/** A statement that takes longer is given up. */
const statementMillis = 2_000

/** While the database is away it is tried so often. */
const awayMillis = 500

/** Who asked for a turn and nobody waits: he is forgotten after so long. */
const askedMillis = 1_500

/** Below so many calls within a block's time the next block is not asked for in advance. */
const steadyCalls = 3

const nobody: Taker = { waiting: () => 0, onMoved: () => undefined }

/**
 * Makes the table where there is none. For whoever brings the tables of the database up to date, under a lock.
 */
export const create = (sql: SqlClient.SqlClient): Effect.Effect<void, SqlError> =>
  Effect.asVoid(sql`
    CREATE TABLE IF NOT EXISTS org_paces (
      org TEXT PRIMARY KEY,
      state TEXT NOT NULL,
      version BIGINT NOT NULL,
      moved_at DOUBLE PRECISION NOT NULL
    )`)

interface Row {
  readonly state: string
  readonly version: number | string
  readonly moved_at: number
  readonly now: number
}

/** What has been seen and not been told, by this process's clock. */
type Seen = shared.Told

/** By another clock, which shows so much more. */
const toldAt = (seen: Seen, by: number): shared.Told => ({
  ...seen,
  sinceMillis: seen.sinceMillis + by,
  refused: seen.refused.map((one) => ({ ...one, atMillis: one.atMillis + by, sentMillis: one.sentMillis + by })),
  paused: seen.paused === null ? null : { ...seen.paused, untilMillis: seen.paused.untilMillis + by },
  triedMillis: seen.triedMillis === null ? null : seen.triedMillis + by
})

/**
 * Joins the pace of an organisation, until the scope ends. The table is there; the database may be away, and then nothing
 * leaves before it has been reached once.
 *
 * @example
 * ```ts
 * import { SqlClient } from "@effect/sql"
 * import { SharedPace } from "@milepost/engine"
 * import { Effect } from "effect"
 *
 * const pace = Effect.flatMap(SqlClient.SqlClient, (sql) =>
 *   SharedPace.make({ sql, org: "100458", replica: "pod-7f3a", callsPerSecond: 10 }))
 * ```
 */
export const make = ({ callsPerSecond, org, replica, sql }: Options): Effect.Effect<SharedPace, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const now = (): number => steadyMillis(clock)
    const databaseNow = sql.onDialectOrElse({
      pg: () => () => sql`(extract(epoch FROM clock_timestamp()) * 1000)::float8`,
      orElse: () => () => sql`${now()}`
    })

    const nothing = (callsPerSecond?: number | null): Seen => ({
      callsPerSecond,
      accepted: 0,
      sinceMillis: now(),
      refused: [],
      paused: null,
      crawl: undefined,
      triedMillis: null
    })

    let taker = nobody
    /** What lay in the row when it was read last and what has been seen since, by this process's clock. */
    let pace = PaceState.make({ nowMillis: now(), callsPerSecond, learntBefore: null })
    let seen = nothing(callsPerSecond)
    /** Apart, because every call counts here. */
    let accepted = 0
    let sharers = 1
    let isKnown = false
    let isAway = false
    let era = 0
    const leased = leasedTurns.make()
    /** How many turns came in the last block, when, how many were taken since, and until when the one that is out may be used. */
    let block = 0
    let blockMillis = now()
    let taken = 0
    let freshMillis = Number.POSITIVE_INFINITY
    let hungryMillis: number | null = null
    let againMillis = 0
    let readMillis = now()
    /** Somebody has come after a while in which nobody did. */
    let isBack = false
    const bell = Effect.unsafeMakeLatch(false)

    const isLimited = (): boolean => pace.crawl !== null || pace.rate !== null

    /** Every turn that was given before is void. */
    const turnOver = (): void => {
      era += 1
      leased.clear(Number.POSITIVE_INFINITY)
    }

    const become = (next: PaceState.PaceState): void => {
      const before = pace
      pace = next
      if ((before.crawl === null) !== (next.crawl === null)) turnOver()
      else if (next.pause.untilMillis > Math.max(before.pause.untilMillis, now())) {
        era += 1
        leased.clear(next.pause.untilMillis)
      }
    }

    /** How many turns are wanted now. */
    const wanted = (at: number): number => {
      if (!isLimited()) return 0
      const waiting = taker.waiting()
      if (hungryMillis !== null && waiting === 0 && at - hungryMillis > askedMillis) hungryMillis = null
      const size = leased.size(at)
      if (pace.crawl !== null) return size === 0 && hungryMillis !== null ? 1 : 0
      const flow = taken * shared.blockMillis / Math.max(1, at - blockMillis)
      const steady = flow >= steadyCalls ? Math.ceil(flow) : 0
      if (hungryMillis === null && (size > block / 2 || (waiting <= size && steady === 0))) return 0
      return Math.max(Number(hungryMillis !== null), waiting - size, steady)
    }

    const adopt = (
      { grant, state }: Pick<ReturnType<typeof shared.leased>, "grant" | "state">,
      database: { readonly nowMillis: number; readonly startedMillis: number; readonly endedMillis: number }
    ): void => {
      // Read at the last moment that is possible: nothing is ever taken for earlier than it is.
      const here = database.endedMillis - database.nowMillis
      isKnown = true
      sharers = shared.sharers(state, database.nowMillis)
      const told = shared.noticed(PaceState.shifted(state.pace, here), seen)
      become(seen.callsPerSecond === undefined ? told : PaceState.limited(told, seen.callsPerSecond))
      // Of a turn that was given before an outage began or ended here, nobody may make use: who wants one asks again.
      if (grant === null || (state.pace.crawl === null) !== (pace.crawl === null)) return
      hungryMillis = null
      block = grant.count
      blockMillis = now()
      taken = 0
      const doubt = database.endedMillis - database.startedMillis
      // The one call of an outage may wait for somebody to make it: see `holds`.
      const fresh = state.pace.crawl === null ? shared.lateMillis - doubt : Number.POSITIVE_INFINITY
      leased.add({ ...grant, firstMillis: grant.firstMillis + here }, fresh)
      // Nor of one that lies in a pause of which the database has not heard yet.
      if (pace.pause.untilMillis > blockMillis) leased.clear(pace.pause.untilMillis)
    }

    /** Tells what has been seen, asks for turns and takes over what others have told. */
    const sync: Effect.Effect<void, SqlError> = Effect.gen(function*() {
      const telling: Seen = { ...seen, accepted }
      seen = nothing()
      accepted = 0
      let isWritten = false
      const tell = Effect.gen(function*() {
        for (;;) {
          const startedMillis = now()
          const [row] = yield* sql<Row>`SELECT state, version, moved_at, ${databaseNow()} AS now FROM org_paces WHERE org = ${org}`
          // One more: this clock shows whole milliseconds.
          const endedMillis = now() + 1
          if (row === undefined) {
            const [clock] = yield* sql<Pick<Row, "now">>`SELECT ${databaseNow()} AS now`
            const moment = clock?.now ?? 0
            const made = shared.encode(shared.make(moment, telling.callsPerSecond ?? null))
            yield* sql`INSERT INTO org_paces (org, state, version, moved_at) VALUES (${org}, ${made}, 0, ${moment}) ON CONFLICT (org) DO NOTHING`
            continue
          }
          const nowMillis = row.now
          const database = { nowMillis, startedMillis, endedMillis }
          const before = shared.read(row.state, row.moved_at, nowMillis)
          const moved = shared.moved(before, toldAt(telling, nowMillis - startedMillis), nowMillis)
          const wants = wanted(endedMillis)
          const lease = wants === 0 ? { state: moved, grant: null, againMillis: nowMillis } : shared.leased(moved, { nowMillis, taker: replica, wanted: wants })
          if (lease.state !== before) {
            isWritten = true
            const written = yield* sql`
              UPDATE org_paces SET state = ${shared.encode(lease.state)}, version = version + 1, moved_at = ${nowMillis}
              WHERE org = ${org} AND version = ${row.version} RETURNING org`
            // Somebody else was faster.
            if (written.length === 0) {
              isWritten = false
              continue
            }
          }
          readMillis = startedMillis
          isBack = false
          againMillis = lease.againMillis <= nowMillis ? startedMillis : lease.againMillis + endedMillis - nowMillis
          return adopt(lease, database)
        }
      })
      yield* Effect.onExit(tell, (exit) =>
        Effect.sync(() => {
          if (exit._tag === "Success") return
          // Whether it was written nobody knows: refusals may be told twice, accepted calls would count twice.
          if (!isWritten) accepted += telling.accepted
          seen = {
            ...telling,
            ...seen,
            callsPerSecond: seen.callsPerSecond === undefined ? telling.callsPerSecond : seen.callsPerSecond,
            sinceMillis: isWritten ? seen.sinceMillis : telling.sinceMillis,
            refused: [...telling.refused, ...seen.refused].slice(-100),
            paused: seen.paused ?? telling.paused,
            crawl: seen.crawl === undefined ? telling.crawl : seen.crawl,
            triedMillis: seen.triedMillis ?? telling.triedMillis
          }
        }))
    })

    const isBusy = (at: number): boolean =>
      accepted > 0 || pace.crawl !== null || pace.pause.untilMillis > at || hungryMillis !== null || taker.waiting() > 0

    const hasNews = (): boolean =>
      seen.callsPerSecond !== undefined || seen.refused.length > 0 || seen.paused !== null || seen.crawl !== undefined || seen.triedMillis !== null

    const isDue = (at: number): boolean =>
      isBack || hasNews() || (wanted(at) > 0 && at >= againMillis) || at - readMillis >= (isBusy(at) ? busyMillis : idleMillis)

    const once = Effect.matchEffect(
      sync.pipe(
        Effect.disconnect,
        Effect.timeoutFail({ duration: statementMillis, onTimeout: () => "TookTooLong" as const })
      ),
      {
        onFailure: () =>
          Effect.suspend(() => {
            isAway = true
            return Effect.sleep(awayMillis)
          }),
        onSuccess: () =>
          Effect.sync(() => {
            isAway = false
            taker.onMoved()
          })
      }
    )

    const next = Effect.suspend(() => {
      const at = now()
      if (isDue(at)) return once
      const asked = wanted(at) > 0 ? againMillis - at : busyMillis
      return Effect.map(Effect.timeoutOption(bell.await, Math.max(1, Math.min(busyMillis, asked))), () => {
        bell.unsafeClose()
      })
    })

    yield* Effect.forkScoped(Effect.withTracerEnabled(Effect.forever(next), false))

    const ring = (): void => bell.unsafeOpen()

    const notice = (told: Partial<Pick<Seen, "crawl" | "paused">> & { readonly refusal?: shared.Told["refused"][number] }): void => {
      const { crawl, paused = null, refusal } = told
      const refused = refusal === undefined ? [] : [refusal]
      const before = accepted > 0 ? PaceState.accepted(pace, now(), accepted) : pace
      become(shared.noticed(before, { crawl, paused, refused }))
      seen = {
        ...seen,
        refused: [...seen.refused, ...refused].slice(-100),
        paused: paused ?? seen.paused,
        crawl: crawl === undefined ? seen.crawl : crawl
      }
      ring()
    }

    return {
      turn: (at) => {
        if (!isLimited() && isKnown) {
          if (!isBack && at - readMillis > 2 * busyMillis) {
            isBack = true
            ring()
          }
          return Math.max(at, pace.pause.untilMillis)
        }
        const turn = leased.take(at)
        if (turn === null) {
          hungryMillis = at
          if (at >= againMillis) ring()
          return Number.POSITIVE_INFINITY
        }
        taken += 1
        freshMillis = turn.freshMillis
        if (at >= againMillis && wanted(at) > 0) ring()
        return turn.turnMillis
      },
      holds: (turn, at) => {
        const { crawl, nextMillis, pause } = pace
        if (pause.untilMillis > at) return false
        if (crawl === null) return pace.rate === null || at - turn <= freshMillis
        // Until somebody else was given a later one.
        return at - turn <= shared.lateMillis || nextMillis - crawl.everyMillis <= turn + 1
      },
      taken: (turn, at) => {
        if (pace.crawl === null || at - turn <= shared.lateMillis) return
        seen = { ...seen, triedMillis: at }
        ring()
      },
      pause: (untilMillis, why) => notice({ paused: { untilMillis, why } }),
      paused: (at) => PaceState.pauseAt(pace, at),
      waiting: (at) => PaceState.waiting(pace, at),
      crawl: (everyMillis, why) => {
        if (everyMillis === null && pace.crawl === null) return
        notice({ crawl: everyMillis === null ? null : { everyMillis, why } })
      },
      crawling: () => pace.crawl,
      era: () => era,
      accepted: () => {
        accepted += 1
      },
      refused: (atMillis, sentMillis, retryAfterMillis) => notice({ refusal: { atMillis, sentMillis, retryAfterMillis } }),
      rate: () => pace.rate,
      share: () => pace.rate === null ? null : pace.rate / sharers,
      left: (at) => !isLimited() ? null : pace.pause.untilMillis > at ? 0 : leased.ready(at),
      learnt: () => pace.learnt,
      limit: (callsPerSecond) => {
        if (callsPerSecond === pace.ceiling) return
        become(PaceState.limited(pace, callsPerSecond))
        seen = { ...seen, callsPerSecond }
        ring()
      },
      connect: (one) => {
        taker = one
      },
      isAway: () => isAway
    }
  })
