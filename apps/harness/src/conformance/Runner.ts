/** Runs conformance cases and says how each ended; where a case gets its world and its transport from is decided outside. */
import * as Conformance from "@milepost/simulator/Conformance"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Verdict } from "./Verdict.js"

/** A case that is not run, and why. */
export interface Skipped {
  readonly reason: string
}

type Verdicts<E> = Effect.Effect<ReadonlyArray<Verdict>, E>

const told = ({ id, name, source }: Conformance.Case) => ({ id, title: name, source })

/** A case to its end; what goes wrong around it, not in it, is the caller's. */
const verdict = <E>(
  one: Conformance.Case,
  run: Effect.Effect<void, Conformance.ConformanceFailure | E>
): Effect.Effect<Verdict, E> =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeMillis
    const failure = yield* run.pipe(
      Effect.as(null),
      Effect.catchAll((error) => error instanceof Conformance.ConformanceFailure ? Effect.succeed(error) : Effect.fail(error))
    )
    const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
    return failure === null
      ? { ...told(one), outcome: "passed", seconds }
      : { ...told(one), outcome: "failed", step: failure.step, expected: failure.expected, actual: failure.actual, seconds }
  })

/** Runs cases, `concurrency` at once; `prepare` gives a case its way to run, or says why there is none. */
export const run = <E>(
  cases: ReadonlyArray<Conformance.Case>,
  prepare: (one: Conformance.Case) => Effect.Effect<void, Conformance.ConformanceFailure | E> | Skipped,
  concurrency: number
): Verdicts<E> =>
  Effect.forEach(cases, (one) => {
    const prepared = prepare(one)
    return Effect.isEffect(prepared)
      ? verdict(one, prepared)
      : Effect.succeed<Verdict>({ ...told(one), outcome: "skipped", reason: prepared.reason, seconds: 0 })
  }, { concurrency })

