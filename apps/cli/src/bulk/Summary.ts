/** What is told of a run: a table for people, one document for programs. */
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import type * as Outcome from "@milepost/core/Outcome"
import type { Plan } from "@milepost/rows/Plan"
import * as Standing from "@milepost/rows/Standing"
import { count, type Service as Output } from "../output/Output.js"
import * as Table from "../output/Table.js"
import { duration, rate } from "./Progress.js"
import * as RunFolder from "./RunFolder.js"
import * as RunOptions from "./RunOptions.js"

/** The proxy that a run was handed to. */
export interface Via {
  readonly url: string
  /** The job that the proxy made of it; `null` as long as nobody knows. */
  readonly job: string | null
  /** Nothing of it will be sent any more, whatever is left. */
  readonly isOver: boolean
}

/** Everything that is known of a run. */
export interface Told {
  readonly folder: RunFolder.RunFolder
  readonly standing: Standing.Standing
  /** How long this sitting took; `null` where nobody sat. */
  readonly seconds: number | null
  /** Calls a second that the upstream bore; `null` where it never refused. */
  readonly learntRate: number | null
  /** Whether `results.csv` and `failed.csv` are as the run stands. */
  readonly isWritten: boolean
  /** Where a proxy makes the calls. */
  readonly via?: Via
}

/** Whether it can be gone on with. */
const isResumable = ({ standing, via }: Told): boolean => via?.isOver !== true && Standing.isResumable(standing)

/** The command that does something with a run. */
export const command = (verb: string, { run, runs }: RunFolder.RunFolder): string =>
  `milepost bulk ${verb} ${run}${runs === RunFolder.runsByDefault ? "" : ` --run-dir ${runs}`}`

/** The same for what makes calls: to the upstream that the run is for. */
const calling = (verb: string, { folder, standing }: Told): string =>
  `${command(verb, folder)}${RunOptions.isInSandbox(standing.run.options) ? " --sandbox" : ""}`

/** The words of a run, without the one that it cannot have. */
const countsOf = ({ counts, run }: Standing.Standing): Readonly<Partial<Record<Outcome.Word, number>>> => {
  const { enrolled, unenrolled, ...others } = counts
  return run.operation === "enroll" ? { enrolled, ...others } : { unenrolled, ...others }
}

const time = (millis: number | null): string | null => (millis === null ? null : new Date(millis).toISOString())

/** The document of `--json`, which is `run.json` as well. */
export const document = (told: Told) => {
  const { folder, isWritten, learntRate, seconds, standing, via } = told
  const { run } = standing
  return {
    run: run.id,
    state: standing.state,
    counts: countsOf(standing),
    calls: run.calls,
    seconds: seconds === null ? null : Math.round(seconds * 1000) / 1000,
    resume: isResumable(told) ? calling("resume", told) : null,
    stop: standing.stop,
    operation: run.operation,
    input: run.input.name,
    parent: run.parent,
    rows: run.rows,
    badRows: run.badRows,
    duplicates: run.duplicates,
    open: standing.open,
    warnings: run.warnings,
    refusals: standing.refusals.map(({ code, message, outcome, records }) => ({ outcome, code, message, count: records })),
    learntPerMinute: learntRate === null ? null : Math.round(learntRate * 60),
    created: time(run.createdMillis),
    started: time(run.startedMillis),
    ended: time(run.endedMillis),
    results: isWritten ? folder.results : null,
    failed: isWritten ? RunFolder.failed(folder, run.input.format) : null,
    ...(via === undefined ? {} : { via: via.url, job: via.job })
  }
}

/** The document of a run. */
export type Document = ReturnType<typeof document>

const meanings: Readonly<Record<Outcome.Word, string>> = {
  enrolled: "accepted by the upstream",
  unenrolled: "accepted by the upstream",
  already_enrolled: "in before, or by a call whose answer got lost (310119)",
  rejected: "refused for good, see below",
  unknown: "may or may not be done: milepost bulk retry",
  skipped: "never sent, see below"
}

const inputRemedy = "Rows that cannot be sent; each says why."

const whatToDo = ({ code, message, outcome }: Standing.Standing["refusals"][number]): string => {
  if (outcome === "skipped") {
    return code === "duplicate" ? "Repeat an earlier row; nothing to do." : message
  }
  if (code === "input") return `${inputRemedy} e.g. ${message}`
  const entry = typeof code === "number" ? ErrorCatalog.find(code) : undefined
  return entry === undefined ? message : `${entry.meaning} ${entry.remedy}`
}

const refusalRows = ({ refusals }: Standing.Standing): ReadonlyArray<ReadonlyArray<string>> =>
  refusals.map((refusal) => [count(refusal.records), refusal.outcome, String(refusal.code ?? "no answer"), whatToDo(refusal)])

const headlines: Readonly<Record<Standing.State, readonly [words: string, style: "green" | "yellow" | "red"]>> = {
  importing: ["Cut off while its input was read", "yellow"],
  ready: ["Ready to be sent", "yellow"],
  running: ["Cut off while it ran", "yellow"],
  finished: ["Finished", "green"],
  stopped: ["Stopped early", "red"],
  interrupted: ["Interrupted", "yellow"]
}

