import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as fc from "effect/FastCheck"
import { inspect } from "node:util"
import { codes, type EveryCallError, statuses } from "../test/EveryError.js"
import * as Fixture from "../test/Fixture.js"
import * as JumpingClock from "../test/JumpingClock.js"
import { leftOf, milestone } from "../test/Sample.js"
import * as Scripted from "../test/ScriptedTransport.js"
import * as TargetGroups from "./TargetGroups.js"
import type * as Transport from "./Transport.js"

const { customerId, targetId } = milestone({ customerId: 345651201 })

const decoded = (body: string) => Either.getOrThrow(TargetGroups.decode(Scripted.text(200, body)))

const shown = (value: unknown): string =>
  [JSON.stringify(value), inspect(value, { depth: 20, showHidden: true }), String(value)].join("\n")

const enrolledOn = new Date("2024-06-30T09:21:43.741Z")

describe("the call of a look-up", () => {
  it("is a GET without a body", () => {
    expect(TargetGroups.request({ customerId }, 1500)).toStrictEqual({
      operation: "targetGroups",
      method: "GET",
      path: "/users/345651201/targetGroups",
      body: null,
      customerId,
      timeoutMillis: 1500
    })
  })

  it.each<[Omit<TargetGroups.Query, "customerId">, string]>([
    [{ includeInactive: true }, "?includeInactive=true"],
    [{ includeInactive: false }, "?includeInactive=false"],
    [{ includeInactiveTargets: true }, "?includeInactiveTargets=true"],
    [{ targetRuleId: targetId }, "?targetRuleId=2309"],
    [
      { includeInactive: true, includeInactiveTargets: false, targetRuleId: targetId },
      "?includeInactive=true&includeInactiveTargets=false&targetRuleId=2309"
    ],
    [{ includeInactive: undefined, includeInactiveTargets: undefined, targetRuleId: undefined }, ""]
  ])("asks for %j by %j", (query, parameters) => {
    expect(TargetGroups.request({ customerId, ...query }).path).toBe(`/users/345651201/targetGroups${parameters}`)
  })
})

