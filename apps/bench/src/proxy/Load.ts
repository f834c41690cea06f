/**
 * Who calls the proxies: `Pool.dispatch` of undici in a process of its own for each, every answer parsed and judged, every
 * call timed.
 *
 * Each call is for another customer, so that keeping a customer's order makes nobody wait.
 */
import * as Lane from "@milepost/ledger/Lane"
import * as Client from "../Client.js"
import type { Client as Opened } from "../Contender.js"
import * as UndiciDispatch from "../contenders/UndiciDispatch.js"
import * as Work from "../Work.js"

/** How long calls took, in milliseconds. */
export interface Latencies {
  readonly p50Millis: number
  readonly p99Millis: number
}

/** Lanes of replicas, and how many there are in all. */
export interface Lanes {
  readonly all: number
  readonly lanes: ReadonlyArray<number>
}

/** What the process tells of a turn. */
export type Told = Client.Stretch & Latencies

/** The value below which so much of all lies. */
export const quantile = (values: ReadonlyArray<number>, part: number): number => {
  const ascending = values.toSorted((left, right) => left - right)
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * part))] ?? Number.NaN
}

/** A run that calls only for some customers. */
const only = (run: Work.Run, wants: (customerId: number) => boolean): Work.Run => ({
  ...run,
  next: () => {
    for (;;) {
      const call = run.next()
      if (wants(call.customerId)) return call
    }
  }
})

/** A client of a proxy that can say how long the calls of its last run took; it calls for those customers that it wants. */
export const open = (
  origin: string,
  authorization: string,
  wants: (customerId: number) => boolean = () => true
): Opened & { readonly latencies: () => Latencies } => {
  const took: Array<number> = []
  const client = UndiciDispatch.openWith(Work.ended, {
    headers: { ...Work.headers, Authorization: authorization },
    took: (millis) => void took.push(millis)
  })(origin)
  return {
    run: (run) => {
      took.length = 0
      return client.run(only(run, wants))
    },
    close: client.close,
    latencies: () => ({ p50Millis: quantile(took, 0.5), p99Millis: quantile(took, 0.99) })
  }
}

/** Those whose lane is one of these, out of so many. */
const inLanes = ({ all, lanes }: Lanes): (customerId: number) => boolean => {
  const wanted = new Set(lanes)
  return (customerId) => wanted.has(Lane.of(customerId, all))
}

/** The process: `proxy-load <origin> <authorization> <milliseconds to warm up> [<lanes>]`. */
export const main = async ([origin, authorization, warmUp, lanes]: ReadonlyArray<string>): Promise<void> => {
  if (origin === undefined || authorization === undefined) throw new Error("the load is not told whom to call")
  const client = open(origin, authorization, lanes === undefined ? undefined : inLanes(JSON.parse(lanes) as Lanes))
  await Client.serve(client, Number(warmUp), (stretch): Told => ({ ...stretch, ...client.latencies() }))
}
