/** From method and path to one of the upstream's three operations, below the base path that they were asked for at. */
import * as Ids from "@milepost/core/Ids"

/** An enrol or un-enrol call; an id that is none is `null`. */
export interface RecordCall {
  readonly _tag: "Record"
  readonly operation: "enroll" | "unenroll"
  readonly targetGroupId: number | null
  readonly targetId: number | null
}

/** A look-up; an id that is none is `null`. */
export interface LookUp {
  readonly _tag: "LookUp"
  readonly customerId: Ids.CustomerId | null
  readonly includeInactive: boolean | undefined
  readonly includeInactiveTargets: boolean | undefined
  readonly targetRuleId: number | null | undefined
}

/** What is asked for. */
export type Route = LookUp | RecordCall | { readonly _tag: "Refused"; readonly status: 404 } | {
  readonly _tag: "Refused"
  readonly status: 405
  readonly allow: string
}

const record = /^\/targetGroups\/([^/]+)\/targets\/([^/]+)\/(enroll|unEnroll)$/
const lookUp = /^\/users\/([^/]+)\/targetGroups$/

const canonical = /^[1-9]\d{0,15}$/

const idOf = (text: string | undefined): number | null => {
  const id = text !== undefined && canonical.test(text) ? Number(text) : Number.NaN
  return Ids.isId(id) ? id : null
}

const flag = (text: string | null): boolean | undefined => text === "true" ? true : text === "false" ? false : undefined

/** What is asked for; the path is from the base path on, with its query. */
export const of = (method: string, target: string): Route => {
  const mark = target.indexOf("?")
  const path = mark === -1 ? target : target.slice(0, mark)
  const call = record.exec(path)
  if (call !== null) {
    return method === "POST"
      ? { _tag: "Record", operation: call[3] === "enroll" ? "enroll" : "unenroll", targetGroupId: idOf(call[1]), targetId: idOf(call[2]) }
      : { _tag: "Refused", status: 405, allow: "POST" }
  }
  const customer = lookUp.exec(path)
  if (customer === null) return { _tag: "Refused", status: 404 }
  if (method !== "GET") return { _tag: "Refused", status: 405, allow: "GET" }
  const query = new URLSearchParams(mark === -1 ? "" : target.slice(mark + 1))
  const targetRuleId = query.get("targetRuleId")
  return {
    _tag: "LookUp",
    customerId: idOf(customer[1]) as Ids.CustomerId | null,
    includeInactive: flag(query.get("includeInactive")),
    includeInactiveTargets: flag(query.get("includeInactiveTargets")),
    targetRuleId: targetRuleId === null || targetRuleId === "" ? undefined : idOf(targetRuleId)
  }
}

/** How metrics and logs name it: without ids. */
export const nameOf = (route: Route): string =>
  route._tag === "Record" ? route.operation : route._tag === "LookUp" ? "targetGroups" : "unknown"
