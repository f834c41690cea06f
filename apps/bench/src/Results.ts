/**
 * What a benchmark found: plain data, as `results.json` keeps it.
 *
 * Each benchmark is a section with its own date and machine, because each can be run alone.
 */
import { availableParallelism } from "node:os"
import type { Summary } from "./Rounds.js"
import type { Durations } from "./Turns.js"
import { inFlight } from "./Work.js"

/** The benchmarks. */
export const benchmarks = ["enroll", "start", "bulk", "memory", "simulator", "proxy", "replicas", "capacity"] as const

/** The name of a benchmark. */
export type Benchmark = (typeof benchmarks)[number]

/** What is said of the machine: enough to read the numbers by, nothing that names it. */
export interface Machine {
  readonly processors: number
  readonly node: string
  readonly platform: string
}

/** A promise of the product, and whether this run kept it. */
export interface Threshold {
  readonly promise: string
  readonly limit: number
  readonly kind: "at least" | "at most"
  readonly measured: number
  readonly kept: boolean
}

/** What every benchmark says of itself. */
interface Section {
  readonly measuredAt: string
  readonly machine: Machine
}

/** What one says in which everybody takes turns. */
interface Turned extends Section {
  readonly inFlight: number
  readonly rounds: number
  readonly turnsPerRound: number
  readonly millisPerTurn: number
}

/** One contender of {@link EnrollSection}. */
export interface EnrollRow {
  readonly name: string
  readonly title: string
  readonly callsPerSecond: Summary
  readonly cpuMicrosPerCall: Summary
  readonly upstreamBusy: Summary
  readonly speedToPool: Summary
  readonly speedToFetch: Summary
  readonly cpuToPool: Summary
}

/** Calls a second and CPU a call of clients that do the same work. */
export interface EnrollSection extends Turned {
  readonly rows: ReadonlyArray<EnrollRow>
  readonly thresholds: ReadonlyArray<Threshold>
}

/** One command of {@link StartSection}. */
export interface StartRow {
  readonly name: string
  readonly title: string
  readonly millis: Summary
  readonly toNode: Summary
}

/** How long commands take from start to exit. */
export interface StartSection extends Section {
  readonly rounds: number
  readonly rows: ReadonlyArray<StartRow>
  readonly thresholds: ReadonlyArray<Threshold>
}

/** One contender of {@link BulkLoad}. */
export interface BulkRow {
  readonly name: string
  readonly title: string
  /** From the start of the process to its exit. */
  readonly recordsPerSecond: Summary
  readonly cpuMicrosPerRecord: Summary
  readonly peakMegabytes: Summary
  readonly upstreamBusy: Summary
  readonly speedToCalls: Summary
  readonly speedToUndici: Summary
  readonly speedToFetch: Summary
}

/** One upstream of {@link BulkSection}. */
export interface BulkLoad {
  readonly waitMillis: number
  readonly records: number
  readonly rows: ReadonlyArray<BulkRow>
}

/** Records a second of whole files, by how long the upstream takes to answer. */
export interface BulkSection extends Section {
  readonly inFlight: number
  readonly rounds: number
  readonly loads: ReadonlyArray<BulkLoad>
  readonly thresholds: ReadonlyArray<Threshold>
}

/** One file of {@link MemorySection}. */
export interface MemoryRow {
  readonly rows: number
  readonly seconds: number
  readonly rowsPerSecond: number
  /** Rows a second beside the calls a second of `Enroll.outcome` alone, measured just before. */
  readonly speedToEnroll: number
  readonly peakMegabytes: number
  /** The middle of what was resident, sampled over the whole run. */
  readonly residentMegabytes: number
  /** The peak beside that of the smallest file. */
  readonly peakToSmallest: number
  /** What the ledger takes on the disk when the run has ended, less the bytes of the rows that it keeps. */
  readonly ledgerBytesPerRecord: number
  /** From the start of `bulk resume` after a kill to the first call; `null` for files that are read in a moment anyway. */
  readonly resumeSeconds: number | null
}

/** What a bulk run holds, how fast it is and how soon it goes on, by the size of its file. */
export interface MemorySection extends Section {
  readonly rows: ReadonlyArray<MemoryRow>
  readonly thresholds: ReadonlyArray<Threshold>
}

