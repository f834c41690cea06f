import { describe, expect, it } from "@effect/vitest"
import * as Crowd from "./Crowd.js"

/** So many come in each 10 ms of so long, and one of so many finds a place. */
const come = (crowd: Crowd.Crowd, from: number, millis: number, freeOneOf: number): number => {
  let count = 0
  for (let at = from; at < from + millis; at += 10) {
    for (let each = 0; each < 5; each++) crowd.came(++count % freeOneOf === 0, at)
  }
  return from + millis
}

describe("a crowd", () => {
  it("stands when few have found a place for two seconds, and not before", () => {
    const crowd = Crowd.make()
    const at = come(crowd, 0, 1_900, 1_000)
    expect(crowd.isStanding(at)).toBe(false)
    expect(crowd.isStanding(come(crowd, at, 200, 1_000))).toBe(true)
  })

  it("is none while every second one finds a place", () => {
    const crowd = Crowd.make()
    expect(crowd.isStanding(come(crowd, 0, 5_000, 2))).toBe(false)
  })

  it("is over when a second has let people in, and when nobody comes", () => {
    const crowd = Crowd.make()
    const at = come(crowd, 0, 3_000, 1_000)
    expect(crowd.isStanding(at)).toBe(true)
    expect(crowd.isStanding(come(crowd, at, 2_100, 1))).toBe(false)
    const other = Crowd.make()
    expect(other.isStanding(come(other, 0, 3_000, 1_000) + 2_500)).toBe(false)
  })
})
