/** What an upload is asked to be: the form's fields as query parameters, and its file as a type. */

/** The form's fields, as they were typed. */
export interface Fields {
  readonly org: string
  readonly operation: string
  readonly name: string
  readonly group: string
  readonly target: string
  /** One a line. */
  readonly periods: string
  readonly initialBalance: string
  readonly resetStreak: string
  readonly rate: string
}

/** The type that a file's name says; what says nothing is taken for CSV. */
export const typeOf = (fileName: string): "application/x-ndjson" | "text/csv" =>
  /\.(ndjson|jsonl)$/i.test(fileName) ? "application/x-ndjson" : "text/csv"

/** Why a file cannot be sent as it is; `null` where it can. */
export const refusal = (fileName: string, bytes: number): string | null => {
  if (bytes === 0) return "The file is empty."
  if (/\.gz$/i.test(fileName)) return "Unpack the file first: the service reads CSV and NDJSON as they are."
  return /\.(xlsx?|ods|numbers)$/i.test(fileName) ? "Export the spreadsheet as CSV (UTF-8) first." : null
}

const idName = /^[1-9]\d{0,15}$/

/** What is wrong with the fields, by field; the service has the last word. */
export const mistakes = (fields: Fields): Partial<Record<keyof Fields, string>> => ({
  ...(fields.group !== "" && !idName.test(fields.group) ? { group: "A target group's id is a whole number." } : {}),
  ...(fields.target !== "" && !idName.test(fields.target) ? { target: "A target's id is a whole number." } : {}),
  ...(fields.initialBalance !== "" && !/^([+-]?\d{1,16}|resume|null)$/i.test(fields.initialBalance)
    ? { initialBalance: "A whole number, or resume." }
    : {}),
  ...(fields.rate !== "" && !/^(auto|\d+(\.\d+)?\s*\/\s*(s|sec|m|min|h))$/i.test(fields.rate) ? { rate: "Such as 600/min or 10/s." } : {})
})

/** Query parameters of what was filled in. */
export const queryOf = (fields: Fields, dryRun: boolean): string => {
  const query = new URLSearchParams()
  const add = (name: string, value: string): void => {
    if (value !== "") query.append(name, value)
  }
  add("org", fields.org)
  add("operation", fields.operation)
  add("name", fields.name)
  add("group", fields.group)
  add("target", fields.target)
  for (const period of fields.periods.split("\n")) add("period", period.trim())
  add("initialBalance", fields.initialBalance)
  add("resetStreak", fields.resetStreak)
  add("rate", fields.rate.replaceAll(" ", ""))
  if (dryRun) query.append("dryRun", "true")
  return query.toString()
}

/** A name that this upload is known by, so that a second press does not make a second job. */
export const idempotencyKey = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`
}