/** One server of {@link SimulatorSection}. */
export interface ServerRow {
  readonly name: string
  readonly title: string
  readonly callsPerSecond: Summary
  /** The same by the time of one core, where the server's threads took more than that. */
  readonly callsPerCoreSecond: Summary
  readonly serverMicrosPerCall: Summary
  readonly serverBusy: Summary
  readonly clientBusy: Summary
  readonly speedToPlain: Summary
  /** Calls by CPU second of the server, so that it does not matter whether the load or the server was waited for. */
  readonly speedToPlainByCpu: Summary
}

/** Somebody who enrols in memory, of {@link SimulatorSection}. */
export interface InMemoryRow {
  readonly name: string
  readonly title: string
  readonly callsPerSecond: Summary
  readonly cpuMicrosPerCall: Summary
  /** Beside the SDK's program over a transport that answers at once. */
  readonly speedToConstant: Summary
}

/** A crowd of {@link SimulatorSection}, each customer enrolled by a call. */
export interface CrowdRow {
  readonly customers: number
  /** Those of the calls alone. */
  readonly seconds: number
  readonly callsPerSecond: number
  readonly peakMegabytes: number
  /** The middle of what was resident, sampled over the whole run. */
  readonly residentMegabytes: number
  /** How many customers were looked at afterwards. */
  readonly sampled: number
}

/** Whole runs over the simulator in memory, under seeds. */
export interface SimulatedRuns {
  readonly runs: number
  /** Rows of each. */
  readonly records: number
  readonly seconds: number
  readonly calls: number
  /** How long they would have taken. */
  readonly virtualHours: number
  /** The first seed that finds each planted bug. */
  readonly found: ReadonlyArray<{ readonly plant: string; readonly seed: number }>
}

/** What the simulator answers on a port and in memory, and what it holds. */
export interface SimulatorSection extends Turned {
  readonly server: ReadonlyArray<ServerRow>
  readonly inMemory: ReadonlyArray<InMemoryRow>
  readonly crowd: ReadonlyArray<CrowdRow>
  readonly simulated: SimulatedRuns
  readonly thresholds: ReadonlyArray<Threshold>
}

/** One proxy before the upstream, of {@link ProxySection}. */
export interface DropInRow {
  readonly name: string
  readonly title: string
  readonly callsPerSecond: Summary
  readonly speedToRaw: Summary
  readonly speedToRoute: Summary
  readonly speedToPlugin: Summary
  readonly proxyMicrosPerCall: Summary
  /** Calls by CPU second of the proxy, beside the same of the raw one. */
  readonly speedToRawByCpu: Summary
  readonly p50Millis: Summary
  readonly p99Millis: Summary
  readonly p99ToRoute: Summary
  readonly proxyBusy: Summary
  readonly upstreamBusy: Summary
  readonly loadBusy: Summary
}

/** Who sends many records, of {@link ProxySection}. */
export interface BatchRow {
  readonly name: string
  readonly title: string
  readonly recordsPerSecond: Summary
  readonly cpuMicrosPerRecord: Summary
  readonly upstreamBusy: Summary
  readonly speedToBulk: Summary
}

/** One upload, of {@link ProxySection}. */
export interface UploadRow {
  readonly rows: number
  /** From the first byte of the request to the answer that everything is stored. */
  readonly seconds: number
  readonly rowsPerSecond: number
  readonly cpuMicrosPerRow: number
  readonly idleMegabytes: number
  /** The peak until everything was stored. */
  readonly storedMegabytes: number
  /** The peak with the first seconds of sending. */
  readonly peakMegabytes: number
  readonly sentPerSecond: number
}

/** More calls than the upstream bears, of {@link ProxySection}. */
export interface OverloadRow {
  readonly capacityPerSecond: number
  readonly callsPerSecond: number
  readonly seconds: number
  readonly calls: number
  readonly acceptedPerSecond: number
  readonly refusedPerSecond: number
  /** Answered otherwise, or not at all. */
  readonly other: number
  /** At half the capacity, before. */
  readonly calmRefused: number
  readonly calmP50Millis: number
  readonly calmP99Millis: number
  readonly acceptedP50Millis: number
  readonly acceptedP99Millis: number
  readonly refusedP50Millis: number
  readonly refusedP99Millis: number
  /** At half the capacity, after. */
  readonly afterP99Millis: number
  readonly afterRefused: number
  /** The middle of what was resident in the first and in the last quarter of the time. */
  readonly beginMegabytes: number
  readonly endMegabytes: number
  readonly peakMegabytes: number
  readonly proxyBusy: number
}

