import { describe, expect, it } from "@effect/vitest"
import * as Transport from "@milepost/core/Transport"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { EnrollmentSuite } from "../test/EnrollmentSuite.js"
import * as Conformance from "./Conformance.js"
import { toldLive } from "./internal/conformanceLive.js"
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

const asTold = (id: string, broken?: Simulator.Options["rules"]) =>
  Effect.gen(function*() {
    const place = { customerId: 1001, milestone: { targetGroupId: 2154, targetId: 2309, periodName: "Cycle_3" }, streak: { targetGroupId: 40, targetId: 41 } }
    const told = Conformance.live(id, place)
    const simulator = yield* Simulator.make(World.conformance, { rules: broken })
    return told.kind === "skipped"
      ? told.kind
      : yield* Effect.match(Effect.provide(told.run, Layer.succeed(Transport.Transport, SimulatorTransport.make(simulator))), {
        onFailure: ({ message }) => message,
        onSuccess: () => told.kind
      })
  })

describe("the cases on a live tenant", () => {
  it.effect("hold against the simulator with one named customer", () =>
    Effect.gen(function*() {
      const kinds = yield* Effect.forEach(Conformance.cases, ({ id }) => Effect.map(asTold(id), (kind) => [id, kind] as const))
      expect(kinds.filter(([, kind]) => !["skipped", "reads", "writes"].includes(kind))).toEqual([])
      expect(kinds.filter(([, kind]) => kind === "reads").map(([id]) => id)).toEqual(["look-up-filters", "look-up-unknown"])
      expect(kinds.filter(([, kind]) => kind === "writes").length).toBe(18)
    }))

  it.effect("find a rule that is broken", () =>
    Effect.gen(function*() {
      const zeroIsAbsent: typeof Rules.enroll = (facts, now, standing, command) =>
        Rules.enroll(facts, now, standing, { ...command, initialBalance: command.initialBalance === 0 ? null : command.initialBalance })
      expect(yield* asTold("again-with-zero", { enroll: zeroIsAbsent })).toBe("look up: expected Cycle_3=0, but it was Cycle_3=250")
      expect(yield* asTold("again-with-null", { enroll: zeroIsAbsent })).toBe("writes")
    }))
})

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

  it("say how they run on a live tenant, or why not", () => {
    expect([...toldLive].sort()).toEqual(Conformance.cases.map(({ id }) => id).sort())
    for (const { id } of Conformance.cases) expect(Conformance.live(id, {})).toMatchObject({ kind: "skipped" })
  })

  it("have ids and names of their own and cite a source", () => {
    expect(new Set(Conformance.cases.map(({ id }) => id)).size).toBe(Conformance.cases.length)
    for (const { id } of Conformance.cases) expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/)
    expect(new Set(Conformance.cases.map(({ name }) => name)).size).toBe(Conformance.cases.length)
    for (const { source } of Conformance.cases) expect(source).toMatch(/^(seed|docs\/upstream\.md), /)
  })

  it("are about every rule that the programs can see", () => {
    const covered = new Set(Conformance.cases.flatMap(({ rules }) => rules))
    const outOfTheirSight: ReadonlyArray<Rules.RuleId> = ["error-status", "busy-look-up", "token-refused", "activity-counts", "levels-in-order"]
    expect(Rules.table.map(({ id }) => id).filter((id) => !covered.has(id) && !outOfTheirSight.includes(id))).toEqual([])
  })
})
