/** What people know of the upstream's cycles and streaks, told from beginning to end through the look-up. */
import { describe, expect, it } from "@effect/vitest"
import * as Enroll from "@milepost/core/Enroll"
import * as Enrollment from "@milepost/core/Enrollment"
import type * as Ids from "@milepost/core/Ids"
import * as TargetGroups from "@milepost/core/TargetGroups"
import * as Unenroll from "@milepost/core/Unenroll"
import * as Unenrollment from "@milepost/core/Unenrollment"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Progress from "./Progress.js"
import * as Simulator from "./Simulator.js"
import * as SimulatorTransport from "./SimulatorTransport.js"
import * as World from "./World.js"

const customerId = 7
const milestone = { customerId, targetGroupId: 1, targetId: 2 }
const streak = { customerId, targetGroupId: 3, targetId: 4 }
const month = (index: number): string => new Date(Date.UTC(2026, index, 1)).toISOString()
const months = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ refCode: `${name}${index + 1}`, start: month(index), end: month(index + 1) }))

const world: World.World = {
  clock: "2026-01-10T00:00:00Z",
  orgs: [{ id: 100 }],
  credentials: [{ type: "basic", username: "till", password: "secret", orgId: 100 }],
  targetGroups: [
    { id: 1, orgId: 100, trackingType: "DEFAULT", targets: [{ id: 2, targetValue: 1000 }], periods: months("c", 5) },
    {
      id: 3,
      orgId: 100,
      trackingType: "STREAKS",
      targets: [{ id: 4 }],
      periods: months("s", 30),
      streakLevels: ["l1", "l2", "l3", "l4"].map((name) => ({ name, count: 1 }))
    }
  ],
  customers: [{ orgId: 100, id: customerId }]
}

const inWorld = (of: Partial<World.World> = {}) =>
  Layer.provideMerge(SimulatorTransport.layer, Simulator.layer({ ...world, ...of }))

const enrols = (periodName: string, initialBalance?: Enrollment.InitialBalance) =>
  Effect.flatMap(Enrollment.milestone({ ...milestone, periodName, initialBalance }), Enroll.call)
const enrolsInStreak = (resetStreakStatus?: boolean) =>
  Effect.flatMap(Enrollment.streak({ ...streak, resetStreakStatus }), Enroll.call)
const leaves = (of: typeof milestone) => Effect.flatMap(Unenrollment.make(of), Unenroll.call)
const spends = (add: number, periodName?: string) =>
  Effect.flatMap(Simulator.Simulator, ({ progress }) =>
    progress({ type: "activity", ...milestone, add, ...(periodName === undefined ? {} : { periodName }) }))
const achieves = (levels = 1) =>
  Effect.flatMap(Simulator.Simulator, ({ progress }) => progress({ type: "streakLevel", ...streak, levels }))
const itIs = (date: string) =>
  Effect.flatMap(Simulator.Simulator, ({ clock }) => clock.set(DateTime.unsafeMake(`${date}T00:00:00Z`)))

const seen = Effect.flatMap(
  TargetGroups.run({ customerId: customerId as Ids.CustomerId, includeInactiveTargets: true }),
  (groups) =>
    Effect.succeed(groups.flatMap(({ streaks, targets }) =>
      streaks.length > 0
        ? streaks.filter(({ status }) => status === "ACHIEVED").map(({ streakName }) => streakName)
        : targets.map(({ periodRefCode, targetAchievedValue }) => `${periodRefCode}=${targetAchievedValue}`)
    ))
)

const held = Effect.map(
  Effect.flatMap(Simulator.Simulator, ({ standing }) => standing(customerId, 3, 4)),
  (standing) => (standing._tag === "None" ? [] : standing.value.periods.filter(({ enrolled }) => enrolled).map(({ refCode }) => refCode))
)

