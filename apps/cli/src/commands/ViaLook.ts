/** What `milepost bulk show` and `results` tell of a run that was handed to a proxy: what the proxy says, else what is kept here. */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Outcome from "@milepost/core/Outcome"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as RunFolder from "../bulk/RunFolder.js"
import { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import { Output } from "../output/Output.js"
import type { Settings } from "../settings/Settings.js"
import * as ProxyClient from "../via/ProxyClient.js"
import * as Refusal from "../via/Refusal.js"
import * as ViaRun from "../via/ViaRun.js"
import { proxyOf } from "./BulkVia.js"

const isOver = ({ job }: ViaRun.ViaRun): boolean => job?.state === "finished" || job?.state === "cancelled"

/** Brings what is kept of a run up to date, where its proxy can be asked; why it cannot is a note. */
export const refresh = (folder: RunFolder.RunFolder): Effect.Effect<void, never, FileSystem.FileSystem | Output | Settings> =>
  Effect.gen(function*() {
    const run = yield* ViaRun.read(folder)
    if (run === null || run.job === null || isOver(run)) return
    const via = yield* proxyOf(run, folder)
    const job = yield* Effect.mapError(ProxyClient.make(via).job(run.job.id), (error) => Refusal.of(error, via, ExitCode.refused, ""))
    // Files that were written of an earlier standing are not those of this one.
    const isWritten = run.isWritten && job.state === run.job.state && job.calls === run.job.calls
    yield* Effect.ignore(ViaRun.write(folder, { ...run, job, isWritten }, null))
  }).pipe(Effect.catchAll(({ message }) => Effect.map(Output, (output) => output.note(`${message}. What follows was known before.`))))

/** Prints the rows of a run with their outcomes: as the proxy has them, or out of the file that was written at the end. */
export const results = (
  folder: RunFolder.RunFolder,
  run: ViaRun.ViaRun,
  { format, outcome }: { readonly format: "csv" | "json" | "ndjson"; readonly outcome: Outcome.Word | undefined }
): Effect.Effect<ExitCode, Failure.Refused, FileSystem.FileSystem | Output | Settings> =>
  Effect.gen(function*() {
    const output = yield* Output
    const files = yield* FileSystem.FileSystem
    const print = <E>(bytes: Stream.Stream<Uint8Array, E>) => Stream.runForEach(Stream.decodeText(bytes), (text) => output.write(text))
    if (format === "csv" && outcome === undefined && isOver(run) && run.isWritten) {
      yield* Effect.mapError(print(files.stream(folder.results)), () => Failure.usage(`${folder.results} cannot be read`, "RUN"))
      return ExitCode.done
    }
    if (run.job === null) return yield* Failure.usage(`run ${folder.run} has no results yet: the proxy has not said that it has the file`, "RUN")
    const via = yield* proxyOf(run, folder)
    const path = `/results${outcome === undefined ? "" : `?outcome=${outcome}`}`
    const rows = ProxyClient.make(via).rows(run.job.id, path, format === "csv" ? "text/csv" : "application/x-ndjson")
    if (format === "json") {
      let separator = `{"run":${JSON.stringify(folder.run)},"results":[`
      yield* Stream.runForEach(Stream.splitLines(Stream.decodeText(rows)), (line) => {
        const text = `${separator}${line}`
        separator = ","
        return line === "" ? Effect.void : output.write(text)
      }).pipe(Effect.mapError((error) => Refusal.of(error, via, ExitCode.refused, "")))
      yield* output.write(separator === "," ? "]}\n" : `${separator}]}\n`)
      return ExitCode.done
    }
    yield* Effect.mapError(print(rows), (error) => Refusal.of(error, via, ExitCode.refused, ""))
    return ExitCode.done
  })
