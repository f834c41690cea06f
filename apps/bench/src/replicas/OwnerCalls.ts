/**
 * A call of a person whose customer's lane lives at another replica: routed to its owner, beside one that the owner was asked for
 * directly, and beside ordering it by a lock in the database.
 *
 * Every call is for another customer, so that nobody waits for anybody: what is seen is what order costs where it is not needed,
 * which is nearly always. It is what docs/adr/0024 goes by.
 */
import * as Client from "../Client.js"
import * as Processes from "../Processes.js"
import type * as Load from "../proxy/Load.js"
import * as Results from "../Results.js"
import * as Rounds from "../Rounds.js"
import * as Turns from "../Turns.js"
import * as Upstream from "../Upstream.js"
import * as Work from "../Work.js"
import * as Database from "./Database.js"
import * as Group from "./Group.js"

/** Who is asked. */
export const names = ["owner", "routed", "lock", "no-lock"] as const

/** The name of a way. */
export type Name = (typeof names)[number]

const titles: Readonly<Record<Name, string>> = {
  owner: "milepost-proxy, the owner asked",
  routed: "milepost-proxy, routed to the owner",
  lock: "plain proxy, a lock in the database",
  "no-lock": "plain proxy, no order"
}

/** One turn: what the load tells, and what everybody else did meanwhile. */
export interface Turn extends Load.Told {
  /** CPU of the process that was asked, and of the one that it asked. */
  readonly askedSeconds: number
  readonly ownerSeconds: number
  readonly postgresSeconds: number
  readonly upstreamSeconds: number
  readonly statements: number
}

/** The turns of everybody, round after round. */
export type Measured = ReadonlyMap<Name, ReadonlyArray<Turn>>

const speed = ({ calls, seconds }: Turn): number => calls / seconds

/** Whom each is held against: ours routed against ours asked directly, the lock against the same proxy without it. */
const besides: Readonly<Record<Name, Name>> = { owner: "owner", routed: "owner", lock: "no-lock", "no-lock": "no-lock" }

/** The rows of the table. */
export const rowsOf = (measured: Measured): ReadonlyArray<Results.OwnerRow> => {
  const series = (name: Name, of: (turn: Turn) => number): ReadonlyArray<number> => (measured.get(name) ?? []).map(of)
  return names.map((name) => {
    const perCall = (of: (turn: Turn) => number): Rounds.Summary => Rounds.summary(series(name, (turn) => of(turn) / turn.calls))
    const ratio = (of: (turn: Turn) => number): Rounds.Summary => Rounds.ratios(series(name, of), series(besides[name], of))
    return {
      name,
      title: titles[name],
      callsPerSecond: Rounds.summary(series(name, speed)),
      speedToBeside: ratio(speed),
      p50Millis: Rounds.summary(series(name, ({ p50Millis }) => p50Millis)),
      p50ToBeside: ratio(({ p50Millis }) => p50Millis),
      p99Millis: Rounds.summary(series(name, ({ p99Millis }) => p99Millis)),
      p99ToBeside: ratio(({ p99Millis }) => p99Millis),
      askedMicrosPerCall: perCall(({ askedSeconds }) => askedSeconds * 1e6),
      ownerMicrosPerCall: perCall(({ ownerSeconds }) => ownerSeconds * 1e6),
      postgresMicrosPerCall: perCall(({ postgresSeconds }) => postgresSeconds * 1e6),
      statementsPerCall: perCall(({ statements }) => statements),
      upstreamBusy: Rounds.summary(series(name, (turn) => turn.upstreamSeconds / turn.seconds))
    }
  })
}

/** Where a load calls, and what that computes. */
interface Asked {
  readonly origin: string
  readonly authorization: string
  readonly lanes: Load.Lanes | null
  readonly askedSeconds: () => number | Promise<number>
  readonly ownerSeconds: () => number
  readonly database: Database.Database
  readonly stop: () => Promise<void>
}

const none = (): number => 0

const replicas = async (name: "owner" | "routed", upstream: Upstream.Running, server: Database.Server): Promise<Asked> => {
  const database = await server.database()
  const group = await Group.start(2, upstream.origin, database, { MILEPOST_CONCURRENCY: String(Work.inFlight) })
  const [first, other] = group.replicas
  if (first === undefined || other === undefined) throw new Error("two replicas are needed")
  return {
    origin: first.origin,
    authorization: first.authorization,
    lanes: { all: Group.lanes, lanes: await (name === "owner" ? first : other).lanes() },
    askedSeconds: first.cpuSeconds,
    ownerSeconds: other.cpuSeconds,
    database,
    stop: group.stop
  }
}

const plain = async (name: "lock" | "no-lock", upstream: Upstream.Running, server: Database.Server): Promise<Asked> => {
  const database = await server.database()
  const child = Processes.start("locking", name, upstream.origin, database.url)
  const { origin } = await child.next<{ readonly origin: string }>()
  return {
    origin,
    // As long as a key of the service is.
    authorization: `Bearer mp_${"x".repeat(43)}`,
    lanes: null,
    askedSeconds: async () => {
      child.send("cpu")
      return (await child.next<{ readonly cpuSeconds: number }>()).cpuSeconds
    },
    ownerSeconds: none,
    database,
    stop: child.stop
  }
}

const start = async (name: Name, upstream: Upstream.Running, server: Database.Server, warmUpMillis: number): Promise<Client.Ready<Turn>> => {
  const asked = await (name === "owner" || name === "routed" ? replicas(name, upstream, server) : plain(name, upstream, server))
  try {
    const lanes = asked.lanes === null ? [] : [JSON.stringify(asked.lanes)]
    const load = Processes.start("proxy-load", asked.origin, asked.authorization, String(warmUpMillis), ...lanes)
    const ready = await Client.follow<Turn, Load.Told>(load, async (made) => {
      const statementsBefore = Database.total(await asked.database.statements())
      const askedBefore = await asked.askedSeconds()
      const ownerBefore = asked.ownerSeconds()
      const postgresBefore = server.cpuSeconds()
      const upstreamBefore = await upstream.cpuSeconds()
      const told = await made()
      const upstreamSeconds = await upstream.cpuSeconds() - upstreamBefore
      const postgresSeconds = server.cpuSeconds() - postgresBefore
      const ownerSeconds = asked.ownerSeconds() - ownerBefore
      const askedSeconds = await asked.askedSeconds() - askedBefore
      const statements = Database.total(await asked.database.statements()) - statementsBefore
      return { ...told, askedSeconds, ownerSeconds, postgresSeconds, upstreamSeconds, statements }
    })
    return {
      turn: ready.turn,
      stop: async () => {
        await ready.stop()
        await asked.stop()
      }
    }
  } catch (error) {
    await asked.stop()
    throw error
  }
}

/** Measures it. */
export const run = async (durations: Turns.Durations, say: (line: string) => void): Promise<Results.OwnerPart> => {
  const upstream = await Upstream.start()
  const server = await Database.start(true)
  try {
    const measured: Array<Measured> = []
    for (let index = 0; index < durations.rounds; index++) {
      say(`replicas, calls of people: round ${index + 1} of ${durations.rounds}`)
      measured.push(await Turns.round(names, (name) => start(name, upstream, server, durations.warmUpMillis), durations))
    }
    return {
      measuredAt: new Date().toISOString(),
      inFlight: Work.inFlight,
      rounds: durations.rounds,
      turnsPerRound: durations.turns,
      millisPerTurn: durations.turnMillis,
      rows: rowsOf(Rounds.joined(measured))
    }
  } finally {
    await server.stop()
    await upstream.stop()
  }
}