describe("the answer of a look-up", () => {
  it("for a milestone tells each period with its value and its dates", () => {
    const period = { targetRuleId: 2309, targetName: "Spend 1000", targetValue: 1000 }
    expect(decoded(Fixture.text("look-up-milestone"))).toStrictEqual([{
      id: 2154,
      name: "Spring spend",
      orgId: 100458,
      trackingType: "DEFAULT",
      targets: [
        {
          ...period,
          periodRefCode: "Cycle_1",
          periodStart: new Date("2024-07-01T00:00:00Z"),
          periodEnd: new Date("2024-07-31T23:59:59Z"),
          currentPeriod: false,
          targetAchievedValue: 1000,
          enrolledOn,
          achievedOn: new Date("2024-07-19T11:35:00Z")
        },
        {
          ...period,
          periodRefCode: "Cycle_2",
          periodStart: new Date("2024-08-01T00:00:00Z"),
          periodEnd: new Date("2024-08-31T23:59:59Z"),
          currentPeriod: true,
          targetAchievedValue: 300,
          enrolledOn,
          achievedOn: null
        },
        {
          ...period,
          periodRefCode: "Cycle_3",
          periodStart: new Date("2024-09-01T00:00:00Z"),
          periodEnd: new Date("2024-09-30T23:59:59Z"),
          currentPeriod: false,
          targetAchievedValue: 0,
          enrolledOn: null,
          achievedOn: null
        }
      ],
      streaks: []
    }])
  })

  it("for a streak tells its levels", () => {
    const [group] = decoded(Fixture.text("look-up-streak"))
    expect(group).toMatchObject({ id: 40, trackingType: "STREAKS", targets: [{ targetRuleId: 41, currentPeriod: true }] })
    expect(group?.streaks).toStrictEqual([
      {
        streakId: 901,
        streakName: "Two weeks",
        status: "ACHIEVED",
        currentCount: 2,
        totalCount: 2,
        achievedOn: new Date("2024-08-30T09:21:43.741Z")
      },
      {
        streakId: 902,
        streakName: "Four weeks",
        status: "NOT_STARTED",
        currentCount: 0,
        totalCount: 4,
        achievedOn: null
      }
    ])
  })

  it.each([
    `{"data":{}}`,
    `{"data":{"targetGroups":null}}`,
    `{"data":{"targetGroups":[]},"errors":[],"warnings":null}`,
    `{"data":{"customer":{"firstname":"Canary"},"targetGroups":[]}}`
  ])("%s says that there is nothing", (body) => {
    expect(decoded(body)).toEqual([])
  })

  it("may leave out everything but a group's id", () => {
    expect(decoded(`{"data":{"targetGroups":[{"id":1},{"id":2,"targets":null,"streaks":null},{"id":3,"targets":[{}],"streaks":[{}]}]}}`))
      .toEqual([
        { id: 1, name: null, orgId: null, trackingType: null, targets: [], streaks: [] },
        { id: 2, name: null, orgId: null, trackingType: null, targets: [], streaks: [] },
        {
          id: 3,
          name: null,
          orgId: null,
          trackingType: null,
          targets: [{
            targetRuleId: null,
            targetName: null,
            periodRefCode: null,
            periodStart: null,
            periodEnd: null,
            currentPeriod: null,
            targetValue: null,
            targetAchievedValue: null,
            enrolledOn: null,
            achievedOn: null
          }],
          streaks: [{
            streakId: null,
            streakName: null,
            status: null,
            currentCount: null,
            totalCount: null,
            achievedOn: null
          }]
        }
      ])
  })

  it("may use words that nobody knows yet", () => {
    const body = Fixture.text("look-up-streak").replace("STREAKS", "SPIRALS").replace("NOT_STARTED", "PAUSED")
    const [group] = decoded(body)
    expect([group?.trackingType, group?.streaks[1]?.status]).toEqual(["SPIRALS", "PAUSED"])
  })

  it("prefers the dates with a time and makes do with those without", () => {
    const group = (target: object) => decoded(JSON.stringify({ data: { targetGroups: [{ id: 1, targets: [target] }] } }))
    const both = { periodStartDate: "2024-01-01", periodStartDateWithTimeStamp: "2024-01-01T05:30:00+0530" }
    expect(group(both)[0]?.targets[0]?.periodStart).toEqual(new Date("2024-01-01T00:00:00Z"))
    expect(group({ periodEndDate: "2024-01-31" })[0]?.targets[0]?.periodEnd).toEqual(new Date("2024-01-31T00:00:00Z"))
  })

  it.prop("reads the same with keys that nobody knows, anywhere", [
    fc.constantFrom("look-up-milestone", "look-up-streak"),
    fc.jsonValue(),
    fc.stringMatching(/^[a-z]{1,8}$/).map((name) => `unknown_${name}`)
  ], ([name, value, key]) => {
    const widened = JSON.parse(Fixture.text(name), (_, json: unknown) =>
      typeof json === "object" && json !== null && !Array.isArray(json) ? { ...json, [key]: value } : json
    ) as unknown
    expect(decoded(JSON.stringify(widened))).toStrictEqual(decoded(Fixture.text(name)))
  })

  it.prop("never fails for want of a field, or for a field that is null", [
    fc.constantFrom("look-up-milestone", "look-up-streak"),
    fc.infiniteStream(fc.constantFrom("keep", "drop", "null"))
  ], ([name, fates]) => {
    const body = JSON.stringify(JSON.parse(Fixture.text(name), function(this: unknown, key, json: unknown) {
      if (key === "" || key === "id" || key === "data" || Array.isArray(this)) return json
      const { value: fate } = fates.next()
      return fate === "keep" ? json : fate === "null" ? null : undefined
    }))
    expect(Either.isRight(TargetGroups.decode(Scripted.text(200, body)))).toBe(true)
  })

  it.each<unknown>([null, [], "text", 5, { targetGroups: {} }, { targetGroups: [null] }, { targetGroups: [{}] }])(
    "whose data is %j is malformed",
    (data) => {
      const error = leftOf(TargetGroups.decode(Scripted.json(200, { data })))
      expect(error).toMatchObject({ _tag: "MalformedAnswer", reason: "UnexpectedShape" })
      expect(error.message).toBe("The upstream answered 200, but its data is not a list of target groups.")
    }
  )
})

describe("personal data", () => {
  it.each(["look-up-milestone", "look-up-streak"])("of %s is not in what is read", (name) => {
    expect(Fixture.text(name)).toMatch(Fixture.canaries)
    expect(shown(decoded(Fixture.text(name)))).not.toMatch(Fixture.canaries)
  })

  it.each<[string, (json: { data: Record<string, unknown> }) => unknown]>([
    ["the list is text", ({ data }) => ({ data: { ...data, targetGroups: "Canary" } })],
    ["a group is personal data", ({ data }) => ({ data: { ...data, targetGroups: [data["customer"]] , canary: 1 } })],
    ["a name is an object", ({ data }) => ({ data: { ...data, targetGroups: [{ id: 1, name: data["customer"] }] } })],
    ["data is a list", ({ data }) => ({ data: [data] })],
    ["the envelope is missing", ({ data }) => data]
  ])("is not in the error where %s", (_, change) => {
    const json = JSON.parse(Fixture.text("look-up-milestone")) as { data: Record<string, unknown> }
    const read = TargetGroups.decode(Scripted.json(200, change(json)))
    expect(shown(Either.isLeft(read) ? read.left : read.right)).not.toMatch(Fixture.canaries)
  })

  it("is not in the error where the answer is cut off", () => {
    for (const length of [100, 300, 500]) {
      const error = leftOf(TargetGroups.decode(Scripted.text(200, Fixture.text("look-up-milestone").slice(0, length))))
      expect(error).toMatchObject({ _tag: "MalformedAnswer", reason: "NotJson" })
      expect(shown(error)).not.toMatch(Fixture.canaries)
    }
  })

  it("has no place in the types", () => {
    expectTypeOf<keyof TargetGroups.TargetGroupStatus>().toEqualTypeOf<
      "id" | "name" | "orgId" | "trackingType" | "targets" | "streaks"
    >()
  })
})