/** The service between callers and the upstream. */
export interface ProxySection extends Turned {
  /** Whether nginx took part, or was not there. */
  readonly hasNginx: boolean
  readonly dropIn: ReadonlyArray<DropInRow>
  readonly batchRecords: number
  readonly batch: ReadonlyArray<BatchRow>
  readonly uploads: ReadonlyArray<UploadRow>
  readonly overload: OverloadRow
  readonly thresholds: ReadonlyArray<Threshold>
}

/** Two processes of {@link PairPart}. */
export interface PairRow {
  readonly name: string
  readonly title: string
  /** From stored to the last outcome. */
  readonly recordsPerSecond: Summary
  /** Beside the plain pair that is quickest by its median. */
  readonly speedToPlain: Summary
  readonly pairMicrosPerRecord: Summary
  readonly postgresMicrosPerRecord: Summary
  readonly oneBusy: Summary
  readonly otherBusy: Summary
  readonly postgresBusy: Summary
  readonly upstreamBusy: Summary
}

/** Two replicas beside two plain workers. */
export interface PairPart {
  readonly measuredAt: string
  readonly records: number
  readonly rounds: number
  readonly inFlightEach: number
  readonly rows: ReadonlyArray<PairRow>
}

/** What replicas ask of the database. */
export interface StatementsPart {
  readonly measuredAt: string
  readonly replicas: number
  readonly records: number
  /** How long the sending took, in which they also asked what they ask when idle. */
  readonly seconds: number
  readonly idlePerReplicaSecond: number
  readonly uploadPerRecord: number
  /** From stored to finished. */
  readonly sendingPerRecord: number
  /** Of the sending. */
  readonly mostFrequent: ReadonlyArray<{ readonly statement: string; readonly calls: number; readonly millis: number }>
}

/** How large the database gets, without the write-ahead log. */
export interface SizePart {
  readonly measuredAt: string
  readonly records: number
  readonly uploadSeconds: number
  readonly storedPerSecond: number
  readonly sentPerSecond: number
  readonly emptyMegabytes: number
  /** What was added to the empty database when everything was stored, when everything was sent, and after a VACUUM. */
  readonly storedMegabytes: number
  readonly finishedMegabytes: number
  readonly vacuumedMegabytes: number
  /** How often the autovacuum had been at a table by the end. */
  readonly autovacuums: number
  /** The largest tables at the end, with their indexes. */
  readonly relations: ReadonlyArray<{ readonly name: string; readonly megabytes: number }>
  /** The replica that took the upload: its peak until everything was stored, and until everything was sent. */
  readonly uploadPeakMegabytes: number
  readonly firstPeakMegabytes: number
  readonly otherPeakMegabytes: number
}

/** A limit over several replicas, as the upstream saw it. */
export interface LimitPart {
  readonly measuredAt: string
  readonly replicas: number
  readonly perMinute: number
  readonly minutes: number
  readonly calls: number
  readonly worstMinute: number
  /** Of the whole minutes from the first call on. */
  readonly leastAMinute: number
  readonly meanAMinute: number
  /** What all of them asked of the database meanwhile. */
  readonly statementsPerSecond: number
  /** By what the replicas say themselves. */
  readonly callsOfEach: ReadonlyArray<number>
}

/** One way to order a person's call, of {@link OwnerPart}. */
export interface OwnerRow {
  readonly name: string
  readonly title: string
  readonly callsPerSecond: Summary
  /** Ours beside the owner asked directly, the lock beside the same proxy without it. */
  readonly speedToBeside: Summary
  readonly p50Millis: Summary
  readonly p50ToBeside: Summary
  readonly p99Millis: Summary
  readonly p99ToBeside: Summary
  readonly askedMicrosPerCall: Summary
  readonly ownerMicrosPerCall: Summary
  readonly postgresMicrosPerCall: Summary
  readonly statementsPerCall: Summary
  readonly upstreamBusy: Summary
}

