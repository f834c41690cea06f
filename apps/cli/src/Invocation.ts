/**
 * A command line as it was parsed: plain texts, not yet checked.
 *
 * Checking is the commands' business, so that a mistake is reported with the name under which it was given.
 */

/** Flags that say where calls go; each has a variable and a key of `milepost.toml` as well. */
export interface ConnectionFlags {
  readonly host?: string
  readonly basePath?: string
  readonly username?: string
  readonly dataScope?: string
  readonly dataScopeOrg?: string
  readonly timeout?: string
  readonly rate?: string
  readonly concurrency?: string
  readonly config?: string
  readonly profile?: string
  readonly sandbox?: boolean
  readonly world?: string
  readonly faults?: string
  readonly json?: boolean
}

/** Flags that name what is asked for. */
export interface RecordFlags {
  readonly customer?: string
  readonly group?: string
  readonly target?: string
  readonly period?: ReadonlyArray<string>
  readonly initialBalance?: string
  readonly resetStreak?: boolean
}

/** Flags of the other commands. */
export interface OtherFlags {
  readonly includeInactive?: boolean
  readonly format?: string
  readonly dryRun?: boolean
  readonly runDir?: string
  readonly maxErrors?: string
  /** `false` by `--no-fuse`. */
  readonly fuse?: boolean
  readonly yes?: boolean
  readonly outcome?: string
  readonly port?: string
}

/** Flags of a run that is handed to a proxy. */
export interface ViaFlags {
  readonly via?: string
  readonly org?: string
  readonly detach?: boolean
  readonly again?: boolean
}

/** Every flag. */
export type Flags = ConnectionFlags & RecordFlags & OtherFlags & ViaFlags

/** The commands. */
export type Command =
  | "enroll"
  | "unenroll"
  | "status"
  | "bulk enroll"
  | "bulk unenroll"
  | "bulk resume"
  | "bulk retry"
  | "bulk undo"
  | "bulk list"
  | "bulk show"
  | "bulk results"
  | "doctor"
  | "errors"
  | "sandbox"

/** The commands that send a run, and so end in order when a person asks for it. */
export const sending: ReadonlySet<Command> = new Set<Command>([
  "bulk enroll",
  "bulk unenroll",
  "bulk resume",
  "bulk retry",
  "bulk undo"
])

/** A command with its arguments and flags. */
export interface Invocation {
  readonly command: Command
  readonly args: ReadonlyArray<string>
  readonly flags: Flags
}
