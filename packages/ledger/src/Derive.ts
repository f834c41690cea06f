/**
 * A new run out of an earlier one: the records that failed once more, or what it enrolled taken back.
 *
 * It is an import whose input is the earlier run, resumable like any other. A record whose earlier call may have been
 * executed carries that along, so that 310119 is told from a stranger's enrolment.
 */
import * as Effect from "effect/Effect"
import { Ledger } from "./Ledger.js"
import type { InputChanged, RunNotFound, StorageError, WrongState } from "./LedgerError.js"
import type { Kind, Run } from "./Run.js"

/** What a derivation can meet. */
export type Error = InputChanged | RunNotFound | StorageError | WrongState

/** Which run is made of which. */
export interface Options {
  /** The earlier run; it has ended. */
  readonly from: string
  /** The id of the new run. */
  readonly id: string
  /** `retry`: its `rejected` and `unknown` records. `undo`: un-enrol those that it ended as `enrolled`, and only those. */
  readonly kind: Kind
  /** What the new run is asked to do; the earlier run's options where it is left out. */
  readonly options?: unknown
  /** The ledger that the earlier run lies in, where it is another one. */
  readonly source?: Ledger["Type"]
}

/**
 * Makes the new run and brings it to `ready`; called again after a crash, it goes on where it was.
 *
 * Bad rows are not retried: they cannot be sent. Several periods of one target are undone by one call, because
 * un-enrolment knows no period; the others are duplicates of it.
 *
 * @example
 * ```ts
 * import { Derive } from "@milepost/ledger"
 *
 * const again = Derive.run({ from: "20250101-120000-abcd", id: "20250102-090000-efgh", kind: "retry" })
 * ```
 */
export const run = ({ from, id, kind, ...options }: Options): Effect.Effect<Run, Error, Ledger> =>
  Effect.gen(function*() {
    const ledger = yield* Ledger
    const source = options.source ?? ledger
    const earlier = yield* source.run(from)
    // Refused before anything is begun.
    let page = yield* source.derivable(from, kind, 0)
    const begun = yield* ledger.begin({
      id,
      operation: kind === "undo" ? "unenroll" : earlier.operation,
      input: earlier.input,
      options: options.options ?? earlier.options,
      lanes: earlier.lanes,
      parent: { run: from, kind }
    })
    if (begun.checkpoint.row > 0) page = yield* source.derivable(from, kind, begun.checkpoint.row)
    while (page.next !== null) {
      const last = page.rows.at(-1)
      if (last !== undefined) yield* ledger.append(id, page.rows, { line: last.line, bytes: 0, sha256: null })
      page = yield* source.derivable(from, kind, page.next)
    }
    return yield* ledger.finishImport(id, { size: earlier.input.size ?? 0, sha256: earlier.input.sha256 ?? "" })
  })
