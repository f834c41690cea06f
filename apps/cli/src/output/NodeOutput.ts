/** The terminal's own streams. */
import * as Effect from "effect/Effect"
import { clearLine, createInterface, cursorTo } from "node:readline"
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
    ask: (question) =>
      Effect.async((resume) => {
        clear()
        const asking = createInterface({ input: process.stdin, output: process.stderr })
        let answer = ""
        asking.question(question, (text) => {
          answer = text
          asking.close()
        })
        // Ctrl-C and the end of the input close it too: that is a no.
        asking.once("close", () => resume(Effect.succeed(/^\s*y(es)?\s*$/i.test(answer))))
        return Effect.sync(() => asking.close())
      }),
    write: (text) =>
      Effect.async((resume) => {
        process.stdout.write(text, () => resume(Effect.void))
      }),
    style: (style, text) => (colours ? styleText(style, text) : text)
  }
}
