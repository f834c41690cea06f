/**
 * Wrong usage, or a file that cannot be used: nothing was started.
 */
import * as Data from "effect/Data"

/** What was refused, one line a mistake. The process ends with exit code 2. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly lines: ReadonlyArray<string>
}> {
  override get message(): string {
    return this.lines.join("\n")
  }
}
