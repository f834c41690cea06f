/**
 * A call as a cassette keeps it: which operation, where, with what record, and nothing of who called.
 *
 * Everything here is an allow-list. What is not known to be harmless is left out, on recording and on replaying alike, so
 * that the two still meet.
 */

/** What a call was for; `other` is a path that nobody knows. */
export type Operation = "enroll" | "unenroll" | "targetGroups" | "token" | "other"

/** A value of JSON. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** What was asked. */
export interface Asked {
  readonly operation: Operation
  readonly method: string
  /** From the base path on; with those parameters of the query that are known, in the order of their names. */
  readonly path: string
  /** `DATA-SCOPE` and `DATA-SCOPE-ORG`, e.g. `OTHER 101`; `null` where there was none. */
  readonly scope: string | null
  /** The records; `{"unreadable": 17}` for so many characters that are no records, `null` where there was no body. */
  readonly body: Json
}

const record = /\/targetGroups\/([^/]+)\/targets\/([^/]+)\/(enroll|unEnroll)$/
const lookUp = /\/users\/([^/]+)\/targetGroups$/
const tokenPath = "/v3/oauth/token/generate"

const parameters = new Set(["includeInactive", "includeInactiveTargets", "targetRuleId"])

const isWord = (text: string): boolean => /^[A-Za-z0-9_.-]{1,40}$/.test(text)

/** An id of a path; anything else could be anything. */
const idOf = (text: string | undefined): string => (text !== undefined && /^\d{1,20}$/.test(text) ? text : "-")

const queryOf = (text: string): string => {
  const known = [...new URLSearchParams(text)].filter(([name, value]) => parameters.has(name) && isWord(value)).sort(([a], [b]) => (a < b ? -1 : 1))
  return known.length === 0 ? "" : `?${known.map(([name, value]) => `${name}=${value}`).join("&")}`
}

const fields = ["customerId", "periodName", "initialBalance", "resetStreakStatus"]

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value)

const plain = (value: unknown): Json =>
  value === null || typeof value === "number" || typeof value === "boolean" ? value : typeof value === "string" ? value.slice(0, 200) : "[redacted]"

const recordsIn = (body: string): Json => {
  try {
    const json: unknown = JSON.parse(body)
    if (!Array.isArray(json) || !json.every(isRecord)) return { unreadable: body.length }
    return json.map((one) => Object.fromEntries(fields.filter((field) => field in one).map((field) => [field, plain(one[field])])))
  } catch {
    return { unreadable: body.length }
  }
}

const scopeOf = (headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>): string | null => {
  const words = [headers["data-scope"], headers["data-scope-org"]].filter((word): word is string => typeof word === "string" && /^[\w, -]{1,60}$/.test(word))
  return words.length === 0 ? null : words.join(" ")
}

/** What a call asks, as far as a cassette may know it. */
export const of = (
  method: string,
  target: string,
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>,
  body: string
): Asked => {
  const mark = target.indexOf("?")
  const [path, query] = mark === -1 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)]
  const scope = scopeOf(headers)
  const call = record.exec(path)
  if (call !== null) {
    const [, group, target_, verb = ""] = call
    return {
      operation: verb === "enroll" ? "enroll" : "unenroll",
      method,
      path: `/targetGroups/${idOf(group)}/targets/${idOf(target_)}/${verb}`,
      scope,
      body: body === "" ? null : recordsIn(body)
    }
  }
  const customer = lookUp.exec(path)
  if (customer !== null) {
    return { operation: "targetGroups", method, path: `/users/${idOf(customer[1])}/targetGroups${queryOf(query)}`, scope, body: null }
  }
  // Key and secret are not kept in any form: one token is like another.
  if (path === tokenPath) return { operation: "token", method, path, scope: null, body: null }
  return { operation: "other", method, path: "/", scope: null, body: null }
}

/** Two calls with the same key are the same call. */
export const keyOf = ({ body, method, operation, path, scope }: Asked): string => JSON.stringify([operation, method, path, scope, body])

/** A call in a few words. */
export const wordsOf = ({ body, method, operation, path }: Asked): string =>
  body === null ? `${operation} ${method} ${path}` : `${operation} ${method} ${path} ${JSON.stringify(body)}`
