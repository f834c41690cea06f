/**
 * Follows a job to where nothing happens any more by itself: by its events, and by asking where those stay away.
 *
 * A proxy that restarts, or a connection that is cut, is waited for; nothing is missed, because every event is the whole
 * standing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Job from "./Job.js"
import * as Patience from "./Patience.js"
import * as ProxyClient from "./ProxyClient.js"

/** What a follower is told. */
export interface Watch {
  readonly standing: (job: Job.Job) => Effect.Effect<void>
  /** Why nothing is heard just now; `null` when it is heard again. */
  readonly silent: (why: string | null) => Effect.Effect<void>
}

/** Events may be held back by whoever stands between: after so long without one, the job is asked for. */
const askedAfterMillis = 10_000

/** The job when it stands still; fails when its proxy refuses, or is away for a quarter of an hour. */
export const run = (
  client: Pick<ProxyClient.ProxyClient, "events" | "job">,
  first: Job.Job,
  watch: Watch
): Effect.Effect<Job.Job, ProxyClient.ProxyError> =>
  Effect.gen(function*() {
    if (Job.isStill(first)) return first
    let newest = first
    let last: string | null = null
    let failures = 0
    let heardMillis = yield* Clock.currentTimeMillis

    const heard = (job: Job.Job): Effect.Effect<void> =>
      Effect.gen(function*() {
        newest = job
        failures = 0
        heardMillis = yield* Clock.currentTimeMillis
        yield* watch.silent(null)
        yield* watch.standing(job)
      })

    const events = Effect.suspend(() =>
      client.events(first.id, last).pipe(
        Stream.tap(({ id, job }) => {
          last = id === "" ? null : id
          return heard(job)
        }),
        Stream.takeUntil(({ job }) => Job.isStill(job)),
        Stream.runDrain
      ))

    const ask = Effect.flatMap(client.job(first.id), heard)

    const lost = (error: ProxyClient.ProxyError): Effect.Effect<void, ProxyClient.ProxyError> =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        if (!ProxyClient.isPassing(error) || now - heardMillis > Patience.lostAfterMillis) return yield* Effect.fail(error)
        yield* watch.silent(ProxyClient.reason(error))
        yield* Effect.sleep(Patience.pauseMillis(error, failures))
        failures += 1
      })

    // Events that end before the job does come from a proxy that stops, or from a broken connection.
    const byEvents = Effect.gen(function*() {
      while (!Job.isStill(newest)) {
        yield* Effect.catchAll(
          Effect.zipRight(events, Effect.suspend(() => Job.isStill(newest) ? Effect.void : ask)),
          lost
        )
        if (!Job.isStill(newest) && failures === 0) yield* Effect.sleep(Patience.pauseMillis(null, 0))
      }
    })

    const byAsking = Effect.gen(function*() {
      while (!Job.isStill(newest)) {
        yield* Effect.sleep(askedAfterMillis)
        const now = yield* Clock.currentTimeMillis
        // What goes wrong here goes wrong there as well, and is told there.
        if (now - heardMillis >= askedAfterMillis) yield* Effect.ignore(ask)
      }
    })

    yield* Effect.raceFirst(byEvents, byAsking)
    return newest
  })