describe("a moment", () => {
  it.each<[string | null | undefined, string | null]>([
    ["2024-08-30T09:21:43.741+0000", "2024-08-30T09:21:43.741Z"],
    ["2024-08-30T09:21:43.741Z", "2024-08-30T09:21:43.741Z"],
    ["2024-08-30T14:51:43.741+0530", "2024-08-30T09:21:43.741Z"],
    ["2024-08-30T04:21:43-0500", "2024-08-30T09:21:43.000Z"],
    ["2024-08-30T09:21:43+00:00", "2024-08-30T09:21:43.000Z"],
    ["2024-08-30T09:21:43Z", "2024-08-30T09:21:43.000Z"],
    ["2024-08-30", "2024-08-30T00:00:00.000Z"],
    ["", null],
    ["soon", null],
    ["2024-13-01T00:00:00Z", null],
    [null, null],
    [undefined, null]
  ])("%j is %s", (text, expected) => {
    expect(TargetGroups.moment(text)?.toISOString() ?? null).toBe(expected)
  })

  it.prop("is the same in both forms that the upstream writes", [
    fc.date({ min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true })
  ], ([date]) => {
    expect(TargetGroups.moment(date.toISOString())).toEqual(date)
    expect(TargetGroups.moment(date.toISOString().replace("Z", "+0000"))).toEqual(date)
  })
})

describe("looking up", () => {
  const running = (...steps: ReadonlyArray<Scripted.Step>) => {
    const upstream = Scripted.make(steps)
    return TargetGroups.run({ customerId }).pipe(
      Effect.either,
      Effect.provide(upstream.layer),
      Effect.withClock(JumpingClock.make()),
      Effect.map((ended) => ({ ended, calls: upstream.calls }))
    )
  }

  const answer = Scripted.text(200, Fixture.text("look-up-milestone"))

  it.effect("gives the groups", () =>
    Effect.gen(function*() {
      const { calls, ended } = yield* running(answer)
      expect(ended).toStrictEqual(Either.right(decoded(answer.body)))
      expect(calls.map(({ request }) => request)).toEqual([TargetGroups.request({ customerId }, 120_000)])
    }))

  it.effect.each(codes)("fails with $tag where the upstream says $code", ({ code, tag }) =>
    Effect.gen(function*() {
      const { calls, ended } = yield* running(Scripted.text(200, Fixture.text(`error-${code}`)))
      expect(leftOf<unknown, EveryCallError>(ended)._tag).toBe(tag)
      expect(calls).toHaveLength(1)
    }))

  it.effect.each(statuses)("answered $status, then the groups, ends as $disposition says", ({ disposition, status, tag }) =>
    Effect.gen(function*() {
      const { calls, ended } = yield* running(Scripted.gateway(status), answer)
      expect(calls).toHaveLength(disposition === "rejected" ? 1 : 2)
      if (disposition === "rejected") expect(leftOf<unknown, EveryCallError>(ended)._tag).toBe(tag)
      else expect(Either.isRight(ended)).toBe(true)
    }))

  it.effect("asks again after a lost or malformed answer", () =>
    Effect.gen(function*() {
      const { calls, ended } = yield* running(Scripted.noAnswer(), Scripted.json(200, { data: 5 }), answer)
      expect(calls).toHaveLength(3)
      expect(Either.isRight(ended)).toBe(true)
    }))
})

describe("the types of looking up", () => {
  it("list every error, one by one, and require a transport alone", () => {
    expectTypeOf<Effect.Effect.Error<ReturnType<typeof TargetGroups.run>>>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<TargetGroups.Error>().toEqualTypeOf<EveryCallError>()
    expectTypeOf<Effect.Effect.Context<ReturnType<typeof TargetGroups.run>>>().toEqualTypeOf<Transport.Transport>()
    expectTypeOf<Effect.Effect.Success<ReturnType<typeof TargetGroups.run>>>().toEqualTypeOf<
      ReadonlyArray<TargetGroups.TargetGroupStatus>
    >()
    // @ts-expect-error no error has this tag
    const program = Effect.catchTags(TargetGroups.run({ customerId }), { ParseError: () => Effect.void })
    expect(Effect.isEffect(program)).toBe(true)
  })
})
