/**
 * The sixth benchmark: the service between callers and the upstream, beside what else could stand there; batches, an upload,
 * and more calls than there is capacity for.
 *
 * Each part is a module of `proxy/` with its rows and its promises; this one runs them one after another.
 */
import * as BatchSpeed from "./proxy/BatchSpeed.js"
import * as DropInSpeed from "./proxy/DropInSpeed.js"
import * as Overload from "./proxy/Overload.js"
import * as UploadMemory from "./proxy/UploadMemory.js"
import * as Results from "./Results.js"
import type * as Turns from "./Turns.js"

/** How much of each part. */
export interface Sizes {
  readonly records: number
  readonly uploads: ReadonlyArray<number>
  readonly minutes: number
}

/** Runs it; the turns are those of the drop-in route. */
export const run = async (
  durations: Turns.Durations,
  { minutes, records, uploads }: Sizes,
  say: (line: string) => void
): Promise<Results.ProxySection> => {
  const dropIn = await DropInSpeed.run(durations, say)
  const batch = await BatchSpeed.run(records, durations.rounds, say)
  const stored = await UploadMemory.run(uploads, say)
  const overload = await Overload.run(minutes, say)
  return {
    ...Results.turned(durations),
    hasNginx: dropIn.some(({ name }) => name === "nginx"),
    dropIn,
    batchRecords: records,
    batch,
    uploads: stored,
    overload,
    thresholds: [
      ...DropInSpeed.thresholdsOf(dropIn),
      ...BatchSpeed.thresholdsOf(batch),
      ...UploadMemory.thresholdsOf(stored),
      ...Overload.thresholdsOf(overload)
    ]
  }
}
