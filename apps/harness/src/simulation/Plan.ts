/**
 * What a seed decides of a simulated run before it begins: its rows, its upstream, its faults, and when its process ends.
 *
 * It is plain data, so that a smaller one can be tried in its place, and made of what real runs meet.
 */
import type { Operation } from "@milepost/ledger/Run"
import type { Fault } from "@milepost/simulator/Faults"
import * as FastCheck from "effect/FastCheck"

/** Where a row goes. `nowhere` is a group that the upstream does not know, `never` a period that the group does not have. */
export type Place = "p1" | "p2" | "p3" | "streak" | "never" | "nowhere"

/** A row of the file: a customer by his number, and where to; `bad` for one that cannot be sent. */
export interface Row {
  readonly customer: number
  readonly place: Place | "bad"
}

/**
 * How a sitting ends before its time: at a statement or a call of the process, or by a person at a call. How far it has come
 * by then is a share of what there is to do, so that a smaller plan ends at the same stage.
 */
export interface Ending {
  readonly kind: "killed" | "cancelled"
  readonly permille: number
}

/**
 * What happens to one of several replicas, or to the database of all, once the run has come so far; for so many milliseconds,
 * where it passes by itself. One that is killed comes back as a new one after that time.
 */
export interface Disturbance {
  readonly kind: "killed" | "frozen" | "leaves" | "joins" | "cutOff" | "outage" | "lostAnswer"
  readonly permille: number
  /** Which of those that are there; `null` for the one that is at a statement or a call just then. */
  readonly which: number | null
  readonly millis: number
}

/** Several processes that share one ledger. */
export interface Fleet {
  /** How many there are at first. */
  readonly replicas: number
  /** How long a lease of a lane lasts that is not refreshed. */
  readonly lifetimeMillis: number
  readonly disturbances: ReadonlyArray<Disturbance>
}

/** How long before the end of its leases a replica stops sending. */
export const marginOf = ({ lifetimeMillis }: Fleet): number => lifetimeMillis / 3

/** A simulated run. */
export interface Plan {
  readonly seed: number
  readonly operation: Operation
  readonly cycles: "onwards" | "perPeriod"
  /** Lanes as messages of the cluster, as the CLI has them, or as fibers. */
  readonly owner: "cluster" | "fibers"
  readonly lanes: number
  readonly chunkSize: number
  readonly concurrency: number | "auto"
  readonly callsPerSecond: number | null
  /** Calls that the upstream bears in a minute. */
  readonly perMinute: number | null
  readonly latencyMillis: number
  readonly statementMillis: number
  readonly rows: ReadonlyArray<Row>
  readonly faults: ReadonlyArray<Fault>
  /** One for each sitting, in their order; what comes after them goes on to its end. */
  readonly endings: ReadonlyArray<Ending>
  /** `null` for one process after another. */
  readonly fleet: Fleet | null
}

/** Customers below are known to the upstream; above are some whom nobody knows. */
export const knownCustomers = 390

/** Customers of all rows. */
export const customers = 400

/** The upstream's number of a customer. */
export const customerId = ({ customer }: Row): number => 564_300_000 + customer * 7919

const place = FastCheck.oneof(
  { weight: 8, arbitrary: FastCheck.constantFrom<Place>("p1", "p2", "p3") },
  { weight: 4, arbitrary: FastCheck.constant<Place>("streak") }
)

const effect = FastCheck.oneof(
  { weight: 3, arbitrary: FastCheck.constant<Fault["effect"]>({ kind: "reset", when: "after" }) },
  { weight: 2, arbitrary: FastCheck.constant<Fault["effect"]>({ kind: "status", status: 500, executed: true }) },
  {
    weight: 6,
    arbitrary: FastCheck.constantFrom<Fault["effect"]>(
      { kind: "reset", when: "before" },
      { kind: "hang", when: "before" },
      { kind: "hang", when: "after" },
      { kind: "halfWritten" },
      { kind: "body", body: "html" },
      { kind: "body", body: "empty" },
      { kind: "body", body: "truncated" },
      { kind: "status", status: 502 },
      { kind: "status", status: 504, executed: true },
      { kind: "status", status: 503 },
      { kind: "status", status: 461 },
      { kind: "customerBusy" }
    )
  },
  {
    weight: 3,
    arbitrary: FastCheck.oneof(
      FastCheck.integer({ min: 1, max: 20 }).map((retryAfterSeconds): Fault["effect"] => ({ kind: "rateLimited", retryAfterSeconds })),
      FastCheck.constant<Fault["effect"]>({ kind: "rateLimited" })
    )
  },
  { weight: 1, arbitrary: FastCheck.integer({ min: 100, max: 40_000 }).map((millis): Fault["effect"] => ({ kind: "latency", millis })) },
  { weight: 1, arbitrary: FastCheck.constant<Fault["effect"]>({ kind: "status", status: 401 }) }
)

