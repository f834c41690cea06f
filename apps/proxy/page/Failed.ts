/** The first failed records of a job: read from the stream of its results, and no further than they are shown. */
import * as Words from "./Words.js"

/** A record that is not done, and why. */
export interface Failed {
  readonly line: number
  /** What the input says where there is no id. */
  readonly customer: string
  readonly period: string
  readonly outcome: string
  readonly code: string
  readonly message: string
}

interface Document {
  readonly line: number
  readonly customerId: number | null
  readonly periodName: string | null
  readonly outcome: string
  readonly code?: number | string | null
  readonly message?: string
  readonly input: Readonly<Record<string, string>>
}

const inputOf = (input: Readonly<Record<string, string>>): string => {
  const named = Object.entries(input).find(([name]) => name.toLowerCase() === "customerid")?.[1]
  return Words.short(named ?? Object.values(input).join(", "))
}

/** A line of the results as it is shown. */
export const of = (line: string): Failed => {
  const { code, customerId, input, line: number, message, outcome, periodName } = JSON.parse(line) as Document
  return {
    line: number,
    customer: customerId === null ? inputOf(input) : String(customerId),
    period: periodName ?? "",
    outcome,
    code: code === null || code === undefined ? "" : String(code),
    message: message ?? ""
  }
}

/** The first lines of a stream; the rest is not read. */
export const firstLines = async (body: ReadableStream<Uint8Array>, most: number): Promise<ReadonlyArray<string>> => {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const lines: Array<string> = []
  let held = ""
  try {
    while (lines.length < most) {
      const { done, value } = await reader.read()
      held += done ? decoder.decode() : decoder.decode(value, { stream: true })
      const parts = held.split("\n")
      held = done ? "" : parts.pop() ?? ""
      lines.push(...parts.filter((part) => part !== ""))
      if (done) break
    }
  } finally {
    void reader.cancel().catch(() => undefined)
  }
  return lines.slice(0, most)
}
