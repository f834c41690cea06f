/** The file in which results are kept from one run to the next, section by section. */
import { readFileSync, writeFileSync } from "node:fs"
import type { Results } from "./Results.js"

/** Four significant digits: what lies beyond is noise, and would change on every line. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value

/** The document that is kept. */
export const toJson = (results: Results): string => `${JSON.stringify(results, rounded, 2)}\n`

/** What is kept. */
export const read = (file: URL): Results => {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Results
  } catch {
    return {}
  }
}

/** Puts new sections into the file in the place of old ones; the others stay. */
export const keep = (file: URL, sections: Results): void => {
  const { bulk, capacity, enroll, memory, proxy, replicas, simulator, start } = { ...read(file), ...sections }
  writeFileSync(
    file,
    toJson({
      ...(enroll === undefined ? {} : { enroll }),
      ...(start === undefined ? {} : { start }),
      ...(bulk === undefined ? {} : { bulk }),
      ...(memory === undefined ? {} : { memory }),
      ...(simulator === undefined ? {} : { simulator }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(replicas === undefined ? {} : { replicas }),
      ...(capacity === undefined ? {} : { capacity })
    })
  )
}