/** One customer for whom nothing works: attempts are what ends that. */
const hopeless = FastCheck.record({
  customer: FastCheck.nat({ max: knownCustomers - 1 }),
  effect: FastCheck.constantFrom<Fault["effect"]>(
    { kind: "reset", when: "before" },
    { kind: "hang", when: "after" },
    { kind: "body", body: "html" },
    { kind: "status", status: 502 }
  )
}).map(({ customer, effect }): Fault => ({ customerId: customerId({ customer, place: "p1" }), effect }))

const fault: FastCheck.Arbitrary<Fault> = effect.chain((struck) =>
  // What condemns everything stops the run: once is enough, somebody has to mend it.
  struck.kind === "status" && struck.status === 401
    ? FastCheck.integer({ min: 1, max: 400 }).map((nth): Fault => ({ nth, effect: struck }))
    : FastCheck.oneof(
      FastCheck.integer({ min: 1, max: 400 }).map((nth): Fault => ({ nth, effect: struck })),
      hopeless,
      FastCheck.record({ probability: FastCheck.constantFrom(0.01, 0.05, 0.2), times: FastCheck.integer({ min: 1, max: 40 }) })
        .map((often): Fault => ({ ...often, effect: struck }))
    )
)

const ending: FastCheck.Arbitrary<Ending> = FastCheck.record({
  kind: FastCheck.constantFrom<Ending["kind"]>("killed", "cancelled"),
  permille: FastCheck.integer({ min: 1, max: 1000 })
})

const disturbance: FastCheck.Arbitrary<Disturbance> = FastCheck.record({
  kind: FastCheck.constantFrom<Disturbance["kind"]>("killed", "killed", "frozen", "frozen", "frozen", "leaves", "leaves", "joins", "cutOff", "outage", "lostAnswer"),
  permille: FastCheck.integer({ min: 1, max: 1000 }),
  which: FastCheck.constantFrom(null, null, 0, 1, 2),
  // Shorter than a lease, and longer; an hour's silence is no other thing.
  millis: FastCheck.oneof(FastCheck.integer({ min: 100, max: 4_000 }), FastCheck.integer({ min: 4_000, max: 16_000 }), FastCheck.integer({ min: 16_000, max: 60_000 }))
})

/** What plans of several replicas have instead: slower runs, so that leases expire under them. */
const together = {
  replicas: FastCheck.integer({ min: 2, max: 4 }),
  lifetimeMillis: FastCheck.constantFrom(3_000, 15_000),
  disturbances: FastCheck.array(disturbance, { minLength: 1, maxLength: 5 }),
  lanes: FastCheck.constantFrom(8, 16),
  callsPerSecond: FastCheck.constantFrom(null, 10, 20, 50),
  latencyMillis: FastCheck.constantFrom(5, 50, 50, 150),
  chunkSize: FastCheck.constantFrom(5, 20, 500)
}

/** How far from its begin, in points of all replicas, a disturbance comes. */
export const pointOf = ({ rows }: Pick<Plan, "rows">, { permille }: Disturbance): number => Math.ceil((2.5 * rows.length + 100) * permille / 1000)

/** The call, or the point of the process, at which an ending comes. */
export const placeOf = ({ rows }: Pick<Plan, "rows">, { kind, permille }: Ending): number =>
  Math.ceil((kind === "killed" ? 3 * rows.length + 100 : rows.length) * permille / 1000)

const rowOf = (places: FastCheck.Arbitrary<Place | "bad">): FastCheck.Arbitrary<Row> =>
  FastCheck.record({ customer: FastCheck.noBias(FastCheck.nat({ max: customers - 1 })), place: places })

/** Rows as files have them; now and then a file has some that lead nowhere, or cannot be read. */
const rows = (least: number, most: number): FastCheck.Arbitrary<ReadonlyArray<Row>> =>
  FastCheck.constantFrom<ReadonlyArray<Place | "bad">>([], [], ["bad"], ["never"], ["nowhere"]).chain((odd) => {
    const some = odd.length === 0
      ? place
      : FastCheck.oneof({ weight: 20, arbitrary: place }, { weight: 1, arbitrary: FastCheck.constantFrom(...odd) })
    return FastCheck.array(rowOf(some), { minLength: least, maxLength: most })
  })

