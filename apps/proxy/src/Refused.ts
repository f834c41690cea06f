/** A wrong setting or command: one line that says which one and what is expected. Nothing has been served yet. */
import * as Data from "effect/Data"

/** What ends the process with exit code 2. */
export class Refused extends Data.TaggedError("Refused")<{
  /** The setting or flag to mend. */
  readonly setting: string
  readonly message: string
}> {}

/** A wrong setting, named in front of what is wrong. */
export const setting = (name: string, problem: string): Refused =>
  new Refused({ setting: name, message: `${name}: ${problem}` })
