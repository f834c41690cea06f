/**
 * Jobs: files of records that are stored as a whole, and sent in the background until each of them has an outcome.
 *
 * A job is a run of the ledger, with an organisation and a wish beside it: what a person wants of it, which outlives the
 * process. Several are sent at once, over the gate of their organisation, in turn with each other and behind callers who
 * wait. What a crash or a stop left is gone on with at the next start.
 *
 * Where several processes share a database each of them sends every job, in the lanes that it has: each looks every second
 * what there is to do and what is wished for, so that it does not matter which of them was asked.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Outcome from "@milepost/core/Outcome"
import { Transport } from "@milepost/core/Transport"
import * as EngineProgress from "@milepost/engine/Progress"
import { Ledger } from "@milepost/ledger/Ledger"
import type { RunNotFound, StorageError, WrongState } from "@milepost/ledger/LedgerError"
import type { Operation, Run } from "@milepost/ledger/Run"
import * as Import from "@milepost/rows/Import"
import type * as Records from "@milepost/rows/Records"
import type * as Source from "@milepost/rows/Source"
import * as Standing from "@milepost/rows/Standing"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import type { Service as Log } from "../operation/Log.js"
import * as Store from "../Store.js"
import type { Service as Upstreams } from "../upstream/Upstreams.js"
import type { Crew } from "./Crew.js"
import * as Rates from "./Rates.js"

/** What a person wants of a job. */
export type Wish = "run" | "pause" | "cancel"

/** Where a job is. */
export type State = "importing" | "queued" | "running" | "paused" | "finished" | "stopped" | "cancelled"

/** A job as it stands. */
export interface Job {
  readonly id: string
  readonly org: string
  readonly state: State
  readonly standing: Standing.Standing
  /** How fast it goes while it is sent; `null` where it is not. */
  readonly progress: Progress | null
}

/** How fast a job goes. */
export interface Progress {
  readonly callsPerSecond: number
  /** Calls a second that are let go; `null` without a limit. */
  readonly limitPerSecond: number | null
  /** `null` while nobody can tell. */
  readonly etaSeconds: number | null
  /** What it waits for, for people; `null` while it works. */
  readonly waiting: string | null
}

/** What a new job is made of. */
export interface NewJob<E> {
  readonly org: string
  readonly key: string
  readonly operation: Operation
  readonly source: Source.Source<E>
  readonly defaults: Records.Defaults
  /** Calls a second at most; `null` for as many as the organisation's gate lets go. */
  readonly callsPerSecond: number | null
  /** Target groups that the job may touch; `null` for all. */
  readonly targetGroups: ReadonlyArray<number> | null
}

/** The file names a target group that the key may not touch: nothing of it is kept. */
export class GroupNotGranted extends Data.TaggedError("GroupNotGranted")<{ readonly targetGroupId: number }> {}

/** The job is in no state for what was asked. */
export class WrongJobState extends Data.TaggedError("WrongJobState")<{ readonly state: State; readonly wanted: string }> {
  override get message(): string {
    return `the job is ${this.state} and cannot be ${this.wanted}`
  }
}

/** There is no such job. */
export class JobNotFound extends Data.TaggedError("JobNotFound")<{ readonly id: string }> {}

/** What the data may meet. */
export type DataError = StorageError | Store.StoreFailed

