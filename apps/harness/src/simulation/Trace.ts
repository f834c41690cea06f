/** What happened in a run, line by line, for a person who looks for the reason. */
import type { Call, Event, Trouble } from "./Events.js"
import { startMillis } from "./Machine.js"
import type { Disturbance, Plan } from "./Plan.js"

const answerOf = ({ answer }: Call): string =>
  answer === null ? "nothing" : answer._tag === "Lost" ? answer.why : [answer.status, answer.code].filter((word) => word !== null).join(" ")

const troubles: Readonly<Record<Trouble, string>> = {
  killed: "is killed",
  frozen: "is frozen",
  cutOff: "does not reach the database",
  outage: "do not reach the database",
  lostAnswer: "is not going to hear of its next statement"
}

const told = (event: Event): string => {
  switch (event._tag) {
    case "Sitting":
      return `sitting ${event.sitting} begins`
    case "Sent":
      return `sent      ${event.call.key}, by ${event.call.process}`
    case "Arrived":
      return `arrived   ${event.call.key}: ${event.says}`
    case "Heard":
      return `heard     ${event.call.key}: ${answerOf(event.call)}`
    case "Claimed":
      return `claimed   in lane ${event.lane} by ${event.process}: ${event.records.join(", ")}`
    case "Settled":
      return `settled   by ${event.process}: ${[
        ...event.outcomes.map(({ key, outcome }) => `${key}: ${outcome}`),
        ...event.ignored.map((key) => `${key}: ignored`)
      ].join(", ")}`
    case "Reclaimed":
      return `reclaimed ${event.records} records${event.lanes === null ? "" : ` of lanes ${event.lanes.join(", ")}`} by ${event.process}`
    case "Released":
      return `released  ${event.records} records by ${event.process}`
    case "Cancelled":
      return `sitting ${event.sitting} is cancelled`
    case "Killed":
      return `sitting ${event.sitting} is killed at its point ${event.point}`
    case "Joined":
      return `replica ${event.process} comes`
    case "Left":
      return `replica ${event.process} has gone`
    case "Troubled": {
      const who = event.process === null ? "all replicas" : `replica ${event.process}`
      return `${who} ${troubles[event.what]}${event.forMillis === null ? "" : ` for ${event.forMillis / 1000} s`}`
    }
    case "Woke":
      return `replica ${event.process} wakes up`
    case "Lane":
      return `lane ${event.lane} is ${event.what} by ${event.process}`
    case "Ended":
      return `the run is ${event.state}${event.why === null ? "" : `: ${event.why}`}`
  }
}

const mentions = (event: Event, customer: string): boolean => {
  switch (event._tag) {
    case "Sent":
    case "Arrived":
    case "Heard":
      return String(event.call.customerId) === customer
    case "Claimed":
      return event.records.some((key) => key.startsWith(`${customer} `))
    case "Settled":
      return [...event.outcomes.map(({ key }) => key), ...event.ignored].some((key) => key.startsWith(`${customer} `))
    default:
      return true
  }
}

/** What concerns the customer whom a message begins with, and the run as a whole; everything, where it names none. */
export const about = (events: ReadonlyArray<Event>, message: string): ReadonlyArray<Event> => {
  const [, customer] = /^(\d+) /.exec(message) ?? []
  return customer === undefined ? events : events.filter((event) => mentions(event, customer))
}

/** A line for each event, with its moment from the start. */
export const lines = (events: ReadonlyArray<Event>): ReadonlyArray<string> =>
  events.map((event) => `${((event.atMillis - startMillis) / 1000).toFixed(3).padStart(10)} s  ${told(event)}`)

const disturbed = ({ kind, millis, permille, which }: Disturbance): string =>
  `${kind} at ${permille / 10} % (${which === null ? "who is at it" : `number ${which}`}, ${millis / 1000} s)`

/** A plan in a few lines. */
export const planned = (plan: Plan): ReadonlyArray<string> => {
  const { endings, faults, fleet, rows, ...settings } = plan
  return [
    Object.entries(settings).map(([name, value]) => `${name} ${String(value)}`).join(", "),
    `${rows.length} rows: ${rows.slice(0, 12).map(({ customer, place }) => `${customer} ${place}`).join(", ")}${rows.length > 12 ? ", …" : ""}`,
    `faults: ${faults.length === 0 ? "none" : faults.map((fault) => JSON.stringify(fault)).join(" ")}`,
    fleet === null
      ? `endings: ${endings.length === 0 ? "none" : endings.map(({ kind, permille }) => `${kind} at ${permille / 10} %`).join(", ")}`
      : `${fleet.replicas} replicas, leases of ${fleet.lifetimeMillis / 1000} s: ${fleet.disturbances.length === 0 ? "undisturbed" : fleet.disturbances.map(disturbed).join(", ")}`
  ]
}
