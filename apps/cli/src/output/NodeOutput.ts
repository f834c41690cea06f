/** The terminal's own streams. */
import { clearLine, cursorTo } from "node:readline"
import { styleText } from "node:util"
import type { Service } from "./Output.js"

/** Colours are for terminals, and for people who did not switch them off (`NO_COLOR`). */
const hasColours = (environment: Readonly<Record<string, string | undefined>>): boolean =>
  process.stderr.isTTY === true && (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb"

/** Writes to the streams of this process. */
export const make = (options: {
  readonly json: boolean
  readonly environment: Readonly<Record<string, string | undefined>>
}): Service => {
  const interactive = process.stderr.isTTY === true && options.environment["TERM"] !== "dumb"
  const colours = hasColours(options.environment)
  let drawn = false
  const clear = (): void => {
    if (!drawn) return
    cursorTo(process.stderr, 0)
    clearLine(process.stderr, 0)
    drawn = false
  }
  return {
    json: options.json,
    interactive,
    result: (line) => {
      clear()
      process.stdout.write(`${line}\n`)
    },
    note: (line) => {
      clear()
      process.stderr.write(`${line}\n`)
    },
    redraw: (text) => {
      clear()
      if (text === "") return
      process.stderr.write(text.slice(0, Math.max(20, (process.stderr.columns || 80) - 1)))
      drawn = true
    },
    style: (style, text) => (colours ? styleText(style, text) : text)
  }
}
