/** One seed from its plan to its verdict, and the smallest plan that fails as it does. */
import * as FastCheck from "effect/FastCheck"
import type { Event } from "./Events.js"
import * as Invariants from "./Invariants.js"
import * as Plan from "./Plan.js"
import type { Plant } from "./Plant.js"
import * as Simulation from "./Simulation.js"
import { SimulatedDefect } from "./Stage.js"

/** What came of a plan. */
export interface Judgement {
  readonly plan: Plan.Plan
  readonly violations: ReadonlyArray<Invariants.Violation>
  readonly events: ReadonlyArray<Event>
  readonly calls: number
  readonly virtualMillis: number
}

/** A run goes from its first event to its last without one turn of the event loop: signals and timers come in between two. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Runs a plan and judges it; a defect is a verdict as well. */
export const of = async (plan: Plan.Plan, plant: Plant | null): Promise<Judgement> => {
  await breath()
  try {
    const simulated = await Simulation.run(plan, plant)
    const { calls, events, virtualMillis } = simulated
    return { plan, violations: Invariants.violations(simulated), events, calls: calls.length, virtualMillis }
  } catch (error) {
    if (!(error instanceof SimulatedDefect)) throw error
    const { calls, events, message, virtualMillis } = error
    return { plan, violations: [{ invariant: "no-defect", message }], events, calls, virtualMillis }
  }
}

/** Plans with the rows of the customer whom a message begins with, and ever more of the others. */
const withFewerRows = (plan: Plan.Plan, message: string): ReadonlyArray<Plan.Plan> =>
  [Number.POSITIVE_INFINITY, 16, 4].map((every) => ({
    ...plan,
    rows: plan.rows.filter((row, index) => message.startsWith(`${Plan.customerId(row)} `) || (index + 1) % every === 0)
  }))

/** The smallest plan found within so many milliseconds in which the same does not hold. */
export const shrunk = async (failed: Judgement, plant: Plant | null, withinMillis: number): Promise<Judgement> => {
  const wanted = failed.violations[0]?.invariant
  let smallest = failed
  const holds = async (plan: Plan.Plan): Promise<boolean> => {
    const judgement = await of(plan, plant)
    if (!judgement.violations.some(({ invariant }) => invariant === wanted)) return true
    smallest = judgement
    return false
  }
  for (const plan of withFewerRows(failed.plan, failed.violations[0]?.message ?? "")) {
    if (!(await holds(plan))) break
  }
  const { plan } = smallest
  await FastCheck.check(FastCheck.asyncProperty(Plan.around(plan), holds), {
    examples: [[plan]],
    numRuns: 1,
    interruptAfterTimeLimit: withinMillis
  })
  return smallest
}
