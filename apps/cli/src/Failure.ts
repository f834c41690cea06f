/**
 * Why a command ended before it could say how its records ended.
 *
 * Each is one line for a person, one JSON document for a program, and an exit code.
 */
import type { NotSentReason } from "@milepost/core/TransportError"
import * as Data from "effect/Data"

/** Wrong usage, configuration or input: nothing was sent. Exit code 2. */
export class Refused extends Data.TaggedError("Refused")<{
  /** What kind of mistake it is, for programs: `Usage`, `Configuration`, `Input`, `NotSent`, … */
  readonly tag: string
  readonly message: string
  /** The setting, flag or column to mend, where there is one. */
  readonly setting: string | null
}> {}

/** A mistake in the command line. */
export const usage = (message: string, setting: string | null = null): Refused =>
  new Refused({ tag: "Usage", message, setting })

/** A missing or wrong setting. */
export const configuration = (setting: string, message: string): Refused =>
  new Refused({ tag: "Configuration", message, setting })

/** Input that cannot be read at all. */
export const input = (message: string, setting: string | null = null): Refused =>
  new Refused({ tag: "Input", message, setting })

/** A call that could not leave, and the setting that most likely keeps it. */
export const notSent = (message: string, reason: NotSentReason | null): Refused =>
  new Refused({
    tag: "NotSent",
    message,
    setting: reason === "CredentialsRefused" ? "MILEPOST_OAUTH_KEY" : "MILEPOST_HOST"
  })
