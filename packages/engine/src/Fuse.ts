/**
 * When to stop calling, by how much an answer condemns.
 *
 * An answer that condemns the organisation or everything stops the run at once. One that condemns a target group, a target
 * or a period does so when three different customers in a row have met it, without a success there between; the rest goes
 * on. Until somewhere a first call has succeeded, only three are out at a time: a mistake costs a handful of calls.
 */
import type * as Outcome from "@milepost/core/Outcome"
import type { Condemned, Request } from "@milepost/ledger/Entry"

/** What an outcome leads to. */
export type Verdict =
  | { readonly _tag: "Continue" }
  /** The run has to stop. */
  | { readonly _tag: "Stop"; readonly reason: "fuse" | "max-errors"; readonly message: string }
  /** What is still pending there is to be skipped. */
  | { readonly _tag: "Condemn"; readonly condemned: Condemned; readonly message: string }

/** How many failures are too many; a percentage counts only once there are some records to take it of. */
export type MaxErrors =
  | { readonly _tag: "Count"; readonly count: number }
  | { readonly _tag: "Percent"; readonly percent: number; readonly minimumRecords: number }

/** The fuse of one run. */
export interface Fuse {
  /** Whether a call may leave now; `false` while enough are out to a place that nobody knows to exist. */
  readonly enter: (request: Request) => boolean
  /** What has become of a call that entered. */
  readonly leave: (request: Request, outcome: Outcome.Outcome) => Verdict
  /** A call that entered was not made. */
  readonly giveUp: (request: Request) => void
  /** Why a record is not to be sent; `null` where it may be. */
  readonly condemnation: (request: Request) => string | null
}

const inARow = 3
const probes = 3

/** After so many answers without a condemnation a place is taken to exist. */
const provenBy = 10

/** How many records a percentage needs at least, unless told otherwise. */
export const minimumRecords = 100

const proceed: Verdict = { _tag: "Continue" }

interface Place {
  out: number
  answers: number
  isProven: boolean
  isCondemned: string | null
  /** Customers in a row that the place was condemned for. */
  readonly customers: Set<number>
}

type Radius = "group" | "target" | "period"

const radii: ReadonlyArray<Radius> = ["group", "target", "period"]

const periodOf = (request: Request): string | undefined => "periodName" in request ? request.periodName : undefined

const condemnedBy = (radius: Radius, request: Request): Condemned | null => {
  const { targetGroupId, targetId } = request
  if (radius === "group") return { targetGroupId }
  if (radius === "target") return { targetGroupId, targetId }
  const periodName = periodOf(request)
  return periodName === undefined ? null : { targetGroupId, periodName }
}

const radiusOf = (outcome: Outcome.Outcome): Radius | null =>
  outcome.outcome === "rejected" ? radii.find((radius) => radius === outcome.blastRadius) ?? null : null

const isSuccess = ({ outcome }: Outcome.Outcome): boolean =>
  outcome === "enrolled" || outcome === "unenrolled" || outcome === "already_enrolled"

/**
 * A fuse that has not seen anything yet.
 *
 * @example
 * ```ts
 * import { Fuse } from "@milepost/engine"
 *
 * const fuse = Fuse.make({ isArmed: true, maxErrors: { _tag: "Percent", percent: 5, minimumRecords: 100 } })
 * ```
 */
export const make = (options: { readonly isArmed: boolean; readonly maxErrors?: MaxErrors | null }): Fuse => {
  const maxErrors = options.maxErrors ?? null
  const known = new Map<number, { readonly group: Place; readonly targets: Map<number, Place>; readonly periods: Map<string, Place> }>()
  let records = 0
  let failures = 0

  const place = (): Place => ({ out: 0, answers: 0, isProven: false, isCondemned: null, customers: new Set() })

  const group = (id: number) => {
    const found = known.get(id)
    if (found !== undefined) return found
    const made = { group: place(), targets: new Map<number, Place>(), periods: new Map<string, Place>() }
    known.set(id, made)
    return made
  }

  const member = <K>(places: Map<K, Place>, key: K): Place => {
    const found = places.get(key)
    if (found !== undefined) return found
    const made = place()
    places.set(key, made)
    return made
  }

  const placesOf = (request: Request): ReadonlyArray<Place> => {
    const { group: wide, periods, targets } = group(request.targetGroupId)
    const target = member(targets, request.targetId)
    const periodName = periodOf(request)
    return periodName === undefined ? [wide, target] : [wide, target, member(periods, periodName)]
  }

  let latest: { readonly request: Request; readonly places: ReadonlyArray<Place> } | null = null

  /** The places that a request goes to, from wide to narrow: mostly the same as those of the request before. */
  const places = (request: Request): ReadonlyArray<Place> => {
    if (
      latest === null || latest.request.targetId !== request.targetId ||
      latest.request.targetGroupId !== request.targetGroupId || periodOf(latest.request) !== periodOf(request)
    ) latest = { request, places: placesOf(request) }
    return latest.places
  }

  const placeOf = (radius: Radius, request: Request): Place | undefined => places(request)[radii.indexOf(radius)]

  const tooMany = (): Verdict => {
    if (maxErrors === null) return proceed
    if (maxErrors._tag === "Count") {
      return failures > maxErrors.count
        ? { _tag: "Stop", reason: "max-errors", message: `${failures} records failed, more than ${maxErrors.count}` }
        : proceed
    }
    return records >= maxErrors.minimumRecords && failures * 100 > maxErrors.percent * records
      ? { _tag: "Stop", reason: "max-errors", message: `${failures} of ${records} records failed, more than ${maxErrors.percent} %` }
      : proceed
  }

  const judge = (request: Request, outcome: Outcome.Outcome): Verdict => {
    if (isSuccess(outcome)) {
      for (const met of places(request)) {
        met.isProven = true
        met.customers.clear()
      }
      return tooMany()
    }
    if (outcome.outcome !== "rejected") return tooMany()
    const message = `${outcome.code}: ${outcome.message}`
    if (options.isArmed && (outcome.blastRadius === "everything" || outcome.blastRadius === "org")) {
      return { _tag: "Stop", reason: "fuse", message }
    }
    const radius = radiusOf(outcome)
    const condemned = radius === null ? null : condemnedBy(radius, request)
    const met = radius === null ? undefined : placeOf(radius, request)
    if (!options.isArmed || met === undefined || condemned === null || met.isCondemned !== null) return tooMany()
    met.customers.add(request.customerId)
    if (met.customers.size < inARow) return tooMany()
    met.isCondemned = message
    return { _tag: "Condemn", condemned, message }
  }

  return {
    enter: (request) => {
      if (!options.isArmed) return true
      const met = places(request)
      if (met.some(({ isProven, out }) => !isProven && out >= probes)) return false
      for (const one of met) one.out += 1
      return true
    },
    leave: (request, outcome) => {
      records += 1
      if (outcome.outcome === "rejected") failures += 1
      if (options.isArmed) {
        const radius = radiusOf(outcome)
        for (const met of places(request)) {
          met.out -= 1
          if (radius !== null || met.isProven) continue
          met.answers += 1
          met.isProven = met.answers >= provenBy
        }
      }
      return judge(request, outcome)
    },
    giveUp: (request) => {
      if (options.isArmed) for (const met of places(request)) met.out -= 1
    },
    condemnation: (request) =>
      options.isArmed ? places(request).find(({ isCondemned }) => isCondemned !== null)?.isCondemned ?? null : null
  }
}
