/**
 * Reads a whole input without sending or keeping anything: what it asks for, what repeats, what is wrong with it.
 *
 * It is what a dry run tells, five times as fast as bringing the file into a ledger, and counts the same.
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Enrollment from "@milepost/core/Enrollment"
import type { Request } from "@milepost/ledger/Entry"
import type { Operation } from "@milepost/ledger/Run"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Duplicates from "./Duplicates.js"
import * as Records from "./Records.js"
import type { Column } from "./Row.js"
import type { ColumnMissing, HeaderUnusable } from "./RowsError.js"
import type * as Source from "./Source.js"

/** Calls to one target in one period. */
export interface Destination {
  readonly targetGroupId: number
  readonly targetId: number
  /** `null` for a streak, and for an un-enrolment. */
  readonly periodName: string | null
  readonly calls: number
}

/** What an input asks for. */
export interface Plan {
  readonly rows: number
  /** Calls that will be made: one a period of every good row, but for those that repeat an earlier one. */
  readonly calls: number
  /** Calls that repeat an earlier one. */
  readonly duplicates: number
  readonly badRows: number
  /** The first bad rows. */
  readonly badExamples: ReadonlyArray<Records.BadRow>
  /** Calls by target and period, most first. */
  readonly destinations: ReadonlyArray<Destination>
  /** Columns that the source has itself, though a value was to be filled in for them. */
  readonly overruled: ReadonlyArray<Column>
}

/** How many reasons a plan repeats. */
export const examplesKept = 10

const periodOf = (request: Request): string | null =>
  request._tag === "Unenrollment" ? null : Enrollment.periodOf(request)

/** Calls to one place, those that repeat an earlier one included. */
interface Place {
  readonly request: Request
  readonly name: string
  calls: number
}

/** Reads the source from end to end; fails only where it cannot be read as a whole. */
export const make = <E, R>(
  source: Source.Source<E, R>,
  operation: Operation,
  defaults: Records.Defaults
): Effect.Effect<Plan, ColumnMissing | E | HeaderUnusable | PlatformError, FileSystem.FileSystem | R | Scope.Scope> =>
  Effect.gen(function*() {
    const finder = yield* Duplicates.make
    const requests = Records.reader(operation, defaults)
    const places = new Map<string, Place>()
    const badExamples: Array<Records.BadRow> = []
    let positions: ReadonlyMap<Column, number> | null = null
    let rows = 0
    let badRows = 0

    const add = (request: Request): void => {
      const name = `${request.targetGroupId}/${request.targetId}/${periodOf(request) ?? ""}`
      const known = places.get(name)
      if (known === undefined) places.set(name, { request, name, calls: 1 })
      else known.calls += 1
      finder.add(request.customerId, name)
    }

    yield* Stream.runForEach(source.batches(() => undefined), (batch) =>
      Effect.gen(function*() {
        if (positions === null) {
          positions = batch.header.positions
          yield* Records.complete(source.name, batch.header, defaults)
        }
        for (const row of batch.rows) {
          rows += 1
          const record = requests(batch.header, row)
          if (Either.isRight(record)) for (const request of record.right) add(request)
          else {
            badRows += 1
            if (badExamples.length < examplesKept) badExamples.push(record.left)
          }
        }
        yield* finder.overflow
      }))

    const duplicates = yield* finder.finish
    const destinations = [...places.values()]
      .map(({ calls, name, request }): Destination => ({
        targetGroupId: request.targetGroupId,
        targetId: request.targetId,
        periodName: periodOf(request),
        calls: calls - duplicates.countOf(name)
      }))
      .sort((left, right) => right.calls - left.calls)
    return {
      rows,
      calls: destinations.reduce((sum, { calls }) => sum + calls, 0),
      duplicates: duplicates.count,
      badRows,
      badExamples,
      destinations,
      overruled: Records.overruled(defaults, positions ?? new Map())
    }
  })
