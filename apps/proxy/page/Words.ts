/** Numbers, times and states as people read them. */
import type { Job } from "./Client.js"

const numbers = new Intl.NumberFormat("en")
const moments = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" })

/** A count with its thousands apart. */
export const count = (value: number): string => numbers.format(value)

/** A count and its noun. */
export const counted = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`

/** A share of a whole, never 0 % or 100 % of what is not nothing or all. */
export const percent = (part: number, whole: number): string => {
  if (whole === 0 || part === 0) return "0 %"
  if (part >= whole) return "100 %"
  const share = part * 100 / whole
  if (share < 0.1) return "< 0.1 %"
  return share > 99.9 ? "> 99.9 %" : `${share < 10 ? share.toFixed(1) : Math.min(99, Math.round(share))} %`
}

/** A span of time in its two largest units. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(whole / 60)
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  const hours = Math.round(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Calls a second, or a minute where they are few. */
export const rate = (callsPerSecond: number): string => {
  if (callsPerSecond >= 10) return `${count(Math.round(callsPerSecond))}/s`
  if (callsPerSecond >= 1) return `${Math.round(callsPerSecond * 10) / 10}/s`
  return callsPerSecond === 0 ? "0/s" : `${Math.round(callsPerSecond * 600) / 10}/min`
}

/** A size in bytes. */
export const size = (bytes: number): string => {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

const longest = 60

/** A text that may be as long as somebody made it, as long as there is room for. */
export const short = (text: string): string => text.length > longest ? `${text.slice(0, longest)}…` : text

/** A moment where this browser is. */
export const moment = (iso: string): string => moments.format(new Date(iso))

/** What a state means to whoever reads it. */
export const states: Readonly<Record<Job["state"], string>> = {
  importing: "storing",
  queued: "queued",
  running: "running",
  paused: "paused",
  finished: "finished",
  stopped: "stopped",
  cancelled: "cancelled"
}
