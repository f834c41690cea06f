/** Shows how far a run is: a line that redraws itself on a terminal, else a line every five seconds. */
import * as EngineProgress from "@milepost/engine/Progress"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { count, type Service as Output } from "../output/Output.js"

/** A length of time as people say it: `42 s`, `3 min`, `2 h 10 min`, `4 d 3 h`. */
export const duration = (seconds: number): string => {
  const whole = Math.round(seconds)
  if (whole < 120) return `${whole} s`
  const minutes = Math.round(whole / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** A rate as people write it: `600/min`, `12/s`. */
export const rate = (callsPerSecond: number): string =>
  callsPerSecond < 20 ? `${count(Math.round(callsPerSecond * 60))}/min` : `${count(Math.round(callsPerSecond))}/s`

const barWidth = 20

const bar = (share: number): string => {
  const full = Math.round(share * barWidth)
  return `${"█".repeat(full)}${"░".repeat(barWidth - full)}`
}

const words = [
  ["enrolled", "enrolled"],
  ["unenrolled", "un-enrolled"],
  ["already_enrolled", "already"],
  ["rejected", "rejected"],
  ["unknown", "unknown"],
  ["skipped", "skipped"]
] as const

/** What a line of progress shows; latencies and calls in flight are known only where the calls are made. */
export interface Shown extends Pick<EngineProgress.Snapshot, "callsPerSecond" | "done" | "etaSeconds" | "limitPerSecond" | "outcomes" | "total"> {
  /** What is waited for, in words. */
  readonly waiting: string | null
  readonly calling: Pick<EngineProgress.Snapshot, "concurrency" | "inFlight" | "latency"> | null
}

/** One line of progress. */
export const line = (snapshot: EngineProgress.Snapshot, withBar: boolean): string =>
  lineOf({ ...snapshot, waiting: EngineProgress.waitingLine(snapshot), calling: snapshot }, withBar)

/** One line of progress, by whomever the calls are made. */
export const lineOf = ({ calling, callsPerSecond, done, etaSeconds, limitPerSecond, outcomes, total, waiting }: Shown, withBar: boolean): string => {
  const share = total === 0 ? 1 : done / total
  const latency = calling?.latency ?? null
  const parts = [
    `${withBar ? `${bar(share)} ` : ""}${`${Math.floor(share * 100)} %`.padStart(5)}`,
    `${count(done)}/${count(total)}`,
    `${rate(callsPerSecond)}${limitPerSecond === null ? "" : ` of ${rate(limitPerSecond)}`}`,
    etaSeconds === null ? null : `${duration(etaSeconds)} to go`,
    waiting,
    words.filter(([word]) => outcomes[word] > 0).map(([word, name]) => `${name} ${count(outcomes[word])}`).join(" · "),
    latency === null ? null : `p50 ${Math.round(latency.p50)} p95 ${Math.round(latency.p95)} p99 ${Math.round(latency.p99)} ms`,
    calling === null ? null : `${calling.inFlight}/${calling.concurrency} in flight`
  ]
  return parts.filter((part) => part !== null && part !== "").join("  ")
}

const redrawEvery: Duration.DurationInput = "100 millis"
const lineEvery: Duration.DurationInput = "5 seconds"

/** Shows what is known, until interrupted. */
export const keepShowing = (output: Output, shown: () => Shown): Effect.Effect<void> =>
  Effect.forever(Effect.zipRight(
    Effect.sleep(output.interactive ? redrawEvery : lineEvery),
    Effect.sync(() => {
      const text = lineOf(shown(), output.interactive)
      if (output.interactive) output.redraw(text)
      else output.note(text.trim())
    })
  ))

/** Shows progress until interrupted. */
export const show = (output: Output, progress: EngineProgress.Progress): Effect.Effect<void> =>
  Stream.runForEach(
    EngineProgress.changes(progress, output.interactive ? redrawEvery : lineEvery),
    (snapshot) =>
      Effect.sync(() => {
        const text = line(snapshot, output.interactive)
        if (output.interactive) output.redraw(text)
        else output.note(text.trim())
      })
  )
