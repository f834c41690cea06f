/**
 * Who takes part. Each contender is loaded only by the process that runs it, so that nobody pays for another's modules.
 */
import type { Open } from "./Contender.js"

/** The words that contenders are called by on the command line and in the results. */
export const names = [
  "milepost-outcome",
  "milepost-run",
  "undici-dispatch",
  "undici-pool",
  "fetch",
  "axios",
  "got",
  "effect-fetch",
  "effect-undici"
] as const

/** The name of a contender. */
export type Name = (typeof names)[number]

/** A contender as tables call it, and how its client is loaded. */
export interface Entry {
  readonly title: string
  readonly load: () => Promise<Open>
}

/** Every contender. */
export const all: Readonly<Record<Name, Entry>> = {
  "milepost-outcome": {
    title: "Milepost Enroll.outcome",
    load: async () => (await import("./contenders/Milepost.js")).openOutcome
  },
  "milepost-run": {
    title: "Milepost Enroll.run",
    load: async () => (await import("./contenders/Milepost.js")).openRun
  },
  "undici-dispatch": {
    title: "undici Pool.dispatch, the floor",
    load: async () => (await import("./contenders/UndiciDispatch.js")).open
  },
  "undici-pool": {
    title: "undici Pool.request",
    load: async () => (await import("./contenders/UndiciPool.js")).open
  },
  fetch: {
    title: "built-in fetch",
    load: async () => (await import("./contenders/BuiltInFetch.js")).open
  },
  axios: {
    title: "axios, keep-alive",
    load: async () => (await import("./contenders/Axios.js")).open
  },
  got: {
    title: "got, keep-alive",
    load: async () => (await import("./contenders/Got.js")).open
  },
  "effect-fetch": {
    title: "Effect HttpClient over fetch",
    load: async () => (await import("./contenders/EffectHttpClient.js")).openFetch
  },
  "effect-undici": {
    title: "Effect HttpClient over undici",
    load: async () => (await import("./contenders/EffectHttpClient.js")).openUndici
  }
}

/** Whether a word names a contender. */
export const isName = (word: string | undefined): word is Name => names.some((name) => name === word)
