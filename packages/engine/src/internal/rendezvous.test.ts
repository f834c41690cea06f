import { assert, describe, it } from "@effect/vitest"
import { wantedBy } from "./rendezvous.js"

const lanes = Array.from({ length: 64 }, (_, lane) => lane)

const dealt = (members: ReadonlyArray<string>) => lanes.map((lane) => wantedBy(members, lane))

describe("lanes among members", () => {
  it("are the same for everybody, in whatever order the members are seen", () => {
    assert.deepStrictEqual(dealt(["a", "b", "c"]), dealt(["c", "a", "b"]))
  })

  it("come to every member, ids that differ in one letter included", () => {
    for (const members of [["replica-1", "replica-2"], ["replica-1", "replica-2", "replica-3"], ["7f3a", "7f3b", "7f3c", "7f3d", "7f3e"]]) {
      for (const member of members) {
        const its = dealt(members).filter((wanted) => wanted === member).length
        assert.isAtLeast(its, Math.floor(64 / members.length / 3), `${member} of ${members.length}`)
      }
    }
  })

  it("move only to who comes, and only from who goes", () => {
    const before = dealt(["a", "b", "c"])
    const with4 = dealt(["a", "b", "c", "d"])
    const without = dealt(["a", "c"])
    for (const lane of lanes) {
      if (with4[lane] !== before[lane]) assert.strictEqual(with4[lane], "d")
      if (before[lane] !== "b") assert.strictEqual(without[lane], before[lane])
    }
  })

  it("are nobody's when there are no members", () => {
    assert.isNull(wantedBy([], 0))
  })
})
