/**
 * An answer as a cassette keeps it: status, code and shape, without secrets and without anything of `data.customer`.
 *
 * What is documented is kept by an allow-list of keys; of everything else only its shape is kept. Texts that people write,
 * as in an error's message, are scrubbed of what this very exchange showed to be secret or personal.
 */
import type { Json, Operation } from "./Asked.js"

/** An answer. */
export interface Answered {
  readonly status: number
  readonly contentType: string | null
  readonly retryAfter: string | null
  /** The redacted body, `null` where there was none or it was not JSON. */
  readonly body: Json
  /** Of a body that was not JSON and is not kept: how long it was, in characters. */
  readonly omittedLength: number | null
}

/** The token that every recorded token becomes. */
export const recordedToken = "recorded-token"

type Record_ = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Record_ => typeof value === "object" && value !== null && !Array.isArray(value)

/** The shape of a value, and nothing of it. */
const masked = (value: unknown): Json => {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return value.slice(0, 1).map(masked)
  if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, masked(inner)]))
  return typeof value === "number" ? 0 : typeof value === "boolean" ? false : "[redacted]"
}

/** The documented keys of the look-up (`docs/upstream.md`, *Look-up*): none of them tells who somebody is. */
const groupKeys = new Set(["id", "name", "orgId", "trackingType", "targetEvaluationType"])
const words = (text: string): ReadonlySet<string> => new Set(text.split(" "))
const targetKeys = words(
  "targetId periodId periodRefCode periodStartDate periodEndDate targetValue targetAchievedValue targetName targetType targetEntity " +
    "targetRuleId enrolledOn eventName periodStartDateWithTimeStamp periodEndDateWithTimeStamp targetAchievedDateTime currentPeriod milestones"
)
const streakKeys = words("userStreakId streakId streakName status currentCount totalTargetCountOfSequence streakAchievedDateTime")

type Scrub = (text: string) => string

const known = (value: unknown, scrub: Scrub): Json =>
  typeof value === "string"
    ? scrub(value)
    : value === null || typeof value === "number" || typeof value === "boolean"
    ? value
    : masked(value)

const picked = (value: unknown, keys: ReadonlySet<string>, scrub: Scrub, inner: Readonly<Record<string, (value: unknown) => Json>> = {}): Json =>
  isRecord(value)
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inner[key]?.(one) ?? (keys.has(key) ? known(one, scrub) : masked(one))]))
    : masked(value)

const each = (value: unknown, one: (value: unknown) => Json): Json => (Array.isArray(value) ? value.map(one) : masked(value))

const groupOf = (scrub: Scrub) => (value: unknown): Json =>
  picked(value, groupKeys, scrub, {
    targets: (targets) => each(targets, (target) => picked(target, targetKeys, scrub)),
    streaks: (streaks) => each(streaks, (streak) => picked(streak, streakKeys, scrub))
  })

const dataOf = (operation: Operation, data: unknown, scrub: Scrub): Json => {
  if (data === null || data === undefined) return null
  if (operation === "token") return picked(data, new Set(["ttlSeconds"]), scrub, { accessToken: () => recordedToken })
  if (operation === "targetGroups" && isRecord(data)) {
    return picked(data, new Set(), scrub, {
      customer: () => ({}),
      targetGroups: (groups) => each(groups, groupOf(scrub))
    })
  }
  return typeof data === "number" ? data : masked(data)
}

const noticeKeys = new Set(["code", "message", "status"])

/** Every text inside a value that is long enough to be recognised again. */
const textsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? value.length >= 3 ? [value] : []
    : Array.isArray(value)
    ? value.flatMap(textsIn)
    : isRecord(value)
    ? Object.values(value).flatMap(textsIn)
    : typeof value === "number" && value >= 1000
    ? [String(value)]
    : []

/** Replaces what is known to be secret or personal, then what looks like an address or a long number. */
const scrubber = (hidden: ReadonlyArray<string>): Scrub => {
  const longestFirst = [...new Set(hidden)].filter((text) => text.length >= 3).sort((a, b) => b.length - a.length)
  return (text) => longestFirst.reduce((rest, secret) => rest.split(secret).join("[redacted]"), text)
}

/** What looks like an address, a telephone number, or a word too long to be one. */
const suspect = (text: string): string =>
  text
    .replace(/[^\s@"'<>]+@[^\s@"'<>]+/g, "[redacted]")
    .replace(/\+?\d[\d ().-]{6,}\d/g, "[redacted]")
    .replace(/[A-Za-z0-9+/_=-]{24,}/g, "[redacted]")

/** The same value with what is secret taken out of its texts. */
export const without = (secrets: ReadonlyArray<string>, value: Json): Json => {
  const scrub = scrubber(secrets)
  const inside = (one: Json): Json =>
    typeof one === "string"
      ? scrub(one)
      : isList(one)
      ? one.map(inside)
      : typeof one === "object" && one !== null
      ? Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, inside(inner)]))
      : one
  return inside(value)
}

const isList = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

/** The answer as it may be kept. `secrets` are what the call proved itself with. */
export const of = (
  operation: Operation,
  answer: { readonly status: number; readonly contentType: string | null; readonly retryAfter: string | null; readonly body: string },
  secrets: ReadonlyArray<string>
): Answered => {
  const { contentType, retryAfter, status } = answer
  const kept = {
    status,
    contentType: contentType === null ? null : /^[\w/+.-]{1,80}/.exec(contentType)?.[0] ?? null,
    retryAfter: retryAfter === null ? null : /^[\w:, -]{1,40}$/.exec(retryAfter)?.[0] ?? null
  }
  let json: unknown
  try {
    json = JSON.parse(answer.body)
  } catch {
    return { ...kept, body: null, omittedLength: answer.body.length === 0 ? null : answer.body.length }
  }
  if (!isRecord(json) || operation === "other") return { ...kept, body: masked(json), omittedLength: null }
  const person = isRecord(json["data"]) ? textsIn(json["data"]["customer"]) : []
  const scrub = scrubber([...secrets, ...person])
  const notices = (value: unknown): Json =>
    value === null ? null : each(value, (notice) => picked(notice, noticeKeys, (text) => suspect(scrub(text))))
  return {
    ...kept,
    body: picked(json, noticeKeys, (text) => suspect(scrub(text)), {
      data: (data) => dataOf(operation, data, scrub),
      errors: notices,
      warnings: notices
    }),
    omittedLength: null
  }
}

/** The code of the first error of a body. */
export const codeOf = (body: unknown): number | null => {
  const errors = isRecord(body) && Array.isArray(body["errors"]) ? body["errors"] : []
  const [first]: ReadonlyArray<unknown> = errors
  const code = isRecord(first) ? Number(first["code"]) : Number.NaN
  return Number.isNaN(code) ? null : code
}
