/** Error classes out of table rows: one class a row, whose instances say of themselves what the row says. */
import * as Data from "effect/Data"
import type { BlastRadius, Disposition } from "../Disposition.js"

interface Row {
  readonly tag: string
  readonly blastRadius: BlastRadius
  readonly disposition: Disposition
}

/** A class of errors of one row. */
export interface Tabled<R extends Row, Fields, Instance> {
  new(fields: Fields): Instance
  readonly row: R
}

/** Makes the class of a row; `complete` adds what the row knows to what an answer says. */
export const tabled = <Instance, Fields extends object, R extends Row>(
  row: R,
  complete: (fields: Fields) => object
): Tabled<R, Fields, Instance> => {
  class Base extends Data.TaggedError(row.tag)<{ readonly [field: string]: unknown }> {
    static readonly row = row
    constructor(fields: Fields) {
      super({ ...complete(fields) })
    }
    get disposition(): Disposition {
      return row.disposition
    }
    get blastRadius(): BlastRadius {
      return row.blastRadius
    }
  }
  // The literal types of code and tag live in the row; a class body cannot express them.
  return Base as unknown as Tabled<R, Fields, Instance>
}