/** Everything was sent but the records of a place that an answer has condemned. */
const isCutShort = ({ run, state }: Standing.Standing): boolean => run.state === "finished" && state === "stopped"

const spent = (seconds: number | null, calls: number): string => {
  if (seconds === null) return ""
  return ` after ${seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds)}${
    calls === 0 ? "" : `, ${count(Math.round(calls / Math.max(seconds, 0.001)))} calls a second`
  }`
}

const hints = (told: Told): ReadonlyArray<string | null> => {
  const { folder, isWritten, standing, via } = told
  const { counts, notSent, run } = standing
  const hasFailed = counts.rejected + counts.unknown + notSent > 0
  return [
    isWritten ? `Results  ${folder.results}` : `Results  ${command("results", folder)}`,
    isWritten && hasFailed ? `To mend  ${RunFolder.failed(folder, run.input.format)}` : null,
    isResumable(told) ? `Go on    ${calling("resume", told)}` : null,
    via === undefined && !isResumable(told) && counts.unknown > 0 ? `Settle   ${calling("retry", told)}` : null
  ]
}

/** The table for people, and where the files are. `calls` are those of this sitting. */
export const text = (told: Told, output: Output, calls: number): string => {
  const { learntRate, seconds, standing, via } = told
  const { refusals, run, stop } = standing
  const [words, style] = isCutShort(standing) ? ["Finished, but for what a fuse kept back", "red"] as const : headlines[standing.state]
  const rows = Object.entries(countsOf(standing))
    .filter(([word, records], index) => index === 0 || (records > 0 && word in meanings))
    .map(([word, records]) => [
      word,
      count(records),
      word === "unknown" && via !== undefined ? "may or may not be done: feed the failed rows in again" : meanings[word as Outcome.Word]
    ])
  const parts = [
    `${output.style(style, words)}${spent(seconds, calls)}. Run ${run.id}: ${count(run.rows)} rows, ${count(run.calls)} calls.`,
    via === undefined ? null : `${via.job === null ? "To be handed" : `Job ${via.job}, handed`} to ${via.url}.`,
    stop === null ? null : `${stop.reason === "cancelled" ? "Why" : output.style("red", "Why")}: ${stop.message}`,
    "",
    Table.render({ head: ["outcome", "records", "meaning"], rows, right: [1] }),
    refusals.length === 0
      ? null
      : `\n${Table.render({ head: ["records", "outcome", "code", "what to do"], rows: refusalRows(standing), right: [0] })}`,
    run.warnings === 0 ? null : `\n${count(run.warnings)} warnings: see the column message of the results.`,
    learntRate === null ? null : `\nThe upstream bears ${rate(learntRate)}; the next run of this organisation starts there.`,
    "",
    ...hints(told)
  ]
  return parts.filter((part) => part !== null).join("\n")
}

/** What a dry run has found. */
export interface Planned extends Pick<Plan, "badRows" | "calls" | "duplicates" | "rows"> {
  readonly badExamples: ReadonlyArray<{ readonly message: string }>
  readonly destinations: ReadonlyArray<{
    readonly targetGroupId: number
    readonly targetId: number
    readonly periodName: string | null
    readonly calls: number
  }>
}

/** What `--dry-run` prints. */
export const planText = (plan: Planned, callsPerSecond: number | null): string => {
  const destinations = plan.destinations.slice(0, 20).map(({ calls, periodName, targetGroupId, targetId }) => [
    String(targetGroupId),
    String(targetId),
    periodName ?? "-",
    count(calls)
  ])
  const parts = [
    `${count(plan.rows)} rows: ${count(plan.calls)} calls, ${count(plan.duplicates)} duplicates, ${count(plan.badRows)} bad rows. Nothing was sent.`,
    "",
    Table.render({ head: ["group", "target", "period", "calls"], rows: destinations, right: [0, 1, 3] }),
    plan.destinations.length > destinations.length ? `and ${plan.destinations.length - destinations.length} more` : null,
    plan.badRows === 0 ? null : `\nBad rows${plan.badRows > plan.badExamples.length ? `, the first ${plan.badExamples.length}` : ""}:`,
    ...plan.badExamples.map(({ message }) => `  ${message}`),
    "",
    callsPerSecond === null
      ? "How long it takes depends on the upstream's limit, which is not known yet; give --rate to see an estimate."
      : `At ${rate(callsPerSecond)} it takes ${duration(plan.calls / callsPerSecond)}.`
  ]
  return parts.filter((part) => part !== null).join("\n")
}

/** The document of `--dry-run --json`. */
export const planDocument = (plan: Planned, callsPerSecond: number | null) => ({
  dryRun: true,
  rows: plan.rows,
  calls: plan.calls,
  duplicates: plan.duplicates,
  badRows: plan.badRows,
  badExamples: plan.badExamples.map(({ message }) => message),
  destinations: plan.destinations,
  etaSeconds: callsPerSecond === null ? null : plan.calls / callsPerSecond
})
