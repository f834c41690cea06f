/** What a run says at its end: a table for people, one document for programs. */
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import { count, type Service as Output } from "../output/Output.js"
import * as Table from "../output/Table.js"
import type { Ended } from "./BulkEnroll.js"
import type { Plan } from "./Plan.js"
import { duration } from "./Progress.js"
import type { RunFolder } from "./RunFolder.js"
import type { Tally } from "./Tally.js"

/** Everything that is known at the end of a run. */
export interface Finished {
  readonly folder: RunFolder
  readonly ended: Ended
  readonly tally: Tally
  readonly calls: number
  readonly seconds: number
}

/** The document of `--json`, which is `run.json` as well. `resume` is `null`: runs cannot be resumed yet. */
export const document = ({ calls, ended, folder, seconds, tally }: Finished) => {
  const { already_enrolled, enrolled, rejected, skipped, unknown } = tally.counts
  return {
    run: folder.run,
    state: ended.state,
    counts: { enrolled, already_enrolled, rejected, unknown, skipped },
    calls,
    seconds: Math.round(seconds * 1000) / 1000,
    resume: null,
    stop: ended.stop === null ? null : { reason: ended.stop.reason, message: ended.stop.message },
    rows: tally.rows,
    warnings: tally.warnings,
    refusals: [...tally.refusals.values()].map(({ code, count: times, message }) => ({ code, message, count: times })),
    results: folder.results,
    failed: folder.failed
  }
}

const meanings: ReadonlyArray<readonly [keyof Tally["counts"], string]> = [
  ["enrolled", "accepted by the upstream"],
  ["already_enrolled", "were in before (310119)"],
  ["rejected", "refused for good, see below"],
  ["unknown", "may or may not be in: run them again"],
  ["skipped", "never sent"]
]

const refusalRows = (tally: Tally): ReadonlyArray<ReadonlyArray<string>> =>
  [...tally.refusals.values()]
    .sort((left, right) => right.count - left.count)
    .map((refusal) => {
      const entry = typeof refusal.code === "number" ? ErrorCatalog.find(refusal.code) : undefined
      const meaning = refusal.code === "input" ? "Rows that cannot be sent; each says why." : entry?.meaning ?? refusal.message
      const remedy = refusal.code === "input" ? `e.g. ${refusal.message}` : entry?.remedy ?? ""
      return [count(refusal.count), String(refusal.code ?? "no answer"), `${meaning} ${remedy}`.trim()]
    })

/** The table for people, and where the files are. */
export const text = (finished: Finished, output: Output): string => {
  const { calls, ended, folder, seconds, tally } = finished
  const headline = {
    finished: output.style("green", "Finished"),
    stopped: output.style("red", "Stopped early"),
    interrupted: output.style("yellow", "Interrupted")
  }[ended.state]
  const rows = meanings
    .filter(([word]) => tally.counts[word] > 0 || word === "enrolled")
    .map(([word, meaning]) => [word, count(tally.counts[word]), meaning])
  const speed = calls === 0 ? "" : `, ${count(Math.round(calls / Math.max(seconds, 0.001)))} a second`
  const parts = [
    `${headline} after ${seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds)}: ${count(tally.rows)} rows, ${count(calls)} calls${speed}.`,
    ended.stop === null ? null : `${ended.stop.reason === "cancelled" ? "Why" : output.style("red", "Why")}: ${ended.stop.message}`,
    "",
    Table.render({ head: ["outcome", "records", "meaning"], rows, right: [1] }),
    tally.refusals.size === 0
      ? null
      : `\n${Table.render({ head: ["records", "code", "what to do"], rows: refusalRows(tally), right: [0, 1] })}`,
    tally.warnings === 0 ? null : `\n${count(tally.warnings)} warnings: see the column message of the results.`,
    "",
    `Results  ${folder.results}`,
    tally.counts.rejected + tally.counts.unknown + tally.notSent === 0 ? null : `To mend  ${folder.failed}`,
    ended.state === "finished"
      ? null
      : "Running the file again is safe: whoever is in already is answered 310119 and counted as done."
  ]
  return parts.filter((part) => part !== null).join("\n")
}

/** What `--dry-run` prints. */
export const planText = (plan: Plan, callsPerSecond: number | null): string => {
  const destinations = plan.destinations.slice(0, 20).map(({ calls, periodName, targetGroupId, targetId }) => [
    String(targetGroupId),
    String(targetId),
    periodName ?? "(streak)",
    count(calls)
  ])
  const parts = [
    `${count(plan.rows)} rows: ${count(plan.calls)} calls, ${count(plan.duplicates.count)} duplicates, ${count(plan.badRows)} bad rows. Nothing was sent.`,
    "",
    Table.render({ head: ["group", "target", "period", "calls"], rows: destinations, right: [0, 1, 3] }),
    plan.destinations.length > destinations.length ? `and ${plan.destinations.length - destinations.length} more` : null,
    plan.badRows === 0 ? null : `\nBad rows${plan.badRows > plan.badExamples.length ? `, the first ${plan.badExamples.length}` : ""}:`,
    ...plan.badExamples.map((example) => `  ${example}`),
    "",
    callsPerSecond === null
      ? "How long it takes depends on the upstream's limit; give --rate to see an estimate."
      : `At ${callsPerSecond * 60}/min it takes ${duration(plan.calls / callsPerSecond)}.`
  ]
  return parts.filter((part) => part !== null).join("\n")
}

/** The document of `--dry-run --json`. */
export const planDocument = (plan: Plan, callsPerSecond: number | null) => ({
  dryRun: true,
  rows: plan.rows,
  calls: plan.calls,
  duplicates: plan.duplicates.count,
  badRows: plan.badRows,
  badExamples: plan.badExamples,
  destinations: plan.destinations,
  etaSeconds: callsPerSecond === null ? null : plan.calls / callsPerSecond
})
