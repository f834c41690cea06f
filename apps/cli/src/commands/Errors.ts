/** `milepost errors`: every documented answer, or one. */
import * as ErrorCatalog from "@milepost/core/ErrorCatalog"
import * as Effect from "effect/Effect"
import { ExitCode } from "../ExitCode.js"
import * as Failure from "../Failure.js"
import { Output } from "../output/Output.js"
import * as Table from "../output/Table.js"

const details = (entry: ErrorCatalog.Entry): string =>
  [
    `${entry.kind === "code" ? "Code" : "HTTP status"} ${entry.code}  ${entry.tag}`,
    "",
    entry.meaning,
    "",
    Table.render({
      rows: [
        ["condemns", ErrorCatalog.condemns[entry.blastRadius]],
        ["retry", ErrorCatalog.treatment[entry.disposition]],
        ["what to do", entry.remedy]
      ]
    })
  ].join("\n")

const all = (): string =>
  Table.render({
    head: ["code", "meaning", "condemns", "retry"],
    rows: ErrorCatalog.entries.map((entry) => [
      String(entry.code),
      entry.meaning,
      ErrorCatalog.condemns[entry.blastRadius],
      ErrorCatalog.treatment[entry.disposition]
    ]),
    right: [0]
  })

/** Explains one code, or lists all. */
export const command = (code: string | undefined): Effect.Effect<ExitCode, Failure.Refused, Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    if (code === undefined) {
      output.result(
        output.json ? JSON.stringify({ errors: ErrorCatalog.entries }) : `${all()}\n\nmilepost errors CODE tells what to do.`
      )
      return ExitCode.done
    }
    const entry = /^\d{3,9}$/.test(code) ? ErrorCatalog.find(Number(code)) : undefined
    if (entry === undefined) {
      return yield* Failure.usage(
        `${JSON.stringify(code)} is not documented for this API; its own message is all that is known. milepost errors lists the documented ones`,
        "CODE"
      )
    }
    output.result(output.json ? JSON.stringify(entry) : details(entry))
    return ExitCode.done
  })
