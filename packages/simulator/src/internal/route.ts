/**
 * From method and path to what is asked for; paths are from the base path on.
 */
import * as Ids from "@milepost/core/Ids"
import type { Operation } from "../Journal.js"

/** What the look-up was asked to list. */
export interface Filters {
  readonly includeInactive: boolean
  readonly includeInactiveTargets: boolean
  /** `undefined`: all; `null`: not an id. */
  readonly targetRuleId: number | null | undefined
}

/** What is asked for; an id that is none is `null`. */
export interface Route {
  readonly operation: Operation
  readonly refusal: 404 | 405 | null
  readonly targetGroupId: number | null
  readonly targetId: number | null
  readonly customerId: number | null
  readonly filters: Filters | null
}

const refused = (operation: Operation, refusal: 404 | 405): Route => ({
  operation,
  refusal,
  targetGroupId: null,
  targetId: null,
  customerId: null,
  filters: null
})

const unknown = refused("other", 404)

const idOf = (text: string | undefined): number | null => {
  const id = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Ids.isId(id) ? id : null
}

const record = /^\/targetGroups\/([^/]+)\/targets\/([^/]+)\/(enroll|unEnroll)$/
const lookUp = /^\/users\/([^/]+)\/targetGroups$/

/** What is asked for. */
export const of = (method: string, target: string): Route => {
  const mark = target.indexOf("?")
  const path = mark === -1 ? target : target.slice(0, mark)
  const call = record.exec(path)
  if (call !== null) {
    const operation = call[3] === "enroll" ? "enroll" : "unenroll"
    if (method !== "POST") return refused(operation, 405)
    return {
      operation,
      refusal: null,
      targetGroupId: idOf(call[1]),
      targetId: idOf(call[2]),
      customerId: null,
      filters: null
    }
  }
  const customer = lookUp.exec(path)
  if (customer === null) return unknown
  if (method !== "GET") return refused("targetGroups", 405)
  const query = new Map(
    (mark === -1 ? "" : target.slice(mark + 1)).split("&").map((pair): [string, string] => {
      const equals = pair.indexOf("=")
      return equals === -1 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)]
    })
  )
  const targetRuleId = query.get("targetRuleId") ?? ""
  return {
    operation: "targetGroups",
    refusal: null,
    targetGroupId: null,
    targetId: null,
    customerId: idOf(customer[1]),
    filters: {
      includeInactive: query.get("includeInactive") === "true",
      includeInactiveTargets: query.get("includeInactiveTargets") === "true",
      targetRuleId: targetRuleId === "" ? undefined : idOf(targetRuleId)
    }
  }
}
