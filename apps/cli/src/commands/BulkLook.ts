/** `milepost bulk list`, `show` and `results`: what is known of runs; nothing is sent. */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Outcome from "@milepost/core/Outcome"
import * as Results from "@milepost/rows/Results"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { Settings } from "../settings/Settings.js"
import * as ViaRun from "../via/ViaRun.js"
import { Ledgers } from "../bulk/Ledgers.js"
import * as RunFolder from "../bulk/RunFolder.js"
import * as Sitting from "../bulk/Sitting.js"
import * as Summary from "../bulk/Summary.js"
import { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import type { Invocation } from "../Invocation.js"
import { count, Output } from "../output/Output.js"
import * as Table from "../output/Table.js"
import * as ViaLook from "./ViaLook.js"

/** A run as it lies in its folder, or as the process that holds it last said. */
type Found =
  | { readonly _tag: "Told"; readonly told: Summary.Told }
  | { readonly _tag: "Held"; readonly pid: number | null; readonly document: Summary.Document | null }
  | { readonly _tag: "Unreadable"; readonly failure: Failure.Refused }

const lastSaid = (folder: RunFolder.RunFolder): Effect.Effect<Summary.Document | null, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Effect.orElseSucceed(
      Effect.map(files.readFileString(folder.summary), (text) => JSON.parse(text) as Summary.Document),
      () => null
    ))

const look = (folder: RunFolder.RunFolder): Effect.Effect<Found, never, FileSystem.FileSystem | Ledgers> =>
  Effect.matchEffect(ViaRun.read(folder), {
    onFailure: (failure): Effect.Effect<Found> => Effect.succeed({ _tag: "Unreadable", failure }),
    onSuccess: (run): Effect.Effect<Found, never, FileSystem.FileSystem | Ledgers> =>
      run === null ? lookLocally(folder) : Effect.succeed({ _tag: "Told", told: ViaRun.told(folder, run, null) })
  })

const lookLocally = (folder: RunFolder.RunFolder): Effect.Effect<Found, never, FileSystem.FileSystem | Ledgers> =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const { ledger } = yield* Effect.flatMap(Ledgers, (ledgers) => ledgers.open(folder.ledger, { create: false }))
    const standing = yield* Sitting.standingOf(ledger, folder.run)
    const isWritten = yield* Effect.orElseSucceed(files.exists(folder.results), () => false)
    return { _tag: "Told" as const, told: { folder, standing, seconds: null, learntRate: null, isWritten } }
  })).pipe(
    Effect.catchAll((error): Effect.Effect<Found, never, FileSystem.FileSystem> =>
      error._tag === "LedgerBusy"
        ? Effect.map(lastSaid(folder), (document) => ({ _tag: "Held", pid: error.pid, document }))
        : Effect.succeed({ _tag: "Unreadable", failure: Failure.ledger(error) }))
  )

const listedDocument = (folder: RunFolder.RunFolder, found: Found): object => {
  switch (found._tag) {
    case "Told":
      return Summary.document(found.told)
    case "Held":
      return { ...found.document, run: folder.run, state: "running", pid: found.pid, resume: null }
    case "Unreadable":
      return { run: folder.run, state: "unreadable", error: { tag: found.failure.tag, message: found.failure.message } }
  }
}

const listedRow = (folder: RunFolder.RunFolder, found: Found): ReadonlyArray<string> => {
  if (found._tag === "Unreadable") return [folder.run, "unreadable", "", "", "", "", "", "", found.failure.message]
  const document = found._tag === "Told" ? Summary.document(found.told) : found.document
  const state = found._tag === "Held" ? `by process ${found.pid ?? "?"}` : document?.state ?? ""
  if (document === null) return [folder.run, state, "", "", "", "", "", "", ""]
  const { enrolled, rejected, skipped, unenrolled, unknown } = document.counts
  return [
    folder.run,
    state !== "importing" && state !== "running" && state !== "ready" ? state : document.via === undefined ? "cut off" : "at a proxy",
    document.parent === null ? document.operation : document.parent.kind,
    count(document.rows),
    count((enrolled ?? 0) + (unenrolled ?? 0)),
    count(rejected ?? 0),
    count(unknown ?? 0),
    count(skipped ?? 0),
    document.input
  ]
}

