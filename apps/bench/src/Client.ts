/**
 * One contender in one round: a fresh process that opens its client, warms up, and then makes calls whenever it is its
 * turn.
 *
 * Modules, connections and the compiler's work on hot code lie before the first turn; what lies in a turn is what a long
 * run does all day. All contenders of a round are there at once, and idle but for the one whose turn it is: turns follow
 * each other so closely that a machine which is busy with something else is so for all of them.
 */
import type { Client } from "./Contender.js"
import * as Contenders from "./Contenders.js"
import * as Processes from "./Processes.js"
import type * as Upstream from "./Upstream.js"
import * as Work from "./Work.js"

/** One turn of a contender. */
export interface Turn {
  readonly calls: number
  readonly seconds: number
  readonly cpuSeconds: number
  /** How much of the time the upstream computed: near 1, it is the upstream that was measured. */
  readonly upstreamBusy: number
}

/** A contender that waits for its turn, and what is told of one. */
export interface Ready<A = Turn> {
  readonly turn: (millis: number) => Promise<A>
  readonly stop: () => Promise<void>
}

/** What a contender's own process sees of a turn. */
export type Stretch = Omit<Turn, "upstreamBusy">

/** Makes calls for so long and measures them; fails when one of them did not enrol, as its work was not done. */
export const stretch = async (millis: number, work: (run: Work.Run) => Promise<void>): Promise<Stretch> => {
  const cpuBefore = Processes.cpuSeconds()
  const before = performance.now()
  const run = Work.forMillis(millis)
  await work(run)
  const seconds = (performance.now() - before) / 1000
  const cpuSeconds = Processes.cpuSeconds() - cpuBefore
  const other = run.firstOther()
  if (other !== null) throw new Error(`a call did not enrol: ${JSON.stringify(other)}`)
  return { calls: run.enrolled(), seconds, cpuSeconds }
}

/** One turn: a lead-in, in which an idle process finds its caches again, and the stretch that counts. */
const turn = async (millis: number, work: (run: Work.Run) => Promise<void>): Promise<Stretch> => {
  await stretch(millis / 4, work)
  Processes.tellParent({ begins: true })
  return stretch(millis, work)
}

const same = (stretch: Stretch): Stretch => stretch

/**
 * Warms an open client up in the process that is its own; then each message is a turn, in milliseconds. `told` adds what
 * else this client has to say of the stretch that has just ended.
 */
export const serve = async (client: Client, warmUpMillis: number, told: (stretch: Stretch) => Stretch = same): Promise<void> => {
  await stretch(warmUpMillis, client.run)
  process.on("message", (millis) => void turn(Number(millis), client.run).then((stretch) => Processes.tellParent(told(stretch))))
  // Connections that nobody closes, such as those of the built-in fetch, would keep the process.
  process.on("disconnect", () => void client.close().then(() => process.exit()))
  Processes.tellParent({ ready: true })
}

/** The process: `client <contender> <origin> <milliseconds to warm up>`. */
export const main = async ([name, origin, warmUp]: ReadonlyArray<string>): Promise<void> => {
  if (!Contenders.isName(name) || origin === undefined) throw new Error(`there is no contender ${name}`)
  const open = await Contenders.all[name].load()
  await serve(open(origin), Number(warmUp))
}

/** Waits until a process of {@link serve} has warmed up; `around` sees each stretch from its beginning to its end. */
export const follow = async <A, B extends Stretch = Stretch>(
  child: Processes.Child,
  around: (made: () => Promise<B>) => Promise<A>
): Promise<Ready<A>> => {
  await child.next()
  return {
    turn: async (millis) => {
      child.send(String(millis))
      await child.next()
      return around(() => child.next<B>())
    },
    stop: child.stop
  }
}

/** A stretch with how much of it the other side computed. */
export const watching = (cpuSeconds: () => Promise<number>) => async (made: () => Promise<Stretch>): Promise<Turn> => {
  const before = await cpuSeconds()
  const stretch = await made()
  return { ...stretch, upstreamBusy: ((await cpuSeconds()) - before) / stretch.seconds }
}

/** Starts a contender in a process of its own, and lets it warm up. */
export const start = (name: Contenders.Name, upstream: Upstream.Running, warmUpMillis: number): Promise<Ready> =>
  follow(Processes.start("client", name, upstream.origin, String(warmUpMillis)), watching(upstream.cpuSeconds))
