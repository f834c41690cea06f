/**
 * Lanes as persisted entities of Effect Cluster: one owner in the whole cluster, whoever that is.
 *
 * An entity is a lane of an organisation, `org/lane`; a message is a chunk, never a record. The handler works through the
 * chunk and then posts the next one. Its messages carry the epoch of the run and a turn, because a key is a key for ever.
 * A handler never fails: the end of a message is kept, a lane must not be lost to it. A singleton sends lanes again whose
 * chain of messages broke, and what was worked off is cleared from the storage.
 */
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import * as Entity from "@effect/cluster/Entity"
import { EntityAddress } from "@effect/cluster/EntityAddress"
import * as EntityId from "@effect/cluster/EntityId"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import { Sharding } from "@effect/cluster/Sharding"
import * as Rpc from "@effect/rpc/Rpc"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Job } from "./Job.js"
import * as LaneRunner from "./LaneRunner.js"
import { Lanes } from "./Lanes.js"

/** Work through the next chunk of a lane. */
export const Chunk = Rpc.make("Chunk", {
  payload: {
    run: Schema.String,
    epoch: Schema.Number,
    lane: Schema.Number,
    /** New for every message of an epoch. */
    turn: Schema.Number
  },
  primaryKey: ({ epoch, lane, run, turn }) => `${run}/${epoch}/${lane}/${turn}`
})

/** A lane of an organisation; its id is `org/lane`. */
export const Lane = Entity.make("@milepost/engine/Lane", [Chunk])
  .annotateRpcs(ClusterSchema.Persisted, true)
  .annotateRpcs(ClusterSchema.Uninterruptible, true)

/** The id of a lane's entity. */
export const idOf = (job: Pick<Job, "org">, lane: number): string => `${job.org}/${lane}`

/** A lane that a job of this process has work for. */
interface Chain {
  /** The turn that is out; messages of another turn are leftovers. */
  turn: number
  /** When it was sent, or a chunk of it ended. */
  movedMillis: number
  isWorking: boolean
}

interface Running {
  readonly job: Job
  readonly chains: Map<number, Chain>
  readonly allDone: Deferred.Deferred<void>
}

/** The jobs of this process by run, for the handlers that get their messages. */
type Jobs = Map<string, Running>

/** A chain that has not moved for so long is taken for broken. */
const brokenAfterMillis = 10_000

const sweepEvery = "5 seconds"

const shortly = Schedule.exponential("50 millis").pipe(Schedule.union(Schedule.spaced("1 second")), Schedule.upTo("30 seconds"))

/** Sends the next message of a lane; whoever cannot leaves it to the singleton. */
const post = (running: Running, lane: number): Effect.Effect<void, never, Sharding> =>
  Effect.gen(function*() {
    const chain = running.chains.get(lane)
    if (chain === undefined) return
    const client = yield* Lane.client
    chain.turn += 1
    chain.movedMillis = yield* Clock.currentTimeMillis
    const { epoch, run } = running.job
    yield* client(idOf(running.job, lane)).Chunk({ run, epoch, lane, turn: chain.turn }, { discard: true }).pipe(
      Effect.retry(shortly),
      Effect.catchAll((error) => Effect.logWarning(`lane ${lane} could not be sent on: ${error._tag}`))
    )
  })

const done = ({ allDone, chains }: Running, lane: number): void => {
  chains.delete(lane)
  if (chains.size === 0) Deferred.unsafeDone(allDone, Effect.void)
}

/** Works through one message. Messages of jobs, epochs and turns that are no more end at once. */
const handle = (jobs: Jobs, { epoch, lane, run, turn }: Rpc.Payload<typeof Chunk>): Effect.Effect<void, never, Sharding> =>
  Effect.gen(function*() {
    const running = jobs.get(run)
    const chain = running?.chains.get(lane)
    if (running === undefined || chain === undefined || running.job.epoch !== epoch || chain.turn !== turn) return
    // The same message twice: a lane has one chunk at a time.
    if (chain.isWorking) return
    chain.isWorking = true
    const hasMore = yield* LaneRunner.runChunk(running.job, lane).pipe(
      Effect.ensuring(Effect.sync(() => {
        chain.isWorking = false
      }))
    )
    if (hasMore) yield* post(running, lane)
    else done(running, lane)
  })

