/** Amounts as people write them: durations, rates, counts. */
import * as Fuse from "./Fuse.js"
import * as Option from "effect/Option"

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 }

/** Reads `500ms`, `30s`, `2m` or `1h` as milliseconds, up to 24 hours; a bare number is seconds. */
export const durationMillis = (text: string): Option.Option<number> => {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|m|min|h)?$/.exec(text.trim())
  const millis = Number(match?.[1]) * (durationUnits[match?.[2] ?? "s"] ?? Number.NaN)
  return millis >= 1 && millis <= 86_400_000 ? Option.some(Math.round(millis)) : Option.none()
}

const rateUnits: Readonly<Record<string, number>> = { s: 1, sec: 1, m: 60, min: 60, h: 3600 }

/** Reads `600/min`, `10/s` or `36000/h` as calls a second; `auto` is `null`: no pace of ours. */
export const callsPerSecond = (text: string): Option.Option<number | null> => {
  const trimmed = text.trim().toLowerCase()
  if (trimmed === "auto") return Option.some(null)
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*\/\s*(s|sec|m|min|h)$/.exec(trimmed)
  const perSecond = Number(match?.[1]) / (rateUnits[match?.[2] ?? ""] ?? Number.NaN)
  return perSecond > 0 && perSecond <= 100_000 ? Option.some(perSecond) : Option.none()
}

/** Reads 1 to 1024 calls in flight, or `auto`: as many as the upstream answers well. */
export const concurrency = (text: string): Option.Option<number | "auto"> => {
  const trimmed = text.trim().toLowerCase()
  if (trimmed === "auto") return Option.some("auto")
  const value = /^\d{1,4}$/.test(trimmed) ? Number(trimmed) : 0
  return value >= 1 && value <= 1024 ? Option.some(value) : Option.none()
}

/** Reads how many failures are too many: a count such as `100`, or a percentage such as `5%`. */
export const maxErrors = (text: string): Option.Option<Fuse.MaxErrors> => {
  const [, digits, percent] = /^(\d{1,10}(?:\.\d{1,3})?)\s*(%?)$/.exec(text.trim()) ?? []
  const value = Number(digits)
  if (percent === "%" && value <= 100) {
    return Option.some({ _tag: "Percent", percent: value, minimumRecords: Fuse.minimumRecords })
  }
  return percent === "" && Number.isInteger(value) ? Option.some({ _tag: "Count", count: value }) : Option.none()
}
