/**
 * Somebody who does the work: a client that makes calls until a run is over, with {@link Work.inFlight} of them in flight.
 */
import * as Work from "./Work.js"

/** An open client of one contender. */
export interface Client {
  readonly run: (run: Work.Run) => Promise<void>
  readonly close: () => Promise<void>
}

/** Opens a contender's client for an upstream such as `http://127.0.0.1:8080`. */
export type Open = (origin: string) => Client

/** A client out of a function that makes one call: as many asynchronous loops as calls in flight, over one source. */
export const promises = (enroll: (call: Work.Call) => Promise<Work.Ended>, close: () => Promise<void>): Client => ({
  run: async (run) => {
    const loop = async (): Promise<void> => {
      while (!run.isOver()) run.count(await enroll(run.next()))
    }
    await Promise.all(Array.from({ length: Work.inFlight }, loop))
  },
  close
})
