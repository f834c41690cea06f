/**
 * Where the simulator would have answered a recording otherwise: by status, by code, and by the shape of the body.
 *
 * Values are not compared: they are of another world. `null` and an empty list fit any shape, because they tell none.
 */
import type * as Simulator from "@milepost/simulator/Simulator"
import * as Answered from "./Answered.js"
import * as Asked from "./Asked.js"
import type { Exchange } from "./Cassette.js"

/** One thing that differs. */
export interface Difference {
  readonly sequence: number
  readonly call: string
  readonly what: "status" | "code" | "shape"
  readonly recorded: string
  readonly simulated: string
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value)

type Unlike = readonly [path: string, recorded: string, simulated: string]

/** Where two shapes differ; personal data is left out of recordings, so nothing below `data.customer` counts. */
const shapes = (recorded: unknown, simulated: unknown, path: string): ReadonlyArray<Unlike> => {
  if (path === "data.customer" || recorded === null || simulated === null) return []
  if (Array.isArray(recorded) && Array.isArray(simulated)) {
    return recorded.length === 0 || simulated.length === 0 ? [] : shapes(recorded[0], simulated[0], `${path}[]`)
  }
  if (!isRecord(recorded) || !isRecord(simulated)) {
    return kindOf(recorded) === kindOf(simulated) ? [] : [[path, kindOf(recorded), kindOf(simulated)]]
  }
  return [...new Set([...Object.keys(recorded), ...Object.keys(simulated)])].flatMap((key): ReadonlyArray<Unlike> => {
    const own = path === "" ? key : `${path}.${key}`
    if (!(key in recorded)) return [[own, "nothing", kindOf(simulated[key])]]
    if (!(key in simulated)) return [[own, kindOf(recorded[key]), "nothing"]]
    return shapes(recorded[key], simulated[key], own)
  })
}

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** The calls that a simulator has a way to answer: a token proves somebody whom a recording must not know. */
const isComparable = ({ answer, asked: { body, operation } }: Exchange): boolean =>
  answer !== null && operation !== "token" && operation !== "other" && !(isRecord(body) && "unreadable" in body)

const unlike = (exchange: Exchange, simulated: Simulator.HttpAnswer): ReadonlyArray<Difference> => {
  const { answer, asked, sequence } = exchange
  if (answer === null) return []
  const of = (what: Difference["what"], recorded: string, other: string): Difference => ({
    sequence,
    call: Asked.wordsOf(asked),
    what,
    recorded,
    simulated: other
  })
  if (answer.status !== simulated.status) return [of("status", String(answer.status), String(simulated.status))]
  const body = parsed(simulated.body)
  const [code, simulatedCode] = [Answered.codeOf(answer.body), Answered.codeOf(body)]
  if (code !== simulatedCode) return [of("code", code === null ? "accepted" : String(code), simulatedCode === null ? "accepted" : String(simulatedCode))]
  if (answer.omittedLength !== null) return [of("shape", "no JSON", "JSON")]
  // An error's body is the gateway's own where it is no envelope; that is not documented, and not compared.
  return answer.status >= 300 ? [] : shapes(answer.body, body, "").map(([path, recorded, other]) => of("shape", `${path} is ${recorded}`, `${path} is ${other}`))
}

const callerOf = (scope: string | null): Simulator.CallerOptions => {
  const [dataScope, dataScopeOrg] = (scope ?? "").split(" ")
  return { dataScope: dataScope === "" ? undefined : dataScope, dataScopeOrg }
}

/** Asks a simulator everything that was recorded, one after another, as its world's first till. */
export const against = (
  simulator: Simulator.Service,
  exchanges: ReadonlyArray<Exchange>
): { readonly compared: number; readonly differences: ReadonlyArray<Difference> } => {
  const comparable = exchanges.filter(isComparable)
  const differences = comparable.flatMap((exchange) => {
    const { body, method, path, scope } = exchange.asked
    const begun = simulator.unsafeBeginAs(callerOf(scope), { method, path, body: body === null ? null : JSON.stringify(body) })
    begun.release()
    return unlike(exchange, begun.answer)
  })
  return { compared: comparable.length, differences }
}

/** A difference as a line. */
export const line = ({ call, recorded, sequence, simulated, what }: Difference): string =>
  `#${sequence} ${call}\n       ${what}: recorded ${recorded}, the simulator says ${simulated}`