const settings = {
  operation: FastCheck.oneof({ weight: 5, arbitrary: FastCheck.constant<Operation>("enroll") }, {
    weight: 1,
    arbitrary: FastCheck.constant<Operation>("unenroll")
  }),
  cycles: FastCheck.constantFrom("onwards" as const, "perPeriod" as const),
  lanes: FastCheck.constantFrom(1, 4, 16),
  chunkSize: FastCheck.constantFrom(20, 100, 500),
  concurrency: FastCheck.constantFrom<number | "auto">(4, 8, 16, "auto"),
  callsPerSecond: FastCheck.constantFrom(null, null, null, null, 50, 200),
  perMinute: FastCheck.constantFrom(null, null, null, null, 300, 1000),
  latencyMillis: FastCheck.constantFrom(0, 5, 50),
  statementMillis: FastCheck.constantFrom(0, 2, 20)
}

/** How many replicas work on the runs: so many in each, or one process after another in all but some. */
export type Replicas = number | "mixed"

/** One seed in so many has several replicas, where the seed decides. */
const mixedEvery = 4

/** Every second silence ends just as others take over: that is when most can go wrong. */
const timed = (disturbance: Disturbance, lifetimeMillis: number): Disturbance =>
  disturbance.millis % 2 === 0 ? disturbance : { ...disturbance, millis: lifetimeMillis + disturbance.millis % Math.ceil(lifetimeMillis / 2) }

/** The plan of a seed with several replicas, made of one without. */
const inFleet = (plan: Plan, wanted: number | null): Plan => {
  const [settings] = FastCheck.sample(FastCheck.record(together), { seed: plan.seed, numRuns: 1 })
  if (settings === undefined) throw new Error("a seed has no plan")
  const { disturbances, lifetimeMillis, replicas, ...others } = settings
  const fleet = { replicas: wanted ?? replicas, lifetimeMillis, disturbances: disturbances.map((one) => timed(one, lifetimeMillis)) }
  return { ...plan, ...others, owner: "fibers", endings: [], fleet }
}

/** The plan of a seed, with so many rows; lanes that are asked for belong to one process. */
export const make = (seed: number, records: number, owner?: Plan["owner"], replicas: Replicas = 1): Plan => {
  const plan = alone(seed, records, owner)
  if (replicas === "mixed") return owner === undefined && seed % mixedEvery === 0 ? inFleet(plan, null) : plan
  return replicas === 1 ? plan : inFleet(plan, replicas)
}

/** The plan of a seed for one process after another. */
const alone = (seed: number, records: number, owner?: Plan["owner"]): Plan => {
  const arbitrary = FastCheck.record({
    ...settings,
    // Messages cost several times what fibers do: some of the runs have them, so that many runs can be had.
    owner: owner === undefined
      ? FastCheck.oneof({ weight: 9, arbitrary: FastCheck.constant("fibers" as const) }, { weight: 1, arbitrary: FastCheck.constant("cluster" as const) })
      : FastCheck.constant(owner),
    rows: rows(records, records),
    faults: FastCheck.array(fault, { maxLength: 5 }),
    endings: FastCheck.array(ending, { maxLength: 3 })
  })
  const [plan] = FastCheck.sample(arbitrary, { seed, numRuns: 1 })
  if (plan === undefined) throw new Error("a seed has no plan")
  return { ...plan, seed, fleet: null }
}

const some = <A>(all: ReadonlyArray<A>): FastCheck.Arbitrary<ReadonlyArray<A>> =>
  all.length === 0 ? FastCheck.constant([]) : FastCheck.array(FastCheck.constantFrom(...all), { maxLength: all.length })

/** Plans like this one, for what makes it smaller. */
export const around = (plan: Plan): FastCheck.Arbitrary<Plan> =>
  FastCheck.record({
    seed: FastCheck.constant(plan.seed),
    operation: FastCheck.constant(plan.operation),
    cycles: FastCheck.constant(plan.cycles),
    owner: FastCheck.constant(plan.owner),
    lanes: FastCheck.constant(plan.lanes),
    chunkSize: FastCheck.constant(plan.chunkSize),
    concurrency: FastCheck.constant(plan.concurrency),
    callsPerSecond: FastCheck.constant(plan.callsPerSecond),
    perMinute: FastCheck.constant(plan.perMinute),
    latencyMillis: FastCheck.constant(plan.latencyMillis),
    statementMillis: FastCheck.constant(plan.statementMillis),
    endings: some(plan.endings),
    fleet: plan.fleet === null ? FastCheck.constant(null) : FastCheck.record({
      replicas: FastCheck.constant(plan.fleet.replicas),
      lifetimeMillis: FastCheck.constant(plan.fleet.lifetimeMillis),
      disturbances: some(plan.fleet.disturbances)
    }),
    faults: some(plan.faults),
    rows: some(plan.rows)
  })

