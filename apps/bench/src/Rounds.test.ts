import { describe, expect, it } from "vitest"
import * as Rounds from "./Rounds.js"

describe("median", () => {
  it("is the middle value, whatever the order", () => {
    expect(Rounds.median([9, 1, 5])).toBe(5)
  })
  it("is the mean of the two middle values of an even number", () => {
    expect(Rounds.median([10, 1, 4, 2])).toBe(3)
  })
  it("sorts numbers as numbers", () => {
    expect(Rounds.median([100, 9, 20])).toBe(20)
  })
  it("does not exist of nothing", () => {
    expect(() => Rounds.median([])).toThrow(RangeError)
  })
})

describe("ratios", () => {
  it("are taken turn by turn, so that a slow stretch of both changes nothing", () => {
    expect(Rounds.ratios([50, 5, 50], [100, 10, 100])).toEqual({ median: 0.5, min: 0.5, max: 0.5 })
  })
  it("refuse series of different lengths", () => {
    expect(() => Rounds.ratios([1, 2], [1])).toThrow(RangeError)
  })
})

describe("interleaved", () => {
  it("measures everybody once a turn, and rotates who begins", async () => {
    const order: Array<string> = []
    const measured = await Rounds.interleaved(["a", "b", "c"], 4, (name, turn) => {
      order.push(name)
      return `${name}${turn}`
    })
    expect(order.join("")).toBe("abcbcacababc")
    expect(measured.get("b")).toEqual(["b0", "b1", "b2", "b3"])
  })
  it("waits for each before the next begins", async () => {
    let running = 0
    await Rounds.interleaved(["a", "b"], 2, async () => {
      running += 1
      expect(running).toBe(1)
      await Promise.resolve()
      running -= 1
    })
  })
})

it("joined keeps the turns of several rounds in their order", () => {
  const joined = Rounds.joined([new Map([["a", [1, 2]]]), new Map([["a", [3]], ["b", [4]]])])
  expect([...joined]).toEqual([["a", [1, 2, 3]], ["b", [4]]])
})
