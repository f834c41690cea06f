/**
 * How far a run is: numbers that are counted while it runs, and pictures of them for whoever shows it.
 *
 * One source feeds a terminal's display, lines every few seconds and JSON: a picture is plain data, made when it is asked
 * for. Counting costs a call a few additions.
 */
import type * as Outcome from "@milepost/core/Outcome"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { steadyMillis } from "./internal/steadyMillis.js"
import type { Pause } from "./Pace.js"

/** How long calls took, in milliseconds; within 10 % of the truth. */
export interface Latency {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** A run at one moment. */
export interface Snapshot {
  readonly atMillis: number
  /** Records with an outcome on disk, those of earlier sittings included. */
  readonly done: number
  readonly total: number
  /** Outcomes on disk, by word. */
  readonly outcomes: Readonly<Record<Outcome.Word, number>>
  /** Calls of this sitting, repeated attempts included. */
  readonly calls: number
  /** Over the last ten seconds. */
  readonly callsPerSecond: number
  /** Calls a second that are let go; `null` without a limit. */
  readonly limitPerSecond: number | null
  /** Calls in flight, and how many there may be. */
  readonly inFlight: number
  readonly concurrency: number
  /** `null` before the first answer. */
  readonly latency: Latency | null
  /** `null` while nobody can tell. */
  readonly etaSeconds: number | null
  /** What the run waits for, e.g. a pause after a 429, or a ledger that cannot be written; `null` while it works. */
  readonly waiting: Pause | null
}

/** What is counted of a run, synchronously. */
export interface Progress {
  /** A call got its answer, or none, after so many milliseconds. */
  readonly called: (tookMillis: number, nowMillis: number) => void
  /** An outcome is on disk. */
  readonly settled: (word: Outcome.Word, records?: number) => void
  /** So many outcomes are on disk, by whomever: what has been counted of them so far is forgotten. */
  readonly found: (outcomes: Readonly<Record<Outcome.Word, number>>) => void
  readonly snapshot: (nowMillis: number) => Snapshot
}

/** What a picture is made of beside the counting. */
export interface Source {
  readonly total: number
  readonly outcomes: Readonly<Record<Outcome.Word, number>>
  readonly limitPerSecond: () => number | null
  readonly inFlight: () => number
  readonly concurrency: () => number
  readonly waiting: (nowMillis: number) => Pause | null
}

/** Bounds grow by a tenth: 0.5 ms to some 2 hours in 180 buckets. */
const buckets = 180
const smallest = 0.5
const growth = Math.log(1.1)

const bucketOf = (millis: number): number =>
  Math.min(buckets - 1, Math.max(0, Math.ceil(Math.log(millis / smallest) / growth)))

/** A histogram of fixed size. */
export interface Histogram {
  readonly add: (millis: number) => void
  /** The value that this share of all lies at or below; `null` while there is none. */
  readonly quantile: (share: number) => number | null
}

/** An empty histogram. */
export const histogram = (): Histogram => {
  const counts = new Float64Array(buckets)
  let all = 0
  return {
    add: (millis) => {
      const bucket = bucketOf(millis)
      counts[bucket] = (counts[bucket] ?? 0) + 1
      all += 1
    },
    quantile: (share) => {
      if (all === 0) return null
      let seen = 0
      for (let bucket = 0; bucket < buckets; bucket++) {
        seen += counts[bucket] ?? 0
        if (seen >= share * all) return Math.round(smallest * Math.exp(bucket * growth) * 10) / 10
      }
      return null
    }
  }
}

/** Calls of the last seconds, one counter each. */
const secondsKept = 10

/** Starts counting. */
export const make = (source: Source, startedMillis: number): Progress => {
  const outcomes: Record<Outcome.Word, number> = { ...source.outcomes }
  const latencies = histogram()
  const bySecond = new Float64Array(secondsKept + 1)
  let latest = Math.floor(startedMillis / 1000)
  let calls = 0

  const turnTo = (second: number): void => {
    for (let passed = Math.max(latest + 1, second - secondsKept); passed <= second; passed++) bySecond[passed % bySecond.length] = 0
    latest = Math.max(latest, second)
  }

  const speed = (now: number): number => {
    turnTo(Math.floor(now / 1000))
    const counted = bySecond.reduce((sum, count) => sum + count, 0)
    const from = Math.max(startedMillis, (latest - secondsKept) * 1000)
    return now <= from ? 0 : counted * 1000 / (now - from)
  }

  return {
    called: (took, now) => {
      turnTo(Math.floor(now / 1000))
      const second = latest % bySecond.length
      bySecond[second] = (bySecond[second] ?? 0) + 1
      calls += 1
      latencies.add(took)
    },
    settled: (word, records = 1) => {
      outcomes[word] += records
    },
    found: (now) => {
      Object.assign(outcomes, now)
    },
    snapshot: (now) => {
      const done = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
      const callsPerSecond = speed(now)
      const limitPerSecond = source.limitPerSecond()
      const waiting = source.waiting(now)
      // Under a limit the last seconds say less than the limit: they may have been a pause.
      const expected = limitPerSecond ?? callsPerSecond
      const pausedSeconds = waiting === null ? 0 : (waiting.untilMillis - now) / 1000
      const p50 = latencies.quantile(0.5)
      return {
        atMillis: now,
        done,
        total: source.total,
        outcomes: { ...outcomes },
        calls,
        callsPerSecond,
        limitPerSecond,
        inFlight: source.inFlight(),
        concurrency: source.concurrency(),
        latency: p50 === null ? null : { p50, p95: latencies.quantile(0.95) ?? p50, p99: latencies.quantile(0.99) ?? p50 },
        etaSeconds: done >= source.total ? 0 : expected > 0 ? pausedSeconds + (source.total - done) / expected : null,
        waiting
      }
    }
  }
}

/** A picture every so often; ends with whoever watches. */
export const changes = (progress: Progress, every: Duration.DurationInput): Stream.Stream<Snapshot> =>
  Stream.repeatEffect(Effect.zipRight(
    Effect.sleep(every),
    Effect.clockWith((clock) => Effect.sync(() => progress.snapshot(steadyMillis(clock))))
  ))

/**
 * What the run waits for in words, `null` while it works: `paused 12 s: 429`.
 */
export const waitingLine = ({ atMillis, waiting }: Snapshot): string | null =>
  waiting === null ? null : `paused ${Math.max(1, Math.ceil((waiting.untilMillis - atMillis) / 1000))} s: ${waiting.why}`