/** Lists the runs of a folder, the latest first. */
export const list = (
  { flags }: Invocation
): Effect.Effect<ExitCode, Failure.Refused, FileSystem.FileSystem | Ledgers | Output | Path.Path> =>
  Effect.gen(function*() {
    const output = yield* Output
    const runs = flags.runDir ?? RunFolder.runsByDefault
    const folders = yield* RunFolder.all(runs)
    const found = yield* Effect.forEach(folders, (folder) => Effect.map(look(folder), (run) => [folder, run] as const))
    if (output.json) output.result(JSON.stringify({ runs: found.map(([folder, run]) => listedDocument(folder, run)) }))
    else if (found.length === 0) output.note(`There is no run in ${runs}.`)
    else {
      output.result(Table.render({
        head: ["run", "state", "what", "rows", "done now", "rejected", "unknown", "skipped", "input"],
        rows: found.map(([folder, run]) => listedRow(folder, run)),
        right: [3, 4, 5, 6, 7]
      }))
    }
    return ExitCode.done
  })

/** Tells how one run stands. */
export const show = (
  { args, flags }: Invocation
): Effect.Effect<ExitCode, Failure.Refused, FileSystem.FileSystem | Ledgers | Output | Path.Path | Settings> =>
  Effect.gen(function*() {
    const output = yield* Output
    const folder = yield* RunFolder.find(flags.runDir ?? RunFolder.runsByDefault, args[0])
    yield* ViaLook.refresh(folder)
    const found = yield* look(folder)
    if (found._tag === "Unreadable") return yield* found.failure
    if (output.json) output.result(JSON.stringify(listedDocument(folder, found)))
    else if (found._tag === "Told") output.result(Summary.text(found.told, output, 0))
    else {
      const { counts, open } = found.document ?? { counts: {}, open: null }
      const words = Object.entries(counts).filter(([, records]) => records > 0).map(([word, records]) => `${word} ${count(records)}`)
      output.result(
        `Run ${folder.run} is being worked on by process ${found.pid ?? "?"}${open === null ? "" : `: ${count(open)} records to go`}.`
      )
      if (words.length > 0) output.result(words.join(" · "))
    }
    return ExitCode.done
  })

const outcomeOf = (word: string | undefined): Either.Either<Outcome.Word | undefined, Failure.Refused> => {
  const found = Outcome.words.find((one) => one === word)
  return word === undefined || found !== undefined
    ? Either.right(found)
    : Either.left(Failure.usage(`--outcome: ${JSON.stringify(word)} is none of ${Outcome.words.join(", ")}`, "--outcome"))
}

/** Prints the rows of a run with their outcomes, as far as it has come. */
export const results = (
  { args, flags }: Invocation
): Effect.Effect<ExitCode, Failure.Refused, FileSystem.FileSystem | Ledgers | Output | Path.Path | Settings> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output
    const format = flags.format ?? "csv"
    if (format !== "csv" && format !== "ndjson") {
      return yield* Failure.usage(`--format: ${JSON.stringify(format)} is neither csv nor ndjson`, "--format")
    }
    const outcome = yield* outcomeOf(flags.outcome)
    const folder = yield* RunFolder.find(flags.runDir ?? RunFolder.runsByDefault, args[0])
    const via = yield* ViaRun.read(folder)
    if (via !== null) return yield* ViaLook.results(folder, via, { format: output.json ? "json" : format, outcome })
    const { ledger } = yield* Effect.flatMap(Ledgers, (ledgers) => ledgers.open(folder.ledger, { create: false }))
    const run = yield* ledger.run(folder.run)
    const names = Results.namesOf(run)
    const pages = Results.rows(ledger, run, outcome)
    if (output.json) {
      let separator = ""
      yield* output.write(`{"run":${JSON.stringify(run.id)},"results":[`)
      yield* Stream.runForEach(pages, (page) => {
        const documents = Results.documentsOf(names, page)
        if (documents.length === 0) return Effect.void
        const text = `${separator}${documents.join(",")}`
        separator = ","
        return output.write(text)
      })
      yield* output.write("]}\n")
      return ExitCode.done
    }
    if (format === "csv") yield* output.write(Results.csvHead(names))
    yield* Stream.runForEach(pages, (page) =>
      output.write(
        format === "csv" ? Results.csvOf(names, page) : Results.documentsOf(names, page).map((line) => `${line}\n`).join("")
      ))
    return ExitCode.done
  })).pipe(Effect.mapError((error) => error._tag === "Refused" ? error : Failure.ledger(error)))
