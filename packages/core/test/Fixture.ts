/** Wire captures of `packages/core/fixtures`, in the vendor's shape, with invented people. */
import * as Fs from "node:fs"

/** The text of a capture, e.g. `error-310119`. */
export const text = (name: string): string =>
  Fs.readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), "utf8")

/** The personal data that the look-up captures hold: none of it may leave the decoder. */
export const canaries = /canary|15550100999/i
