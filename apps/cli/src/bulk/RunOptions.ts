/** What a run was asked to do, as its ledger keeps it: enough to go on with it in another process, days later. */
import type * as Ids from "@milepost/core/Ids"
import type * as Records from "@milepost/rows/Records"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Failure from "../Failure.js"
import * as Upstream from "../settings/Upstream.js"

const RunOptions = Schema.Struct({
  /** The file, as an absolute path; `null` for stdin and for a run made of another one. */
  source: Schema.NullOr(Schema.String),
  /** Which upstream the run is for; see `Upstream.identity`. */
  upstream: Schema.Struct({ name: Schema.String, key: Schema.String }),
  /** What flags filled in for columns that the file does not have. An absent balance is left to the upstream. */
  defaults: Schema.Struct({
    targetGroupId: Schema.optional(Schema.Number),
    targetId: Schema.optional(Schema.Number),
    periodNames: Schema.Array(Schema.String),
    initialBalance: Schema.optional(Schema.NullOr(Schema.Number)),
    resetStreakStatus: Schema.optional(Schema.Boolean)
  }),
  /** Run options as they were written on the command line; a later sitting may give others. */
  rate: Schema.NullOr(Schema.String),
  concurrency: Schema.NullOr(Schema.String),
  maxErrors: Schema.NullOr(Schema.String),
  fuse: Schema.Boolean
})

/** What a run was asked to do. */
export interface RunOptions extends Schema.Schema.Type<typeof RunOptions> {}

/** Of the ledger's options; fails for a run that another program has made. */
export const decode = (run: string, options: unknown): Effect.Effect<RunOptions, Failure.Refused> =>
  Effect.mapError(
    Schema.decodeUnknown(RunOptions)(options),
    () => Failure.usage(`run ${run} was not made by this command, or by another version of it`, "RUN")
  )

const decoded = Schema.decodeUnknownOption(RunOptions)

/** Whether a run was sent to the sandbox, and so goes on only there. */
export const isInSandbox = (options: unknown): boolean =>
  Option.exists(decoded(options), ({ upstream }) => upstream.key === Upstream.sandbox.key)

/** What flags fill in, out of what was kept; ids were checked before they were kept. */
export const defaultsOf = ({ defaults }: RunOptions): Records.Defaults => ({
  targetGroupId: defaults.targetGroupId as Ids.TargetGroupId | undefined,
  targetId: defaults.targetId as Ids.TargetId | undefined,
  periodNames: defaults.periodNames,
  initialBalance: defaults.initialBalance,
  resetStreakStatus: defaults.resetStreakStatus
})
