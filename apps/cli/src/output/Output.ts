/**
 * Where a command writes: results to stdout, everything for people to stderr.
 *
 * With `--json` stdout carries exactly one document. Colour and redrawing happen only on a terminal.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** The two streams of a command, and what they are. */
export interface Service {
  /** Whether results are one JSON document. */
  readonly json: boolean
  /** Whether stderr is a terminal, so that a progress line may redraw itself. */
  readonly interactive: boolean
  /** Writes a line of the result to stdout. */
  readonly result: (line: string) => void
  /** Writes a line for people to stderr. */
  readonly note: (line: string) => void
  /** Redraws the progress line on a terminal; an empty text clears it. */
  readonly redraw: (text: string) => void
  /** Asks a person on a terminal; `true` for yes. */
  readonly ask: (question: string) => Effect.Effect<boolean>
  /** Writes a part of a long result to stdout and waits until it is taken. */
  readonly write: (text: string) => Effect.Effect<void>
  /** Puts a text into a style, where stderr has colours. */
  readonly style: (style: "bold" | "dim" | "green" | "yellow" | "red", text: string) => string
}

/** Where a command writes. */
export class Output extends Context.Tag("@milepost/cli/Output")<Output, Service>() {}

/** Whole numbers with thin separators, as people read them: `1,234,567`. */
export const count = (value: number): string => value.toLocaleString("en-US")

/** The document of `--json` for a command that ended without a result. */
export const failureDocument = (tag: string, message: string, setting: string | null): string =>
  JSON.stringify({ error: { tag, message, setting } })
