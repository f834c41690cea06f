/**
 * Brings an input into a ledger, once and for good: every row with its original bytes, and the calls that it asks for.
 *
 * What is read is written in batches, each with a checkpoint. An import that was cut off is gone on with by reading the
 * file again; what is in already is left out, and a file that has changed meanwhile is noticed.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { ImportRow } from "@milepost/ledger/Entry"
import type * as Ledger from "@milepost/ledger/Ledger"
import { InputChanged, type LedgerBusy, type LedgerDamaged, type LedgerUnwritable, type RunNotFound, type WrongState } from "@milepost/ledger/LedgerError"
import type { Checkpoint, Operation, Run } from "@milepost/ledger/Run"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as Records from "./Records.js"
import type { Batch, Column } from "./Row.js"
import type { RowsError } from "./RowsError.js"
import type * as Source from "./Source.js"

/** What an import can meet, beside what its source can. */
export type Error =
  | RowsError
  | InputChanged
  | LedgerBusy
  | LedgerDamaged
  | LedgerUnwritable
  | RunNotFound
  | WrongState

/** What is imported into which run. */
export interface Options<E = never, R = never> {
  readonly ledger: Ledger.Service
  readonly run: string
  readonly operation: Operation
  readonly source: Source.Source<E, R>
  readonly defaults: Records.Defaults
  /** Kept with the run as it is. */
  readonly options: unknown
  /** Told how many rows are in the ledger, and which share of the source has been read. */
  readonly watch: (rows: number, share: number) => Effect.Effect<void>
  /** Told which columns the source has itself, though a value was to be filled in for them. */
  readonly overruled: (columns: ReadonlyArray<Column>) => void
}

/** Customers are dealt to so many lanes. */
const lanes = 64

/** Rows that are written at once: the ledger's own measurements stop gaining here. */
const batchRows = 4096

/** Follows the bytes of a file: their number and their hash, and whether they begin as they did before. */
const digest = (before: Pick<Checkpoint, "bytes" | "sha256">) => {
  const hash = createHash("sha256")
  let bytes = 0
  let hasChanged = false
  return {
    add: (chunk: Uint8Array): void => {
      const left = before.bytes - bytes
      bytes += chunk.length
      if (before.sha256 === null || left <= 0 || left > chunk.length) {
        hash.update(chunk)
        return
      }
      hash.update(chunk.subarray(0, left))
      hasChanged = hash.copy().digest("hex") !== before.sha256
      hash.update(chunk.subarray(left))
    },
    bytes: () => bytes,
    hasChanged: () => hasChanged,
    sha256: () => hash.copy().digest("hex")
  }
}

/** The size and hash of a file as it lies there. */
export const fingerprint = (
  file: string
): Effect.Effect<{ readonly size: number; readonly sha256: string }, never, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const seen = digest({ bytes: 0, sha256: null })
    yield* Effect.ignore(Stream.runForEach(files.stream(file, { chunkSize: 1_048_576 }), (chunk) => Effect.sync(() => seen.add(chunk))))
    return { size: seen.bytes(), sha256: seen.sha256() }
  })

/** Imports a source, or goes on with it; the run is ready to be sent when this returns. */
export const run = <E = never, R = never>(options: Options<E, R>): Effect.Effect<Run, E | Error, R> =>
  Effect.gen(function*() {
    const { defaults, ledger, operation, run: id, source, watch } = options
    const size = yield* source.size
    const requests = Records.reader(operation, defaults)
    let begun: Run | null = null
    let seen = digest({ bytes: 0, sha256: null })
    let row = 0
    let held: Array<ImportRow> = []

    const write = Effect.suspend(() => {
      const last = held.at(-1)
      if (last === undefined) return Effect.void
      const rows = held
      held = []
      const reached = { line: last.line, bytes: seen.bytes(), sha256: seen.sha256() }
      const share = size === null || size === 0 ? 0 : Math.min(1, reached.bytes / size)
      return Effect.zipRight(ledger.append(id, rows, reached), Effect.suspend(() => watch(row, share)))
    })

    const begin = (batch: Batch): Effect.Effect<Run, Error> =>
      Effect.zipRight(
        Records.complete(source.name, batch.header, defaults),
        ledger.begin({
          id,
          operation,
          input: { name: source.name, format: source.format, header: batch.header.bytes, size },
          options: options.options,
          lanes,
          parent: null
        })
      )

    // The first bytes are read before the run is known to have begun before: they are followed from there on.
    const early: Array<Uint8Array> = []
    const follow = (chunk: Uint8Array): void => {
      if (begun === null) early.push(chunk)
      else seen.add(chunk)
    }

    yield* Stream.runForEach(source.batches(follow), (batch) =>
      Effect.gen(function*() {
        if (begun === null) {
          begun = yield* begin(batch)
          seen = digest(begun.checkpoint)
          options.overruled(Records.overruled(defaults, batch.header.positions))
          for (const chunk of early.splice(0)) seen.add(chunk)
        }
        const done = begun.checkpoint.row
        for (const read of batch.rows) {
          row += 1
          if (row <= done) continue
          const record = requests(batch.header, read)
          const calls = Either.isRight(record) ? record.right.map((request) => ({ request })) : []
          // A copy: what was read shares its memory with the whole chunk.
          held.push({ row, line: read.line, bytes: read.bytes.slice(), problem: Either.isLeft(record) ? record.left.message : null, calls })
          if (held.length >= batchRows) yield* write
        }
        if (seen.hasChanged()) return yield* new InputChanged({ run: id, input: source.name, difference: "sha256" })
      }))
    yield* write
    const input = { size: seen.bytes(), sha256: seen.sha256() }
    return yield* ledger.finishImport(id, input)
  })
