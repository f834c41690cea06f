/**
 * Reads a whole file without sending anything: what it asks for, what repeats, what is wrong with it.
 *
 * It is what `--dry-run` prints, and what a run knows before its first call.
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Enrollment from "@milepost/core/Enrollment"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Failure from "../Failure.js"
import * as InputFile from "../input/InputFile.js"
import * as Records from "../input/Records.js"
import type { Column, Header } from "../input/Row.js"
import * as Duplicates from "./Duplicates.js"

/** Calls to one target in one period. */
export interface Destination {
  readonly targetGroupId: number
  readonly targetId: number
  /** `null` for a streak. */
  readonly periodName: string | null
  readonly calls: number
}

/** What a file asks for. */
export interface Plan {
  readonly rows: number
  /** Calls that will be made: one a period of every good row that is no duplicate. */
  readonly calls: number
  /** Rows that repeat an earlier one. */
  readonly duplicates: Duplicates.Found
  readonly badRows: number
  /** The first bad rows, each with its line and reason. */
  readonly badExamples: ReadonlyArray<string>
  /** Calls by target and period, most first. */
  readonly destinations: ReadonlyArray<Destination>
  /** Flags that a column of the file overrules. */
  readonly overruled: ReadonlyArray<string>
  readonly header: Header | null
}

/** How many reasons a plan repeats. */
export const examplesKept = 10

const flagOf: ReadonlyArray<readonly [Column, string, (defaults: Records.Defaults) => boolean]> = [
  ["targetGroupId", "--group", (defaults) => defaults.targetGroupId !== undefined],
  ["targetId", "--target", (defaults) => defaults.targetId !== undefined],
  ["periodName", "--period", (defaults) => defaults.periodNames.length > 0],
  ["initialBalance", "--initial-balance", (defaults) => defaults.initialBalance !== undefined],
  ["resetStreakStatus", "--reset-streak", (defaults) => defaults.resetStreakStatus !== undefined]
]

const placeOf = (enrollment: Enrollment.Enrollment): string =>
  `${enrollment.targetGroupId}/${enrollment.targetId}/${Enrollment.periodOf(enrollment) ?? ""}`

/** What makes two rows the same beside the customer. */
const combinationOf = (enrollments: ReadonlyArray<Enrollment.Enrollment>): string =>
  enrollments.map(placeOf).join("\n")

/** What all rows of one combination ask for. */
interface Combination {
  readonly enrollments: ReadonlyArray<Enrollment.Enrollment>
  rows: number
}

const destinationsOf = (
  combinations: ReadonlyMap<string, Combination>,
  duplicates: Duplicates.Found
): ReadonlyArray<Destination> => {
  const calls = new Map<string, Destination>()
  for (const [combination, { enrollments, rows }] of combinations) {
    for (const enrollment of enrollments) {
      const place = placeOf(enrollment)
      const { targetGroupId, targetId } = enrollment
      calls.set(place, {
        targetGroupId,
        targetId,
        periodName: Enrollment.periodOf(enrollment),
        calls: (calls.get(place)?.calls ?? 0) + rows - duplicates.countOf(combination)
      })
    }
  }
  return [...calls.values()].sort((left, right) => right.calls - left.calls)
}

/** Reads the file from end to end; fails only where it cannot be read as a whole. */
export const make = (
  file: InputFile.InputFile,
  defaults: Records.Defaults
): Effect.Effect<Plan, Failure.Refused | PlatformError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const finder = yield* Duplicates.make
    const combinations = new Map<string, Combination>()
    const badExamples: Array<string> = []
    let header: Header | null = null
    let rows = 0
    let badRows = 0

    yield* Stream.runForEach(InputFile.batches(file), (batch) =>
      Effect.gen(function*() {
        if (header === null) {
          header = batch.header
          yield* Records.complete(file.name, header, defaults)
        }
        for (const row of batch.rows) {
          rows += 1
          const record = Records.fromRow(batch.header, row, defaults)
          if (Either.isLeft(record)) {
            badRows += 1
            if (badExamples.length < examplesKept) badExamples.push(record.left)
            continue
          }
          const first = record.right[0]
          if (first === undefined) continue
          const combination = combinationOf(record.right)
          const known = combinations.get(combination)
          if (known === undefined) combinations.set(combination, { enrollments: record.right, rows: 1 })
          else known.rows += 1
          finder.add(row.line, first.customerId, combination)
        }
        yield* finder.overflow
      }))

    const duplicates = yield* finder.finish
    const destinations = destinationsOf(combinations, duplicates)
    const positions = (header as Header | null)?.positions ?? new Map<Column, number>()
    return {
      rows,
      calls: destinations.reduce((sum, { calls }) => sum + calls, 0),
      duplicates,
      badRows,
      badExamples,
      destinations,
      overruled: flagOf.filter(([column, , isGiven]) => isGiven(defaults) && positions.has(column)).map(([, flag]) => flag),
      header
    }
  })