/** All jobs. */
export interface Service {
  /** Stores a whole input, and has it sent; nothing is kept of an input that cannot be stored. */
  readonly create: <E>(job: NewJob<E>) => Effect.Effect<Job, DataError | E | GroupNotGranted | Import.Error>
  readonly get: (id: string) => Effect.Effect<Job, DataError | JobNotFound>
  /** The jobs of these organisations, the latest first. */
  readonly list: (orgs: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Job>, DataError>
  /** The target groups that a job touches. */
  readonly targetGroups: (id: string) => Effect.Effect<ReadonlyArray<number>, DataError | JobNotFound>
  readonly pause: (id: string) => Effect.Effect<Job, DataError | JobNotFound | WrongJobState>
  readonly resume: (id: string) => Effect.Effect<Job, DataError | JobNotFound | WrongJobState>
  readonly cancel: (id: string) => Effect.Effect<Job, DataError | JobNotFound | WrongJobState>
  /** Forgets a job that is not being sent. */
  readonly remove: (id: string) => Effect.Effect<void, DataError | JobNotFound | WrongJobState>
  /** Sends nothing more; completes when what is in flight is written down. Jobs go on with the next start. */
  readonly stop: Effect.Effect<void>
  /** How many jobs are sent, and how many wait for it. */
  readonly counts: () => Readonly<Record<string, number>>
  /** Where their rows lie. */
  readonly ledger: Context.Tag.Service<Ledger>
}

/** So many jobs are sent at once; others wait. */
const atOnce = 16

/** Calls that one job has on its way or waiting at the gate: the gate decides how many go. */
const places = 64

const RunOptions = Schema.Struct({ callsPerSecond: Schema.NullOr(Schema.Number) })
const optionsOf = Schema.decodeUnknownOption(RunOptions)

interface Row {
  readonly id: string
  readonly org: string
  readonly wish: Wish
  /** Who has stored it, or is about to. */
  readonly replica: string | null
}

/** A job that is being sent. */
interface Active {
  readonly cancel: Deferred.Deferred<void>
  progress: EngineProgress.Progress | null
  isSending: boolean
}

/** How a job stands where several send it: what is wished for, and what the ledger says. */
const sharedStateOf = ({ run, state }: Standing.Standing, wish: Wish): State => {
  if (state === "finished" || state === "importing") return state
  if (run.state === "running" && wish === "run") return "running"
  if (wish === "cancel") return "cancelled"
  if (state === "stopped") return "stopped"
  return wish === "pause" ? "paused" : "queued"
}

const stateOf = ({ state }: Standing.Standing, wish: Wish, active: Active | undefined): State => {
  if (state === "finished" || state === "importing") return state
  if (active !== undefined && wish === "run") return active.isSending ? "running" : "queued"
  if (wish === "cancel") return "cancelled"
  if (state === "stopped") return "stopped"
  return wish === "pause" ? "paused" : "queued"
}

/** After the engine has heard that it is to stop, so that calls which give up count as given back. */
const hearing = "20 millis"

const steadyMillis = Effect.map(Effect.clock, (clock) => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n))

/** Between two looks at what others wish for. */
const lookMillis = 1_000

/** So long who pauses or cancels waits for all who send to have heard of it, and to be done with what is in flight. */
const hearingMillis = 15_000

