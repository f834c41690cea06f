import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { EnrollmentSuite } from "../test/EnrollmentSuite.js"
import * as Conformance from "./Conformance.js"
import * as Rules from "./Rules.js"
import * as Simulator from "./Simulator.js"
import * as SimulatorTransport from "./SimulatorTransport.js"
import * as World from "./World.js"

EnrollmentSuite("the simulator in memory, a world for every case", (caller) =>
  Layer.provide(SimulatorTransport.layerWith(caller), Simulator.layer(World.conformance)))

const allAtOnce = (world: World.World) =>
  Effect.forEach(
    Conformance.cases,
    ({ caller, name, run }) =>
      Effect.either(Effect.provide(run, SimulatorTransport.layerWith(caller))).pipe(
        Effect.map((result) => (Either.isLeft(result) ? [{ name, message: result.left.message }] : []))
      ),
    { concurrency: "unbounded" }
  ).pipe(Effect.map((failures) => failures.flat()), Effect.provide(Simulator.layer(world)))

describe("the cases", () => {
  it.effect("do not disturb each other, all at once on one upstream", () =>
    Effect.map(allAtOnce(World.conformance), (failures) => expect(failures).toEqual([])))

  it.effect("hold whatever status an application error comes with", () =>
    Effect.gen(function*() {
      for (const { caller, run } of Conformance.cases) {
        const world = Simulator.layer({ ...World.conformance, errorStatus: 400 })
        yield* Effect.provide(run, Layer.provide(SimulatorTransport.layerWith(caller), world))
      }
    }))

  it.effect("find a world that enrols into one cycle alone, and say what was expected", () =>
    Effect.gen(function*() {
      const failures = yield* allAtOnce({ ...World.conformance, cycles: "perPeriod" })
      expect(failures.map(({ name }) => name)).toContain("enrolling into a cycle enrols into it and all later ones")
    }))

  it("have names of their own and cite a source", () => {
    expect(new Set(Conformance.cases.map(({ name }) => name)).size).toBe(Conformance.cases.length)
    for (const { source } of Conformance.cases) expect(source).toMatch(/^(seed|docs\/upstream\.md), /)
  })

  it("are about every rule that the programs can see", () => {
    const covered = new Set(Conformance.cases.flatMap(({ rules }) => rules))
    const outOfTheirSight: ReadonlyArray<Rules.RuleId> = ["error-status", "busy-look-up", "token-refused", "activity-counts", "levels-in-order"]
    expect(Rules.table.map(({ id }) => id).filter((id) => !covered.has(id) && !outOfTheirSight.includes(id))).toEqual([])
  })
})
