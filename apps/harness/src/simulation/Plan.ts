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

/** The plan of a seed, with so many rows. */
export const make = (seed: number, records: number, owner?: Plan["owner"]): Plan => {
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
  return { ...plan, seed }
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
    faults: some(plan.faults),
    rows: some(plan.rows)
  })

