/**
 * Shows how far a run is: a line that redraws itself on a terminal, else a line every five seconds.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { count, type Service as Output } from "../output/Output.js"
import type { Service as Meter } from "./Metered.js"
import type { Tally } from "./Tally.js"

/** What progress is made of at one moment. */
export interface Snapshot {
  readonly rows: number
  readonly totalRows: number
  readonly sent: number
  readonly callsPerSecond: number
  /** Seconds to go at the present speed; `null` while nobody can tell. */
  readonly etaSeconds: number | null
  readonly tally: Tally
}

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

const barWidth = 20

const bar = (share: number): string => {
  const full = Math.round(share * barWidth)
  return `${"█".repeat(full)}${"░".repeat(barWidth - full)}`
}

/** One line of progress. */
export const line = (snapshot: Snapshot, withBar: boolean): string => {
  const { counts } = snapshot.tally
  const share = snapshot.totalRows === 0 ? 1 : snapshot.rows / snapshot.totalRows
  const eta = snapshot.etaSeconds === null ? "" : `, ${duration(snapshot.etaSeconds)} to go`
  const outcomes = [
    ["enrolled", counts.enrolled],
    ["already", counts.already_enrolled],
    ["rejected", counts.rejected],
    ["unknown", counts.unknown],
    ["skipped", counts.skipped]
  ] as const
  const shown = outcomes.filter(([, value]) => value > 0).map(([word, value]) => `${word} ${count(value)}`).join(" · ")
  const percent = `${Math.floor(share * 100)} %`.padStart(5)
  return `${withBar ? `${bar(share)} ` : ""}${percent}  ${count(snapshot.rows)}/${count(snapshot.totalRows)} rows  ${
    count(Math.round(snapshot.callsPerSecond))
  } calls/s${eta}${shown === "" ? "" : `  ${shown}`}`
}

const redrawMillis = 100
const lineMillis = 5_000

/** Shows progress until interrupted; the speed is that of the last two seconds or so. */
export const show = (options: {
  readonly output: Output
  readonly meter: Meter
  readonly tally: Tally
  readonly totalRows: number
}): Effect.Effect<never> =>
  Effect.gen(function*() {
    const { meter, output, tally, totalRows } = options
    const startedMillis = yield* Clock.currentTimeMillis
    const samples: Array<readonly [millis: number, sent: number, rows: number]> = [[startedMillis, meter.sent, tally.rows]]
    while (true) {
      yield* Effect.sleep(output.interactive ? redrawMillis : lineMillis)
      const now = yield* Clock.currentTimeMillis
      samples.push([now, meter.sent, tally.rows])
      while (samples.length > 2 && now - (samples[0]?.[0] ?? now) > Math.max(2_000, 2 * lineMillis)) samples.shift()
      const [sinceMillis, sentBefore, rowsBefore] = samples[0] ?? [startedMillis, 0, 0]
      const seconds = Math.max(0.001, (now - sinceMillis) / 1000)
      const rowsPerSecond = (tally.rows - rowsBefore) / seconds
      const text = line({
        rows: tally.rows,
        totalRows,
        sent: meter.sent,
        callsPerSecond: (meter.sent - sentBefore) / seconds,
        etaSeconds: rowsPerSecond > 0 ? (totalRows - tally.rows) / rowsPerSecond : null,
        tally
      }, output.interactive)
      if (output.interactive) output.redraw(text)
      else output.note(text.trim())
    }
  })
