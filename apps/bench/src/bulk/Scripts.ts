/** The scripts that the durable run is held against. Each is loaded only by the process that runs it. */
import type { Script } from "./Job.js"

/** The words that scripts are called by. */
export const names = ["calls", "undici", "fetch"] as const

/** The name of a script. */
export type Name = (typeof names)[number]

/** Loads a script. */
export const load: Readonly<Record<Name, () => Promise<Script>>> = {
  calls: async () => (await import("./Calls.js")).run,
  undici: async () => (await import("./Undici.js")).run,
  fetch: async () => (await import("./Fetch.js")).run
}

const isName = (word: string | undefined): word is Name => names.some((name) => name === word)

/** The process: `script <name> <file> <origin> <results>`; prints what it has to tell as the CLI prints its document. */
export const main = async ([name, file, origin, results]: ReadonlyArray<string>): Promise<void> => {
  if (!isName(name) || file === undefined || origin === undefined || results === undefined) {
    throw new Error(`there is no script ${name}, or it is not told what to do`)
  }
  const script = await load[name]()
  console.log(JSON.stringify(await script({ file, origin, results })))
}