/** Sends lanes again whose chain of messages broke, e.g. with an owner that died. */
const sweep = (jobs: Jobs): Effect.Effect<never, never, Sharding> =>
  Effect.forever(Effect.gen(function*() {
    yield* Effect.sleep(sweepEvery)
    const now = yield* Clock.currentTimeMillis
    for (const running of jobs.values()) {
      for (const [lane, chain] of running.chains) {
        if (chain.isWorking || now - chain.movedMillis < brokenAfterMillis) continue
        yield* post(running, lane)
      }
    }
  }))

/** Removes the messages of lanes that nobody works on, and their replies; what cannot be removed harms nobody. */
const clear = (
  jobs: Jobs,
  job: Job,
  lanes: ReadonlyArray<number>
): Effect.Effect<void, never, MessageStorage.MessageStorage | Sharding> =>
  Effect.gen(function*() {
    const storage = yield* MessageStorage.MessageStorage
    const others = [...jobs.values()].filter((running) => running.job !== job && running.job.org === job.org)
    for (const lane of lanes) {
      if (others.some(({ chains }) => chains.has(lane))) continue
      const entityId = EntityId.make(idOf(job, lane))
      const address = EntityAddress.make({ entityId, entityType: Lane.type, shardId: yield* Lane.getShardId(entityId) })
      yield* storage.clearAddress(address)
    }
  }).pipe(
    Effect.catchAll((error) => Effect.logWarning(`messages of lanes could not be cleared: ${error._tag}`))
  )

const work = (
  jobs: Jobs,
  job: Job,
  lanes: ReadonlyArray<number>
): Effect.Effect<void, never, MessageStorage.MessageStorage | Sharding> =>
  Effect.gen(function*() {
    if (lanes.length === 0) return
    const now = yield* Clock.currentTimeMillis
    const running: Running = {
      job,
      chains: new Map(lanes.map((lane) => [lane, { turn: 0, movedMillis: now, isWorking: false }])),
      allDone: yield* Deferred.make<void>()
    }
    // Leftovers of a process that was killed: of an earlier epoch, so that nobody would work on them anyway.
    yield* clear(jobs, job, lanes)
    jobs.set(job.run, running)
    const forget = job.onStop(() => {
      // Chunks that are being worked on end by themselves; a message that comes for any other ends at once.
      for (const [lane, { isWorking }] of running.chains) if (!isWorking) done(running, lane)
    })
    yield* Effect.forEach(lanes, (lane) => post(running, lane), { discard: true }).pipe(
      Effect.zipRight(Deferred.await(running.allDone)),
      Effect.onInterrupt(() => {
        job.stop({ state: "interrupted", reason: "cancelled", message: "the run was interrupted" })
        return Deferred.await(running.allDone)
      }),
      Effect.ensuring(Effect.suspend(() => {
        forget()
        if (jobs.get(job.run) === running) jobs.delete(job.run)
        return clear(jobs, job, lanes)
      }))
    )
  })

/**
 * Lanes over the cluster that is there; see `Engine.layerSingle` for the one of a single process.
 */
export const layer: Layer.Layer<Lanes, never, MessageStorage.MessageStorage | Sharding> = Layer.scoped(
  Lanes,
  Effect.gen(function*() {
    const sharding = yield* Sharding
    const context = yield* Effect.context<MessageStorage.MessageStorage | Sharding>()
    const jobs: Jobs = new Map()
    yield* sharding.registerEntity(
      Lane,
      Effect.succeed(Lane.of({ Chunk: ({ payload }) => Effect.provideService(handle(jobs, payload), Sharding, sharding) }))
    )
    yield* sharding.registerSingleton("@milepost/engine/sweep", Effect.provideService(sweep(jobs), Sharding, sharding))
    return { work: (job, lanes) => Effect.provide(work(jobs, job, lanes), context) }
  })
)
