/** How a case ended, and what is made of all of them: for people, as JSON, as JUnit. */

/** How one case ended. */
export interface Verdict {
  readonly id: string
  readonly title: string
  /** Where the case comes from. */
  readonly source: string
  readonly outcome: "passed" | "failed" | "skipped"
  /** Of a failed case: the step that went wrong, and the two that should have been the same. */
  readonly step?: string
  readonly expected?: string
  readonly actual?: string
  /** Of a skipped case: why. */
  readonly reason?: string
  readonly seconds: number
}

/** A whole run. */
export interface Report {
  readonly against: string
  readonly baseUrl: string
  readonly cases: ReadonlyArray<Verdict>
  /** What could not be cleaned up. */
  readonly leftBehind: ReadonlyArray<string>
}

/** How many cases ended how. */
export const counts = ({ cases }: Report): Readonly<Record<Verdict["outcome"], number>> => {
  const of = (outcome: Verdict["outcome"]): number => cases.filter((one) => one.outcome === outcome).length
  return { passed: of("passed"), failed: of("failed"), skipped: of("skipped") }
}

/** Whether nothing went wrong, and nothing is left behind. */
export const isGreen = (report: Report): boolean => counts(report).failed === 0 && report.leftBehind.length === 0

const words = { passed: "ok  ", failed: "FAIL", skipped: "skip" } as const

const linesOf = (verdict: Verdict): ReadonlyArray<string> => [
  `${words[verdict.outcome]} ${verdict.id.padEnd(22)} ${verdict.title} (${verdict.source})`,
  ...(verdict.outcome === "failed"
    ? [`       ${verdict.step ?? ""}`, `       - expected  ${verdict.expected ?? ""}`, `       + got       ${verdict.actual ?? ""}`]
    : verdict.outcome === "skipped"
    ? [`       ${verdict.reason ?? ""}`]
    : [])
]

/** For people: a line a case, and the difference where one is red. */
export const forPeople = (report: Report): string => {
  const { failed, passed, skipped } = counts(report)
  return [
    ...report.cases.flatMap(linesOf),
    ...report.leftBehind.map((line) => `LEFT BEHIND: ${line}`),
    "",
    `${passed} passed, ${failed} failed, ${skipped} skipped against the ${report.against} at ${report.baseUrl}`
  ].join("\n")
}

/** One JSON document. */
export const asJson = (report: Report): string => JSON.stringify({ ...report, counts: counts(report), green: isGreen(report) })

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" }

/** Text as XML takes it; characters that XML has no way to write become a question mark. */
const escaped = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- the control characters are what is looked for
  text.replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "?").replace(/[&<>"]/g, (character) => entities[character] ?? character)

const testCase = ({ actual, expected, id, outcome, reason, seconds, source, step, title }: Verdict): string => {
  const head = `    <testcase classname="${escaped(id)}" name="${escaped(title)}" time="${seconds.toFixed(3)}"`
  if (outcome === "passed") return `${head}/>`
  const inside = outcome === "skipped"
    ? `<skipped message="${escaped(reason ?? "")}"/>`
    : `<failure message="${escaped(`${step}: expected ${expected}, got ${actual}`)}">${escaped(source)}</failure>`
  return `${head}>${inside}</testcase>`
}

/** JUnit's XML, as build servers read it. */
export const asJunit = (report: Report): string => {
  const { failed, skipped } = counts(report)
  const seconds = report.cases.reduce((sum, one) => sum + one.seconds, 0).toFixed(3)
  const attributes = `tests="${report.cases.length}" failures="${failed}" skipped="${skipped}" errors="0" time="${seconds}"`
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites ${attributes}>`,
    `  <testsuite name="milepost conformance: ${escaped(report.against)}" ${attributes}>`,
    ...report.cases.map(testCase),
    `  </testsuite>`,
    `</testsuites>`,
    ""
  ].join("\n")
}