/** Calls of people whose customer's lane lives elsewhere. */
export interface OwnerPart {
  readonly measuredAt: string
  readonly inFlight: number
  readonly rounds: number
  readonly turnsPerRound: number
  readonly millisPerTurn: number
  readonly rows: ReadonlyArray<OwnerRow>
}

/** Several replicas over one PostgreSQL; a part that has not been run is missing. */
export interface ReplicasSection extends Section {
  readonly pair?: PairPart
  readonly statements?: StatementsPart
  readonly size?: SizePart
  readonly limit?: LimitPart
  readonly owner?: OwnerPart
  readonly thresholds: ReadonlyArray<Threshold>
}

/** How much of the upstream's limit a simulated run used. */
export interface UsedShare {
  /** What the run was told: the limit, nothing, or twice the limit. */
  readonly told: "limit" | "nothing" | "twice"
  readonly records: number
  readonly virtualSeconds: number
  readonly calls: number
  readonly refused: number
  readonly longestPauseSeconds: number
  /** Calls that were accepted beside those that the limit would have let through in the same time. */
  readonly share: number
  /** The same without its first tenth, in which a limit may have to be found. */
  readonly laterShare: number
  /** What the engine asked of its ledger, in memory, from the first call to the end. */
  readonly statementsPerRecord: number
}

/** A limit of {@link CapacitySection}; `null` for none. */
export interface CapacityLimit {
  readonly perMinute: number | null
  readonly simulated: ReadonlyArray<UsedShare>
}

/** So many records at a limit. */
export interface CapacityRow {
  readonly perMinute: number | null
  readonly records: number
  /** Told the limit; `null` where the speed without a limit has not been measured. */
  readonly hours: number | null
  /** Told twice the limit. */
  readonly hoursToldTwice: number | null
  readonly databaseGigabytes: number | null
  readonly statementsPerSecond: number | null
  readonly replicas: number | null
}

/** How long so many records take, and what that needs. */
export interface CapacitySection extends Section {
  readonly limits: ReadonlyArray<CapacityLimit>
  readonly rows: ReadonlyArray<CapacityRow>
  /** What of it was measured, out of the section `replicas`. */
  readonly from: {
    readonly recordsPerSecond: number | null
    readonly bytesPerRecord: number | null
    readonly statementsPerRecord: number | null
    readonly idlePerReplicaSecond: number | null
  }
  readonly thresholds: ReadonlyArray<Threshold>
}

/** The sections of `results.json`; a benchmark that has not been run has none. */
export interface Results {
  readonly enroll?: EnrollSection
  readonly start?: StartSection
  readonly bulk?: BulkSection
  readonly memory?: MemorySection
  readonly simulator?: SimulatorSection
  readonly proxy?: ProxySection
  readonly replicas?: ReplicasSection
  readonly capacity?: CapacitySection
}

/** Here and now. */
export const section = (): Section => ({
  measuredAt: new Date().toISOString(),
  machine: { processors: availableParallelism(), node: process.version, platform: `${process.platform} ${process.arch}` }
})

/** Here and now, in these turns. */
export const turned = ({ rounds, turnMillis, turns }: Pick<Durations, "rounds" | "turnMillis" | "turns">): Turned => ({
  ...section(),
  inFlight,
  rounds,
  turnsPerRound: turns,
  millisPerTurn: turnMillis
})

/** A promise that a number stays above a limit. */
export const atLeast = (promise: string, limit: number, measured: number): Threshold => ({
  promise,
  limit,
  kind: "at least",
  measured,
  kept: measured >= limit
})

/** A promise that a number stays below a limit. */
export const atMost = (promise: string, limit: number, measured: number): Threshold => ({
  promise,
  limit,
  kind: "at most",
  measured,
  kept: measured <= limit
})

/** One part of a section as it was measured before, if it was. */
export const part = <A extends object, K extends keyof A>(section: A | undefined, name: K): Partial<Pick<A, K>> => {
  const found: Partial<Pick<A, K>> = {}
  if (section?.[name] !== undefined) found[name] = section[name]
  return found
}