describe("a milestone with the cycles c1 to c5 of 1000 each", () => {
  it.effect("enrolling into c3 enrols into it and all later ones, and 300 leaves 700 to do", () =>
    Effect.gen(function*() {
      yield* enrols("c3", 300)
      expect(yield* seen).toEqual(["c3=300", "c4=0", "c5=0"])
      yield* itIs("2026-03-10")
      yield* spends(699)
      expect(yield* seen).toEqual(["c3=999", "c4=0", "c5=0"])
      yield* spends(1)
      expect(yield* seen).toEqual(["c3=1000", "c4=0", "c5=0"])
    }).pipe(Effect.provide(inWorld())))

  for (const [balance, becomes] of [[0, 0], [150, 150], [null, 250], [undefined, 250]] as const) {
    it.effect(`un-enrolled in c4 holding 250, re-enrolled with ${balance} it goes on at ${becomes}`, () =>
      Effect.gen(function*() {
        yield* enrols("c1")
        yield* itIs("2026-04-10")
        yield* spends(250)
        yield* leaves(milestone)
        expect((yield* Effect.flip(spends(1))).reason).toBe("NotEnrolled")
        yield* enrols("c4", balance)
        expect(yield* seen).toEqual(["c1=0", "c2=0", "c3=0", `c4=${becomes}`, "c5=0"])
        yield* spends(10)
        expect(yield* seen).toContain(`c4=${becomes + 10}`)
      }).pipe(Effect.provide(inWorld())))
  }

  it.effect("un-enrolling during c3 takes out c3 to c5, and c1 and c2 keep what they earned", () =>
    Effect.gen(function*() {
      yield* enrols("c1")
      yield* spends(1000)
      yield* itIs("2026-02-10")
      yield* spends(400)
      yield* itIs("2026-03-10")
      yield* spends(30)
      expect(yield* seen).toEqual(["c1=1000", "c2=400", "c3=30", "c4=0", "c5=0"])
      yield* leaves(milestone)
      expect(yield* seen).toEqual(["c1=1000", "c2=400"])
    }).pipe(Effect.provide(inWorld())))

  it.effect("enrolling into c2 after c1 is answered 310119, where a call enrols into one cycle alone it is accepted", () =>
    Effect.gen(function*() {
      const both = Effect.zipRight(enrols("c1"), enrols("c2", 5))
      expect((yield* Effect.flip(both).pipe(Effect.provide(inWorld())))._tag).toBe("AlreadyEnrolled")
      const apart = Effect.zipRight(both, seen).pipe(Effect.provide(inWorld({ cycles: "perPeriod" })))
      expect(yield* apart).toEqual(["c1=0", "c2=5"])
    }))
})

describe("a streak with the levels l1 to l4 in 30 periods", () => {
  const afterTwoLevels = Effect.gen(function*() {
    yield* enrolsInStreak()
    yield* achieves()
    yield* achieves()
    expect(yield* seen).toEqual(["l1", "l2"])
    yield* itIs("2027-01-10")
    yield* leaves(streak)
    expect(yield* held).toEqual(months("s", 12).map(({ refCode }) => refCode))
    expect((yield* Effect.flip(achieves())).reason).toBe("NotEnrolled")
  })

  it.effect("goes on to l3 when re-enrolled with resetStreakStatus false", () =>
    Effect.gen(function*() {
      yield* afterTwoLevels
      yield* enrolsInStreak(false)
      yield* achieves()
      expect(yield* seen).toEqual(["l1", "l2", "l3"])
    }).pipe(Effect.provide(inWorld())))

  it.effect("starts at l1 again when re-enrolled with resetStreakStatus true", () =>
    Effect.gen(function*() {
      yield* afterTwoLevels
      yield* enrolsInStreak(true)
      expect(yield* seen).toEqual([])
      yield* achieves()
      expect(yield* seen).toEqual(["l1"])
      expect((yield* Effect.flip(achieves(4))).reason).toBe("NoLevelLeft")
    }).pipe(Effect.provide(inWorld())))
})

describe("an event", () => {
  it.effect("that leads nowhere is refused in words", () =>
    Effect.gen(function*() {
      const { progress } = yield* Simulator.Simulator
      const reason = (event: Progress.Event) => Effect.map(Effect.flip(progress(event)), (error) => error.reason)
      expect(yield* reason({ type: "activity", ...milestone, targetGroupId: 9, add: 1 })).toBe("GroupUnknown")
      expect(yield* reason({ type: "activity", ...milestone, targetId: 9, add: 1 })).toBe("TargetUnknown")
      expect(yield* reason({ type: "activity", ...milestone, periodName: "c9", add: 1 })).toBe("PeriodUnknown")
      expect(yield* reason({ type: "streakLevel", ...milestone })).toBe("NotAStreak")
      expect(yield* reason({ type: "activity", ...milestone, add: 1 })).toBe("NotEnrolled")
    }).pipe(Effect.provide(inWorld())))

  it("of the wrong shape is refused with every mistake", () => {
    const read = Progress.decode({ type: "activity", customerId: 0, targetGroupId: 1, targetId: 2, add: "x" })
    expect(Either.isLeft(read) && read.left.issues.map(({ path }) => path)).toEqual(["customerId", "add"])
  })
})
