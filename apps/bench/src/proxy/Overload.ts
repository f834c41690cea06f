/**
 * Twice as many calls as the upstream answers, for as long as wanted: whether the proxy stands, what it holds, how long
 * those wait whom it lets in, and how soon it tells the others.
 *
 * The upstream's capacity is set and not found: it takes so many calls at once, and so long for each.
 */
import * as Processes from "../Processes.js"
import * as Results from "../Results.js"
import * as Rounds from "../Rounds.js"
import * as Upstream from "../Upstream.js"
import type * as Flood from "./Flood.js"
import * as Proxies from "./Proxies.js"

/** What the upstream bears. */
const waitMillis = 50
const atOnce = 50
const capacity = atOnce * 1000 / waitMillis

/** "Keep their latency" leaves room for one call before them. */
const mostToCalm = 2

/** "At once". */
const mostRefusalMillis = 100

/** "Flat" leaves room for a collector that runs when it likes. */
const mostGrowth = 1.25

const calmMillis = 6_000

/** What is promised of an overload. */
export const thresholdsOf = (row: Results.OverloadRow): ReadonlyArray<Results.Threshold> => {
  const what = `milepost-proxy at ${row.callsPerSecond / row.capacityPerSecond} times the capacity for ${Math.round(row.seconds)} s`
  return [
    Results.atMost(`${what}, answers that are neither right nor a refusal`, 0, row.other),
    Results.atMost(`${what}, p99 of accepted calls beside that at half the capacity`, mostToCalm, row.acceptedP99Millis / row.calmP99Millis),
    Results.atMost(`${what}, p99 of refusals in ms`, mostRefusalMillis, row.refusedP99Millis),
    Results.atMost(`${what}, memory at the end beside that at the beginning`, mostGrowth, row.endMegabytes / row.beginMegabytes)
  ]
}

/** Memory, looked at twice a second while something goes on. */
const sampled = async <A>(proxy: Proxies.Proxy, work: Promise<A>): Promise<{ readonly made: A; readonly megabytes: ReadonlyArray<number> }> => {
  const megabytes = [proxy.memory().residentMegabytes]
  const timer = setInterval(() => megabytes.push(proxy.memory().residentMegabytes), 500)
  try {
    return { made: await work, megabytes }
  } finally {
    clearInterval(timer)
  }
}

/** Measures it for so many minutes. */
export const run = async (minutes: number, say: (line: string) => void): Promise<Results.OverloadRow> => {
  const upstream = await Upstream.start(waitMillis)
  try {
    const proxy = await Proxies.start("milepost", upstream.origin, { MILEPOST_CONCURRENCY: String(atOnce) })
    const load = Processes.start("proxy-flood", proxy.origin, proxy.authorization)
    try {
      await load.next()
      const order = async (callsPerSecond: number, millis: number): Promise<Flood.Told> => {
        const wanted: Flood.Order = { callsPerSecond, millis }
        load.send(JSON.stringify(wanted))
        return load.next<Flood.Told>()
      }
      say("proxy, overload: half the capacity")
      await order(capacity / 2, calmMillis / 2)
      const calm = await order(capacity / 2, calmMillis)
      say(`proxy, overload: twice the capacity, ${minutes} minutes`)
      // Before memory is held against itself, everything has been under load once.
      await order(capacity * 2, calmMillis)
      const cpuBefore = proxy.cpuSeconds()
      const { made, megabytes } = await sampled(proxy, order(capacity * 2, minutes * 60_000))
      const proxyBusy = (proxy.cpuSeconds() - cpuBefore) / made.seconds
      say("proxy, overload: half the capacity again")
      await order(capacity / 2, calmMillis / 2)
      const after = await order(capacity / 2, calmMillis)
      if (!proxy.isAlive()) throw new Error(`the proxy has ended:\n${proxy.logged().slice(-2000)}`)
      if (calm.other + after.other > 0) throw new Error(`a call at half the capacity was answered ${calm.firstOther ?? after.firstOther}`)
      if (made.firstOther !== null) say(`proxy, overload: ${made.firstOther}`)
      const quarter = Math.max(1, megabytes.length >> 2)
      return {
        capacityPerSecond: capacity,
        callsPerSecond: capacity * 2,
        seconds: made.seconds,
        calls: made.calls,
        acceptedPerSecond: made.accepted / made.seconds,
        refusedPerSecond: made.refused / made.seconds,
        other: made.other,
        calmRefused: calm.refused,
        calmP50Millis: calm.acceptedLatencies.p50Millis,
        calmP99Millis: calm.acceptedLatencies.p99Millis,
        acceptedP50Millis: made.acceptedLatencies.p50Millis,
        acceptedP99Millis: made.acceptedLatencies.p99Millis,
        refusedP50Millis: made.refusedLatencies.p50Millis,
        refusedP99Millis: made.refusedLatencies.p99Millis,
        afterP99Millis: after.acceptedLatencies.p99Millis,
        afterRefused: after.refused,
        beginMegabytes: Rounds.median(megabytes.slice(0, quarter)),
        endMegabytes: Rounds.median(megabytes.slice(-quarter)),
        peakMegabytes: proxy.memory().peakMegabytes,
        proxyBusy
      }
    } finally {
      await load.stop()
      await proxy.stop()
    }
  } finally {
    await upstream.stop()
  }
}
