/**
 * What the service says of itself: a JSON document a line.
 *
 * A line holds what is listed here and nothing else: no header, no body, no query, no path with ids in it.
 */
import * as Context from "effect/Context"

/** How much a line matters. */
export type Level = "debug" | "info" | "warn" | "error"

/** Texts and numbers beside the event. */
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>

/** Writes lines. */
export interface Service {
  readonly write: (level: Level, event: string, fields?: Fields) => void
  /** Hands over what is held. */
  readonly flush: () => void
}

/** Writes lines. */
export class Log extends Context.Tag("@milepost/proxy/Log")<Log, Service>() {}

const none: Fields = {}

/** Lines that are handed over together, whenever `later` calls back. */
export const make = (options: { readonly sink: (text: string) => void; readonly nowMillis: () => number; readonly later: (flush: () => void) => void }): Service => {
  let held = ""
  const flush = (): void => {
    if (held === "") return
    const text = held
    held = ""
    options.sink(text)
  }
  let at = Number.NaN
  let time = ""
  /** Many lines are of the same millisecond. */
  const timeOf = (millis: number): string => {
    if (millis !== at) {
      at = millis
      time = new Date(millis).toISOString()
    }
    return time
  }
  return {
    flush,
    write: (level, event, fields) => {
      if (held === "") options.later(flush)
      const rest = JSON.stringify(fields ?? none).slice(1)
      held += `{"time":"${timeOf(options.nowMillis())}","level":"${level}","event":${JSON.stringify(event)}${rest === "}" ? "" : ","}${rest}\n`
    }
  }
}