/** Jobs over the ledger; those that have not ended are gone on with at once. */
export const make = (options: {
  readonly upstreams: Upstreams
  readonly crew: Crew
  readonly log: Log
  /** Told how many records of an organisation ended in which word, when a job has ended or stopped. */
  readonly ended: (org: string, outcome: string, records: number) => void
  readonly retentionMillis: number
}): Effect.Effect<Service, DataError, Ledger | Scope.Scope | SqlClient> =>
  Effect.gen(function*() {
    const { crew, ended, log, retentionMillis, upstreams } = options
    const ledger = yield* Ledger
    const sql = yield* SqlClient
    const scope = yield* Effect.scope
    const slots = yield* Effect.makeSemaphore(atOnce)
    const active = new Map<string, Active & { readonly ended: Deferred.Deferred<void> }>()
    const rates = Rates.make()
    let isStopping = false
    /** Jobs of all replicas, as of the last look. */
    let shared = { running: 0, queued: 0 }

    const rowOf = (id: string): Effect.Effect<Row, JobNotFound | Store.StoreFailed> =>
      Effect.flatMap(Store.attempt("read", sql<Row>`SELECT id, org, wish, replica FROM proxy_jobs WHERE id = ${id}`), ([row]) =>
        row === undefined ? Effect.fail(new JobNotFound({ id })) : Effect.succeed(row))

    const jobOf = (row: Row): Effect.Effect<Job, DataError | JobNotFound> =>
      Effect.gen(function*() {
        const standing = Standing.make(yield* ledger.run(row.id), yield* ledger.refusals(row.id))
        const at = active.get(row.id)
        const snapshot = at?.progress?.snapshot(yield* steadyMillis) ?? null
        const limits = { limitPerSecond: snapshot?.limitPerSecond ?? null, waiting: snapshot === null ? null : EngineProgress.waitingLine(snapshot) }
        const rate = crew.isShared ? rates.of(row.id) : snapshot
        return {
          id: row.id,
          org: row.org,
          state: crew.isShared ? sharedStateOf(standing, row.wish) : stateOf(standing, row.wish, at),
          standing,
          progress: rate === null ? null : { callsPerSecond: rate.callsPerSecond, etaSeconds: rate.etaSeconds, ...limits }
        }
      }).pipe(Effect.catchTag("RunNotFound", () => Effect.fail(new JobNotFound({ id: row.id }))))

    const get = (id: string) => Effect.flatMap(rowOf(id), jobOf)

    const wish = (id: string, wanted: Wish) => Store.attempt("written", sql`UPDATE proxy_jobs SET wish = ${wanted} WHERE id = ${id}`)

    const send = (id: string, org: string, at: Active): Effect.Effect<void, RunNotFound | StorageError | WrongState> =>
      Effect.gen(function*() {
        const upstream = upstreams.get(org)
        if (upstream === undefined) {
          log.write("error", "job-without-organisation", { job: id, org })
          return
        }
        const before = yield* ledger.run(id)
        const { callsPerSecond } = optionsOf(before.options).pipe((found) => found._tag === "Some" ? found.value : { callsPerSecond: null })
        const calls = upstream.job()
        at.isSending = true
        const heard = Effect.zipRight(Deferred.await(at.cancel), Effect.asVoid(Effect.forkIn(Effect.zipRight(Effect.sleep(hearing), Effect.sync(calls.close)), scope)))
        const sent = yield* crew.send(id, {
          org,
          callsPerSecond,
          concurrency: places,
          cancel: heard,
          watch: (progress) => {
            at.progress = progress
            return Effect.never
          }
        }).pipe(
          Effect.provideService(Transport, calls.transport),
          Effect.ensuring(Effect.sync(calls.close))
        )
        for (const word of Outcome.words) ended(org, word, sent.outcomes[word])
        log.write("info", sent.state === "left" ? "job-left" : "job-ended", { job: id, org, state: sent.state, reason: sent.reason ?? undefined, calls: sent.calls })
        // One that is gone on with later is kept, however long that takes.
        if (sent.state === "finished" || sent.state === "stopped") yield* Effect.ignore(markEnded(id))
      })

    const markEnded = (id: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Store.attempt("written", sql`UPDATE proxy_jobs SET ended_at = ${now} WHERE id = ${id} AND ended_at IS NULL`))

    /** A ledger's error tells itself; a defect is ours, and its message is what it is mended by. */
    const told = (id: string, org: string, cause: Cause.Cause<RunNotFound | StorageError | WrongState>): void => {
      const failure = Cause.failureOption(cause)
      // Another process has ended it, begun it anew or removed it, and this one has not seen it yet.
      if (crew.isShared && Option.isSome(failure) && (failure.value._tag === "WrongState" || failure.value._tag === "RunNotFound")) return
      log.write("error", "job-failed", {
        job: id,
        org,
        why: Option.isSome(failure) ? failure.value._tag : "Defect",
        message: Option.isSome(failure) ? failure.value.message : Cause.pretty(cause)
      })
    }

    /** Has a job sent, when there is room. */
    const begin = (id: string, org: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (isStopping || active.has(id)) return Effect.void
        const cancel = Deferred.unsafeMake<void>(FiberId.none)
        const at = { cancel, progress: null, isSending: false, ended: Deferred.unsafeMake<void>(FiberId.none) }
        active.set(id, at)
        const waited = Effect.raceFirst(Effect.as(slots.take(1), true), Effect.as(Deferred.await(cancel), false))
        const run = Effect.flatMap(waited, (hasSlot) => hasSlot ? Effect.ensuring(send(id, org, at), slots.release(1)) : Effect.void)
        return Effect.asVoid(Effect.forkIn(
          run.pipe(
            Effect.catchAllCause((cause) => Effect.sync(() => told(id, org, cause))),
            Effect.ensuring(Effect.suspend(() => {
              active.delete(id)
              return Deferred.succeed(at.ended, undefined)
            }))
          ),
          scope
        ))
      })

    /** Stops sending a job; completes when its answers are written down. */
    const halt = (id: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const at = active.get(id)
        if (at === undefined) return Effect.void
        return Effect.zipRight(Deferred.succeed(at.cancel, undefined), Deferred.await(at.ended))
      })

    /** Has everybody stop sending a job, which is wished for already, and the run end for now. */
    const haltEverywhere = (id: string): Effect.Effect<void, DataError | JobNotFound> =>
      crew.isShared
        ? halt(id).pipe(
          Effect.zipRight(Effect.timeoutOption(untilQuiet(id), hearingMillis)),
          Effect.zipRight(endForNow(id)),
          Effect.catchTag("RunNotFound", () => Effect.fail(new JobNotFound({ id })))
        )
        : halt(id)

    /** Until nobody has a record of it in hand. */
    const untilQuiet = (id: string): Effect.Effect<void, RunNotFound | StorageError> =>
      Effect.asVoid(Effect.repeat(ledger.run(id), {
        until: ({ counts, state }) => state !== "running" || counts.claimed === 0,
        schedule: Schedule.spaced("200 millis")
      }))

    const endForNow = (id: string): Effect.Effect<void, RunNotFound | StorageError> =>
      Effect.flatMap(ledger.run(id), ({ state }) =>
        state === "running"
          ? Effect.ignore(ledger.end(id, "interrupted", { reason: "cancelled", message: "the run was interrupted" }))
          : Effect.void)

    const forget = (id: string): Effect.Effect<void, DataError> =>
      Effect.zipRight(
        Effect.catchTag(ledger.remove(id), "RunNotFound", () => Effect.void),
        Store.attempt("written", sql`DELETE FROM proxy_jobs WHERE id = ${id}`)
      )

    const groupsOf = (id: string) =>
      Effect.map(ledger.destinations(id), (all) => [...new Set(all.map(({ targetGroupId }) => targetGroupId))])

    const changed = (id: string, from: ReadonlyArray<State>, wanted: Wish, word: string) =>
      Effect.gen(function*() {
        const { state } = yield* get(id)
        if (!from.includes(state)) return yield* new WrongJobState({ state, wanted: word })
        yield* wish(id, wanted)
      })

    const expire = Effect.gen(function*() {
      if (!crew.isKeeper()) return
      const now = yield* Clock.currentTimeMillis
      const old = yield* Store.attempt("read", sql<Row>`SELECT id, org, wish, replica FROM proxy_jobs WHERE ended_at < ${now - retentionMillis}`)
      for (const { id } of old) {
        if (active.has(id)) continue
        yield* forget(id)
        log.write("info", "job-expired", { job: id })
      }
    }).pipe(
      Effect.catchAll((error) => Effect.sync(() => log.write("error", "jobs-not-expired", { message: error.message }))),
      Effect.repeat(Schedule.spaced("1 hour"))
    )

    const goOn = Effect.gen(function*() {
      const rows = yield* Store.attempt("read", sql<Row>`SELECT id, org, wish, replica FROM proxy_jobs ORDER BY created_at, id`)
      for (const row of rows) {
        const job = yield* Effect.option(jobOf(row))
        // An upload that was cut off was never promised to anybody.
        if (job._tag === "None" || job.value.state === "importing") yield* forget(row.id)
        else if (job.value.state === "queued") {
          log.write("info", "job-goes-on", { job: row.id, org: row.org })
          yield* begin(row.id, row.org)
        }
      }
    })

    /** Runs that nobody had begun at the last look: whoever stored one begins it in a moment, unless he died. */
    let waiting: ReadonlySet<string> = new Set()

    /** What falls to one of all: what who should have done it may not have lived to do. */
    const keep = (row: Row, run: Run): Effect.Effect<void, DataError | RunNotFound | WrongState> => {
      if (row.wish !== "run") return run.state === "running" && run.counts.claimed === 0 ? endForNow(row.id) : Effect.void
      if (run.state === "finished" || run.state === "stopped") return markEnded(row.id)
      if (run.state === "importing") return row.replica === null || crew.isLiving(row.replica) ? Effect.void : forget(row.id)
      return run.state !== "running" && waiting.has(row.id) ? crew.begin(row.id) : Effect.void
    }

    /** Does what is wished for with the jobs that have not ended. */
    const look = Effect.gen(function*() {
      const rows = yield* Store.attempt("read", sql<Row>`SELECT id, org, wish, replica FROM proxy_jobs WHERE ended_at IS NULL ORDER BY created_at, id`)
      const unbegun = new Set<string>()
      const counts = { running: 0, queued: 0 }
      for (const row of rows) {
        const found = yield* Effect.either(ledger.run(row.id))
        // Stored by somebody at this moment, or removed.
        if (found._tag === "Left") {
          if (found.left._tag !== "RunNotFound") return yield* found.left
          continue
        }
        const run = found.right
        rates.saw(run, yield* steadyMillis)
        const at = active.get(row.id)
        if (row.wish !== "run" && at !== undefined) yield* Deferred.succeed(at.cancel, undefined)
        if (row.wish === "run" && run.state === "running") {
          counts.running += 1
          yield* begin(row.id, row.org)
        } else if (row.wish === "run" && (run.state === "ready" || run.state === "interrupted")) {
          counts.queued += 1
          unbegun.add(row.id)
        }
        if (crew.isKeeper()) yield* Effect.catchTags(keep(row, run), { RunNotFound: () => Effect.void, WrongState: () => Effect.void })
      }
      shared = counts
      waiting = unbegun
    })

    let isBlind = false
    const looking = look.pipe(
      Effect.matchEffect({
        onFailure: (error) =>
          Effect.sync(() => {
            if (!isBlind) log.write("error", "jobs-not-seen", { message: error.message })
            isBlind = true
          }),
        onSuccess: () =>
          Effect.sync(() => {
            if (isBlind) log.write("info", "jobs-seen-again")
            isBlind = false
          })
      }),
      Effect.repeat(Schedule.spaced(lookMillis))
    )

    if (crew.isShared) yield* Effect.forkIn(looking, scope)
    else yield* goOn
    yield* Effect.forkIn(expire, scope)
    const stop = Effect.suspend(() => {
      isStopping = true
      return Effect.forEach([...active.keys()], halt, { concurrency: "unbounded", discard: true })
    })
    yield* Effect.addFinalizer(() => stop)

    return {
      ledger,
      get,
      stop,
      counts: () => {
        // Told by one of all, so that their sum is right.
        if (crew.isShared) return crew.isKeeper() ? shared : { running: 0, queued: 0 }
        const all = [...active.values()]
        const running = all.filter(({ isSending }) => isSending).length
        return { running, queued: all.length - running }
      },
      targetGroups: (id) => Effect.catchTag(groupsOf(id), "RunNotFound", () => Effect.fail(new JobNotFound({ id }))),
      list: (orgs) =>
        Effect.gen(function*() {
          const rows = yield* Store.attempt("read", sql<Row>`SELECT id, org, wish, replica FROM proxy_jobs ORDER BY created_at DESC, id DESC`)
          const jobs = yield* Effect.forEach(rows.filter(({ org }) => orgs.includes(org)), (row) => Effect.option(jobOf(row)))
          return jobs.flatMap((job) => job._tag === "Some" ? [job.value] : [])
        }),
      create: ({ callsPerSecond, defaults, key, operation, org, source, targetGroups }) =>
        Effect.gen(function*() {
          const now = yield* Clock.currentTimeMillis
          const id = `job_${new Date(now).toISOString().replace(/[-:T]/g, "").slice(0, 14)}_${randomBytes(4).toString("hex")}`
          yield* Store.attempt("written", sql`INSERT INTO proxy_jobs ${
            sql.insert({ id, org, key_id: key, wish: "run", replica: crew.id, created_at: now, ended_at: null })
          }`)
          yield* Effect.gen(function*() {
            yield* Import.run({ ledger, run: id, operation, source, defaults, options: { callsPerSecond }, watch: () => Effect.void, overruled: () => undefined })
            const other = targetGroups === null ? undefined : (yield* groupsOf(id)).find((group) => !targetGroups.includes(group))
            if (other !== undefined) return yield* new GroupNotGranted({ targetGroupId: other })
          }).pipe(Effect.onExit((exit) => exit._tag === "Failure" ? Effect.ignore(forget(id)) : Effect.void))
          log.write("info", "job-stored", { job: id, org, key })
          yield* Effect.catchTags(crew.begin(id), { RunNotFound: Effect.die, WrongState: () => Effect.void })
          yield* begin(id, org)
          return yield* Effect.orDie(get(id))
        }),
      pause: (id) =>
        Effect.zipRight(changed(id, ["queued", "running"], "pause", "paused"), Effect.zipRight(haltEverywhere(id), get(id))),
      cancel: (id) =>
        Effect.zipRight(changed(id, ["queued", "running", "paused", "stopped"], "cancel", "cancelled"), Effect.gen(function*() {
          yield* haltEverywhere(id)
          const now = yield* Clock.currentTimeMillis
          // One that was never sent has nothing that says why its records are skipped.
          yield* Effect.ignore(Effect.zipRight(
            ledger.start(id),
            ledger.end(id, "interrupted", { reason: "cancelled", message: "the job was cancelled" })
          ))
          yield* Store.attempt("written", sql`UPDATE proxy_jobs SET ended_at = ${now} WHERE id = ${id}`)
          return yield* get(id)
        })),
      resume: (id) =>
        // One that is queued may have lost its organisation to a reload, and have found it again.
        Effect.zipRight(changed(id, ["queued", "paused", "stopped"], "run", "resumed"), Effect.gen(function*() {
          const { org } = yield* rowOf(id)
          yield* Store.attempt("written", sql`UPDATE proxy_jobs SET ended_at = NULL WHERE id = ${id}`)
          yield* Effect.catchTags(crew.begin(id), { RunNotFound: () => Effect.fail(new JobNotFound({ id })), WrongState: () => Effect.void })
          yield* begin(id, org)
          return yield* get(id)
        })),
      remove: (id) =>
        Effect.gen(function*() {
          const { state } = yield* get(id)
          if (state === "importing" || state === "running" || state === "queued") return yield* new WrongJobState({ state, wanted: "removed" })
          yield* forget(id)
        })
    }
  })
